"""What may be spread over nodes is dealt to them in equal units: how many to which.

    deal(free, wanted)     of nodes with room for so many units each -> (number of the node, units)

None: there is not room for all. Whatever the way, there is a deal exactly where there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from hpcshell.policy.place.score import BEST_FIT, FIRST_FIT, PACK, WORST_FIT, Policy

Units = list[tuple[int, int]]
Deal = Callable[[Sequence[int], int], Units | None]


class Way(NamedTuple):
    """How nodes are chosen: for what is asked of each node, and for what is dealt to them."""

    name: str
    policy: Policy
    deal: Deal


def first_fit(free: Sequence[int], wanted: int) -> Units | None:
    """As many as there is room for on each node, in the order of the nodes."""
    return _filled(range(len(free)), free, wanted)


def best_fit(free: Sequence[int], wanted: int) -> Units | None:
    """One node that has room for all, with least left; else the fullest nodes first."""
    if (alone := _tightest(free, wanted)) is not None:
        return [(alone, wanted)]
    return _filled(sorted(range(len(free)), key=free.__getitem__), free, wanted)


def pack(free: Sequence[int], wanted: int) -> Units | None:
    """The fewest nodes: the emptiest first, until one has room for the rest, with least left."""
    dealt: Units = []
    order = sorted(range(len(free)), key=lambda number: (-free[number], number))
    for at, number in enumerate(order):
        if free[number] >= wanted:
            rest = [(free[other], other) for other in order[at:] if free[other] >= wanted]
            return [*dealt, (min(rest)[1], wanted)]
        dealt.append((number, free[number]))
        wanted -= free[number]
    return None


def spread(free: Sequence[int], wanted: int) -> Units | None:
    """One by one to each node that has room, the emptiest first, round after round."""
    if sum(free) < wanted:
        return None
    order = sorted(range(len(free)), key=lambda number: (-free[number], number))
    rounds, dealt = 0, 0
    while dealt < wanted:  # whole rounds, as many as all that still have room can take
        able = [number for number in order if free[number] > rounds]
        more = min(free[able[-1]] - rounds, (wanted - dealt) // len(able))
        if not more:
            extra = set(able[: wanted - dealt])
            return _rounds(order, free, rounds, extra)
        rounds, dealt = rounds + more, dealt + more * len(able)
    return _rounds(order, free, rounds, set())


def _rounds(order: Sequence[int], free: Sequence[int], rounds: int, extra: set[int]) -> Units:
    counts = ((number, min(free[number], rounds) + (number in extra)) for number in order)
    return [(number, count) for number, count in counts if count]


def _tightest(free: Sequence[int], wanted: int) -> int | None:
    """The node with least room of those that have enough."""
    enough = ((room, number) for number, room in enumerate(free) if room >= wanted)
    return min(enough, default=(0, None))[1]


def _filled(order: Iterable[int], free: Sequence[int], wanted: int) -> Units | None:
    dealt: Units = []
    for number in order:
        if (count := min(free[number], wanted)) > 0:
            dealt.append((number, count))
            wanted -= count
        if not wanted:
            return dealt
    return None


WAYS: Final[dict[str, Way]] = {
    way.name: way
    for way in (
        Way("best_fit", BEST_FIT, best_fit),
        Way("pack", PACK, pack),
        Way("spread", WORST_FIT, spread),
        Way("first_fit", FIRST_FIT, first_fit),
    )
}
"""By name."""
