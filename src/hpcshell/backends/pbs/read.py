"""What `qstat -f` says of jobs, in its text form.

The JSON form is not used: it leaves jobs out, is no JSON at times, and makes numbers of names. A
blank line ends each job: without it the answer was cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

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
from hpcshell.backends.pbs.arrays import KEY, among_others
from hpcshell.backends.pbs.blocks import TWICE, Job, Shown, read_blocks, unlike
from hpcshell.backends.pbs.ids import PATTERN
from hpcshell.backends.pbs.states import ENDINGS, STATES, End, how_it_ended
from hpcshell.backends.pbs.troubles import trouble, trouble_of
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record

_FRONT: Final = re.compile(r"^Job Id: ", re.MULTILINE)
_KEY: Final = re.compile(rf",{KEY}=([A-Za-z0-9_.+-]+)")
_OF_ONE: Final = re.compile(
    rf"\w+: (?:(?:(?P<gone>Unknown Job Id)(?: Error)? (?P<unknown>{PATTERN})"
    rf"|Job has finished {PATTERN}|{PATTERN} Job has finished\b.*))\s*\Z"
)
_NODES: Final = re.compile(r"(\d{1,6})(?::ppn=(\d{1,6}))?\Z")


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
    jobs = read_blocks(body)
    if body and not jobs:
        complaint = complaint or trouble_of(first_lines(body))
    if body and not body.endswith("\n\n"):
        jobs = jobs[:-1]
        complaint = complaint or Trouble(kind="busy", message="the answer of qstat was cut off")
    if before.strip():
        complaint = complaint or trouble_of(before)
    sightings = tuple(_sightings(jobs))
    odd = any(not sighting.word for sighting in sightings)
    if odd and not complaint:
        complaint = Trouble(kind="broken", message="qstat shows a job without a state, or twice")
    return Seen(sightings=sightings, whole=complaint is None, absent=absent, trouble=complaint)


def read_all(answers: Sequence[Answer], site: Site | None = None) -> Seen:
    """Several answers as one."""
    seen = [read_jobs(answer, site) for answer in answers]
    troubles = [part.trouble for part in seen if part.trouble is not None]
    return Seen(
        sightings=tuple(sighting for part in seen for sighting in part.sightings),
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


def _sightings(jobs: Iterable[Job]) -> Iterable[Sighting]:
    """Elements in place of their array, where they are shown; only those that were asked for."""
    known = unlike(jobs)
    arrays = {number: shown for _, number, index, shown in known.values() if index == ""}
    elements = {number for _, number, index, _ in known.values() if index}
    for native, number, index, shown in known.values():
        if index is None:
            yield _sighting(native, number, None, shown, _life(shown))
            continue
        array = arrays.get(number)
        own = {**_variables(array), **shown} if array else shown
        asked = among_others(own.get("Variable_List", ""))
        if not index:
            if number not in elements:
                yield _sighting(native, number, None, shown, _life_of_array(shown, asked))
        elif asked is None or int(index) in asked:
            yield _sighting(native, number, int(index), own, _life(shown, array))


def _variables(array: Shown) -> Shown:
    """Elements whose record PBS has lost share their array's."""
    return {"Variable_List": array.get("Variable_List", "")}


def _sighting(
    native: str, number: str, element: int | None, shown: Shown, life: _Life
) -> Sighting:
    get, end = shown.get, life.end
    runs = values.whole(get("run_count", ""))
    return Sighting(
        native=native,
        number=number,
        element=element,
        waiting=life.waiting,
        key=_key(get("Variable_List", "")),
        state=end.state,
        word=life.word,
        held=life.held,
        reason=end.reason,
        reason_code=end.reason_code,
        name=get("Job_Name", ""),
        user=get("Job_Owner", "").partition("@")[0],
        partition=get("queue", ""),
        account=get("Account_Name", ""),
        priority=values.whole(get("Priority", "")),
        submit_time=_first(shown, "ctime", "qtime"),
        start_time=_first(shown, "stime", "start_time") if life.runs else None,
        end_time=_first(shown, "obittime", "comp_time", "mtime") if life.word in ENDINGS else None,
        expected_start=_first(shown, "estimated.start_time"),
        exit_code=end.exit_code,
        signal=end.signal,
        cpus=_cpus(shown),
        memory=values.size(get("Resource_List.mem", "")),
        gpus=values.whole(get("Resource_List.ngpus", "")),
        time_limit=values.seconds(get("Resource_List.walltime", "")),
        nodes=_hosts(get("exec_host", "")) if life.runs else (),
        restarts=runs - 1 if runs and runs > 1 else 0,
        cpu_time=values.seconds(get("resources_used.cput", "")),
        max_rss=values.size(get("resources_used.mem", "")),
        stdout=_path(get("Output_Path", "")),
        stderr=_path(get("Error_Path", "")),
    )


