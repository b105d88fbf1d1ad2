"""Jobs that start together or not at all (Ousterhout, "Scheduling techniques for concurrent
systems", ICDCS 1982; heterogeneous jobs in Slurm).

The members of a gang are plain jobs of one user that name the same gang. None is ready before as
many are as the gang is to have; then all of them stand in the line as one, at the rank of the first
of them, and ask for what they ask for together, for as long as the longest takes. A member that has
begun once, and is tried again, goes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import NO_INDEX, WHOLE, Job, Request
from hpcshell.policy.joint import Joint
from hpcshell.policy.line import Entry, Line, Shape, Turn
from hpcshell.policy.reasons import amount, figures, joined
from hpcshell.policy.room import Room, Vector
from hpcshell.policy.rooms import empty, fit

if TYPE_CHECKING:
    from hpcshell.policy.limits import Claimant

Name = tuple[int, str]
"""(uid, name of the gang)."""
LESS: Final = "let each ask for less: a gang starts together or not at all"
"""What to do about a gang that can never start."""


class Together(Line):
    """The line in which a complete gang stands: one element, of its first member, for all `parts`
    (the members, first first)."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[Entry], shape: Shape) -> None:
        super().__init__(0, shape)
        self.entry = parts[0]
        self.parts = parts

    def elements(self) -> Iterator[int]:
        return iter((NO_INDEX,))

    def split(self, taken: Vector) -> list[Vector]:
        """What each of them takes of what all take."""
        place = self.shape.place
        if isinstance(place, Joint):
            return list(place.parts(taken))
        return [one.shape.need for one in self.parts if one.shape.need is not None]


def jobs_of(line: Line) -> list[int]:
    """Whose line it is; that of a gang is that of all its members."""
    return [one.job.id for one in line.parts] if isinstance(line, Together) else [line.entry.job.id]


def claimants_of(line: Line) -> list[Claimant | None]:
    """For whom the limits count; in the line of a gang each member for itself."""
    if isinstance(line, Together):
        return [one.shape.claimant for one in line.parts]
    return [line.shape.claimant]


class Gangs:
    """Who is ready of which gang. `lines`: the complete gangs, as they stand in the line."""

    def __init__(self, turn: Turn, room: Room) -> None:
        self.lines: dict[Name, Together] = {}
        self._ready: dict[Name, dict[int, Entry]] = {}
        self._bound: dict[Name, dict[int, Entry]] = {}
        self._turn = turn
        self._room = room

    def settle(self, entry: Entry, ready: bool) -> None:
        """A member has become ready, or is not ready any more."""
        name, size = _name(entry.job), _size(entry.job)
        _note(self._bound, entry, bound(entry) and entry.waits())
        _note(self._ready, entry, ready)
        members = self._ready.get(name, {})
        self._dissolve(name)
        if len(members) >= size:
            parts = sorted(members.values(), key=lambda one: (one.rank, one.job.id))[:size]
            line = self.lines[name] = Together(parts, self._shape(name, parts))
            self._turn.enter(line)

    def leave(self, entry: Entry) -> None:
        """A member is live no more."""
        self.settle(entry, False)
        _note(self._bound, entry, False)

    def line_of(self, job: Job) -> Together | None:
        """The line in which the job stands with its gang, if that is complete."""
        line = None if job.gang is None else self.lines.get(_name(job))
        if line is None or all(one.job.id != job.id for one in line.parts):
            return None
        return line

    def members(self, job: Job) -> list[Job]:
        """Those of the job's gang that wait and have not begun, ready or not, in their order."""
        known = self._bound.get(_name(job), {}).values()
        return [one.job for one in sorted(known, key=lambda one: (one.rank, one.job.id))]

    def ready(self, job: Job) -> int:
        """How many members of the job's gang are ready."""
        return len(self._ready.get(_name(job), {}))

    def _dissolve(self, name: Name) -> None:
        line = self.lines.pop(name, None)
        if line is not None:
            self._turn.withdraw(line)
            self._turn.leave(line.shape)

    def _shape(self, name: Name, parts: list[Entry]) -> Shape:
        lengths = [one.shape.length for one in parts]
        known = [length for length in lengths if length is not None]
        length = max(known) if len(known) == len(lengths) else None
        requests = tuple(one.shape.request for one in parts)
        request = combined(requests, self._room)
        pool = parts[0].shape.pool
        gang = (*name, *(one.shape.key for one in parts))
        return self._turn.shape(request, length, pool=pool, gang=gang, together=requests)


