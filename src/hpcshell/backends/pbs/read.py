"""What `qstat -f` says of jobs, in its text form.

The JSON form is not used: it leaves jobs out, is no JSON at times, and makes numbers of names. A
blank line ends each job: without it the answer was cut off.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from hpcshell.backends.contract import (
    UNKNOWN,
    Answer,
    Seen,
    Sighting,
    Site,
    Trouble,
    first_lines,
)
from hpcshell.backends.pbs import values
from hpcshell.backends.pbs.arrays import ELEMENTS, KEY, among_others
from hpcshell.backends.pbs.blocks import Job, read_blocks
from hpcshell.backends.pbs.ids import PATTERN
from hpcshell.backends.pbs.states import ENDINGS, STATES, End, how_it_ended
from hpcshell.backends.pbs.troubles import trouble, trouble_of
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record

_FRONT: Final = re.compile(r"^Job Id: ", re.MULTILINE)
_FIRST_KEY: Final = re.compile(rf"{KEY}=([A-Za-z0-9_.+-]+)")
_KEY: Final = re.compile(rf",{KEY}=([A-Za-z0-9_.+-]+)")
_OF_ONE: Final = re.compile(
    rf"\w+: (?:(?:(?P<gone>Unknown Job Id)(?: Error)? (?P<unknown>{PATTERN})"
    rf"|Job has finished {PATTERN}|{PATTERN} Job has finished\b.*))\s*\Z"
)
_word: Final = attrgetter("word")
_NODES: Final = re.compile(r"(\d{1,6})(?::ppn=(\d{1,6}))?\Z")


_remembered = lru_cache(maxsize=4096)
"""Thousands of jobs run, and wait, in the same few ways, on the same nodes."""


class _Life(Record, frozen=True, kw_only=True):
    """What it does, or how it ended. `runs`: it is not waiting, and no array of which some wait."""

    word: str
    end: End
    held: bool = False
    waiting: str = ""
    runs: bool = True


def read_jobs(answer: Answer, site: Site | None = None) -> Seen:
    """What one answer says. An empty one is believed where it comes with no word of complaint."""
    if answer.missing or answer.code is None:
        return Seen(whole=False, trouble=trouble(answer, site))
    text = answer.out.replace("\r\n", "\n") if "\r" in answer.out else answer.out
    front = _FRONT.search(text)
    before, body = (text[: front.start()], text[front.start() :]) if front else (text, "")
    absent, complaint = _complaints(answer, site)
    sightings = tuple(_sightings(read_blocks(body)))
    if body and not body.endswith("\n\n"):
        complaint = complaint or Trouble(kind="busy", message="the answer of qstat was cut off")
    if body and not sightings:
        complaint = complaint or trouble_of(first_lines(body))
    if before.strip():
        complaint = complaint or trouble_of(before)
    odd = not all(map(_word, sightings))
    if odd and not complaint:
        complaint = Trouble(kind="broken", message="qstat shows a job without a state, or twice")
    return Seen(sightings=sightings, whole=complaint is None, absent=absent, trouble=complaint)


def read_all(answers: Sequence[Answer], site: Site | None = None) -> Seen:
    """Several answers as one."""
    seen = [read_jobs(answer, site) for answer in answers]
    troubles = [part.trouble for part in seen if part.trouble is not None]
    return Seen(
        sightings=tuple(chain.from_iterable(part.sightings for part in seen)),
        whole=bool(seen) and all(part.whole for part in seen),
        absent=tuple(native for part in seen for native in part.absent),
        trouble=troubles[0] if troubles else None,
    )


def _complaints(answer: Answer, site: Site | None) -> tuple[tuple[str, ...], Trouble | None]:
    """Ids that are not known, and what is wrong beyond them. What is said of one job takes nothing
    from the others."""
    lines = [line for line in answer.err.splitlines() if line.strip()]
    found = [_OF_ONE.match(line) for line in lines]
    absent = tuple(match["unknown"] for match in found if match and match["gone"])
    rest = [line for line, match in zip(lines, found, strict=True) if match is None]
    if answer.code != 0 and (rest or not lines):
        return absent, trouble(Answer(code=answer.code, err="\n".join(rest)), site)
    if rest and not answer.out.strip():
        return absent, trouble_of("\n".join(rest), answer.code, site)
    return absent, None


def _sightings(jobs: Iterable[Job]) -> list[Sighting]:
    """A job that is there twice, with something else, is not believed."""
    plain: dict[str, Sighting] = {}
    of_arrays: dict[str, Job] = {}
    for job in jobs:
        if job.element is not None:
            known = of_arrays.setdefault(job.native, job)
            if known is not job and known != job:
                of_arrays[job.native] = replace(job, twice="a job")
            continue
        sighting = _sighting(job, None, _life(job))
        first = plain.setdefault(job.native, sighting)
        if first is not sighting and first != sighting:
            plain[job.native] = _sighting(job, None, _life(replace(job, twice="a job")))
    return [*plain.values(), *_of_arrays(of_arrays.values())]


def _of_arrays(jobs: Collection[Job]) -> Iterable[Sighting]:
    """Elements in place of their array, where they are shown; only those that were asked for."""
    arrays = {job.number: job for job in jobs if not job.element}
    elements = {job.number for job in jobs if job.element}
    for job in jobs:
        array = arrays.get(job.number)
        if array and not job.variables:  # PBS has lost its record
            job = replace(job, variables=array.variables)
        asked = among_others(job.variables) if ELEMENTS in job.variables else None
        if not job.element:
            if job.number not in elements:
                yield _sighting(job, None, _life_of_array(job, asked))
        elif asked is None or int(job.element) in asked:
            yield _sighting(job, int(job.element), _life(job, array))


def _sighting(job: Job, element: int | None, life: _Life) -> Sighting:
    end, runs = life.end, values.whole(job.runs)
    return Sighting(
        job.native,
        job.number,
        element,
        life.waiting,
        _key(job.variables),
        end.state,
        life.word,
        life.held,
        end.reason,
        end.reason_code,
        job.name,
        _user(job.owner),
        job.queue,
        job.account,
        "",  # qos
        values.whole(job.priority),
        values.instant(job.ctime or job.qtime),
        _first(job.stime, job.torque_start) if life.runs else None,
        _first(job.obittime, job.torque_end, job.mtime) if life.word in ENDINGS else None,
        values.instant(job.estimated) if job.estimated else None,
        end.exit_code,
        end.signal,
        values.whole(job.ncpus) if job.ncpus else _cpus_of_torque(job.nodes),
        values.size(job.memory),
        values.whole(job.gpus),
        values.seconds(job.walltime),
        _hosts(job.hosts) if life.runs else (),
        runs - 1 if runs and runs > 1 else 0,
        values.seconds(job.used_cpu) if job.used_cpu else None,
        values.size(job.used_memory) if job.used_memory else None,
        "",  # cwd
        _path(job.output),
        _path(job.error),
    )


def _life(job: Job, array: Job | None = None) -> _Life:
    """Of a job, or of an element: then `array` is its array, if that is shown."""
    word = "" if job.twice else job.state
    if word in ENDINGS:
        return _Life(word=word, end=how_it_ended(job.shown(), array.substate if array else None))
    if STATES.get(word) != "PENDING":
        return _alive(word)
    return _waits(word, *_why(job, array))


def _life_of_array(job: Job, asked: IndexSet | None) -> _Life:
    """A whole array whose elements are not shown. How it ended says nothing about any of them."""
    word = "" if job.twice else job.state
    state = STATES.get(word, UNKNOWN)
    if word == "B" and "Running:0" in job.counts:
        state = "PENDING"
    reason, code, held = _why(job, None) if state == "PENDING" else ("", "", False)
    return _Life(
        word=word,
        end=End(state=state, reason=reason, reason_code=code),
        held=held,
        waiting=_waiting(job.remaining or job.submitted, asked),
        runs=False,
    )


@_remembered
def _alive(word: str) -> _Life:
    return _Life(word=word, end=End(state=STATES.get(word, UNKNOWN)))


@_remembered
def _waits(word: str, reason: str, code: str, held: bool) -> _Life:
    end = End(state="PENDING", reason=reason, reason_code=code)
    return _Life(word=word, end=end, held=held, runs=False)


def _waiting(remaining: str, asked: IndexSet | None) -> str:
    """Index text as PBS shows it; `-` for none."""
    try:
        indices = IndexSet.parse(remaining)
    except Wrong:
        return ""
    return str(indices if asked is None else indices.within(asked))


def _why(job: Job, array: Job | None) -> tuple[str, str, bool]:
    """Why it waits: sentence, a word for programs, and whether somebody must release it. Elements
    are held with their array, and only the array shows it."""
    whole = array or job
    comment = job.comment or whole.comment
    if whole.state not in ("H", "W"):
        return "" if comment.startswith("Job Array Began") else comment, "", False
    holds = whole.holds or job.holds or "n"
    if whole.state == "W" and not holds.strip("n"):
        return comment or "waits for the time it is to begin at", "BeginTime", False
    depend = whole.depend or job.depend
    if depend and holds in ("s", "n"):
        return f"waits for {depend}", "Dependency", False
    return comment or f"held ({holds})", "JobHeldUser" if "u" in holds else "JobHeldAdmin", True


@_remembered
def _user(owner: str) -> str:
    """`alice@host` without the host."""
    return owner.partition("@")[0]


def _key(variables: str) -> str:
    found = _FIRST_KEY.match(variables) or _KEY.search(variables)
    return found[1] if found else ""


def _cpus_of_torque(nodes: str) -> int | None:
    """It says `2:ppn=4`."""
    found = _NODES.match(nodes)
    return int(found[1]) * int(found[2] or 1) if found else None


def _first(text: str, *others: str) -> float | None:
    """The first instant that is told."""
    when = values.instant(text)
    return _first(*others) if when is None and others else when


@_remembered
def _hosts(text: str) -> tuple[str, ...]:
    """`n1/0*4+n2/1` and `n1/0+n1/1`: each node once."""
    return tuple(dict.fromkeys(part.partition("/")[0] for part in text.split("+") if part))


def _path(text: str) -> str:
    """`host:/path` without the host."""
    host, colon, path = text.partition(":")
    return path if colon and "/" not in host else text
