"""Which fields of a live job may change, and what the new values must satisfy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hpcshell.core.dependencies import format_dependencies
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.records import Array, Job, Request, State
from hpcshell.core.submission import Submission
from hpcshell.core.words import check_name
from hpcshell.daemon.finding import resolve_dependencies
from hpcshell.policy.admit import admit
from hpcshell.policy.depend import would_cycle

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.live import LiveJob

REQUEST: Final = ("cpus", "memory", "gpus", "others", "exclusive", "time_limit")
PLAIN: Final[dict[str, type | tuple[type, ...]]] = {
    "name": str,
    "comment": str,
    "account": str,
    "qos": str,
    "partition": str,
    "priority": int,
    "nice": int,
    "begin": (int, float),
    "deadline": (int, float, type(None)),
    "tags": list,
}
ALWAYS: Final = frozenset({"name", "comment", "tags", "time_limit", "throttle", "account"})
"""What may change although elements are running already."""


def edits(engine: Engine, live: LiveJob, changes: dict[str, Any], uid: int) -> dict[str, Any]:
    """The fields of the job record these changes set. Raises `Wrong` or `Refused`; changes
    nothing."""
    job = live.job
    begun = live.state() is not State.PENDING
    fields: dict[str, Any] = {}
    request: dict[str, Any] = {}
    for name, value in changes.items():
        if begun and name not in ALWAYS and not live.waiting:
            raise Refused(f"job {job.id} has begun: its {name} cannot change any more")
        if name in REQUEST:
            request[name] = value
        elif name in PLAIN:
            fields[name] = _plain(name, value)
        elif name == "throttle":
            fields["array"] = _throttled(job, value)
        elif name == "dependency":
            fields["dependencies"] = _dependencies(engine, job, str(value), uid)
        else:
            known = ", ".join(sorted((*REQUEST, *PLAIN, "throttle", "dependency")))
            raise Wrong(f"a job has no field {name!r} to change", f"known are: {known}")
    if request:
        fields["request"] = _request(engine, job, request)
    return fields


def _plain(name: str, value: Any) -> Any:
    kind = PLAIN[name]
    if isinstance(value, bool) or not isinstance(value, kind):
        raise Wrong(f"{name} cannot be {value!r}")
    if name == "name":
        check_name(str(value))
    return tuple(str(tag) for tag in value) if isinstance(value, list) else value


def _request(engine: Engine, job: Job, changed: dict[str, Any]) -> Request:
    checks: dict[str, Callable[[Any], bool]] = {
        "cpus": lambda value: isinstance(value, int) and value >= 1,
        "memory": lambda value: isinstance(value, int) and value >= 0,
        "gpus": lambda value: isinstance(value, int) and value >= 0,
        "time_limit": lambda value: value is None or (isinstance(value, int | float) and value > 0),
        "exclusive": lambda value: isinstance(value, bool),
        "others": lambda value: isinstance(value, dict),
    }
    for name, value in changed.items():
        if not checks[name](value):
            raise Wrong(f"{name} cannot be {value!r}")
    request = replace(job.request, **changed)
    admit(request, engine.host.total, engine.host.settings, job.partition)
    return request


def _throttled(job: Job, value: Any) -> Array:
    if job.array is None:
        raise Refused(f"job {job.id} is no array: it has no throttle")
    if not isinstance(value, int) or value < 0:
        raise Wrong(
            f"throttle cannot be {value!r}", "give how many may run at once; 0 lifts the limit"
        )
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