def bound(entry: Entry) -> bool:
    """Whether the job may only start with its gang."""
    return entry.job.gang is not None and NO_INDEX not in entry.begun


def combined(requests: Sequence[Request], room: Room) -> Request:
    """What all of them ask for together."""
    requests = [room.held_by(request) for request in requests]
    gpus, share = divmod(sum(request.gpu_hundredths for request in requests), WHOLE)
    names = {name for request in requests for name in request.others}
    limits = [request.time_limit for request in requests if request.time_limit is not None]
    return Request(
        cpus=sum(request.cpus for request in requests),
        memory=sum(request.memory for request in requests),
        gpus=gpus,
        gpu_share=share,
        others={name: sum(one.others.get(name, 0) for one in requests) for name in sorted(names)},
        time_limit=max(limits) if len(limits) == len(requests) else None,
    )


def _note(known: dict[Name, dict[int, Entry]], entry: Entry, there: bool) -> None:
    """Whether the member is among those that are `known`, from now on."""
    name = _name(entry.job)
    members = known.setdefault(name, {})
    if there:
        members[entry.job.id] = entry
    else:
        members.pop(entry.job.id, None)
        if not members:
            del known[name]


def _name(job: Job) -> Name:
    assert job.gang is not None, "only members of a gang are asked for its name"
    return (job.uid, job.gang.name)


def _size(job: Job) -> int:
    assert job.gang is not None, "only members of a gang are asked for its size"
    return job.gang.size


def fit_together(requests: list[Request], room: Room) -> bool:
    """Whether there is room for all of them while nobody else is there."""
    return fit(requests, room if room.several else empty(room))


def company(job: Job, waiting: Sequence[Job]) -> list[Job]:
    """With whom the job is to start, itself among them, of those of its gang that wait, in their
    order: so many of the first as the gang has, then as many again. A job that is among them takes
    its own place, a new one the last."""
    known = [one.id for one in waiting]
    place = known.index(job.id) if job.id in known else len(known)
    order = [*waiting[:place], job, *waiting[place + 1 :]]
    first = place - place % _size(job)
    return order[first : first + _size(job)]


def admit_member(job: Job, waiting: Sequence[Job], room: Room) -> None:
    """Raise `Wrong` for a job that cannot start together with those of its gang that wait."""
    if job.gang is None:
        return
    if job.array is not None:
        raise Wrong("an array cannot be in a gang", "submit its elements as jobs of the gang")
    if job.request.exclusive and job.gang.size > 1:
        raise Wrong(
            "who has the machine for itself cannot start together with others",
            "leave out --exclusive or --gang",
        )
    sizes = {one.gang.size for one in waiting if one.gang is not None} - {job.gang.size}
    if sizes:
        raise Wrong(
            f"gang {job.gang.name} is to have {sizes.pop()} members, not {job.gang.size}",
            "give all of them the same size, or this one another name",
        )
    requests = [one.request for one in company(job, waiting)]
    if len(requests) > 1 and not fit_together(requests, room):
        together, total = figures(combined(requests, room)), figures(room.total)
        asked = joined([amount(*each) for each in together.items()])
        has = joined([amount(name, total.get(name, 0)) for name in together])
        raise Wrong(
            f"with {len(requests) - 1} more of gang {job.gang.name} it asks for more than there "
            f"is: {asked} in all; this machine has {has}",
            LESS,
        )
