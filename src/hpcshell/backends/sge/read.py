"""The queue out of `qstat -r -xml`, and why jobs are in the error state out of `qstat -j`.

One `qstat` for all of a user's jobs. Only when some are in the error state, the same command goes
on to ask `qstat -j` why, once for all of them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Seen, Sighting, Site, Trouble, Words
from hpcshell.backends.sge.jobs import Job, read_job
from hpcshell.backends.sge.shape import GPUS, MEMORIES, kind
from hpcshell.backends.sge.site import shell
from hpcshell.backends.sge.states import live_state
from hpcshell.backends.sge.troubles import classify
from hpcshell.backends.sge.values import iso_instant, seconds, size, whole_number
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet

_QUEUE: Final = r"""
seen=$(qstat -u "$1" -r -xml) || exit
printf '%s\n' "$seen"
broken=$(printf '%s\n' "$seen" | awk -F '[<>]' '
    $2 == "JB_job_number" { job = $3 }
    $2 == "state" && $3 ~ /E/ && !told[job]++ { printf "%s%s", comma, job; comma = "," }')
[ -z "$broken" ] || qstat -j "$broken" 2>/dev/null
exit 0
"""
_JOB: Final = re.compile(r"<job_list\b[^>]*>")
_REQUEST: Final = re.compile(r'<hard_request name="([^"]*)"[^>]*>([^<]*)</')
_PARENTS: Final = "predecessor_jobs>"
_PARENT: Final = re.compile(rf"<(?:ad_)?{_PARENTS}([^<]*)</")
_GPUS: Final = frozenset(GPUS)
_WHOLE: Final = frozenset({"JOB", "HOST"})
_ERROR: Final = re.compile(r"(?a)error reason\s+([0-9]+):\s*(?:\S+ \S+ \[[0-9:]+\]: )?(.*)")
_ERROR_STATE: Final = (
    "Grid Engine put it into the error state (Eqw): look at qstat -j, then release it"
)

Reasons = Mapping[tuple[str, int], str]
"""Of the error state, by job and task."""


def question(user: str | None) -> Words:
    return shell(_QUEUE, user or "*")


def read_queue(answers: Sequence[Answer], site: Site) -> Seen:
    answer = answers[0] if answers else Answer(code=None)
    if answer.code != 0:
        return Seen(whole=False, trouble=classify(answer, site))
    xml, end, rest = answer.out.rpartition("</job_info>")
    jobs = _JOB.split(xml)[1:]
    if not (_begins(xml) and end and xml.count("</job_info>") == 1):
        return Seen(whole=False, trouble=_not_understood(answer))
    reasons = _errors(rest)
    of_all = _of_all(site)
    try:
        sightings = [_sighting(job, of_all, reasons) for job in map(read_job, jobs) if job]
    except Wrong:  # a job has no end, or the tasks of an array are no indices
        return Seen(whole=False, trouble=_not_understood(answer))
    if len(sightings) < len(jobs):
        return Seen(sightings=tuple(sightings), whole=False, trouble=_not_understood(answer))
    return Seen(sightings=tuple(sightings))


def _begins(xml: str) -> bool:
    start = xml.lstrip()[:200]
    return start.startswith("<?xml") and "<job_info" in start


def _not_understood(answer: Answer) -> Trouble:
    shown = " ".join(answer.said.split())[:200]
    return Trouble(
        kind="busy",
        message=f"qstat's answer is not the list of jobs that was asked for: {shown}",
        hint="it is asked again",
    )


def _errors(text: str) -> Reasons:
    """`error reason` by job and task, out of the text of `qstat -j`."""
    found: dict[tuple[str, int], str] = {}
    number = ""
    for line in text.splitlines():
        if line.startswith("job_number:"):
            number = line.partition(":")[2].strip()
        elif told := _ERROR.match(line):
            found[number, int(told[1])] = told[2].strip()
    return found


def _sighting(job: Job, of_all: frozenset[str], reasons: Reasons) -> Sighting:
    asked = f"<{job.asked}{job.behind}"
    requests = dict(_REQUEST.findall(asked))
    parents = _PARENT.findall(asked) if _PARENTS in asked else []
    slots = whole_number(job.slots) or 1
    element, waiting = _tasks(job.tasks) if job.tasks else (None, "")
    state = live_state(job.word)
    code, reason = _reason(job.word, parents)
    if code == "ErrorState":
        reason = _why(job.number, element, reasons)
    queue, _, host = job.place.partition("@")
    return Sighting(
        job.number if element is None else f"{job.number}.{element + 1}",
        job.number,
        element,
        waiting,
        _plain(job.key),
        state,
        job.word,
        state == "PENDING" and code in ("ErrorState", "Held"),
        reason,
        code,
        _plain(job.name),
        job.owner,
        queue,
        "",  # account
        "",  # qos
        None,  # priority
        iso_instant(job.submitted) if job.submitted else None,
        iso_instant(job.started) if job.started and state != "PENDING" else None,
        None,  # end_time
        None,  # expected_start
        None,  # exit_code
        None,  # signal
        slots,
        _total(requests, MEMORIES, slots, of_all),
        None if _GPUS.isdisjoint(requests) else _total(requests, GPUS, slots, of_all),
        seconds(requests["h_rt"]) if "h_rt" in requests else None,
        (host,) if host else (),
        int("R" in job.word),
    )


def _plain(text: str) -> str:
    """8.1 writes `%lt;` for `<`."""
    return html.unescape(text.replace("%lt;", "&lt;")) if ";" in text else text


def _of_all(site: Site) -> frozenset[str]:
    """Resources of which a request counts once, and not for each slot."""
    return frozenset(name for name in (*MEMORIES, *GPUS) if kind(site, name)[2] in _WHOLE)


def _total(
    requests: Mapping[str, str], names: Sequence[str], slots: int, of_all: frozenset[str]
) -> int | None:
    """What was asked for, of all slots together."""
    for name in names:
        each = size(requests[name]) if name in requests else None
        if each is not None:
            return each if name in of_all else each * slots
    return None


def _tasks(text: str) -> tuple[int | None, str]:
    """The index of one element, or index text of several that wait: `4-10:1`, `5,9`. Grid Engine's
    tasks are one more than our indices."""
    if text.isdecimal():
        return int(text) - 1, ""
    tasks = IndexSet.parse(text)
    shifted = tuple(range(part.start - 1, part.stop - 1, part.step) for part in tasks.ranges)
    return None, str(IndexSet(shifted))


def _reason(word: str, parents: Sequence[str]) -> tuple[str, str]:
    """A code, and a sentence."""
    if "E" in word:
        return "ErrorState", ""
    if "h" in word and parents:
        return "Dependency", f"waits for the end of {', '.join(dict.fromkeys(parents))}"
    return ("Held", "held") if "h" in word else ("", "")


def _why(number: str, element: int | None, reasons: Reasons) -> str:
    exact = reasons.get((number, 1 if element is None else element + 1))
    any_of_it = (text for (job, _), text in reasons.items() if job == number)
    return exact or next(any_of_it, _ERROR_STATE)
