"""What `hpc whatif` has found, as a table, a picture and a document."""

from __future__ import annotations

from math import isinf
from typing import Any, Final, NamedTuple

from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import Talk
from hpcshell.core.records import WHOLE, Request
from hpcshell.core.units import format_duration, format_gpus, number_of_gpus, short_size
from hpcshell.core.words import safe
from hpcshell.sim.fates import Fate, Fates
from hpcshell.sim.forward import Forward
from hpcshell.sim.gains import Compared, Row, Totals, usage

SHOWN: Final = 20
"""Rows of the table at most from either end, unless all are asked for."""
NEVER: Final = 10
"""Jobs that never start, of which it is said why."""
SLOTS: Final = 50
"""Letters of the picture."""
BARS: Final = " ▁▂▃▄▅▆▇█"


class Asked(NamedTuple):
    """What was understood: the changes as typed, how long runs are taken to take, seconds for those
    without a limit, the instants of the snapshot and of the change, the two runs, what of the
    changes changes nothing, and how many jobs were left out."""

    words: list[str]
    runs: str
    unlimited: float
    now: float
    when: float
    before: Forward
    after: Forward
    idle: tuple[str, ...] = ()
    left_out: int = 0


# -- for people ------------------------------------------------------------------------------------


def text(talk: Talk, asked: Asked, compared: Compared, *, every: bool) -> list[str]:
    """The table, the totals, and the picture."""
    rows = [row for row in compared.rows if every or not asked.words or row.changed]
    if not compared.rows:
        return ["nothing waits"]
    lines = _table(talk, asked, rows, every=every) if rows else ["nothing starts at another time"]
    return [*lines, "", *_totals(talk, asked, compared), "", *_picture(asked, compared)]


def _table(talk: Talk, asked: Asked, rows: list[Row], *, every: bool) -> list[str]:
    """Who gains most and who loses most; of a forecast the first to start."""
    two = bool(asked.words)
    columns = [Column("ID"), Column("NAME", elastic=True), Column("USER"), Column("ASKS")]
    columns += [Column("STARTS NOW" if two else "STARTS", right=True)]
    if two:
        columns += [Column("THEN", right=True), Column("GAIN", right=True)]
    head, tail = rows, []
    if len(rows) > 2 * SHOWN and not every:
        head, tail = rows[:SHOWN], rows[-SHOWN:]
    lines = table(talk, columns, [_cells(row, asked) for row in (*head, *tail)])
    if tail:
        told = f"... {len(rows) - 2 * SHOWN:,} more ..."
        lines.insert(1 + SHOWN, told)
    never = [row for row in (*head, *tail) if row.why]
    return [*lines, *(f"{_named(row)} never starts: {safe(row.why)}" for row in never[:NEVER])]


def _cells(row: Row, asked: Asked) -> list[str]:
    before = "-" if row.new else _said(row, asked, after=False)
    cells = [_label(row), safe(row.job.name), safe(row.job.user), _asks(row), before]
    return [*cells, _then(row, asked), _gain(row)] if asked.words else cells


def _label(row: Row) -> str:
    return "new" if row.new else str(row.job.id)


def _named(row: Row) -> str:
    return "the new job" if row.new else f"job {row.job.id}"


def _asks(row: Row) -> str:
    """`10 x 4 CPUs, 8G, 1 GPU, 2h 0m`."""
    request: Request = row.job.request
    parts = [f"{request.cpus} CPU{'s' * (request.cpus != 1)}"]
    if request.memory:
        parts.append(short_size(request.memory))
    if gpus := request.gpu_hundredths:
        parts.append(f"{format_gpus(gpus)} GPU{'s' * (gpus != WHOLE)}")
    parts += [f"{number} {safe(name)}" for name, number in request.others.items() if number]
    if request.time_limit is not None:
        parts.append(format_duration(request.time_limit))
    told = (f"{row.elements:,} x " if row.elements > 1 else "") + ", ".join(parts)
    return f"{told} (suspended)" if row.stands else told


def _start(start: float | None, asked: Asked, run: Forward) -> str:
    if start is None:
        return "later" if run.cut else "never"
    ahead = round(start - asked.now)
    return f"in {format_duration(ahead)}" if ahead > 0 else "now"


def _then(row: Row, asked: Asked) -> str:
    return "cancelled" if row.gone else _said(row, asked, after=True)


def _said(row: Row, asked: Asked, *, after: bool) -> str:
    """When it starts in one of the two runs, or what becomes of it there."""
    run = asked.after if after else asked.before
    if row.fates is None:
        return _start(row.after if after else row.before, asked, run)
    return _fate(row.fates.after if after else row.fates.before, asked, run)


def _fate(fate: Fate | None, asked: Asked, run: Forward) -> str:
    """`PREEMPTED now, ends`; `PREEMPTED in 5m 0s, goes on in 9m 0s`."""
    if fate is None:
        return "runs on"
    at = f"PREEMPTED {_start(fate.at, asked, run)}"
    if fate.mode == "cancel":
        return f"{at}, ends"
    does = "goes on" if fate.mode == "suspend" else "starts again"
    return f"{at}, {does} {_start(fate.again, asked, run)}"


