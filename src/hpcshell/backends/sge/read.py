"""The queue out of `qstat -r -xml`, and why jobs are in the error state out of `qstat -j`.

One `qstat` for all of a user's jobs. Only when some are in the error state, the same command goes
on to ask `qstat -j` why, once for all of them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from hpcshell.backends.contract import Answer, Seen, Sighting, Site, Trouble, Words
from hpcshell.backends.sge.script import KEY
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
_FIELD: Final = re.compile(r"<(\w+)>([^<]*)</")
_REQUEST: Final = re.compile(r'<hard_request name="([^"]*)"[^>]*>([^<]*)</')
_PARENT: Final = re.compile(r"<(?:ad_)?predecessor_jobs>([^<]*)</")
_ERROR: Final = re.compile(r"(?a)error reason\s+([0-9]+):\s*(?:\S+ \S+ \[[0-9:]+\]: )?(.*)")
_ERROR_STATE: Final = (
    "Grid Engine put it into the error state (Eqw): look at qstat -j, then release it"
)

Reasons = Mapping[tuple[str, int], str]
"""Of the error state, by job and task."""


class _Common(NamedTuple):
    """What is the same for many jobs of a queue."""

    slots: int
    limit: float | None
    memory: int | None
    gpus: int | None
    parents: tuple[str, ...]


def question(user: str | None) -> Words:
    return shell(_QUEUE, user or "*")


def read_queue(answers: Sequence[Answer], site: Site) -> Seen:
    answer = answers[0] if answers else Answer(code=None)
    if answer.code != 0:
        return Seen(whole=False, trouble=classify(answer, site))
    xml, end, rest = answer.out.rpartition("</job_info>")
    jobs = _JOB.split(xml)[1:]
    if not (_begins(xml) and end and xml.count("</job_info>") == 1 and _whole(jobs)):
        return Seen(whole=False, trouble=_not_understood(answer))
    reasons = _errors(rest)
    known: dict[str, _Common] = {}
    try:
        sightings = [_sighting(job, known, site, reasons) for job in jobs]
    except Wrong:  # the tasks of an array are no indices
        return Seen(whole=False, trouble=_not_understood(answer))
    read = tuple(sighting for sighting in sightings if sighting is not None)
    if len(read) < len(jobs):
        return Seen(sightings=read, whole=False, trouble=_not_understood(answer))
    return Seen(sightings=read)


def _begins(xml: str) -> bool:
    start = xml.lstrip()[:200]
    return start.startswith("<?xml") and "<job_info" in start


def _whole(jobs: Sequence[str]) -> bool:
    return all(job.count("</job_list>") == 1 for job in jobs)


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


def _sighting(job: str, known: dict[str, _Common], site: Site, reasons: Reasons) -> Sighting | None:
    """None where it is no job at all. What many jobs share is read once."""
    head, _, tail = job.partition("<slots>")
    fields = dict(_FIELD.findall(head))
    key, tail = _cut(tail, f"<predecessor_jobs_req>{KEY}=")
    _, tail = _cut(tail, "<full_job_name>")
    tasks, tail = _cut(tail, "<tasks>")
    number, word = fields.get("JB_job_number", ""), fields.get("state", "")
    if not number.isdecimal() or not word:
        return None
    common = known.get(tail)
    if common is None:
        common = known[tail] = _common(tail, site)
    element, waiting = _tasks(tasks)
    state = live_state(word)
    code, reason = _reason(word, common.parents)
    if code == "ErrorState":
        reason = _why(number, element, reasons)
    queue, _, host = fields.get("queue_name", "").partition("@")
    return Sighting(
        native=number if element is None else f"{number}.{element + 1}",
        number=number,
        element=element,
        waiting=waiting,
        key=_plain(key),
        state=state,
        word=word,
        held=state == "PENDING" and code in ("ErrorState", "Held"),
        reason_code=code,
        reason=reason,
        name=_plain(fields.get("JB_name", "")),
        user=fields.get("JB_owner", ""),
        partition=queue,
        submit_time=iso_instant(fields.get("JB_submission_time", "")),
        start_time=iso_instant(fields.get("JAT_start_time", "")) if state != "PENDING" else None,
        cpus=common.slots,
        time_limit=common.limit,
        memory=common.memory,
        gpus=common.gpus,
        nodes=(host,) if host else (),
        restarts=int("R" in word),
    )


def _cut(text: str, mark: str) -> tuple[str, str]:
    """The value after the mark, and the text without it."""
    before, found, after = text.partition(mark)
    if not found:
        return "", text
    value, _, rest = after.partition("<")
    return value, before + rest


def _plain(text: str) -> str:
    """8.1 writes `%lt;` for `<`."""
    return html.unescape(text.replace("%lt;", "&lt;")) if ";" in text else text


def _common(tail: str, site: Site) -> _Common:
    """What stands behind `<slots>`."""
    requests = dict(_REQUEST.findall(tail))
    slots = whole_number(tail.partition("<")[0]) or 1
    return _Common(
        slots=slots,
        limit=seconds(requests.get("h_rt", "")),
        memory=_total(requests, MEMORIES, slots, site),
        gpus=_total(requests, GPUS, slots, site),
        parents=tuple(dict.fromkeys(_PARENT.findall(tail))),
    )


def _total(requests: Mapping[str, str], names: Sequence[str], slots: int, site: Site) -> int | None:
    """What was asked for, of all slots together."""
    for name in names:
        each = size(requests[name]) if name in requests else None
        if each is not None:
            return each if kind(site, name)[2] in ("JOB", "HOST") else each * slots
    return None


def _tasks(text: str) -> tuple[int | None, str]:
    """The index of one element, or index text of several that wait: `4-10:1`, `5,9`. Grid Engine's
    tasks are one more than our indices."""
    if not text:
        return None, ""
    if text.isdecimal():
        return int(text) - 1, ""
    tasks = IndexSet.parse(text)
    shifted = tuple(range(part.start - 1, part.stop - 1, part.step) for part in tasks.ranges)
    return None, str(IndexSet(shifted))


def _reason(word: str, parents: tuple[str, ...]) -> tuple[str, str]:
    """A code, and a sentence."""
    if "E" in word:
        return "ErrorState", ""
    if "h" in word and parents:
        return "Dependency", f"waits for the end of {', '.join(parents)}"
    return ("Held", "held") if "h" in word else ("", "")


def _why(number: str, element: int | None, reasons: Reasons) -> str:
    exact = reasons.get((number, 1 if element is None else element + 1))
    any_of_it = (text for (job, _), text in reasons.items() if job == number)
    return exact or next(any_of_it, _ERROR_STATE)
