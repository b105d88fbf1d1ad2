"""The documents of jobs on clusters: the same fields as those of this machine's.

Further fields: `cluster`, `native` (the site's id), `word` (the state as the site says it),
`unknown_since` (when it was last known what it does, where that is not known now), `expected_start`
(when the site expects it to start), `chosen` (why it was sent there).
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import asdict

from hpcshell.clusters.known import Element, Known
from hpcshell.core.patterns import expand
from hpcshell.core.sightings import ENDED, GONE, LIVE, UNKNOWN, Sighting

SCHEMA: Final = 1
LISTED: Final = {"failed": 1000, "running": 100}
WORST: Final = (
    *("COMPLETED", "CANCELLED", "PREEMPTED", "TIMEOUT", "DEADLINE"),
    *("FAILED", "OUT_OF_MEMORY", "NODE_FAIL", GONE),
)
"""From best to worst: an array has ended as the worst of its elements did."""

View = dict[str, Any]


def number(text: str) -> int | str:
    """The site's number as a document has it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else text


def label_of(known: Known) -> str:
    """What people call the job: the site's number, or `w7` while the site has none for it."""
    return known.entry.number or f"w{known.entry.serial}"


def document(known: Known, element: Element = None, *, whole: bool = True) -> View:
    """The document of a submission as a whole, or of one of its elements."""
    if known.entry.array and whole:
        return _submitted(known) | _array(known)
    return next(of_elements(known, [element]))


def of_elements(known: Known, elements: Iterable[Element]) -> Iterator[View]:
    """The documents of several elements."""
    base = _submitted(known)
    for element in elements:
        yield base | _element(known, element, known.elements[element])


def stranger(sighting: Sighting, element: Element, cluster: str) -> View:
    """The document of a job that was not submitted here."""
    label = sighting.number or sighting.native
    rest = f"_[{sighting.waiting}]" if sighting.waiting else ""
    view = _blank(cluster)
    view |= _seen(sighting)
    view |= {
        "id": number(label),
        "label": f"{label}_{element}" if element is not None else f"{label}{rest}",
        "element": element,
        "name": sighting.name,
        "user": sighting.user,
        "submit_time": sighting.submit_time or 0.0,
        "array": sighting.waiting or None,
        "cwd": sighting.cwd,
        "stdout": sighting.stdout,
        "stderr": sighting.stderr or sighting.stdout,
    }
    return view


def end_of(view: View) -> View:
    """How a job or an element ended, as `wait` tells it."""
    fields = (
        *("id", "element", "state", "exit_code", "signal", "reason", "start_time", "end_time"),
        "cluster",
    )
    counts = (view.get("elements") or {}).get("counts")
    return {name: view[name] for name in fields} | {"counts": counts}


def is_over(view: View) -> bool:
    return view["state"] in ENDED or view["state"] == GONE


# ---------------------------------------------------------------------------------------- the parts


_NOTHING: Final[View] = {
    "schema": SCHEMA,
    **dict.fromkeys(
        (
            *("exit_code", "signal", "reason", "reason_code", "start_time", "end_time", "begin"),
            *("deadline", "account", "qos", "reservation", "gang", "profile", "model", "comment"),
            *("attempt", "suspended", "preempted", "run", "pid", "array", "throttle", "elements"),
            *("dependency", "script", "usage", "element", "time_limit", "unknown_since"),
            *("chosen", "expected_start", "priority", "session", "gpu_type", "gpu_mem"),
            *("gpus_allowed", "gpu_cards", "gpu_enforcement"),
        )
    ),
    **dict.fromkeys(("native", "word", "partition", "stdout", "stderr"), ""),
    **dict.fromkeys(("cpus", "memory", "gpus", "nice", "retries"), 0),
    "held": False,
    "exclusive": False,
}
"""What stands for nothing, in every field that is not a list or a mapping."""


def _blank(cluster: str) -> View:
    """Every field there is, with what stands for nothing."""
    return {**_NOTHING, "cluster": cluster, "others": {}, "nodes": [], "tags": [], "command": []}


def _submitted(known: Known) -> View:
    """What stands since the submission."""
    entry = known.entry
    asked, layout = entry.spec.submission, entry.spec.layout
    label = label_of(known)
    return _blank(entry.cluster) | {
        "id": number(label),
        "label": label,
        "name": entry.name,
        "user": entry.user,
        "submit_time": entry.submitted,
        "cpus": layout.cpus,
        "memory": layout.memory or layout.memory_per_cpu * layout.cpus,
        "gpus": layout.every_gpu,
        "gpu_type": layout.gpu_type or None,
        "others": dict(layout.licenses),
        "exclusive": bool(layout.exclusive),
        "time_limit": asked.request.time_limit,
        "begin": asked.begin or None,
        "deadline": asked.deadline,
        "partition": asked.partition,
        "account": asked.account or None,
        "qos": asked.qos or None,
        "reservation": asked.reservation or None,
        "priority": asked.priority,
        "nice": asked.nice,
        "profile": asked.profile or None,
        "model": None if asked.model is None else asdict(asked.model),
        "tags": list(asked.tags),
        "comment": asked.comment or None,
        "held": entry.held,
        "array": entry.array or None,
        "throttle": entry.throttle or None,
        "dependency": asked.dependency or None,
        "command": list(asked.argv),
        "script": asked.argv[0] if asked.script is not None else None,
        "cwd": asked.cwd,
        "chosen": entry.chosen or None,
    }


