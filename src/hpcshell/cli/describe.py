"""A job's document in words for people. Everything a user named passes through `safe`."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import Any, Final

from hpcshell.core.units import format_clock, format_duration, format_instant, short_size
from hpcshell.core.words import safe

View = dict[str, Any]
"""The document of one job or element, as the daemon gives it."""

MIB: Final = 1 << 20
LIVE: Final = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING")


def local_offset(unix: float) -> float:
    """Seconds that local time is ahead of UTC at a Unix time."""
    return float(time.localtime(unix).tm_gmtoff)


def instant(unix: float | None) -> str:
    """`2026-11-21 23:13:20` in local time; `-` for unknown."""
    return "-" if unix is None else format_instant(unix, local_offset)


def size(number: int | None) -> str:
    """`1.5G`; `-` for nothing asked."""
    return short_size(number) if number else "-"


def peak(usage: View) -> str:
    """`1.5G`; `<15M` where all that is known is that it was less."""
    found = usage.get("max_rss") or 0
    if usage.get("max_rss_at_most"):
        return f"<{short_size((found + MIB) // MIB * MIB)}"
    return size(found)


def elapsed(view: View, now: float) -> float | None:
    """Seconds it has run, or ran, less those for which it was suspended."""
    start = view["start_time"]
    if start is None:
        return None
    end = view["end_time"]
    still = float(view.get("suspended") or 0.0)
    return max(0.0, float(now if end is None else end) - float(start) - still)


def clock(seconds: float | None) -> str:
    """`HH:MM:SS`; `-` for unknown."""
    return "-" if seconds is None else format_clock(seconds)


def limit(view: View) -> str:
    """The time limit for a column."""
    return "-" if view["time_limit"] is None else format_clock(view["time_limit"])


def why(view: View) -> str:
    """What there is to say about its state: progress, the reason, or how it ended."""
    if view["state"] not in LIVE:
        return progress(view["elements"]) if view.get("elements") else ended(view)
    reason = safe(view["reason"] or ("held" if view.get("held") else ""))
    if not view.get("elements"):
        return reason
    parts = (progress(view["elements"]) if view["start_time"] else "", reason)
    return "; ".join(part for part in parts if part)


def ended(view: View) -> str:
    """How it ended beyond its state: the cause as it was recorded, or exit code or signal."""
    if view.get("reason"):
        return safe(view["reason"])
    if view.get("signal"):
        return f"killed by {_signal(view['signal'])}"
    return f"exit code {view['exit_code']}" if view.get("exit_code") else ""


def _signal(number: int) -> str:
    from hpcshell.core.words import format_signal

    name = format_signal(number)
    return f"signal {name}" if name.isdigit() else f"SIG{name}"


def progress(elements: View) -> str:
    """`34 of 100 done, 2 failed, 8 running`."""
    counts = elements["counts"]
    done = sum(n for state, n in counts.items() if state not in LIVE)
    parts = [f"{done:,} of {elements['total']:,} done"]
    running = sum(counts.get(state, 0) for state in LIVE if state != "PENDING")
    if running:
        parts.append(f"{running:,} running")
    for state, number in counts.items():
        if state not in LIVE and state != "COMPLETED":
            parts.append(f"{number:,} {state.lower().replace('_', ' ')}")
    return ", ".join(parts)


def command(view: View) -> str:
    """The command as it would be typed."""
    return safe(shlex.join(view["command"]))


def request(view: View) -> str:
    """`4 CPUs, 8G memory, 2 GPUs, 1 licence:matlab, exclusive`."""
    parts = [f"{view['cpus']} CPU{'s' * (view['cpus'] != 1)}"]
    if view["memory"]:
        parts.append(f"{short_size(view['memory'])} memory")
    if view["gpus"]:
        parts.append(f"{view['gpus']} GPU{'s' * (view['gpus'] != 1)}")
    if view.get("gpu_type"):
        parts.append(f"model {safe(view['gpu_type'])}")
    if view.get("gpu_mem"):
        parts.append(f"{short_size(view['gpu_mem'])} of GPU memory")
    if view.get("gpus_allowed"):
        parts.append(f"of the cards {', '.join(map(str, view['gpus_allowed']))}")
    parts += [f"{number} {safe(name)}" for name, number in (view.get("others") or {}).items()]
    if view.get("exclusive"):
        parts.append("the whole machine")
    return ", ".join(parts)


def card(held: View) -> str:
    """`gpu 2: 0.25, holds 3G of its 20G`."""
    told = f"gpu {held['card']}: {held['share']:g}"
    most = f" of its {short_size(held['memory_limit'])}" if held["memory_limit"] else ""
    if held["memory_used"] is not None:
        return f"{told}, holds {short_size(held['memory_used'])}{most}"
    return told + most


def model(asked: View) -> str:
    """`qwen2.5-7b (infer, bf16, 4,096 tokens x 1)`, seen or sized by the site's table or not."""
    how = [asked["mode"], asked["dtype"]]
    if asked["ctx"]:
        how.append(f"{asked['ctx']:,} tokens x {asked['batch'] or 1:,}")
    seen = ", from --llm" if asked["seen"] else ""
    return f"{safe(asked['name'])} ({', '.join(word for word in how if word)}){seen}"


