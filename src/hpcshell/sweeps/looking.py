"""How the points of a sweep stand: by what they left in their folders, and by their schedulers.

What a point wrote of itself counts first. Of those that wrote nothing their scheduler is asked, job
by job and not point by point, and what it says of one that has ended is kept in its folder: nobody
asks again, and a scheduler may forget.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from hpcshell.core.errors import HpcError, NotFound
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.jobs.doors import LOCAL
from hpcshell.jobs.opened import door
from hpcshell.machine import clock
from hpcshell.sweeps import disk
from hpcshell.sweeps.bringing import bring
from hpcshell.sweeps.folder import Folder, Row
from hpcshell.sweeps.ledger import Ledger, Part
from hpcshell.sweeps.places import this_scheduler
from hpcshell.sweeps.standing import LIVE, MISSING, UNKNOWN, Standing

_OURS: Final = {
    "PENDING": "PENDING",
    "RUNNING": "RUNNING",
    "SUSPENDED": "RUNNING",
    "COMPLETING": "RUNNING",
    "COMPLETED": "COMPLETED",
    "FAILED": "FAILED",
    "TIMEOUT": "TIMEOUT",
    "OUT_OF_MEMORY": "OUT_OF_MEMORY",
    "NODE_FAIL": "NODE_FAIL",
    "UNKNOWN": UNKNOWN,
}
"""States of jobs; what is in no row has been cancelled, in one way or another."""
_PAGE: Final = 1000
"""Elements that are asked for at once."""


class Outcome(Record, frozen=True, kw_only=True):
    """How a point ended, by the word of its scheduler."""

    state: str
    exit_code: int | None = None
    reason: str = ""
    start: float | None = None
    end: float | None = None


_outcomes = msgspec.json.Decoder(Outcome)


def look(folder: Folder, *, ask: bool = True, busy: bool = False) -> list[Standing]:
    """All points, in order. Without `ask`, by their folders alone. `busy`: somebody is submitting
    just now, so that what is in doubt is only under way."""
    return _look(folder, folder.rows(), folder.ledger(), ask=ask, busy=busy)


def strays(folder: Folder) -> list[Standing]:
    """What waits or runs of points that are none of the sweep's any more."""
    ledger, listed = folder.ledger(), {row.id for row in folder.rows()}
    dropped = [Row(id=id, params={}) for id in ledger.parts() if id not in listed]
    return [one for one in _look(folder, dropped, ledger) if one.state in LIVE] if dropped else []


def _look(
    folder: Folder, rows: Sequence[Row], ledger: Ledger, *, ask: bool = True, busy: bool = False
) -> list[Standing]:
    parts, doubtful = ledger.parts(), ledger.in_doubt()
    there = _listed(folder.file("points"))
    found: list[Standing] = []
    open_: dict[int, Part] = {}
    for index, row in enumerate(rows):
        part = parts.get(row.id)
        standing = _by_folder(folder, index, row, part, there)
        if row.id in doubtful and standing.state in (MISSING, "PENDING"):
            why = "it is being submitted" if busy else "whether it was taken is not known"
            state = "PENDING" if busy else UNKNOWN
            standing = replace(standing, state=state, on=doubtful[row.id], reason=why)
        elif part is not None and _unsettled(standing):
            open_[index] = part
        found.append(standing)
    if ask and open_:
        for index in bring(folder, rows, open_):
            found[index] = _by_folder(folder, index, rows[index], open_[index], there)
            if not _unsettled(found[index]):
                del open_[index]
        for index, outcome in _asked(found, open_):
            gone = not open_[index].staged and _name(rows[index]) not in there
            believed = _believed(outcome, found[index], open_[index], gone)
            found[index] = _settled(found[index], believed)
            if believed.state not in (*LIVE, UNKNOWN, MISSING):
                keep(found[index].directory, believed)
    return found


def _name(row: Row) -> str:
    return (row.folder or row.id).partition("/")[0]


_LATE: Final = {True: 3600.0, False: 60.0}
"""Seconds that what a point wrote may take to come here from another machine: by a copy, or over a
file system that both have."""


