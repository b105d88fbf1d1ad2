"""What else is known of a log's jobs than it says where it should: columns that stand for others,
and a list of gangs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote, safe
from hpcshell.trace.clean import Workload
from hpcshell.trace.numbering import coded
from hpcshell.trace.record import UNKNOWN, Trace

MEANT: Final = {"user": "user", "account": "group", "partition": "queue", "qos": "qos"}
"""What of a job is said, and the column of a trace that says it."""
SAID: Final = ("user", "group", "app", "queue", "partition", "qos")
"""The columns that may say it instead."""
GANGS_HINT: Final = "a line of it is a job of the log and the name of its gang: 17,solver"


def mapped(trace: Trace, pairs: Iterable[str]) -> Trace:
    """The trace in which columns say what others do, by pairs such as `qos=queue`. Raises `Wrong`
    for words that are none, a column that says nothing, and two that say the same."""
    columns = {}
    names = dict(trace.names)
    told: dict[str, str] = {}
    for pair in pairs:
        meant, said = _pair(pair)
        if told.setdefault(meant, said) != said:
            raise Wrong(
                f"--map: {meant} is both {told[meant]} and {said}", f"say once what {meant} is"
            )
        if (getattr(trace, said) == UNKNOWN).all():
            raise Wrong(
                f"--map {safe(pair)}: {trace.name} says no {said} of its jobs",
                f"name another column: {', '.join(SAID)}",
            )
        column = MEANT[meant]
        columns[column] = getattr(trace, said)
        names.pop(column, None)
        if said in trace.names:
            names[column] = trace.names[said]
    return replace(trace, **columns, names=names)


def _pair(pair: str) -> tuple[str, str]:
    meant, equals, said = (word.strip().lower() for word in pair.partition("="))
    if not equals:
        raise Wrong(f"--map: {quote(pair)} is no pair", "write qos=queue")
    for word, known in ((meant, tuple(MEANT)), (said, SAID)):
        if word not in known:
            near = nearest(word, known)
            told = f"; did you mean {near}?" if near else ""
            there = f"there are {', '.join(known)}"
            raise Wrong(f"--map: {quote(pair)}: there is no {quote(word)}{told}", there)
    return meant, said


def ganged(trace: Trace, name: str, content: bytes) -> Trace:
    """The trace whose jobs start together as a file says, which has a line `job,gang` for each.
    Raises `Wrong`, with the file and the line."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Wrong(f"{name}: is not text", GANGS_HINT) from None
    words = trace.labels or tuple(map(str, trace.id.tolist()))
    rows = {word: row for row, word in enumerate(words)}
    gangs = [""] * len(trace)
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and line.replace(" ", "").lower() == "job,gang"):
            continue
        row, gang = _member(f"{name} line {number}", line, rows)
        if gangs[row]:
            raise Wrong(f"{name} line {number}: job {words[row]} is in a gang already", GANGS_HINT)
        gangs[row] = gang
    column, known = coded(gangs)
    if not known:
        raise Wrong(f"{name}: names no gang", GANGS_HINT)
    column.flags.writeable = False
    return replace(trace, gang=column, names={**trace.names, "gang": known})


def alone(workload: Workload) -> list[str]:
    """The gangs of one job, who waits for nobody."""
    members = Counter(workload.words("gang"))
    return [gang for gang, count in members.items() if gang and count == 1]


def _member(place: str, line: str, rows: dict[str, int]) -> tuple[int, str]:
    job, comma, gang = (word.strip() for word in line.partition(","))
    if not (comma and job and gang) or "," in gang:
        raise Wrong(f"{place}: {quote(line.strip())} is no job and its gang", GANGS_HINT)
    if job not in rows:
        raise Wrong(f"{place}: the log has no job {quote(job)}", GANGS_HINT)
    return rows[job], gang