def fields(view: View, now: float) -> list[tuple[str, str]]:
    """Name and value of all that is worth reading, in reading order."""
    usage = view.get("usage") or {}
    spent = usage.get("cpu_time")
    ran, still = elapsed(view, now), view.get("suspended")
    rows: Sequence[tuple[str, str | None]] = (
        ("Name", safe(view["name"])),
        ("Cluster", safe(view["cluster"]) if view.get("cluster") else None),
        ("State", _state(view)),
        ("Elements", progress(view["elements"]) if view.get("elements") else None),
        ("Reason", safe(view["reason"]) if view["reason"] else None),
        ("Unknown since", instant(since) if (since := view.get("unknown_since")) else None),
        ("Chosen", safe(view["chosen"]) if view.get("chosen") else None),
        ("Exit code", _code(view)),
        ("User", safe(view["user"])),
        ("Request", request(view)),
        ("Model", model(view["model"]) if view.get("model") else None),
        ("Time limit", format_duration(view["time_limit"]) if view["time_limit"] else "none"),
        ("Submitted", instant(view["submit_time"])),
        ("Begin", instant(view["begin"]) if view["begin"] else None),
        ("Deadline", instant(view["deadline"]) if view["deadline"] else None),
        ("Expected start", _expected(view)),
        ("Started", instant(view["start_time"]) if view["start_time"] else None),
        ("Ended", instant(view["end_time"]) if view["end_time"] else None),
        ("Ran", format_duration(round(ran, 1)) if ran is not None else None),
        ("Suspended", format_duration(round(still, 1)) if still else None),
        ("CPU time", format_duration(round(spent, 2)) if spent is not None else None),
        ("Peak memory", peak(usage) if usage.get("max_rss") else None),
        ("GPU memory", size(usage["gpu_memory"]) if usage.get("gpu_memory") else None),
        ("GPUs", "; ".join(map(card, view["gpu_cards"])) if view.get("gpu_cards") else None),
        ("GPU shares", safe(view["gpu_enforcement"]) if view.get("gpu_enforcement") else None),
        ("Attempt", _attempt(view)),
        ("Array", _array(view)),
        ("Waits for", safe(view["dependency"]) if view["dependency"] else None),
        ("Priority", _priority(view)),
        ("Partition", safe(view["partition"]) if view["partition"] else None),
        ("Account", safe(view["account"]) if view["account"] else None),
        ("QOS", safe(view["qos"]) if view["qos"] else None),
        ("Reservation", safe(view["reservation"]) if view.get("reservation") else None),
        ("Profile", safe(view["profile"]) if view["profile"] else None),
        ("Tags", safe(", ".join(view["tags"])) if view["tags"] else None),
        ("Comment", safe(view["comment"]) if view["comment"] else None),
        ("Node", safe(", ".join(view["nodes"])) if view["nodes"] else None),
        ("Session", _session(view)),
        ("Command", command(view)),
        ("Directory", safe(view["cwd"])),
        ("Output", safe(view["stdout"])),
        ("Errors", safe(view["stderr"]) if view["stderr"] != view["stdout"] else None),
    )
    return [(name, value) for name, value in rows if value is not None]


def _session(view: View) -> str | None:
    """`hpc-12 (tmux); hpc attach 12 joins it`."""
    session = view.get("session")
    if not session:
        return None
    shown = f"{session['name']} ({session['program']})"
    return f"{shown}; hpc attach {view['label']} joins it" if session["join"] else shown


def _expected(view: View) -> str | None:
    start = view.get("expected_start")
    return instant(start) if start and view["state"] == "PENDING" else None


def _state(view: View) -> str:
    held = view.get("held") and view["state"] in LIVE
    return f"{view['state']} (held)" if held else str(view["state"])


def _code(view: View) -> str | None:
    if view.get("signal"):
        return f"killed by {_signal(view['signal'])}"
    return None if view.get("exit_code") is None else str(view["exit_code"])


def _priority(view: View) -> str | None:
    if view["priority"] is None:
        return None
    return str(view["priority"]) + (f", nice {view['nice']}" if view["nice"] else "")


def _attempt(view: View) -> str | None:
    attempt = view.get("attempt") or 0
    if attempt <= 1 and not view["retries"]:
        return None
    return f"{attempt} ({view['retries']} retries allowed)"


def _array(view: View) -> str | None:
    if not view["array"]:
        return None
    return str(view["array"]) + (f", {view['throttle']} at once" if view["throttle"] else "")


def state_line(node: View) -> str:
    """`DRAINING, new disk (ann, 2026-11-21 23:13:20), 2 running`."""
    parts = [str(node["state"])]
    if not node["accepts"]:
        who = f"{safe(node['user'] or '-')}, {instant(node['since'])}"
        parts.append(f"{safe(node['reason'])} ({who})" if node["reason"] else f"by {who}")
    parts.append(f"{node['running']} running")
    return ", ".join(parts)


def set_apart(node: View) -> list[str]:
    """A line for each reservation."""
    return [f"  {reservation(one)}" for one in node["reservations"]]


def reservation(one: View) -> str:
    """`reservation course (open): 4 cpus, 2026-11-21 18:00:00 to 2026-11-21 20:00:00, for ann`."""
    when = f"{instant(one['start'])} to {instant(one['end'])}"
    word = "open" if one["state"] == "ACTIVE" else "to come"
    return (
        f"reservation {safe(one['name'])} ({word}): {safe(one['sets_apart'])}, {when}, "
        f"for {whom(one)}"
    )


def whom(one: View) -> str:
    """For whom a reservation is."""
    if one["maintenance"]:
        return "nobody (maintenance)"
    accounts = [f"account {safe(name)}" for name in one["accounts"]]
    return ", ".join([*map(safe, one["users"]), *accounts])
