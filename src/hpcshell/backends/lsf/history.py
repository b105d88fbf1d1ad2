"""Jobs as `bhist -l` tells of them: a header, then one event after another, and a summary.

Its lines are folded in the middle of words, so what folding took apart is put together first, and
the words of an event are compared without any blanks. A job that ended and was begun once more has
not ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import UNKNOWN, Answer, Seen, Sighting, Site, Trouble
from hpcshell.backends.lsf import states, times
from hpcshell.backends.lsf.jobs import ABSENT, NOTHING
from hpcshell.backends.lsf.script import KEY, SHIFT
from hpcshell.backends.lsf.troubles import trouble
from hpcshell.core.records import Record

_RULE: Final = re.compile(r"(?m)^-{20,}\s*$")
_FOLD: Final = re.compile(r"\n {10,}(?=\S)")
_HEADER: Final = re.compile(r"(?am)^Job <([1-9]\d{0,14})(?:\[(\d{1,9})\])?>,.*$")
_EVENT: Final = re.compile(
    r"(?am)^((?:[A-Z][a-z]{2}) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}(?: \d{4})?): (.*)$"
)
_WHOLE: Final = "Summary of time in seconds spent in various states by"
_EXIT_CODE: Final = re.compile(r"(?a)Exitedwithexitcode(\d{1,3})\b")
_SIGNAL: Final = re.compile(r"(?a)Exitedbysignal(\d{1,2})\b")
_CPU: Final = re.compile(r"(?a)TheCPUtimeusedis(\d{1,12}(?:\.\d{1,6})?)second")
_REASON: Final = re.compile(r"(TERM_[A-Z_]+)")
_BEGUN: Final = ("Dispatched", "Starting", "Started")
_WAITS: Final = ("Submittedfrom", "Pending:", "Requeue", "Jobhasbeenrequeued")


class _Story(Record, frozen=True, kw_only=True):
    """What the events come to."""

    state: str = UNKNOWN
    submitted: float | None = None
    begun: float | None = None
    ended: float | None = None
    code: int | None = None
    signal: int | None = None
    reason: str = ""
    cpu: float | None = None


def seen(answers: Sequence[Answer], site: Site) -> Seen:
    """The answers of `date` and of every bhist. Whole: each of them came, and each job in it up to
    its summary."""
    date, *told = answers or (Answer(code=None),)
    now = times.clock(date.out) if date.code == 0 else None
    sightings: list[Sighting] = []
    absent: list[str] = []
    why: Trouble | None = None if told else Trouble(kind="busy", message="bhist was not asked")
    for answer in told:
        jobs = [part for part in _RULE.split(answer.out) if _HEADER.search(part)]
        sightings += [_sighting(_FOLD.sub("", part), now) for part in jobs]
        absent += ABSENT.findall(answer.said)
        whole = jobs and all(_WHOLE in part for part in jobs)
        nothing = answer.code is not None and NOTHING.match(answer.said.strip())
        if not (whole or nothing or absent):
            why = why or trouble(answer, site)
    return Seen(sightings=tuple(sightings), whole=why is None, absent=tuple(absent), trouble=why)


def _sighting(text: str, now: float | None) -> Sighting:
    header = _HEADER.search(text)
    assert header is not None
    story = _story(text, now)
    number, index = header[1], int(header[2] or 0)
    key = KEY.match(_field(header[0], "Job Description"))
    return Sighting(
        native=f"{number}[{index}]" if index else number,
        number=number,
        element=index - SHIFT if index else None,
        key=key[1] if key else "",
        state=story.state,
        word=story.reason.partition(":")[0] or story.state,
        reason=story.reason,
        name=_field(header[0], "Job Name"),
        user=_field(header[0], "User"),
        account=_field(header[0], "Project"),
        partition=_field(text, "to Queue"),
        submit_time=story.submitted,
        start_time=story.begun,
        end_time=story.ended,
        exit_code=story.code,
        signal=story.signal,
        cpu_time=story.cpu,
    )


def _field(text: str, name: str) -> str:
    """What stands behind a name; folding may have swallowed a blank in it."""
    found = re.search(rf"\b{name.replace(' ', ' ?')} ?<([^>]*)>", text)
    return found[1] if found else ""


def _story(text: str, now: float | None) -> _Story:
    story = _Story()
    for instant, event in _events(text, now):
        story = _after(story, instant, event)
    return story


def _events(text: str, now: float | None) -> Iterator[tuple[float | None, str]]:
    for when, said in _EVENT.findall(text):
        yield times.read(when, now), "".join(said.split())


def _after(story: _Story, instant: float | None, event: str) -> _Story:
    """The story with one more event, blanks taken out of it."""
    if event.startswith("Submittedfrom"):
        return _Story(state="PENDING", submitted=instant)
    if event.startswith(_WAITS):
        return _Story(state="PENDING", submitted=story.submitted)
    if event.startswith(_BEGUN):
        begun = story.begun if story.state == "RUNNING" else instant
        return _Story(state="RUNNING", submitted=story.submitted, begun=begun)
    if event.startswith(("Donesuccessfully", "Exited", "Completed<")):
        return _ended(story, instant, event)
    return story


def _ended(story: _Story, instant: float | None, event: str) -> _Story:
    good = event.startswith(("Donesuccessfully", "Completed<done>"))
    code, signal, cpu = (pattern.search(event) for pattern in (_EXIT_CODE, _SIGNAL, _CPU))
    reason = _REASON.search(event)
    word = reason[1] if reason else story.reason
    return _Story(
        state="COMPLETED" if good else states.end(word),
        submitted=story.submitted,
        begun=story.begun,
        ended=instant,
        code=0 if good else int(code[1]) if code else story.code,
        signal=int(signal[1]) if signal else story.signal,
        reason="" if good else word,
        cpu=float(cpu[1]) if cpu else story.cpu,
    )