def _believed(outcome: Outcome, standing: Standing, part: Part, gone: bool) -> Outcome:
    """What has ended and left nothing has to run again: somebody took its folder, or what was in
    it, away."""
    if outcome.state in LIVE or outcome.state == UNKNOWN:
        return outcome
    if gone:
        return Outcome(state=MISSING, reason="its folder is gone")
    if outcome.state != "COMPLETED" or standing.state != "PENDING":
        return outcome
    late = clock.now() - (outcome.end or 0.0)
    if part.on != LOCAL and late < _LATE[part.staged]:
        return Outcome(state="RUNNING", reason="it has ended, and what it wrote is not here yet")
    return Outcome(state=MISSING, reason="it left nothing in its folder")


def _listed(path: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(path))
    except OSError:
        return frozenset()


def _unsettled(standing: Standing) -> bool:
    """Whether its scheduler may know more. A point that failed by itself may be tried again."""
    return standing.state in LIVE or (standing.state == "FAILED" and not standing.reason)


# ------------------------------------------------------------------------------------ the folder


def _by_folder(
    folder: Folder, index: int, row: Row, part: Part | None, there: frozenset[str]
) -> Standing:
    directory = folder.directory(row)
    bare = Standing(index=index, id=row.id, params=row.params, directory=directory)
    run = _run(f"{directory}/run") if _name(row) in there else None
    if part is None:  # the ledger may be lost: what has run has run
        done = run is not None and run.code == "0" and not run.cut
        return replace(bare, state="COMPLETED", exit_code=0, end=run.end) if done and run else bare
    mine = replace(bare, job=part.label, on=part.on)
    if run is None:
        return replace(mine, state="PENDING")
    if run.code == "0" and not run.cut:
        return replace(mine, state="COMPLETED", exit_code=0, start=run.start, end=run.end)
    if (known := _outcome(directory)) is not None:
        return _settled(replace(mine, start=run.start, end=run.end), known)
    if run.code and (run.code != "0" or not run.cut):
        code = int(run.code)
        return replace(mine, state="FAILED", exit_code=code, start=run.start, end=run.end)
    return replace(mine, state="RUNNING" if run.begun else "PENDING", start=run.start)


class _Run(NamedTuple):
    """What a point says of its last run. `cut`: it was told to end before it had."""

    begun: bool = False
    code: str = ""
    cut: bool = False
    start: float | None = None
    end: float | None = None


_LONGEST: Final = 4096
"""Bytes at the end of a `run`: a point that is put back into the queue adds lines."""


