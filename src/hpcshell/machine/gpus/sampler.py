"""Surveys of the cards, one an interval, as JSON lines: in a process that may hang."""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from hpcshell.core.gpus import Card, Survey
from hpcshell.machine import clock
from hpcshell.machine.gpus import bus, mps
from hpcshell.machine.gpus.contract import GPUProvider, GpusMissing
from hpcshell.machine.gpus.tenants import Who

NO_CARDS: Final = "the driver knows of no card"
_MILLI: Final = 1000


class Sampler:
    """Asks one provider. What hardly changes is asked again only when the cards do: which are
    joined, and near which CPUs they are. `most`: so many of the first cards are looked at."""

    def __init__(self, provider: GPUProvider, who: Who, most: int | None = None) -> None:
        self._provider = provider
        self._who = who
        self._most = most
        self._cards: tuple[Card, ...] | None = None
        self._links: tuple[tuple[int, ...], ...] = ()
        self._domains: tuple[int, ...] = ()

    def survey(self) -> Survey:
        """Everything, now. Raises `GpusMissing`."""
        provider = self._provider
        cards = provider.cards()[: self._most]
        if cards != self._cards:
            self._settle(cards)
        self._who.begin()
        readings = tuple(
            replace(reading, tenants=self._who.tell(reading.tenants))
            for reading in provider.readings()[: self._most]
        )
        return Survey(
            provider=provider.name,
            time=clock.now(),
            driver=provider.driver,
            cards=cards,
            readings=readings,
            links=self._links,
            domains=self._domains,
            mps=mps.pipe_directory(os.environ) if provider.name == "nvml" else "",
            trouble=provider.trouble or ("" if cards else NO_CARDS),
        )

    def _settle(self, cards: tuple[Card, ...]) -> None:
        within = [
            tuple(number for number in group if number < len(cards))
            for group in self._provider.links()
        ]
        self._links = tuple(group for group in within if len(group) > 1)
        self._domains = tuple(bus.domain(card.bus) for card in cards)
        self._cards = cards


def surveys(name: str, sampler: Sampler) -> Iterator[Survey]:
    """One after the other; the last of all says why there are no more."""
    try:
        while True:
            yield sampler.survey()
    except GpusMissing as error:
        yield missing(name, error)
    except Exception as error:  # a driver that answers nonsense must not end in silence
        traceback.print_exc(file=sys.stderr)
        yield Survey(provider=name, time=clock.now(), trouble=f"the sampler failed: {error!r}")


def missing(name: str, error: GpusMissing) -> Survey:
    """The whole survey where there is no driver: why, and what to do."""
    why = f"{error.message} ({error.hint})" if error.hint else error.message
    return Survey(provider=name, time=clock.now(), trouble=why)


def write(survey: Survey, descriptor: int) -> None:
    """One line, whole."""
    left = memoryview(msgspec.json.encode(survey) + b"\n")
    while left:
        left = left[os.write(descriptor, left) :]


def tell(found: Iterator[Survey], interval: float, descriptor: int) -> None:
    """Write one an interval, for as long as somebody reads. One that took longer is followed by
    the next at once, and none is made up for."""
    reader = select.poll()
    reader.register(descriptor, 0)  # nothing but that it has gone
    due = clock.monotonic()
    try:
        for survey in found:
            write(survey, descriptor)
            due = max(due + interval, clock.monotonic())
            if reader.poll(max(0.0, due - clock.monotonic()) * _MILLI):
                return
    except BrokenPipeError:
        return
