"""Jobs for tests."""

from __future__ import annotations

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Array, Job, Launch, Request
from hpcshell.policy.view import PLAIN

LAUNCH = Launch(argv=("true",), cwd="/")


def make_job(
    number: int, *, array: str | Array | None = None, throttle: int = 0, **fields: object
) -> Job:
    """A job of which a test says only what it cares about, fields of the request included. Its runs
    make room at once."""
    if isinstance(array, str):
        array = Array(indices=array, throttle=throttle)
    asked = {name: fields.pop(name) for name in list(fields) if name in Request.__struct_fields__}
    return Job(
        **{  # type: ignore[arg-type]
            "id": number,
            "name": f"j{number}",
            "user": "u",
            "uid": 1,
            "submit_time": 0.0,
            "launch": LAUNCH,
            "grace": 0.0,
            "request": Request(**asked),  # type: ignore[arg-type]
            "array": array,
            **fields,
        }
    )


def elements_of(job: Job) -> IndexSet:
    return PLAIN if job.array is None else IndexSet.parse(job.array.indices)
