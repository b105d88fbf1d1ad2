"""The picture of placement: the same tasks on the same nodes, by several policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.fragments import Workload, gradient
from hpcshell.policy.place.nodes import Demand, Node
from hpcshell.policy.place.score import POLICIES, Policy
from tools.drawing import FAINT, INK, LEFT, WIDTH, card, colour_of, letter, text

NODES: Final = 4
CARDS: Final = 2
TASKS: Final = (200, 100, 50, 50, 25, 75, 50, 100, 75)
"""Hundredths of a card that each task asks for, in the order in which they come."""
TASK_CPUS: Final = (2, 1, 4, 6, 6, 1, 1, 1, 2)
"""And CPUs."""
SHOWN: Final = ("first_fit", "best_fit", "worst_fit", "pack", "fgd")
CARD: Final = 24
"""Height of a card in the picture."""


class Placed(NamedTuple):
    """What a policy made of the tasks: (task, card of all, from, to), and who found no place."""

    held: list[tuple[int, int, int, int]]
    turned_away: list[int]


def demands() -> list[Demand]:
    """What the tasks ask for."""
    return [Demand(cpus=cpus, gpus=gpus) for cpus, gpus in zip(TASK_CPUS, TASKS, strict=True)]


def policy_named(name: str) -> Policy:
    """By that name; the fragments of `fgd` are counted for these very tasks."""
    if name == "fgd":
        return gradient(Workload([(demand, 1.0) for demand in demands()]))
    return POLICIES[name]


def place_all(policy: Policy) -> Placed:
    """All tasks, one after the other; none of them leaves."""
    fleet = Fleet(
        Node(name=f"node{number}", cpus=8, memory=0, gpus=("gpu",) * CARDS)
        for number in range(NODES)
    )
    filled = [0] * (NODES * CARDS)
    placed = Placed([], [])
    for task, demand in enumerate(demands(), 1):
        found = choose(fleet, demand, policy)
        if found is None:
            placed.turned_away.append(task)
            continue
        fleet.take(found)
        for part in found.parts:
            node = int(part.node.removeprefix("node"))
            for number, share in part.gpus:
                at = node * CARDS + number
                placed.held.append((task, at, filled[at], filled[at] + share))
                filled[at] += share
    return placed


def placing() -> str:
    """A column for each policy, a row for each card."""
    across = (WIDTH - 4 * 14) / len(SHOWN)
    parts = []
    bottom = 66 + NODES * (CARDS * CARD + 8)
    for node in range(NODES):
        y = 66 + node * (CARDS * CARD + 8) + CARD + 4
        parts.append(text(LEFT - 8, y, f"node {node}", fill=FAINT, anchor="end"))
    for column, name in enumerate(SHOWN):
        x = LEFT + column * (across + 14)
        placed = place_all(policy_named(name))
        parts.append(text(x, 56, name, weight="bold"))
        parts += _cards(placed, x, across)
        away = ", ".join(map(str, placed.turned_away)) or "nobody"
        parts.append(text(x, bottom + 12, f"no place: {away}", fill=INK))
    cards = ", ".join(f"{gpus / WHOLE:g}" for gpus in TASKS)
    cpus = ", ".join(map(str, TASK_CPUS))
    asked = f"asked for, in this order: {cards} cards; {cpus} CPUs"
    parts.append(text(LEFT, bottom + 36, asked, fill=FAINT))
    return card("Nine tasks on four nodes of two cards and eight CPUs", bottom + 52, parts)


def _cards(placed: Placed, x: float, width: float) -> Iterator[str]:
    for number in range(NODES * CARDS):
        y = _top(number)
        yield (
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{CARD - 3}" '
            'fill="#f6f6f6" stroke="#bbb"/>'
        )
    for task, number, low, high in placed.held:
        left, part = x + low / WHOLE * width, (high - low) / WHOLE * width
        fill = colour_of(task)
        yield (
            f'<rect x="{left:.1f}" y="{_top(number)}" width="{part - 1:.1f}" '
            f'height="{CARD - 3}" rx="3" fill="{fill}"/>'
        )
        yield text(
            left + part / 2,
            _top(number) + 15,
            str(task),
            fill=letter(fill),
            anchor="middle",
            weight="bold",
        )


def _top(number: int) -> int:
    return 66 + number // CARDS * (CARDS * CARD + 8) + number % CARDS * CARD
