"""The texts of one job in `qstat -r -xml`.

Nearly all jobs show the same elements in the same order, and one regular expression takes such a
job apart with nothing left over. It finds what the exact reading would find, or it does not match:
then the job is read exactly.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hpcshell.backends.sge.script import KEY
from hpcshell.core.errors import Wrong


class Job(NamedTuple):
    """Texts as they are shown, "" for those that are not. `asked` and `behind`: the elements behind
    the slots, before and behind the one with our key; requests and parents stand there."""

    number: str
    name: str
    owner: str
    word: str
    submitted: str
    started: str
    place: str
    slots: str
    tasks: str
    asked: str
    key: str
    behind: str


_KEY: Final = f"predecessor_jobs_req>{KEY}="
_NEXT: Final = "</[^<]*+<"
"""From the end of an element to the beginning of the next."""
_VALUE: Final = f"([^<]*+){_NEXT}"
_OTHERS: Final = rf"((?:(?:[^/tfp]|predecessor_jobs(?!_req>{KEY}=))[^<>]*+>[^<]*+{_NEXT})*+)"
"""Whatever has no place of its own, which is told by its first letter."""
_USUAL: Final = re.compile(
    f"[^<]*+<JB_job_number>([0-9]++){_NEXT}JAT_prio>[^<]*+{_NEXT}JB_name>{_VALUE}JB_owner>{_VALUE}"
    f"state>([^<]++){_NEXT}(?:JB_submission_time>{_VALUE}|JAT_start_time>{_VALUE})"
    f"queue_name>{_VALUE}slots>{_VALUE}(?:tasks>{_VALUE})?+full_job_name>[^<]*+{_NEXT}"
    f"{_OTHERS}(?:{_KEY}{_VALUE})?+{_OTHERS}"
    r"/job_list>[^<]*+(?:</queue_info>[^<]*+<job_info>[^<]*+)?+(?:</job_info>[^<]*+)?+\Z"
)
_FIELD: Final = re.compile(r"<(\w+)>([^<]*)</")
_new: Final = tuple.__new__


def read_job(text: str) -> Job | None:
    """What stands behind `<job_list ...>`; None where it is no job. Raises `Wrong` where it has no
    end."""
    found = _USUAL.match(text)
    return _new(Job, found.groups("")) if found else read_exactly(text)


def read_exactly(text: str) -> Job | None:
    """A job whatever stands there and in which order."""
    if text.count("</job_list>") != 1:
        raise Wrong("qstat shows a job without an end", "it is asked again")
    head, _, tail = text.partition("<slots>")
    fields = dict(_FIELD.findall(head))
    _, tail = _cut(tail, "<full_job_name>")
    tasks, tail = _cut(tail, "<tasks>")
    tail, _, rest = tail.partition(f"<{_KEY}")
    slots, _, asked = tail.partition("<")
    key, _, behind = rest.partition("<")
    number, word = fields.get("JB_job_number", ""), fields.get("state", "")
    if not number.isdecimal() or not word:
        return None
    return Job(
        number=number,
        name=fields.get("JB_name", ""),
        owner=fields.get("JB_owner", ""),
        word=word,
        submitted=fields.get("JB_submission_time", ""),
        started=fields.get("JAT_start_time", ""),
        place=fields.get("queue_name", ""),
        slots=slots,
        tasks=tasks,
        asked=asked,
        key=key,
        behind=behind,
    )


def _cut(text: str, mark: str) -> tuple[str, str]:
    """The value after the mark, and the text without it."""
    before, found, after = text.partition(mark)
    if not found:
        return "", text
    value, _, rest = after.partition("<")
    return value, before + rest
