"""Why something waits: the words of the list, and the sentences with their figures."""

from __future__ import annotations

from hpcshell.core.records import Reason, Request, Resources
from hpcshell.core.units import format_duration, format_size
from hpcshell.policy.line import Shape
from hpcshell.policy.room import Room, Vector, fits


def span(seconds: float, separator: str = " ") -> str:
    """A duration without parts that say nothing: `10m`, `1h 5m`; `10m30s` as an option takes it."""
    parts = format_duration(seconds).split(" ")
    while len(parts) > 1 and parts[-1].startswith("0"):
        parts.pop()
    return separator.join(parts)


def amount(name: str, count: int) -> str:
    """`4 cpus`, `1 gpu`, `8G memory`, `2 matlab`."""
    if name == "memory":
        return f"{format_size(count)} of memory"
    if name in ("cpus", "gpus"):
        return f"{count} {name if count != 1 else name[:-1]}"
    return f"{count} {name}"


def figures(resources: Resources | Request) -> dict[str, int]:
    """The countable things by name, those of zero left out."""
    found = {"cpus": resources.cpus, "memory": resources.memory, "gpus": resources.gpus}
    return {name: count for name, count in (found | resources.others).items() if count}


def lacking(shape: Shape, room: Room, free: Vector, size: Vector | None = None) -> list[str]:
    """What is asked and not free, each with its figures: `4 cpus (1 of 8 is free)`. `size`: of how
    much, where that is not the whole machine."""
    size = size or room.size
    if shape.need is None:
        unknown = [name for name in shape.request.others if name not in room.total.others]
        return [f"{amount(name, shape.request.others[name])} (there is none)" for name in unknown]
    if shape.place is not None and fits(shape.need, free):
        return [] if shape.taken(free) is not None else [_together(shape.request, " free")]
    if shape.place is None and shape.request.exclusive and free[0] < size[0]:
        return ["the whole machine for itself (others are running)"]
    names = ("cpus", "memory", "gpus", *room.names)
    rows = zip(names, shape.need[1:], free[1:], size[1:], strict=False)
    return [_lack(name, need, left, total) for name, need, left, total in rows if need > left]


def _together(request: Request, free: str = "") -> str:
    """What is asked of nodes: `2 nodes with 4 cpus each`."""
    amounts = joined([amount(name, count) + free for name, count in figures(request).items()])
    words = f"{request.nodes} nodes with {amounts} each"
    if not request.nodes:
        words = f"nodes that together have {amounts}"
    elif request.nodes == 1:
        words = f"a node with {amounts}"
    if request.constraint:
        words += f", with the features {request.constraint}"
    return words + (", for itself" if request.exclusive else "")


def _lack(name: str, need: int, left: int, total: int) -> str:
    left = max(0, left)
    if name == "memory":
        return f"{amount(name, need)} ({format_size(left)} of {format_size(total)} is free)"
    return f"{amount(name, need)} ({left} of {total} {'is' if left == 1 else 'are'} free)"


def blocked(shape: Shape, room: Room, free: Vector, ahead: tuple[int, int] | None) -> Reason:
    """Why ready work cannot start; `ahead` is the first in line that cannot either, if it is
    another."""
    if shape.taken(room.size) is None:
        return Reason(code="TooLarge", sentence=too_large(shape, room))
    lack = lacking(shape, room, free)
    if ahead is None:
        return Reason(code="Resources", sentence=f"it waits for {joined(lack)}")
    first = element_name(ahead)
    if lack:
        sentence = f"{first} is before it in line, and it needs {joined(lack)}"
    else:
        sentence = f"what it needs is free but kept for {first}, which is before it in line"
    return Reason(code="Priority", sentence=sentence)


def too_large(shape: Shape, room: Room) -> str:
    """What is asked beyond the whole machine."""
    if shape.need is None:
        return f"it asks for {joined(lacking(shape, room, room.free))}"
    if fits(shape.need, room.size):
        return f"it asks for {_together(shape.request)}, and this machine has none"
    names = ("cpus", "memory", "gpus", *room.names)
    rows = zip(names, shape.need[1:], room.size[1:], strict=False)
    over = [(name, need, total) for name, need, total in rows if need > total]
    asked = joined([amount(name, need) for name, need, _ in over])
    has = joined([amount(name, total) for name, _, total in over])
    return f"it asks for {asked}; this machine has {has}"


def joined(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def element_name(unit: tuple[int, int]) -> str:
    """`job 12` or `job 12_3`."""
    return f"job {unit[0]}" if unit[1] < 0 else f"job {unit[0]}_{unit[1]}"
