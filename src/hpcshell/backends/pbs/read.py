"""What `qstat -f` says of jobs, in its text form.

    Job Id: 12[3].host
        Job_Name = x
        Variable_List = A=1,
    <tab>B=2

Lines are folded with a newline and a tab; values hold newlines of their own, and then anything may
stand at the beginning of a line. So an attribute that is there twice with two values, or a job
that is, is not believed. The JSON form is not used: it leaves jobs out, is no JSON at times, and
makes numbers of names. A blank line ends each job: without it the answer was cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
from hpcshell.backends.pbs.arrays import KEY, among_others
from hpcshell.backends.pbs.ids import PATTERN, parse_id
from hpcshell.backends.pbs.states import ENDINGS, STATES, End, how_it_ended
from hpcshell.backends.pbs.troubles import trouble, trouble_of
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet

_ATTRIBUTES: Final = (
    "Job_Name Job_Owner job_state queue substate Exit_status exit_status comment Hold_Types depend"
    " Account_Name Priority ctime qtime stime start_time obittime comp_time mtime"
    " estimated.start_time exec_host run_count Variable_List Output_Path Error_Path"
    " Resource_List.ncpus Resource_List.mem Resource_List.ngpus Resource_List.walltime"
    " Resource_List.nodes resources_used.mem resources_used.cput resources_used.walltime"
    " array_state_count array_indices_submitted array_indices_remaining"
)
_ATTRIBUTE: Final = re.compile(
    rf"^    ({'|'.join(map(re.escape, _ATTRIBUTES.split()))}) = (.*)", re.MULTILINE
)
_ID: Final = re.compile(rf"({PATTERN})[ \t]*(?:\n|\Z)")
_FRONT: Final = re.compile(r"^Job Id: ", re.MULTILINE)
_KEY: Final = re.compile(rf"(?:\A|,){KEY}=([A-Za-z0-9_.+-]+)")
_OF_ONE: Final = re.compile(
    rf"\w+: (?:(?:(?P<gone>Unknown Job Id)(?: Error)? (?P<unknown>{PATTERN})"
    rf"|Job has finished {PATTERN}|{PATTERN} Job has finished\b.*))\s*\Z"
)
_TWICE: Final = "?"

Shown = dict[str, str]


def read_jobs(answer: Answer, site: Site | None = None) -> Seen:
    """What one answer says. An empty one is believed where it comes with no word of complaint."""
    if answer.missing or answer.code is None:
        return Seen(whole=False, trouble=trouble(answer, site))
    text = answer.out.replace("\r\n", "\n") if "\r" in answer.out else answer.out
    front = _FRONT.search(text)
    before, body = (text[: front.start()], text[front.start() :]) if front else (text, "")
    absent, complaint = _complaints(answer, site)
    shown = _blocks(body)
    if body and not shown:
        complaint = complaint or trouble_of(first_lines(body))
    if body and not body.endswith("\n\n"):
        shown = shown[:-1]
        complaint = complaint or Trouble(kind="busy", message="the answer of qstat was cut off")
    if before.strip():
        complaint = complaint or trouble_of(before)
    sightings = tuple(_sightings(shown))
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


def _blocks(text: str) -> list[tuple[str, Shown]]:
    """Each job's id, and those of its attributes that mean something here."""
    jobs: list[tuple[str, Shown]] = []
    for block in ("\n" + text.replace("\n\t", "")).split("\nJob Id: ")[1:]:
        pairs = _ATTRIBUTE.findall(block)
        shown = dict(pairs)
        if len(shown) < len(pairs) and any(shown[name] != value for name, value in pairs):
            shown[_TWICE] = "an attribute"
        native = _ID.match(block)
        if native is not None:
            jobs.append((native[1], shown))
        elif jobs:
            jobs[-1][1][_TWICE] = "an id"
    return jobs


def _sightings(jobs: Iterable[tuple[str, Shown]]) -> Iterable[Sighting]:
    """Elements in place of their array, where they are shown; only those that were asked for."""
    known: dict[str, Shown] = {}
    for native, shown in jobs:
        if known.setdefault(native, shown) is not shown and known[native] != shown:
            known[native] = {_TWICE: "a job", **shown}
    arrays = {parse_id(native)[0]: known[native] for native in known if "[]" in native}
    elements = {parse_id(native)[0] for native in known if "[" in native and "[]" not in native}
    for native, shown in known.items():
        number, index = parse_id(native)
        array = arrays.get(number) if "[" in native else None
        own = {**_variables(array), **shown} if array else shown
        asked = among_others(own.get("Variable_List", "")) if "[" in native else None
        if "[]" in native:
            if number not in elements:
                yield _array(native, shown, asked)
        elif index is None or asked is None or index in asked:
            yield _sighting(native, own, array)


