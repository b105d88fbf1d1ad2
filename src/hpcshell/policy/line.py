"""The waiting work in order: jobs, the lines their elements stand in, and the shapes of requests.

All elements of a job that ask for the same stand in one `Line`, however many they are; nearly
every job has one line (`Entry` itself), a retry with a grown request adds another. Lines that ask
for the same share a `Shape`. What cannot start for its shape cannot start for any later line of
that shape, so a decision looks at shapes, not at all that waits.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Request, Task
from hpcshell.policy.joint import Joint
from hpcshell.policy.order import Sorted
from hpcshell.policy.regime import Fill
from hpcshell.policy.room import Place, Room, Vector, fits

if TYPE_CHECKING:
    from hpcshell.policy.limits import Claimant

Key = tuple[float, int, int, "Line"]
"""(rank, job id, number of the line, the line): unique before the line is ever compared."""

NOT_YET: Final = float("inf")
UNLIMITED: Final = 1 << 62
NO_INDICES: Final[frozenset[int]] = frozenset()
NO_TASKS: Final[dict[int, tuple[Task, Line]]] = {}
"""Shared by all entries without pending records; never written to."""


class Shape:
    """What a request asks for and the `length` it is expected to take, with the ready lines of
    exactly that. `place` chooses what it takes, where there is a choice (see `Room.place`). `all`:
    the requests that start together, if it is of several."""

    __slots__ = (
        "_possible",
        "all",
        "claimant",
        "fill",
        "head",
        "key",
        "length",
        "need",
        "place",
        "pool",
        "request",
        "turn",
        "users",
    )

    def __init__(
        self,
        key: object,
        request: Request,
        length: float | None,
        together: tuple[Request, ...] = (),
    ) -> None:
        self.key = key
        self.request = request
        self.all = together
        self.need: Vector | None = None
        self.place: Place | None = None
        self._possible: bool | None = None
        self.length = length
        self.fill = 0.0
        self.claimant: Claimant | None = None
        self.pool = ""
        self.turn: Sorted[Key] = Sorted()
        self.head: tuple[Key, Shape] | None = None
        self.users = 0

    def measure(self, room: Room) -> None:
        """Work out what it takes of the machine."""
        self.need, self.place = room.need(self.request), room.place(self.request)
        self._possible = None
        if self.all and (room.several or room.by_card):
            self.place = Joint(room, self.all)

    def possible(self, room: Room) -> bool:
        """Whether there is room for it while nobody is there."""
        if self._possible is None:
            self._possible = self.taken(room.size) is not None
        return self._possible

    def taken(self, free: Vector) -> Vector | None:
        """What it takes where so much is free; None: it does not fit."""
        if not fits(self.need, free):
            return None
        return self.need if self.place is None else self.place(free)


class Line:
    """Elements of one job that ask for the same. `again`: indices ready by their own record.

    `members` counts the elements with their own record that stand here, ready or not.
    """

    __slots__ = ("again", "entry", "members", "number", "place", "shape")

    def __init__(self, number: int, shape: Shape) -> None:
        self.number = number
        self.shape = shape
        self.again: Sorted[int] | None = None
        self.members = 0
        self.place: Key | None = None
        self.entry: Entry

    def elements(self) -> Iterator[int]:
        """The ready indices in the order they go: tried before, then new."""
        return iter(self.again or ())

    def any_ready(self) -> bool:
        return bool(self.again)

    def turn_of(self, index: int) -> tuple[float, int, int, bool, int]:
        """Sorts the ready elements of all lines in the order they go."""
        new = self.again is None or index not in self.again
        return (self.entry.rank, self.entry.job.id, self.number, new, index)


class Entry(Line):
    """A live job: its main line, what waits of it and what lets it go.

    `gate` is the instant from which its dependencies and begin time let it start (`NOT_YET`:
    unknown); `freed`, for element-to-element dependencies, the waiting indices whose own parents
    are met; `begun` the indices that have begun and not ended; `lent` those that are to follow a
    run of the job, and wait no more. `untold`: some elements had begun or
    ended before the view met the job, so it cannot tell by itself how the job has fared.
    """

    __slots__ = (
        "begun",
        "freed",
        "gate",
        "job",
        "late",
        "lent",
        "lines",
        "rank",
        "running",
        "tasks",
        "untold",
        "waiting",
    )

    def __init__(self, job: Job, waiting: IndexSet, rank: float, shape: Shape) -> None:
        super().__init__(0, shape)
        self.entry = self
        self.job = job
        self.waiting = waiting
        self.rank = rank
        self.untold = len(waiting) < self.size()
        self.gate = NOT_YET
        self.freed: Sorted[int] | None = None
        self.late = False
        self.running = 0
        self.tasks: dict[int, tuple[Task, Line]] = NO_TASKS
        self.begun: set[int] | frozenset[int] = NO_INDICES
        self.lent = NO_INDICES
        self.lines: list[Line] | None = None

    def elements(self) -> Iterator[int]:
        fresh = () if self.late else self.waiting if self.freed is None else self.freed
        return chain(self.again, fresh) if self.again else iter(fresh)

    def any_ready(self) -> bool:
        if self.again:
            return True
        return not self.late and bool(self.waiting if self.freed is None else self.freed)

    def waits(self) -> bool:
        """Whether any of its elements waits, ready or not."""
        return bool(self.waiting) or bool(self.tasks)

    def size(self) -> int:
        """How many elements the job has in all."""
        array = self.job.array
        return 1 if array is None else len(IndexSet.parse(array.indices))

    def room(self) -> int:
        """How many more elements the array's throttle lets run."""
        array = self.job.array
        if array is None or not array.throttle:
            return UNLIMITED
        return array.throttle - self.running

    def request_of(self, index: int) -> Request:
        """What the element asks for: its own request where a retry grew it, else the job's."""
        held = self.tasks.get(index)
        return self.job.request if held is None else held[0].request or self.job.request

    def alive(self) -> int:
        """How many of its elements wait or run."""
        return len(self.waiting) + len(self.tasks) + len(self.lent) + self.running

    def shape_of(self, index: int) -> Shape:
        """What the element asks for, and for how long."""
        held = self.tasks.get(index)
        return self.shape if held is None else held[1].shape

    def note_begun(self, index: int) -> None:
        if not isinstance(self.begun, set):
            self.begun = set()
        self.begun.add(index)

    def forget_begun(self, index: int) -> None:
        if isinstance(self.begun, set):
            self.begun.discard(index)

    def standing(self, index: int) -> Line | None:
        """The line in which the element stands ready; None when it is not ready."""
        held = self.tasks.get(index)
        if held is not None:
            line = held[1]
            ready = line.again is not None and index in line.again
        else:
            line = self
            fresh = self.waiting if self.freed is None else self.freed
            ready = not self.late and index in fresh
        return line if ready and line.place is not None else None

    def all_lines(self) -> tuple[Line, ...]:
        return (self, *self.lines) if self.lines else (self,)


