"""The names of jobs as schedulers write them, and as fields of requests say them.

native("slurm", "12_3")           JobRef("slurm", "12", element=3)
native("pbs", "12[3].server")     JobRef("pbs", "12", element=3)
ref_of({"slurm_job_id": 12})      JobRef("slurm", "12")
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.store.jobs import KINDS, JobRef, checked

FIELDS: Final = tuple(f"{kind}_job_id" for kind in KINDS)
"""Fields that name a job of one kind."""
_ID: Final = re.compile(
    r"(?P<id>[0-9]{1,18})"
    r"(?:_(?P<slurm>[0-9]{1,18})|\[(?P<bracket>[0-9]{1,18})\]|\[\])?"
    r"(?:\.(?P<rest>[A-Za-z][A-Za-z0-9._:-]{0,200}|[0-9]{1,18}(?:\.[0-9]{1,18}){0,8}))?"
)
"""PBS writes its server behind the number, Grid Engine the task, Slurm a step."""


def native(kind: str, text: str | int, cluster: str = "") -> JobRef:
    """The job that a scheduler calls so. Raises `Wrong`."""
    said = str(text).strip() if not isinstance(text, bool) else "true"
    found = _ID.fullmatch(said)
    if found is None or not found["id"].isascii():
        raise Wrong(
            f"{quote(said)} is no id of a job", "write it as the scheduler does: 12, 12_3, 12[3]"
        )
    element = found["slurm"] or found["bracket"]
    if kind == "sge" and element is None and (found["rest"] or "").isdecimal():
        element = found["rest"]
    number = None if element is None else int(element)
    return checked(JobRef(kind, str(int(found["id"])), cluster, number))


def ref_of(fields: Mapping[str, Any]) -> JobRef | None:
    """The job that a request names, in `job` or in a field such as `slurm_job_id` (with `cluster`
    and `element` beside it where they are known); None: it names none. Raises `Wrong`."""
    named = {name: fields[name] for name in FIELDS if fields.get(name) not in (None, "")}
    job = fields.get("job")
    if job is not None and not isinstance(job, Mapping):
        raise Wrong("job: that is no job", 'write {"kind": "slurm", "id": "12"}')
    if len(named) + (job is not None) > 1:
        raise Wrong("several fields name a job", "a run has one job: leave the others out")
    if job is not None:
        return _of_document(job)
    for name, value in named.items():
        return _with_element(
            native(name.removesuffix("_job_id"), _id(value, name), _text(fields, "cluster")), fields
        )
    return None


def _of_document(job: Mapping[str, Any]) -> JobRef:
    kind = _text(job, "kind")
    if kind not in KINDS:
        raise Wrong(f"{quote(kind)} is no kind of scheduler", "there are " + ", ".join(KINDS))
    return _with_element(native(kind, _id(job.get("id"), "id"), _text(job, "cluster")), job)


def _with_element(ref: JobRef, fields: Mapping[str, Any]) -> JobRef:
    element = fields.get("element")
    if element in (None, ""):
        return ref
    text = str(element)
    if isinstance(element, bool) or not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Wrong(f"{quote(text)} is no element of an array", "write 0 or more")
    return checked(JobRef(ref.kind, ref.id, ref.cluster, int(text)))


def _id(value: Any, name: str) -> str | int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Wrong(f"{name}: that is no id of a job", "write it as the scheduler does: 12")
    return value


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Wrong(f"{name}: that is no text", "write it in quotes")
    return value