def _variables(array: Shown) -> Shown:
    """Elements whose record PBS has lost share their array's."""
    return {"Variable_List": array.get("Variable_List", "")}


def _sighting(native: str, shown: Shown, array: Shown | None) -> Sighting:
    word = "" if _TWICE in shown else shown.get("job_state", "")
    end = _end(word, shown, array)
    waits = end.state == "PENDING"
    reason, code, held = _why(shown, array or {}) if waits else (end.reason, end.reason_code, False)
    return replace(
        _common(native, shown),
        word=word,
        state=end.state,
        exit_code=end.exit_code,
        signal=end.signal,
        held=held,
        reason=reason,
        reason_code=code,
        start_time=None if waits else _first(shown, "stime", "start_time"),
        end_time=_first(shown, "obittime", "comp_time", "mtime") if word in ENDINGS else None,
        max_rss=values.size(shown.get("resources_used.mem", "")),
        cpu_time=values.seconds(shown.get("resources_used.cput", "")),
        nodes=() if waits else _hosts(shown.get("exec_host", "")),
    )


def _array(native: str, shown: Shown, asked: IndexSet | None) -> Sighting:
    """A whole array whose elements are not shown. How it ended says nothing about any of them."""
    word = "" if _TWICE in shown else shown.get("job_state", "")
    remaining = shown.get("array_indices_remaining", shown.get("array_indices_submitted", ""))
    state = STATES.get(word, UNKNOWN)
    if word == "B" and "Running:0" in shown.get("array_state_count", ""):
        state = "PENDING"
    reason, code, held = _why(shown, {}) if state == "PENDING" else ("", "", False)
    return replace(
        _common(native, shown),
        word=word,
        state=state,
        waiting=_waiting(remaining, asked),
        held=held,
        reason=reason,
        reason_code=code,
    )


def _waiting(remaining: str, asked: IndexSet | None) -> str:
    """Index text as PBS shows it; `-` for none."""
    try:
        indices = IndexSet.parse(remaining)
    except Wrong:
        return ""
    return str(indices if asked is None else indices.within(asked))


def _end(word: str, shown: Shown, array: Shown | None) -> End:
    if word in ENDINGS:
        return how_it_ended(shown, array.get("substate", "") if array else None)
    return End(state=STATES.get(word, UNKNOWN))


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


def _common(native: str, shown: Shown) -> Sighting:
    """What jobs, elements and arrays show alike."""
    number, index = parse_id(native)
    key = _KEY.search(shown.get("Variable_List", ""))
    runs = values.whole(shown.get("run_count", ""))
    return Sighting(
        native=native,
        number=number,
        element=index,
        key=key[1] if key else "",
        name=shown.get("Job_Name", ""),
        user=shown.get("Job_Owner", "").partition("@")[0],
        partition=shown.get("queue", ""),
        account=shown.get("Account_Name", ""),
        priority=values.whole(shown.get("Priority", "")),
        submit_time=_first(shown, "ctime", "qtime"),
        expected_start=_first(shown, "estimated.start_time"),
        cpus=_cpus(shown),
        memory=values.size(shown.get("Resource_List.mem", "")),
        gpus=values.whole(shown.get("Resource_List.ngpus", "")),
        time_limit=values.seconds(shown.get("Resource_List.walltime", "")),
        restarts=max(0, runs - 1) if runs else 0,
        stdout=_path(shown.get("Output_Path", "")),
        stderr=_path(shown.get("Error_Path", "")),
    )


def _cpus(shown: Shown) -> int | None:
    """Torque says `nodes=2:ppn=4` alone."""
    said = values.whole(shown.get("Resource_List.ncpus", ""))
    found = re.match(r"(\d{1,6})(?::ppn=(\d{1,6}))?\Z", shown.get("Resource_List.nodes", ""))
    return int(found[1]) * int(found[2] or 1) if said is None and found else said


def _first(shown: Mapping[str, str], *names: str) -> float | None:
    known = (values.instant(shown[name]) for name in names if name in shown)
    return next((when for when in known if when is not None), None)


def _hosts(text: str) -> tuple[str, ...]:
    """`n1/0*4+n2/1` and `n1/0+n1/1`: each node once."""
    return tuple(dict.fromkeys(part.partition("/")[0] for part in text.split("+") if part))


def _path(text: str) -> str:
    """`host:/path` without the host."""
    host, colon, path = text.partition(":")
    return path if colon and "/" not in host else text
