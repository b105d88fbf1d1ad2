"""Why something waits: the words of the list, and the sentences with their figures."""

from __future__ import annotations

from hpcshell.core.records import WHOLE, Reason, Request, Resources
from hpcshell.core.units import format_duration, format_gpus, format_size
from hpcshell.policy.line import Shape
from hpcshell.policy.room import Room, Vector, fits
from hpcshell.policy.rooms import closed_cards, out_of_service, suited


def span(seconds: float, separator: str = " ") -> str:
    """A duration without parts that say nothing: `10m`, `1h 5m`; `10m30s` as an option takes it."""
    parts = format_duration(seconds).split(" ")
    while len(parts) > 1 and parts[-1].startswith("0"):
        parts.pop()
    return separator.join(parts)


def figure(name: str, count: int) -> str:
    """A number of these, as an option takes it; gpus are counted in hundredths."""
    if name == "memory":
        return format_size(count)
    return format_gpus(count) if name == "gpus" else str(count)


def amount(name: str, count: int) -> str:
    """`4 cpus`, `0.5 gpus`, `8G memory`, `2 matlab`; gpus are counted in hundredths."""
    number = figure(name, count)
    if name == "memory":
        return f"{number} of memory"
    if name in ("cpus", "gpus"):
        return f"{number} {name if number != '1' else name[:-1]}"
    return f"{number} {name}"


def figures(resources: Resources | Request) -> dict[str, int]:
    """The countable things by name, those of zero left out; gpus in hundredths."""
    gpus = resources.gpu_hundredths
    found = {"cpus": resources.cpus, "memory": resources.memory, "gpus": gpus}
    return {name: count for name, count in (found | resources.others).items() if count}


def lacking(shape: Shape, room: Room, free: Vector, size: Vector | None = None) -> list[str]:
    """What is asked and not free, each with its figures: `4 cpus (1 of 8 is free)`. `size`: of how
    much, where that is not the whole machine."""
    size = size or room.size
    if shape.need is None:
        unknown = [name for name in shape.request.others if name not in room.total.others]
        return [f"{amount(name, shape.request.others[name])} (there is none)" for name in unknown]
    if shape.place is not None and fits(shape.need, free):
        if shape.taken(free) is not None:
            return []
        return [_nodes(shape, " free") if room.several else _on_cards(shape, room, free)]
    if shape.place is None and shape.request.exclusive and free[0] < size[0]:
        return ["the whole machine for itself (others are running)"]
    names = ("cpus", "memory", "gpus", *room.names)
    rows = zip(names, shape.need[1:], free[1:], size[1:], strict=False)
    return [
        _lack(name, need, left, total) for name, need, left, total in rows if need > max(0, left)
    ]


def _nodes(shape: Shape, free: str = "") -> str:
    """What is asked of nodes: `2 nodes with 4 cpus each`."""
    if shape.all:
        one, others = shape.all[0], len(shape.all) - 1
        return f"{_of_nodes(one, free)}, and for {others} more of its gang"
    return _of_nodes(shape.request, free)


def _of_nodes(request: Request, free: str) -> str:
    amounts = joined([amount(name, count) + free for name, count in figures(request).items()])
    words = f"{request.nodes} nodes with {amounts} each"
    if not request.nodes:
        words = f"nodes that together have {amounts}"
    elif request.nodes == 1:
        words = f"a node with {amounts}"
    if request.constraint:
        words += f", with the features {request.constraint}"
    return words + (", for itself" if request.exclusive else "")


def _on_cards(shape: Shape, room: Room, free: Vector) -> str:
    """What is asked of cards, where as much is free of them all together: `0.5 gpus on one card
    (0.4 is free of the emptiest)`."""
    each = room.each_card(free)
    mine = suited(room, shape.request)
    cards = [max(0, each[card] - room.burdens.get(card, 0)) for card in mine if card < len(each)]
    asked = amount("gpus", shape.need[3] if shape.need else 0)
    if shape.all:
        return f"{asked} for all of its gang ({_parts_free(cards)})"
    if not shape.request.gpu_share:
        whole = cards.count(WHOLE)
        return f"{asked} for itself ({whole} {'is' if whole == 1 else 'are'} wholly free)"
    where = "on one card" if not shape.request.gpus else "on cards of which so much is free"
    return f"{asked} {where} ({_parts_free(cards)})"


def _parts_free(cards: list[int]) -> str:
    """`0.5, 0.25 of the cards are free`, the emptiest first."""
    parts = [format_gpus(left) for left in sorted(cards, reverse=True) if left]
    return f"{joined(parts)} of {'a card is' if len(parts) == 1 else 'cards are'} free"


def _lack(name: str, need: int, left: int, total: int) -> str:
    there = figure(name, max(0, left))
    verb = "is" if name == "memory" or there == "1" else "are"
    return f"{amount(name, need)} ({there} of {figure(name, total)} {verb} free)"


def blocked(shape: Shape, room: Room, free: Vector, ahead: tuple[int, int] | None) -> Reason:
    """Why ready work cannot start; `ahead` is the first in line that cannot either, if it is
    another."""
    if not shape.possible(room):
        if names := out_of_service(room, shape.all or (shape.request,)):
            kept = f"that take no new work: {joined(names)}"
            if room.several:
                return Reason(code="Drained", sentence=f"it waits for nodes {kept}")
            return Reason(code="GpusClosed", sentence=f"it waits for gpus {kept}")
        return Reason(code="TooLarge", sentence=too_large(shape, room))
    lack = lacking(shape, room, free)
    if ahead is None:
        sentence = f"it waits for {joined(lack)}{_of_cards(shape, room)}"
        return Reason(code="Resources", sentence=sentence)
    first = element_name(ahead)
    if lack:
        sentence = f"{first} is before it in line, and it needs {joined(lack)}"
    else:
        sentence = f"what it needs is free but kept for {first}, which is before it in line"
    return Reason(code="Priority", sentence=sentence)


def _of_cards(shape: Shape, room: Room) -> str:
    """Which cards take no new work, for who asks for gpus."""
    if not room.closed or not (shape.need and shape.need[3]):
        return ""
    closed = closed_cards(room, shape.all or (shape.request,))
    return f"; no new work is taken by {joined(closed)}" if closed else ""


def too_large(shape: Shape, room: Room) -> str:
    """What is asked beyond the whole machine."""
    if shape.need is None:
        return f"it asks for {joined(lacking(shape, room, room.free))}"
    if fits(shape.need, room.size):
        asked = _nodes(shape) if room.several else amount("gpus", shape.need[3])
        return f"it asks for {asked}, and this machine has none"
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
