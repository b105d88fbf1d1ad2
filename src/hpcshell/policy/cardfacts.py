"""What the decider is to know of the cards of a machine, and how shares of them are kept apart."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from hpcshell.core.units import format_duration
from hpcshell.policy.cardwatch import CardWatch
from hpcshell.policy.place.nodes import Node


def with_cards(node: Node, watch: CardWatch) -> Node:
    """The machine with what its drivers tell of the cards; where it has more than they know of, the
    others are of no known model."""
    count, cards, survey = len(node.gpus), watch.cards, watch.survey
    if not cards:
        return node
    known = cards[:count]
    rest = (0,) * (count - len(known))
    number = _numbers(watch)
    links = tuple(
        tuple(sorted(number[at] for at in group if number.get(at, count) < count))
        for group in survey.links
    )
    near: dict[int, list[int]] = {}
    for at, domain in enumerate(survey.domains):
        if number.get(at, count) < count:
            near.setdefault(domain, []).append(number[at])
    domains = tuple(
        replace(domain, gpus=tuple(sorted(near.get(at, ()))))
        for at, domain in enumerate(node.domains)
    )
    return replace(
        node,
        gpus=(*(card.model for card in known), *("" for _ in rest)),
        gpu_memory=(*(card.memory for card in known), *rest),
        alone=tuple(at for at, card in enumerate(known) if card.alone),
        links=tuple(group for group in links if len(group) > 1),
        domains=domains if survey.domains else node.domains,
    )


def _numbers(watch: CardWatch) -> dict[int, int]:
    """The number of each card by its place in the survey."""
    known = {card.uuid: at for at, card in enumerate(watch.cards) if card.uuid}
    places = enumerate(watch.survey.cards)
    return {at: known.get(card.uuid, at) if card.uuid else at for at, card in places}


class Enforcement(NamedTuple):
    """How shares are kept apart: `by` (`mps`, `measured`, `declared`), and one sentence."""

    by: str
    sentence: str


def enforcement(watch: CardWatch) -> Enforcement:
    """What keeps a job within its share of a card here."""
    survey, settings = watch.survey, watch.settings
    measured = _measured(watch)
    if not watch.cards or not measured:
        why = survey.trouble or f"nobody tells of the cards (provider {survey.provider})"
        return Enforcement("declared", f"not enforced, because {why}: shares are only declared")
    sliced = any(card.parent for card in watch.cards)
    slices = "; MIG slices are kept apart by the card" if sliced else ""
    if survey.mps and settings.mps:
        told = f"memory and compute of shares are limited by CUDA MPS ({survey.mps}); {measured}"
        return Enforcement("mps", told + slices)
    why = "no CUDA MPS daemon runs" if settings.mps else "[gpus] mps is off"
    if survey.provider != "nvml":
        why = f"there is no such thing with provider {survey.provider}"
    told = f"compute is not enforced, because {why}; {measured}"
    return Enforcement("measured", told + slices)


def _measured(watch: CardWatch) -> str:
    """What is done about memory by measuring it; "" where nothing is measured."""
    settings = watch.settings
    if watch.survey.trouble or not watch.survey.cards:
        return ""
    every = format_duration(settings.interval)
    if settings.overuse == "off":
        return f"memory is measured every {every}, and nothing is done about it (overuse is off)"
    if settings.overuse == "warn":
        return f"memory is measured every {every}, and who holds more than its share is told"
    grace = format_duration(settings.overuse_grace)
    return (
        f"memory is measured every {every}, and who holds more than its share is told, then ended "
        f"after {grace}"
    )
