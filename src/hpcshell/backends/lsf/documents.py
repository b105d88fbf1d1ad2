"""The JSON of LSF's commands (`-json`, 10.1.0.2 and later): every value is text, as a rule."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from hpcshell.backends.contract import Answer


class Job(msgspec.Struct, rename=str.upper):
    """A record of bjobs; a value is "" or "-" where there is none."""

    jobid: str
    jobindex: str = ""
    stat: str = ""
    user: str = ""
    queue: str = ""
    job_name: str = ""
    job_description: str = ""
    proj_name: str = ""
    job_priority: str = ""
    exit_code: str = ""
    exit_reason: str = ""
    pend_reason: str = ""
    submit_time: str = ""
    start_time: str = ""
    estimated_start_time: str = ""
    finish_time: str = ""
    exec_host: str = ""
    slots: str = ""
    runtimelimit: str = ""
    cpu_used: str = ""
    max_mem: str = ""
    sub_cwd: str = ""


class Queue(msgspec.Struct, rename=str.upper):
    """A record of bqueues."""

    queue_name: str
    status: str = ""
    max_runlimit: str = ""
    default_runlimit: str = ""


class Jobs(msgspec.Struct, rename=str.upper):
    """What bjobs says: how many, and all of them."""

    command: str
    jobs: int
    records: list[Job]


class Queues(msgspec.Struct, rename=str.upper):
    """What bqueues says."""

    command: str
    records: list[Queue]


_Document = TypeVar("_Document", Jobs, Queues)


def fields(kind: type[msgspec.Struct]) -> str:
    """The fields that are asked for with -o."""
    return " ".join(kind.__struct_fields__)


def decoded(answer: Answer, kind: type[_Document], command: str) -> _Document | None:
    """The document of `command` in an answer; lines of the site's own may stand before it."""
    text = answer.out[max(answer.out.find("{"), 0) :]
    found: _Document | None
    try:
        found = msgspec.json.decode(text.encode("utf-8", "replace"), type=kind)
    except msgspec.MsgspecError:
        found = _loosely(text, kind)
    return found if found is not None and found.command == command else None


def _loosely(text: str, kind: type[_Document]) -> _Document | None:
    """The same where a string holds a bare control character, where a number is written as one, or
    where lines come after it."""
    try:
        document, _ = json.JSONDecoder(strict=False).raw_decode(text)
        for record in document["RECORDS"]:
            record.update({name: str(value) for name, value in record.items()})
        return msgspec.convert(document, kind)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
