"""Jobs as bjobs shows them. Its times are whole minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from hpcshell.backends.contract import Answer, Seen, Sighting, Site, Trouble
from hpcshell.backends.lsf import states, times
from hpcshell.backends.lsf.documents import Job, Jobs, decoded
from hpcshell.backends.lsf.script import KEY, SHIFT
from hpcshell.backends.lsf.troubles import trouble
from hpcshell.core.units import DAY, KIB

NOTHING: Final = re.compile(r"No (?:unfinished |finished |matching )?job found[^\n]*\Z")
ABSENT: Final = re.compile(
    r"(?a)^Job <(\d{1,15}(?:\[\d{1,9}\])?)>(?: is not found|: No matching job found)", re.MULTILINE
)
_ID: Final = re.compile(r"(?a)([1-9]\d{0,14})(?:\[(\d{1,9})\])?\Z")
_NUMBER: Final = re.compile(r"(?a)\d{1,12}(?:\.\d{1,9})?")
_SIZE: Final = re.compile(r"(?a)(\d{1,12}(?:\.\d{1,9})?) *([KMGTP]?)(?:bytes|B)?\Z", re.IGNORECASE)
_HOST: Final = re.compile(r"(?a)\A\d+\*")
_CLOCK: Final = re.compile(r"(?a)(\d{1,6}):(\d{2}):(\d{2})\Z")
_AHEAD: Final = 300 * DAY
_NONE: Final = frozenset({"", "-"})


def seen(answers: Sequence[Answer], site: Site) -> Seen:
    """The answers of `date` and bjobs. It is whole when its own count of the jobs is right."""
    date, answer = (*answers, Answer(code=None), Answer(code=None))[:2]
    found = decoded(answer, Jobs, "bjobs")
    if found is None:
        return _without_document(answer, site)
    now = times.clock(date.out) if date.code == 0 else None
    shown = [job for job in found.records if job.stat not in _NONE]
    sightings = tuple(filter(None, (_sighting(job, now) for job in shown)))
    absent = tuple(job.jobid for job in found.records if job.stat in _NONE)
    if found.jobs != len(found.records) or len(sightings) < len(shown):
        came = f"{len(sightings) + len(absent)} of {found.jobs} jobs can be read"
        why = Trouble(kind="broken", message=came, hint="bjobs -json gave a damaged answer")
        return Seen(sightings=sightings, whole=False, trouble=why)
    return Seen(sightings=sightings, absent=absent)


def _without_document(answer: Answer, site: Site) -> Seen:
    if answer.code is not None and NOTHING.match(answer.said.strip()):
        return Seen()
    absent = tuple(ABSENT.findall(answer.said))
    return Seen(whole=False, absent=absent, trouble=trouble(answer, site))


def _sighting(job: Job, now: float | None) -> Sighting | None:
    """None where its id makes no sense."""
    place = _ID.match(job.jobid)
    index = (place[2] if place else None) or job.jobindex or "0"
    if place is None or not (index.isascii() and index.isdigit() and len(index) < 10):
        return None
    number, element = place[1], int(index)
    ended = job.stat in ("DONE", "EXIT")
    key = KEY.match(job.job_description)
    return Sighting(
        f"{number}[{element}]" if element else number,
        number,
        element - SHIFT if element else None,
        "",  # waiting
        key[1] if key else "",
        states.state(job.stat, job.exit_reason),
        job.stat,
        job.stat == "PSUSP",
        _told(job.exit_reason if ended else job.pend_reason),
        "" if ended else states.reason_code(job.pend_reason),
        _told(job.job_name),
        _told(job.user),
        _told(job.queue),
        _told(job.proj_name),
        "",  # qos
        _whole(job.job_priority),
        times.read(job.submit_time, now),
        times.read(job.start_time, now),
        times.read(job.finish_time, now) if ended else None,
        times.read(job.estimated_start_time, now, _AHEAD),
        _exit_code(job),
        None,  # signal
        _whole(job.slots),
        None,  # memory
        None,  # gpus
        limit(job.runtimelimit),
        _hosts(job.exec_host),
        0,  # restarts
        _seconds(job.cpu_used),
        _size(job.max_mem),
        _told(job.sub_cwd),
    )


def _exit_code(job: Job) -> int | None:
    """`DONE` is 0 without a word; `EXIT` may have none: it was ended from outside."""
    return 0 if job.stat == "DONE" else _whole(job.exit_code) if job.stat == "EXIT" else None


def _told(text: str) -> str:
    return "" if text == "-" else text.strip()


@lru_cache(maxsize=4096)
def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(text: str) -> float | None:
    found = _NUMBER.match(text)
    return float(found[0]) if found else None


@lru_cache(maxsize=256)
def limit(text: str) -> float | None:
    """Seconds of `1440.0/hostA`: minutes on that host."""
    minutes = _number(text)
    return 60 * minutes if minutes else None


def _seconds(text: str) -> float | None:
    """Of `12.5 second(s)`, or of the clock that a site may show instead."""
    if clock := _CLOCK.match(text):
        return 3600.0 * int(clock[1]) + 60 * int(clock[2]) + int(clock[3])
    return _number(text)


@lru_cache(maxsize=4096)
def _size(text: str) -> int | None:
    """Bytes of `5.2 Gbytes`."""
    found = _SIZE.match(text)
    if found is None:
        return None
    power = " KMGTP".index(found[2].upper() or " ")
    return int(float(found[1]) * KIB**power)


@lru_cache(maxsize=4096)
def _hosts(text: str) -> tuple[str, ...]:
    """Of `4*n1:n2`, `n1:n1`: each once."""
    if text in _NONE:
        return ()
    return tuple(dict.fromkeys(_HOST.sub("", word) for word in text.split(":") if word))
