"""The JSON of LSF's commands (`-json`, 10.1.0.2 and later): every value is text, as a rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from hpcshell.backends.contract import Answer


class Job(msgspec.Struct, rename=str.upper, gc=False):
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

# made with the module, that is by one thread: what msgspec knows of a class while it is first read
# is not whole, and another thread that reads it then ends the process
_READ: Final[Mapping[Any, Callable[[bytes], Any]]] = {
    kind: msgspec.json.Decoder(kind).decode for kind in (Jobs, Queues)
}


def fields(kind: type[msgspec.Struct]) -> str:
    """The fields that are asked for with -o."""
    return " ".join(kind.__struct_fields__)


def decoded(answer: Answer, kind: type[_Document], command: str) -> _Document | None:
    """The document of `command` in an answer; lines of the site's own may stand before it."""
    text = answer.out[max(answer.out.find("{"), 0) :]
    found: _Document | None
    try:
        found = _READ[kind](text.encode("utf-8", "replace"))
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
