"""Which fields of a live job may change, and what the new values must satisfy."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hpcshell.core.dependencies import format_dependencies
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.lifecycle import Event, Kind
from hpcshell.core.records import Array, Job, Request, Task
from hpcshell.core.submission import Submission
from hpcshell.core.units import number_of_gpus
from hpcshell.core.words import quote
from hpcshell.daemon.asked import checked_change
from hpcshell.daemon.bounds import TEXTS
from hpcshell.daemon.finding import resolve_dependencies
from hpcshell.daemon.parents import parents_of
from hpcshell.machine import clock
from hpcshell.policy.admit import admit, admit_times
from hpcshell.policy.booking import admit_into
from hpcshell.policy.cards import settled
from hpcshell.policy.depend import would_cycle
from hpcshell.policy.entrance import added_priority, admit_gang, admit_known, admit_never
from hpcshell.policy.reasons import figures

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.live import LiveJob

Changed = dict[str, list[Any]]
"""Field by field: [old, new]."""

REQUEST: Final = (
    *("cpus", "memory", "gpus", "gpu_share", "gpu_type", "gpus_allowed", "gpu_mem"),
    *("others", "exclusive", "time_limit"),
)
TIMES: Final = frozenset({"begin", "deadline", "time_limit"})
"""What must leave a job the time it may take."""
INTO: Final = frozenset({"reservation", "account", "begin", *REQUEST})
"""What decides whether a job may, and can, run in its reservation."""
SEATS: Final = ("partition", "qos", "account")
"""What decides which limits count for a job."""
ALWAYS: Final = frozenset({"name", "comment", "tags", "time_limit", "throttle", "account"})
"""What may change although elements are running already."""


def edits(engine: Engine, live: LiveJob, changes: dict[str, Any], uid: int) -> dict[str, Any]:
    """The fields of the job record these changes set. Raises `Wrong` or `Refused`; changes
    nothing."""
    job = live.job
    fields: dict[str, Any] = {}
    request: dict[str, Any] = {}
    for name, said in changes.items():
        value = checked_change(name, said)
        if name not in ALWAYS and not live.waits:
            raise Refused(
                f"job {job.id} has begun: its {name} cannot change any more",
                f"put it back into the queue first: hpc requeue {job.id}",
            )
        if name in REQUEST:
            request[name] = value
        elif name == "throttle":
            fields["array"] = _throttled(job, value)
        elif name == "dependency":
            fields["dependencies"] = _dependencies(engine, job, value or "", uid)
            if job.held == "dependency":  # it was held for want of the one it had
                fields["held"] = ""
        else:
            if name in TEXTS and (value or name == "name"):
                TEXTS[name](value, name)
            fields[name] = value
    admit_known(engine.host.settings, fields.get("account") or "", fields.get("qos") or "")
    if request or "partition" in fields:
        partition = fields.get("partition", job.partition)
        fields["request"] = _request(engine, job, request, partition)
    if fields.keys() & {"partition", "qos"} and "priority" not in fields:
        fields["priority"] = _moved_priority(engine, job, replace(job, **fields))
    admit_never(engine.view, replace(job, **fields))
    if TIMES & changes.keys() and live.waits:
        after = replace(job, **fields)
        admit_times(after.begin, after.deadline, after.request.time_limit, clock.now())
    if INTO & changes.keys() and live.waits:
        view = engine.view
        admit_into(replace(job, **fields), view.book, view.room, clock.now())
    return fields


def _moved_priority(engine: Engine, before: Job, after: Job) -> int:
    """Its own priority with what its new partition and QOS add to it, and not the old ones."""
    old, new = (
        added_priority(engine.host.settings, one.partition, one.qos) for one in (before, after)
    )
    return before.priority - old + new


def check_edited_gangs(engine: Engine, edited: Iterable[tuple[Job, Job]]) -> None:
    """Raise `Wrong` if of these jobs (before, after) some could never start together with their
    gangs. To ask for less is never refused: where a gang has become too large, its members are
    edited one after the other."""
    after = {old.id: (old, new) for old, new in edited}
    for old, new in after.values():
        if new.gang is None or not _asks_more(old, new):
            continue
        waiting = engine.view.queue.gates.gangs.members(new)
        if any(one.id == new.id for one in waiting):
            admit_gang(engine.view, new, [after.get(one.id, (one, one))[1] for one in waiting])


def _asks_more(old: Job, new: Job) -> bool:
    """Whether an edited job may be kept by what did not keep it before."""
    moved = any(getattr(old, name) != getattr(new, name) for name in SEATS)
    return moved or not _within(new.request, old.request)


def _within(request: Request, other: Request) -> bool:
    """Whether the request asks for nothing more than the other."""
    most = figures(other)
    less = all(count <= most.get(name, 0) for name, count in figures(request).items())
    return less and request.exclusive <= other.exclusive


def edit_elements(engine: Engine, live: LiveJob, asked: Iterable[str], cause: str) -> None:
    """Give what was `asked` of the job, and is in its request now, to elements with their own.

    A retry has grown theirs. The edit is the newer word: it wins, field by field, and the next
    retry grows on from there. The other elements follow the job.
    """
    request = live.job.request
    newest = {name: getattr(request, name) for name in asked if name in REQUEST}
    for task in own_requests(live):
        assert task.request is not None
        edited = replace(task.request, **newest)
        if edited != task.request:
            own = None if edited == request else edited
            event = Event(kind=Kind.ADJUST, time=clock.now(), cause=cause, request=own)
            engine.apply(live, task, event)


def own_requests(live: LiveJob) -> list[Task]:
    """The elements with a request of their own, but for those that are never started again."""
    return [
        task
        for task in live.tasks.values()
        if task.request is not None and task.stopping != "cancel"
    ]


def _requests(live: LiveJob) -> list[Request]:
    """What its elements ask for, that of the job first."""
    own = [task.request for task in own_requests(live) if task.request is not None]
    return own if own and live.job.array is None else [live.job.request, *own]


def _request(engine: Engine, job: Job, changed: dict[str, Any], partition: str) -> Request:
    if "gpus" in changed:
        changed = {"gpu_share": 0, **changed}
    host = engine.host
    request = settled(replace(job.request, **changed), host.node)
    admit(request, host.total, host.settings, partition, host.node)
    return request


def _throttled(job: Job, value: Any) -> Array:
    if job.array is None:
        raise Refused(f"job {job.id} is no array: it has no throttle", "leave --throttle out")
    return replace(job.array, throttle=value)


def _dependencies(engine: Engine, job: Job, text: str, uid: int) -> Any:
    never = job.dependencies.on_never if job.dependencies else "end"
    asked = Submission(argv=("-",), cwd="/", env={}, dependency=text, on_never=never)
    dependencies = resolve_dependencies(engine, asked, uid, job.id)
    if dependencies is not None:
        parents = [term.job for term in dependencies.terms if term.job]
        if would_cycle(job.id, parents, partial(_parents, engine)):
            raise Wrong(
                f"job {job.id} would depend on itself through {quote(text)}",
                "name a job that does not wait for it",
            )
    return dependencies


def _parents(engine: Engine, job: int) -> list[int]:
    """Whom a live job waits for; nobody, once it has ended."""
    live = engine.live.get(job)
    return [] if live is None else list(parents_of(live.job))


def changed_fields(live: LiveJob, fields: dict[str, Any], asked: Iterable[str]) -> Changed:
    """What an edit (`asked`, which sets `fields`) will change, as a user names it: [old, new]."""
    before = live.job
    changed: Changed = {}
    for name, value in fields.items():
        if name == "request":
            named = [each for each in asked if each in REQUEST]
            for request in _requests(live):
                changed = _differences(request, value, named) | changed
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
    pairs = {_told(name): [_shown(old, name), _shown(new, name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _told(name: str) -> str:
    return "gpus" if name == "gpu_share" else name


def _shown(record: Any, name: str) -> Any:
    """A field as a user knows it: whole GPUs and a share are one number."""
    if name in ("gpus", "gpu_share"):
        return number_of_gpus(record.gpu_hundredths)
    return getattr(record, name)