def _gain(row: Row) -> str:
    if row.gain is None or row.new or row.gone or isinf(row.gain):
        return "-"
    if not row.changed:
        return "0s"
    told = format_duration(abs(round(row.gain)))
    return f"{told} sooner" if row.gain > 0 else f"{told} later"


def _totals(talk: Talk, asked: Asked, compared: Compared) -> list[str]:
    two = bool(asked.words)
    columns = [Column(""), Column("NOW", right=True)]
    both = [compared.before]
    if two:
        columns.append(Column("THEN", right=True))
        both.append(compared.after)
    rows = [
        ["mean wait", *map(_mean_wait, both)],
        ["all over in", *(format_duration(round(one.makespan)) for one in both)],
        ["CPUs in use", *(f"{one.utilization:.1%}" for one in both)],
        ["elements that start", *(f"{one.started:,}" for one in both)],
    ]
    lines = table(talk, columns, rows)
    if two:
        gain, lose = compared.winners()
        told = f"{gain:,} {_jobs(gain)} sooner, {lose:,} later or never"
        made = compared.preempted()
        lines.append(f"{told}, {made:,} of them preempted" if made else told)
    return lines


def _jobs(count: int) -> str:
    return "job starts" if count == 1 else "jobs start"


def _mean_wait(totals: Totals) -> str:
    return "-" if totals.mean_wait is None else format_duration(round(totals.mean_wait))


def _picture(asked: Asked, compared: Compared) -> list[str]:
    """How many of the cpus are used, from now on."""
    longest = max(compared.before.makespan, compared.after.makespan)
    if longest <= 0.0:
        return []
    until = asked.now + longest
    lines = [f"CPUs now   |{_bars(usage(asked.before, until, SLOTS))}|"]
    if asked.words:
        lines.append(f"CPUs then  |{_bars(usage(asked.after, until, SLOTS))}|")
    end = format_duration(round(longest))
    lines.append(f"           now{end:>{SLOTS - 1}}")
    return lines


def _bars(parts: list[float]) -> str:
    return "".join(BARS[min(8, max(int(part > 0.0), round(part * 8)))] for part in parts)


def notes(asked: Asked, compared: Compared) -> list[str]:
    """What was assumed, and what was left out."""
    runs = {"limit": "run to their time limits", "limits": "run to their time limits"}
    how = runs.get(asked.runs, f"run for {asked.runs} of their time limits")
    if asked.runs == "predicted":
        how = "run as long as those like them did"
    told = [f"assumed: jobs {how}, those without a limit for {format_duration(asked.unlimited)}"]
    told += asked.idle
    if asked.left_out:
        first = f"{len(asked.before.jobs):,}"
        told.append(f"cut short: only the first {first} jobs in line, {asked.left_out:,} left out")
    if compared.cut:
        ahead = format_duration(round(max(0.0, compared.until - asked.now)))
        told.append(f"cut short: worked out for the coming {ahead} only")
    if asked.after.stopped and asked.when > asked.now and compared.until < asked.when:
        told.append("the change lies behind that: nothing is known of it")
    return told


# -- for programs ----------------------------------------------------------------------------------


def document(asked: Asked, compared: Compared, every: bool) -> dict[str, Any]:
    """All of it, but for the picture."""
    shown = every or not asked.words
    return {
        "time": asked.now,
        "change_time": asked.when,
        "changes": asked.words,
        "idle": list(asked.idle),
        "runs": asked.runs,
        "unlimited": asked.unlimited,
        "until": compared.until,
        "cut": compared.cut,
        "left_out": asked.left_out,
        "before": compared.before._asdict(),
        "after": compared.after._asdict(),
        "jobs": [_row(row, asked) for row in compared.rows if shown or row.changed],
    }


def _row(row: Row, asked: Asked) -> dict[str, Any]:
    request = row.job.request
    return {
        "id": row.job.id,
        "name": row.job.name,
        "user": row.job.user,
        "new": row.new,
        "cancelled": row.gone,
        "suspended": row.stands,
        "elements": row.elements,
        "cpus": request.cpus,
        "memory": request.memory,
        "gpus": number_of_gpus(request.gpu_hundredths),
        "others": request.others,
        "time_limit": request.time_limit,
        "before": row.before,
        "after": row.after,
        "gain": None if row.gain is None or isinf(row.gain) else row.gain,
        "preempted": None if row.fates is None else _fates(row.fates),
        "never": row.fates is None and row.after is None and not asked.after.cut and not row.gone,
        "why": row.why or None,
    }


def _fates(fates: Fates) -> dict[str, Any]:
    both = {"before": fates.before, "after": fates.after}
    return {name: None if fate is None else fate._asdict() for name, fate in both.items()}
