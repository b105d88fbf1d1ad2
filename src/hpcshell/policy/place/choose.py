"""Where a demand goes, given what is free of a fleet; or what it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.constraint import Constraint, Term, parse
from hpcshell.policy.place.fit import cards_of
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, Placement
from hpcshell.policy.place.ranking import Ranking, Scored, ranking
from hpcshell.policy.place.score import Policy, lot
from hpcshell.policy.place.topology import lay_out

_DRAWS: Final = 32


def choose(fleet: Fleet, demand: Demand, policy: Policy, number: int = 0) -> Placement | None:
    """The place for `demand`, which is not taken yet; None: there is none now (see `lacking`).

    Equal fleets and demands get equal places. Where chance decides, `number` is what decides it.
    Raises Wrong where the constraint is not understood.
    """
    chosen = pick(fleet, demand, policy, number)
    if chosen is None:
        return None
    return Placement(
        parts=tuple(
            lay_out(fleet.nodes[one.number], fleet.free[one.number], demand, one.last)
            for one in chosen
        )
    )


def pick(fleet: Fleet, demand: Demand, policy: Policy, number: int = 0) -> list[Scored] | None:
    """The nodes of that place."""
    constraint = parse(demand.constraint)
    ranked = ranking(fleet, policy, replace(demand, nodes=1), constraint)
    if demand.nodes == 1 and not constraint.counts:
        best = _drawn(fleet, ranked, number) if policy.by_lot else ranked.best()
        chosen = None if best is None else [best]
    else:
        chosen = _several(fleet, demand, constraint, _scores(ranked, policy, number))
    if chosen is None or not policy.by_lot:
        return chosen
    return [_card_drawn(fleet, demand, number, one) for one in chosen]


def _drawn(fleet: Fleet, ranked: Ranking, number: int) -> Scored | None:
    """One of the nodes it fits, each as likely as the other. Most are found by a few blind draws;
    where few fit, these are all looked at."""
    for draw in range(_DRAWS):
        found = ranked.fits.get(lot(number, draw) % len(fleet.nodes))
        if found is not None:
            return found
    return min(ranked.fits.values(), key=lambda one: lot(number, one.number), default=None)


def _card_drawn(fleet: Fleet, demand: Demand, number: int, one: Scored) -> Scored:
    """The node with one of the cards that have room for a share, each as likely as the other."""
    if one.last is None:
        return one
    count, share = divmod(demand.gpus, WHOLE)
    gpus = fleet.free[one.number].gpus
    cards = cards_of(fleet.nodes[one.number].gpus, demand.gpu_type)
    room = sorted(gpus[card] for card in cards if gpus[card] >= share)
    return one._replace(last=room[lot(number, one.number) % (len(room) - count)])


def _scores(ranked: Ranking, policy: Policy, number: int) -> Iterable[Scored]:
    """The nodes it fits, with scores by lot where that is the policy."""
    if not policy.by_lot:
        return ranked.fits.values()
    return (Scored(lot(number, one.number), one.number, one.last) for one in ranked.fits.values())


def _several(
    fleet: Fleet, demand: Demand, constraint: Constraint, scores: Iterable[Scored]
) -> list[Scored] | None:
    """The nodes with the least scores together that the constraint allows; None: there are not
    enough. Of alternatives the one with the least sum, then the first."""
    fits = list(scores)
    found = []
    for alternative in constraint.alternatives or (None,):
        of_it = [one for one in fits if alternative is None or _holds(fleet, alternative, one)]
        chosen = _counted(fleet, demand.nodes, constraint, of_it)
        if chosen is not None:
            found.append(chosen)
    return min(found, key=lambda chosen: sum(one.score for one in chosen), default=None)


def _holds(fleet: Fleet, term: Term, one: Scored) -> bool:
    return term.holds(fleet.nodes[one.number].features)


def _counted(
    fleet: Fleet, nodes: int, constraint: Constraint, fits: list[Scored]
) -> list[Scored] | None:
    """So many nodes, among them those that are counted."""
    if len(fits) < nodes:
        return None
    if not constraint.counts:
        return nsmallest(nodes, fits)
    seats = [term for term, count in constraint.counts for _ in range(count)]
    if len(seats) > nodes:
        return None
    fits.sort()
    seated = _seated([[i for i, one in enumerate(fits) if _holds(fleet, t, one)] for t in seats])
    if seated is None:
        return None
    others = [number for number in range(len(fits)) if number not in seated]
    return [fits[number] for number in sorted([*seated, *others[: nodes - len(seats)]])]


def _seated(wanted: list[list[int]]) -> set[int] | None:
    """One number for each of the lists, all different; None: it cannot be done.
    Found by augmenting paths (Berge, "Two Theorems in Graph Theory", 1957)."""
    holder: dict[int, int] = {}

    def seat(which: int, tried: set[int]) -> bool:
        for number in wanted[which]:
            if number in tried:
                continue
            tried.add(number)
            if number not in holder or seat(holder[number], tried):
                holder[number] = which
                return True
        return False

    return set(holder) if all(seat(which, set()) for which in range(len(wanted))) else None