def _seen(sighting: Sighting) -> View:
    """What the site tells; what it leaves out stands as it was submitted."""
    told = {
        "state": sighting.state,
        "word": sighting.word,
        "native": sighting.native,
        "held": sighting.held,
        "reason": sighting.reason or None,
        "reason_code": sighting.reason_code or None,
        "exit_code": sighting.exit_code,
        "signal": sighting.signal,
        "start_time": sighting.start_time if sighting.state != "PENDING" else None,
        "end_time": sighting.end_time if sighting.state not in LIVE else None,
        "expected_start": sighting.expected_start,
        "nodes": list(sighting.nodes),
        "attempt": sighting.restarts + 1 if sighting.start_time else None,
    }
    for name in _TOLD:
        value = getattr(sighting, name)
        if value is not None and value != "":
            told[name] = value
    if sighting.cpu_time is not None or sighting.max_rss is not None:
        told["usage"] = {
            "cpu_time": sighting.cpu_time,
            "cpu_user": None,
            "cpu_system": None,
            "max_rss": sighting.max_rss,
            "max_rss_at_most": False,
        }
    return told


_TOLD: Final = ("partition", "account", "qos", "priority", "cpus", "memory", "gpus", "time_limit")
"""Fields that are the site's where it tells them."""


def _element(known: Known, element: Element, sighting: Sighting) -> View:
    seen = _seen(sighting)
    label = label_of(known)
    view = (
        seen
        | _why(known, sighting)
        | {
            "label": label if element is None else f"{label}_{element}",
            "element": element,
            "held": sighting.held or _to_be_held(known, sighting),
            **paths(known, element, sighting),
        }
    )
    if sighting.state == UNKNOWN:
        first = known.parts[0]
        part = next((part for part in known.parts if part.key == sighting.key), first)
        view["unknown_since"] = part.seen or part.since
    return view


def _why(known: Known, sighting: Sighting) -> View:
    """Why it waits: as the site says, and where it says nothing, as was asked for."""
    if sighting.state == "PENDING" and not sighting.reason and known.entry.spec.submission.begin:
        return {"reason": "it is not to start before its begin time", "reason_code": "BeginTime"}
    return {"reason": sighting.reason or None, "reason_code": sighting.reason_code or None}


def _to_be_held(known: Known, sighting: Sighting) -> bool:
    """Whether the site is to be asked to hold what it has not shown yet."""
    unseen = sighting.reason_code in ("NotSentYet", "JustSubmitted")
    return known.entry.held and sighting.state == "PENDING" and unseen


def _array(known: Known) -> View:
    counts = Counter(each.state for each in known.elements.values())
    ended = {state: n for state, n in counts.items() if state not in LIVE and state != UNKNOWN}
    several = known.elements.values()
    bad = [
        _failed(element, one)
        for element, one in known.elements.items()
        if one.state in ended and one.state != "COMPLETED"
    ]
    starts = [one.start_time for one in several if one.start_time and one.state != "PENDING"]
    ends = [one.end_time for one in several if one.end_time]
    over = len(ended) == len(counts)
    first = next((one for one in several if one.state == "PENDING"), None)
    codes = [one.exit_code for one in several if one.exit_code is not None]
    running = [i for i, one in known.elements.items() if one.state in ("RUNNING", "COMPLETING")]
    return {
        "native": next((part.native for part in known.parts if part.native), ""),
        "state": _state(counts, over=over, begun=bool(starts)),
        **(_why(known, first) if first is not None else {"reason": None, "reason_code": None}),
        "held": first is not None and (first.held or _to_be_held(known, first)),
        "exit_code": max(codes) if over and codes else None,
        "start_time": min(starts, default=None),
        "end_time": max(ends, default=None) if over else None,
        "elements": {
            "total": len(known.elements),
            "counts": dict(counts),
            "failed": bad[: LISTED["failed"]],
            "running": running[: LISTED["running"]],
        },
        "nodes": sorted({node for one in several for node in one.nodes}),
        "usage": _usage(several),
        "stdout": _joined(known, known.entry.spec.submission.stdout),
        "stderr": _joined(
            known, known.entry.spec.submission.stderr or known.entry.spec.submission.stdout
        ),
    }


def _state(counts: Mapping[str, int], *, over: bool, begun: bool) -> str:
    if over:
        return max(counts, key=lambda state: WORST.index(state) if state in WORST else 0)
    if counts.get(UNKNOWN) and not any(counts.get(state) for state in LIVE):
        return UNKNOWN
    return "RUNNING" if begun or counts.keys() - {"PENDING", UNKNOWN} else "PENDING"


def _failed(element: Element, one: Sighting) -> View:
    return {
        "element": element,
        "state": one.state,
        "exit_code": one.exit_code,
        "signal": one.signal,
        "reason": one.reason or None,
    }


def _usage(several: Iterable[Sighting]) -> View | None:
    times = [one.cpu_time for one in several if one.cpu_time is not None]
    sizes = [one.max_rss for one in several if one.max_rss is not None]
    if not times and not sizes:
        return None
    return {
        "cpu_time": sum(times) if times else None,
        "cpu_user": None,
        "cpu_system": None,
        "max_rss": max(sizes, default=None),
        "max_rss_at_most": False,
    }


def _joined(known: Known, pattern: str) -> str:
    return posixpath.join(known.entry.spec.submission.cwd, pattern)


def paths(known: Known, element: Element, sighting: Sighting) -> View:
    """Where it writes to, on the cluster."""
    asked = known.entry.spec.submission
    site = sighting.number

    def path(pattern: str) -> str:
        if not site.isdecimal():  # it has no number yet
            return _joined(known, pattern)
        return _joined(
            known,
            expand(
                pattern,
                job=int(site),
                element=element,
                name=known.entry.name,
                user=known.entry.user,
                node=sighting.nodes[0] if sighting.nodes else "",
                restarts=sighting.restarts,
            ),
        )

    out = path(asked.stdout)
    return {"stdout": out, "stderr": path(asked.stderr) if asked.stderr else out}