class Turn:
    """The ready lines, sorted within each shape, and the shapes sorted by their first line."""

    __slots__ = ("_cpus", "_fill", "_room", "_shapes", "fills", "heads")

    def __init__(self, room: Room, fill: Fill | None = None, apart: bool = False) -> None:
        self._room = room
        self._shapes: dict[object, Shape] = {}
        self._cpus: dict[int, int] = {}
        self._fill = fill
        self.heads: Sorted[tuple[Key, Shape]] = Sorted()
        filling = fill is not None or apart
        self.fills: Sorted[tuple[float, Key, Shape]] | None = Sorted() if filling else None
        """The same shapes in the order in which they may pass the first in line."""

    def shape(
        self,
        request: Request,
        length: float | None,
        claimant: Claimant | None = None,
        pool: str = "",
        gang: tuple[object, ...] = (),
        together: tuple[Request, ...] = (),
        passes: tuple[float, int] | None = None,
    ) -> Shape:
        """The one shape of equal requests for which the same limits count, to be met from the same
        `pool` (a reservation), by single jobs or by the same members of a `gang`, who ask for that
        `together`; of one job alone where that `passes` (rank, job) others by itself. Every call
        is to be paid back with `leave`."""
        others = tuple(sorted(request.others.items())) if request.others else ()
        key = (
            request.cpus,
            request.memory,
            request.gpu_hundredths,
            others,
            request.exclusive,
            request.time_limit,
            length,
            claimant and (claimant.user, claimant.accounts, claimant.qos, claimant.partition),
            pool,
            gang,
            passes and passes[1],
            request.nodes,
            request.constraint,
            request.gpu_type,
            request.gpus_allowed,
            request.gpu_mem,
        )
        shape = self._shapes.get(key)
        if shape is None:
            if request.picks_cards:
                self._room.share(1)
            shape = self._shapes[key] = Shape(key, request, length, together)
            shape.measure(self._room)
            shape.claimant, shape.pool = claimant, pool
            shape.fill = 0.0 if self._fill is None else self._fill(shape)
            if passes is not None:
                shape.fill = passes[0]
        shape.users += 1
        return shape

    def leave(self, shape: Shape) -> None:
        shape.users -= 1
        if not shape.users:
            del self._shapes[shape.key]
            if shape.request.picks_cards:
                self._room.share(-1)

    def remeasure(self) -> None:
        """The machine has changed: what each shape takes of it is worked out again."""
        for shape in self._shapes.values():
            shape.measure(self._room)
            if shape.claimant is not None:
                held = self._room.held_by(shape.request)
                shape.claimant = replace(shape.claimant, request=held)

    def enter(self, line: Line) -> None:
        """`line` is ready from now on."""
        entry = line.entry
        line.place = (entry.rank, entry.job.id, line.number, line)
        line.shape.turn.add(line.place)
        self._settle(line.shape)

    def withdraw(self, line: Line) -> None:
        """`line` is not ready any more."""
        if line.place is not None:
            line.shape.turn.remove(line.place)
            line.place = None
            self._settle(line.shape)

    def rerank(self) -> None:
        """The ranks of many have changed: all are put in order anew."""
        for shape in self._shapes.values():
            lines = [key[3] for key in shape.turn]
            for line in lines:
                line.place = (line.entry.rank, line.entry.job.id, line.number, line)
            shape.turn = Sorted(sorted(line.place for line in lines if line.place is not None))
            shape.head = (shape.turn.first, shape) if shape.turn else None
        heads = [shape.head for shape in self._shapes.values() if shape.head is not None]
        self.heads = Sorted(sorted(heads, key=itemgetter(0)))
        if self.fills is not None:
            self.fills = Sorted(sorted((shape.fill, key, shape) for key, shape in heads))

    def least_cpus(self) -> int:
        """The fewest cpus that anything ready asks for; there must be something."""
        return min(self._cpus)

    def in_order(self) -> Iterator[Line]:
        """The same as the lines themselves, at the cost of those that are looked at (and of how
        many shapes there are)."""
        return (key[3] for key in heapq.merge(*(shape.turn for _, shape in self.heads)))

    def __iter__(self) -> Iterator[Line]:
        """All ready lines, first first."""
        lines = sorted(key for _, shape in self.heads for key in shape.turn)
        return (key[3] for key in lines)

    def _settle(self, shape: Shape) -> None:
        first = shape.turn.first if shape.turn else None
        cpus = shape.request.cpus
        if shape.head is not None:
            if shape.head[0] is first:
                return
            self.heads.remove(shape.head)
            if self.fills is not None:
                self.fills.remove((shape.fill, *shape.head))
            self._cpus[cpus] -= 1
            if not self._cpus[cpus]:
                del self._cpus[cpus]
        shape.head = None if first is None else (first, shape)
        if shape.head is not None:
            self.heads.add(shape.head)
            if self.fills is not None:
                self.fills.add((shape.fill, *shape.head))
            self._cpus[cpus] = self._cpus.get(cpus, 0) + 1