def _life(shown: Shown, array: Shown | None = None) -> _Life:
    """Of a job, or of an element: then `array` is what its array shows, if it is there."""
    word = "" if TWICE in shown else shown.get("job_state", "")
    if word in ENDINGS:
        of_array = array.get("substate", "") if array else None
        return _Life(word=word, end=how_it_ended(shown, of_array))
    if STATES.get(word) != "PENDING":
        return _alive(word)
    return _waits(word, *_why(shown, array or {}))


def _life_of_array(shown: Shown, asked: IndexSet | None) -> _Life:
    """A whole array whose elements are not shown. How it ended says nothing about any of them."""
    word = "" if TWICE in shown else shown.get("job_state", "")
    remaining = shown.get("array_indices_remaining", shown.get("array_indices_submitted", ""))
    state = STATES.get(word, UNKNOWN)
    if word == "B" and "Running:0" in shown.get("array_state_count", ""):
        state = "PENDING"
    reason, code, held = _why(shown, {}) if state == "PENDING" else ("", "", False)
    return _Life(
        word=word,
        end=End(state=state, reason=reason, reason_code=code),
        held=held,
        waiting=_waiting(remaining, asked),
        runs=False,
    )


_remembered = lru_cache(maxsize=1024)
"""Thousands of jobs run, and wait, in the same few ways."""


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


def _why(shown: Shown, array: Shown) -> tuple[str, str, bool]:
    """Why it waits: sentence, a word for programs, and whether somebody must release it. Elements
    are held with their array, and only the array shows it."""
    holds = array.get("Hold_Types") or shown.get("Hold_Types", "n")
    comment = shown.get("comment") or array.get("comment", "")
    depend = array.get("depend") or shown.get("depend", "")
    letter = (array or shown).get("job_state", "")
    if letter != "H":
        began = comment.startswith("Job Array Began")
        code = "BeginTime" if letter == "W" else ""
        return ("" if began else comment, code, False)
    if depend and holds in ("s", "n", ""):
        return f"waits for {depend}", "Dependency", False
    return comment or f"held ({holds})", "JobHeldUser" if "u" in holds else "JobHeldAdmin", True


def _key(variables: str) -> str:
    found = _KEY.search(f",{variables}")
    return found[1] if found else ""


def _cpus(shown: Shown) -> int | None:
    """Torque says `nodes=2:ppn=4` alone."""
    said = values.whole(shown.get("Resource_List.ncpus", ""))
    if said is not None:
        return said
    found = _NODES.match(shown.get("Resource_List.nodes", ""))
    return int(found[1]) * int(found[2] or 1) if found else None


def _first(shown: Shown, *names: str) -> float | None:
    for name in names:
        when = values.instant(shown[name]) if name in shown else None
        if when is not None:
            return when
    return None


def _hosts(text: str) -> tuple[str, ...]:
    """`n1/0*4+n2/1` and `n1/0+n1/1`: each node once."""
    if "+" not in text:
        return (text.partition("/")[0],) if text else ()
    return tuple(dict.fromkeys(part.partition("/")[0] for part in text.split("+") if part))


def _path(text: str) -> str:
    """`host:/path` without the host."""
    host, colon, path = text.partition(":")
    return path if colon and "/" not in host else text
