"""The reservations of a machine file, for a log: in its time, checked as the daemon checks them."""

from __future__ import annotations

from typing import Final, NamedTuple

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.records import Request, Resources
from hpcshell.core.units import duration
from hpcshell.policy.booking import check_reservation
from hpcshell.policy.reserve import Book, Reservation
from hpcshell.policy.room import Room
from hpcshell.sim.machines import Apart, Layout, MachineFile
from hpcshell.sim.replaying import cluster_of

_WHEN: Final = "a time such as 5d8h counts from the beginning of the log"


def reservations_of(
    file: MachineFile, processors: int, layout: Layout | None
) -> tuple[Reservation, ...]:
    """What is set apart of a machine of so many processors, or of its nodes. Raises `Wrong`, with
    the file, the line and the key: times that are none, more than there is, nobody it is for."""
    if not file.machine.reservation:
        return ()
    room = Room(Resources(cpus=processors)) if layout is None else cluster_of(layout)
    book = Book(room)
    for number, one in enumerate(file.machine.reservation):
        place = _Place(file, f"reservation[{number}]")
        made = _made(one, place, f"reservation{number + 1}", processors, layout)
        if made.name in book.known:
            raise Wrong(f"{place}: there is another {made.name}", "give it another name")
        try:
            check_reservation(made, book, room, 0.0)
        except HpcError as error:
            raise Wrong(f"{place}: {error.message}", error.hint) from None
        book.add(made)
    return tuple(book.known.values())


class _Place(NamedTuple):
    """A table of a machine file."""

    file: MachineFile
    path: str

    def __str__(self) -> str:
        return self.file.place(self.path)

    def of(self, key: str) -> str:
        """The place of one of its keys."""
        return self.file.place(f"{self.path}.{key}")


def _made(
    one: Apart, place: _Place, name: str, processors: int, layout: Layout | None
) -> Reservation:
    start, end = _span(one, place)
    named = bool(one.users or one.accounts)
    if named and one.maintenance:
        raise Wrong(
            f"{place}: maintenance is for nobody", "leave out users and accounts, or maintenance"
        )
    if not (named or one.maintenance):
        raise Wrong(
            f"{place}: whom is it for?", "give users or accounts; or maintenance = true, for nobody"
        )
    request = _request(one, place, processors, layout)
    idle = None if one.idle is None else _seconds(one.idle, place, "idle")
    if end <= start:
        raise Wrong(f"{place}: it ends before it starts", f"give an end after its start; {_WHEN}")
    return Reservation(
        name=one.name or name,
        start=start,
        end=end,
        request=request,
        users=one.users,
        accounts=one.accounts,
        flex=one.flex,
        idle=idle,
    )


def _span(one: Apart, place: _Place) -> tuple[float, float]:
    start = _seconds(one.start, place, "start", zero=True)
    if (one.end is None) == (one.duration is None):
        both = "neither end nor duration" if one.end is None else "both end and duration"
        raise Wrong(f"{place}: says {both}", f"give one of them; {_WHEN}")
    if one.end is not None:
        return start, _seconds(one.end, place, "end")
    return start, start + _seconds(one.duration or 0, place, "duration")


def _seconds(value: str | int, place: _Place, key: str, *, zero: bool = False) -> float:
    try:
        return duration(str(value), key, zero=zero)
    except Wrong:  # the line of the key is looked for only where it is to be said
        return duration(str(value), place.of(key), zero=zero)


def _request(one: Apart, place: _Place, processors: int, layout: Layout | None) -> Request:
    """What it sets apart: so many processors of any nodes, or as many of each of some nodes."""
    if one.all == (one.cpus is not None):
        raise Wrong(f"{place}: how much does it set apart?", "give cpus = N, or all = true")
    cpus = processors if one.cpus is None else one.cpus
    if layout is None:
        return Request(cpus=cpus * (one.nodes or 1))
    return Request(cpus=cpus, nodes=0 if one.all else one.nodes or 0)
