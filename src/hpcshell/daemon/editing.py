"""Which fields of a live job may change, and what the new values must satisfy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hpcshell.core.dependencies import format_dependencies
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.records import Array, Job, Request, State
from hpcshell.core.submission import Submission
from hpcshell.core.words import check_name
from hpcshell.daemon.asked import checked_change
from hpcshell.daemon.finding import resolve_dependencies
from hpcshell.policy.admit import admit
from hpcshell.policy.depend import would_cycle

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.live import LiveJob

REQUEST: Final = ("cpus", "memory", "gpus", "others", "exclusive", "time_limit")
ALWAYS: Final = frozenset({"name", "comment", "tags", "time_limit", "throttle", "account"})
"""What may change although elements are running already."""


def edits(engine: Engine, live: LiveJob, changes: dict[str, Any], uid: int) -> dict[str, Any]:
    """The fields of the job record these changes set. Raises `Wrong` or `Refused`; changes
    nothing."""
    job = live.job
    begun = live.state() is not State.PENDING
    fields: dict[str, Any] = {}
    request: dict[str, Any] = {}
    for name, said in changes.items():
        value = checked_change(name, said)
        if begun and name not in ALWAYS and not live.waiting:
            raise Refused(f"job {job.id} has begun: its {name} cannot change any more")
        if name in REQUEST:
            request[name] = value
        elif name == "throttle":
            fields["array"] = _throttled(job, value)
        elif name == "dependency":
            fields["dependencies"] = _dependencies(engine, job, value or "", uid)
        else:
            fields[name] = check_name(value) if name == "name" else value
    if request or "partition" in fields:
        partition = fields.get("partition", job.partition)
        fields["request"] = _request(engine, job, request, partition)
    return fields


def _request(engine: Engine, job: Job, changed: dict[str, Any], partition: str) -> Request:
    request = replace(job.request, **changed)
    admit(request, engine.host.total, engine.host.settings, partition)
    return request


def _throttled(job: Job, value: Any) -> Array:
    if job.array is None:
        raise Refused(f"job {job.id} is no array: it has no throttle")
    return replace(job.array, throttle=value)


def _dependencies(engine: Engine, job: Job, text: str, uid: int) -> Any:
    never = job.dependencies.on_never if job.dependencies else "end"
    asked = Submission(argv=("-",), cwd="/", env={}, dependency=text, on_never=never)
    dependencies = resolve_dependencies(engine, asked, uid, job.id)
    if dependencies is not None:
        parents = [term.job for term in dependencies.terms if term.job]
        if would_cycle(job.id, parents, engine.parents):
            raise Wrong(f"job {job.id} would depend on itself through {text!r}")
    return dependencies


def changed_fields(before: Job, fields: dict[str, Any]) -> dict[str, list[Any]]:
    """What an edit changes, field by field as a user names them: [old, new]."""
    changed: dict[str, list[Any]] = {}
    for name, value in fields.items():
        if name == "request":
            changed.update(_differences(before.request, value, REQUEST))
        elif name == "array":
            changed["throttle"] = [before.array.throttle if before.array else None, value.throttle]
        elif name == "dependencies":
            old = before.dependencies
            changed["dependency"] = [
                format_dependencies(old) if old else None,
                format_dependencies(value) if value else None,
            ]
        else:
            changed.update(_differences(before, replace(before, **{name: value}), (name,)))
    return changed


def _differences(old: Any, new: Any, names: Iterable[str]) -> dict[str, list[Any]]:
    pairs = {name: [getattr(old, name), getattr(new, name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
