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
_JOB: Final = re.compile(r"<job_list\b[^>]*>(.*?)</job_list>", re.DOTALL)
_PART: Final = re.compile(r'<(\w+)(?: name="([^"]*)")?[^>]*>([^<]*)</')
_ERROR: Final = re.compile(r"(?a)error reason\s+([0-9]+):\s*(?:\S+ \S+ \[[0-9:]+\]: )?(.*)")
_ERROR_STATE: Final = (
    "Grid Engine put it into the error state (Eqw): look at qstat -j, then release it"
)

Fields = dict[str, list[str]]


def question(user: str | None) -> Words:
    return shell(_QUEUE, user or "*")


def read_queue(answers: Sequence[Answer], site: Site) -> Seen:
    answer = answers[0] if answers else Answer(code=None)
    if answer.code != 0:
        return Seen(whole=False, trouble=classify(answer, site))
    xml, end, rest = answer.out.rpartition("</job_info>")
    jobs = _JOB.findall(xml)
    if not (_begins(xml) and end and xml.count("</job_info>") == 1 and _whole(xml, jobs)):
        return Seen(whole=False, trouble=_not_understood(answer))
    reasons = _errors(rest)
    sightings = tuple(_sighting(job, reasons, site) for job in jobs)
    if any(sighting is None for sighting in sightings):
        return Seen(whole=False, trouble=_not_understood(answer))
    return Seen(sightings=tuple(sighting for sighting in sightings if sighting is not None))


def _begins(xml: str) -> bool:
    start = xml.lstrip()[:200]
    return start.startswith("<?xml") and "<job_info" in start


def _whole(xml: str, jobs: Sequence[str]) -> bool:
    return xml.count("<job_list") == xml.count("</job_list>") == len(jobs)


def _not_understood(answer: Answer) -> Trouble:
    shown = " ".join(answer.said.split())[:200]
    return Trouble(
        kind="busy",
        message=f"qstat's answer is not the list of jobs that was asked for: {shown}",
        hint="it is asked again",
    )


def _errors(text: str) -> dict[tuple[str, int], str]:
    """`error reason` by job and task, out of the text of `qstat -j`."""
    found: dict[tuple[str, int], str] = {}
    number = ""
    for line in text.splitlines():
        if line.startswith("job_number:"):
            number = line.partition(":")[2].strip()
        elif told := _ERROR.match(line):
            found[number, int(told[1])] = told[2].strip()
    return found


def _sighting(job: str, reasons: Mapping[tuple[str, int], str], site: Site) -> Sighting | None:
    """None where it is no job at all."""
    fields, requests = _fields(job)
    number, word = _one(fields, "JB_job_number"), _one(fields, "state")
    if not number.isdecimal() or not word:
        return None
    try:
        element, waiting = _tasks(_one(fields, "tasks"))
    except Wrong:
        return None
    state = live_state(word)
    reason = _reason(fields, word, _why(number, element, reasons))
    slots = whole_number(_one(fields, "slots")) or 1
    queue, _, host = _one(fields, "queue_name").partition("@")
    return Sighting(
        native=number if element is None else f"{number}.{element + 1}",
        number=number,
        element=element,
        waiting=waiting,
        key=_key(fields),
        state=state,
        word=word,
        held=state == "PENDING" and reason[0] in ("ErrorState", "Held"),
        reason_code=reason[0],
        reason=reason[1],
        name=_name(fields),
        user=_one(fields, "JB_owner"),
        partition=queue,
        submit_time=iso_instant(_one(fields, "JB_submission_time")),
        start_time=iso_instant(_one(fields, "JAT_start_time")) if state != "PENDING" else None,
        cpus=slots,
        nodes=(host,) if host else (),
        restarts=int("R" in word),
        time_limit=seconds(requests.get("h_rt", "")),
        memory=_total(requests, MEMORIES, slots, site),
        gpus=_total(requests, GPUS, slots, site),
    )


def _fields(job: str) -> tuple[Fields, dict[str, str]]:
    fields: Fields = {}
    requests: dict[str, str] = {}
    for tag, name, text in _PART.findall(job):
        if tag == "hard_request":
            requests[name] = text
        else:
            fields.setdefault(tag, []).append(text)
    return fields, requests


def _one(fields: Fields, tag: str) -> str:
    return fields.get(tag, [""])[0]


def _name(fields: Fields) -> str:
    """8.1 writes `%lt;` for `<`."""
    text = _one(fields, "full_job_name") or _one(fields, "JB_name")
    return html.unescape(text.replace("%lt;", "&lt;"))


def _key(fields: Fields) -> str:
    marks = (name.partition(f"{KEY}=") for name in fields.get("predecessor_jobs_req", ()))
    return next((html.unescape(key) for before, mark, key in marks if mark and not before), "")


def _tasks(text: str) -> tuple[int | None, str]:
    """The index of one element, or index text of several that wait: `4-10:1`, `5,9`. Grid Engine's
    tasks are one more than our indices."""
    if not text:
        return None, ""
    tasks = IndexSet.parse(text)
    if tasks.first < 1:
        raise Wrong(f"{text} has a task 0", "tasks begin at 1")
    if len(tasks) == 1:
        return tasks.first - 1, ""
    shifted = tuple(range(part.start - 1, part.stop - 1, part.step) for part in tasks.ranges)
    return None, str(IndexSet(shifted))


def _why(number: str, element: int | None, reasons: Mapping[tuple[str, int], str]) -> str:
    exact = reasons.get((number, 1 if element is None else element + 1))
    any_of_it = (text for (job, _), text in reasons.items() if job == number)
    return exact or next(any_of_it, "")


def _reason(fields: Fields, word: str, error: str) -> tuple[str, str]:
    """A code, and a sentence."""
    if "E" in word:
        return "ErrorState", error or _ERROR_STATE
    parents = [*fields.get("predecessor_jobs", ()), *fields.get("ad_predecessor_jobs", ())]
    if "h" in word and parents:
        return "Dependency", f"waits for the end of {', '.join(dict.fromkeys(parents))}"
    if "h" in word:
        return "Held", "held"
    return "", ""


def _total(requests: Mapping[str, str], names: Sequence[str], slots: int, site: Site) -> int | None:
    """What was asked for, of all slots together."""
    for name in names:
        each = size(requests.get(name, ""))
        if each is not None:
            return each if kind(site, name)[2] in ("JOB", "HOST") else each * slots
    return None