def _run(path: str) -> _Run:
    """Times are since a boot nobody knows; the last is when the file was written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return _Run()
    try:
        status = os.fstat(descriptor)
        text = os.pread(descriptor, _LONGEST, max(0, status.st_size - _LONGEST)).decode(
            "ascii", "replace"
        )
    except OSError:
        return _Run()
    finally:
        os.close(descriptor)
    return _last_run(text, status.st_mtime)


def _last_run(text: str, written: float) -> _Run:
    found = _Run()
    begun, owner = 0.0, ""
    for line in text.splitlines():
        match line.split():
            case ["start", who, *up]:
                begun, owner = _number(up), who
                found = _Run(begun=True, start=written)
            case ["end" | "cut" as how, who, code, *up] if code.isdecimal() and who == owner:
                took = max(0.0, _number(up) - begun) if begun else 0.0
                start, cut = written - took, how == "cut"
                found = _Run(begun=True, code=code, cut=cut, start=start, end=written)
    return found


def _number(words: list[str]) -> float:
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return 0.0


def _outcome(directory: str) -> Outcome | None:
    try:
        return _outcomes.decode(disk.read(f"{directory}/outcome", 1 << 16))
    except (OSError, msgspec.MsgspecError):
        return None


def _settled(standing: Standing, outcome: Outcome) -> Standing:
    known = {name: value for name, value in msgspec.structs.asdict(outcome).items() if value}
    if outcome.exit_code is not None:
        known["exit_code"] = outcome.exit_code
    return replace(standing, **known)


# --------------------------------------------------------------------------------- the schedulers


def _asked(found: list[Standing], open_: Mapping[int, Part]) -> Iterator[tuple[int, Outcome]]:
    jobs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, part in open_.items():
        jobs[part.on, part.job].append(index)
    for (on, job), indices in jobs.items():
        for index, outcome in _of_job(on, job, {index: open_[index] for index in indices}, found):
            yield index, outcome


def _of_job(
    on: str, job: str, parts: Mapping[int, Part], found: list[Standing]
) -> Iterator[tuple[int, Outcome]]:
    """What is said of the points of one job that are not settled."""
    first = next(iter(parts.values()))
    if on == LOCAL and first.scheduler not in ("", this_scheduler()):
        why = f"the scheduler {first.scheduler} has it, not this one"
        told = Outcome(state=UNKNOWN, reason=why)
        yield from ((index, told) for index in parts if found[index].state in LIVE)
        return
    try:
        whole = _shown(on, job, first)
    except (HpcError, LookupError) as error:
        why = getattr(error, "message", str(error))
        told = Outcome(state=UNKNOWN, reason=f"{on} cannot be asked: {why}")
        yield from ((index, told) for index in parts if found[index].state in LIVE)
        return
    if whole is None:
        yield from _forgotten(on, job, parts, found)
        return
    if whole.get("elements") is None:
        yield from ((index, outcome_of(whole)) for index in parts)
        return
    asked = _worth_asking(whole, parts, found)
    if (same := _all_alike(whole)) is not None:
        yield from ((index, same) for index in asked)
        return
    yield from _elements(on, job, {parts[index].number: index for index in asked})


def _shown(on: str, job: str, part: Part) -> Mapping[str, Any] | None:
    """What is said of a job as a whole; None: there is none. Another job can have its number, where
    a scheduler began anew. Of a job that somebody else asks for a cluster tells no tags."""
    way = door(on)
    try:
        whole: Mapping[str, Any] = way.call("show", ids=[job])["jobs"][0]
    except NotFound:
        return None
    tags = whole["tags"]
    ours = f"batch={part.key}" in tags or (on != LOCAL and not tags)
    return whole if ours else None


def _forgotten(
    on: str, job: str, parts: Iterable[int], found: list[Standing]
) -> Iterator[tuple[int, Outcome]]:
    gone = Outcome(state=MISSING, reason=f"{on} knows nothing of job {job} any more")
    yield from ((index, gone) for index in parts if found[index].state in LIVE)


def _worth_asking(
    whole: Mapping[str, Any], parts: Mapping[int, Part], found: list[Standing]
) -> list[int]:
    """Those of which the scheduler may know more. While an array goes on, an element of which
    nothing is there waits in it, unless elements have been cancelled."""
    counts = whole["elements"]["counts"]
    if whole["state"] not in ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING"):
        return list(parts)
    ended_otherwise = counts.keys() - {"PENDING", "RUNNING", "COMPLETED", "COMPLETING", "FAILED"}
    begun = [index for index in parts if found[index].state != "PENDING"]
    return list(parts) if ended_otherwise else begun


def _all_alike(whole: Mapping[str, Any]) -> Outcome | None:
    """What holds for every element that says nothing of itself, if one thing does."""
    counts = {state: count for state, count in whole["elements"]["counts"].items() if count}
    if set(counts) <= {"COMPLETED", "CANCELLED"} and "CANCELLED" in counts:
        return Outcome(state="CANCELLED", reason=whole.get("reason") or "")
    return None


def _elements(on: str, job: str, numbers: Mapping[int, int]) -> Iterator[tuple[int, Outcome]]:
    asked = sorted(numbers)
    for first in range(0, len(asked), _PAGE):
        some = IndexSet.of(asked[first : first + _PAGE])
        try:
            views = door(on).call("show", ids=[f"{job}_[{some}]"])["jobs"]
        except HpcError as error:
            told = Outcome(state=UNKNOWN, reason=f"{on} cannot be asked: {error.message}")
            yield from ((numbers[number], told) for number in some)
            continue
        for view in views:
            if view["element"] in numbers:
                yield numbers[view["element"]], outcome_of(view)


def outcome_of(view: Mapping[str, Any]) -> Outcome:
    """How a job, or an element of one, stands."""
    signal = view.get("signal")
    return Outcome(
        state=_OURS.get(view["state"], "CANCELLED"),
        exit_code=128 + signal if signal else view.get("exit_code"),
        reason=view.get("reason") or "",
        start=view.get("start_time"),
        end=view.get("end_time"),
    )


def keep(directory: str, outcome: Outcome) -> None:
    """It is only a note: who cannot write it asks again."""
    with contextlib.suppress(OSError):
        disk.put(f"{directory}/outcome", msgspec.json.encode(outcome))
