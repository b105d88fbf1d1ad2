"""NVIDIA's cards, by NVML: the driver's own library, through nvidia-ml-py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.gpus import Card, Reading
from hpcshell.machine.gpus import bus
from hpcshell.machine.gpus.nvml_library import Library, missing, pointer, text

GONE: Final = "lost: it is not there any more"
_MILLI: Final = 1000
_PERCENT: Final = 100
_EVENTS_AT_MOST: Final = 1000
"""A card that reports without end does not keep the others from being asked."""


class _Seat(NamedTuple):
    """A card, and by what to ask: itself, and the whole card where it is a slice."""

    card: Card
    handle: Any = None
    whole: Any = None
    trouble: str = ""


class NvmlProvider:
    """Cards are known again by their uuid, whatever number NVML gives them. One that was there and
    is not any more is told of as lost for as long as this lives; one that was lost before has no
    name, and comes last. A card in MIG mode is none: its slices are."""

    name = "nvml"

    def __init__(self) -> None:
        self._library = Library()
        self._nvml = self._library.nvml
        self.driver = self._library.driver()
        self.trouble = ""
        self._known: dict[str, Card] = {}
        self._seats: list[_Seat] = []
        self._names: dict[int | None, str] = {}
        self._xids: dict[str, int] = {}
        self._events: Any = None

    # -- the three functions ---------------------------------------------------------------------

    def cards(self) -> tuple[Card, ...]:
        notes: list[str] = []
        before = self._by_card()
        handles, failures = self._handles(notes)
        seats = [
            seat
            for uuid, handle in handles.items()
            for seat in self._seated(uuid, handle, before, notes)
        ]
        lost = [uuid for uuid in before if uuid not in handles]
        said = failures[0] if failures else GONE
        seats += [seat._replace(trouble=said) for uuid in lost for seat in before[uuid]]
        seats += [_Seat(Card(), trouble=why) for why in failures[len(lost) :]]
        # the sort is stable: slices stay in the order of their card
        self._seats = sorted(seats, key=lambda seat: bus.place(seat.card.bus))
        self.trouble = "; ".join(notes)
        return tuple(seat.card for seat in self._seats)

    def readings(self) -> tuple[Reading, ...]:
        self._heed_events()
        return tuple(self._reading(seat) for seat in self._seats)

    def links(self) -> tuple[tuple[int, ...], ...]:
        points = []
        for number, seat in enumerate(self._seats):
            if not seat.trouble and not seat.card.parent:
                points.append((number, seat.card.bus))
                points += [(number, remote) for remote in self._library.remotes(seat.whole)]
        return bus.groups(points)

    def close(self) -> None:
        with contextlib.suppress(self._nvml.NVMLError):
            if self._events is not None:
                self._nvml.nvmlEventSetFree(self._events)
            self._nvml.nvmlShutdown()

    # -- which cards there are -------------------------------------------------------------------

    def _by_card(self) -> dict[str, list[_Seat]]:
        """The seats told of last, by the uuid of the whole card."""
        found: dict[str, list[_Seat]] = {}
        for seat in self._seats:
            if seat.card.uuid:
                found.setdefault(seat.card.parent or seat.card.uuid, []).append(seat)
        return found

    def _handles(self, notes: list[str]) -> tuple[dict[str, Any], list[str]]:
        """By uuid what to ask each card by, and why others do not even tell their name."""
        nvml = self._nvml
        found, failures = {}, []
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as error:
            raise missing(nvml, error) from error
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                found[text(nvml.nvmlDeviceGetUUID(handle))] = handle
            except nvml.NVMLError as error:
                if error.value == nvml.NVML_ERROR_NO_PERMISSION:
                    notes.append(f"the card that NVML numbers {index} may not be asked by us")
                else:
                    failures.append(self._library.words(error))
        return found, failures

    def _seated(
        self, uuid: str, handle: Any, before: dict[str, list[_Seat]], notes: list[str]
    ) -> list[_Seat]:
        """The card, or its slices."""
        nvml, ask = self._nvml, self._library.ask
        try:
            known = self._known.get(uuid) or self._met(uuid, handle)
            mode = ask(nvml.nvmlDeviceGetComputeMode, handle)
            closed = mode == nvml.NVML_COMPUTEMODE_PROHIBITED
            alone = not closed and mode not in (None, nvml.NVML_COMPUTEMODE_DEFAULT)
            card = replace(known, alone=alone, closed=closed)
            sliced = ask(nvml.nvmlDeviceGetMigMode, handle)
            if not sliced or sliced[0] != nvml.NVML_DEVICE_MIG_ENABLE:
                return [_Seat(card, handle, handle)]
            slices = list(self._slices(card, handle))
        except nvml.NVMLError as error:
            said = self._library.words(error)
            known = self._known.get(uuid, Card(uuid=uuid))
            return [seat._replace(trouble=said) for seat in before.get(uuid, [_Seat(known)])]
        if not slices:
            notes.append(
                f"{card.bus} is in MIG mode and has no slices: make some with nvidia-smi mig -cgi"
            )
        return slices

    def _met(self, uuid: str, handle: Any) -> Card:
        """A card seen for the first time: what never changes of it; from now on its errors are
        listened for."""
        nvml = self._nvml
        where = nvml.nvmlDeviceGetPciInfo_v3(handle)
        card = Card(
            uuid=uuid,
            model=text(self._library.ask(nvml.nvmlDeviceGetName, handle) or ""),
            memory=self._library.memory(handle)[0] or 0,
            bus=bus.address(text(where.busId)),
        )
        self._known[uuid] = card
        self._names[pointer(handle)] = uuid
        self._listen(handle)
        return card

    def _slices(self, card: Card, handle: Any) -> Iterator[_Seat]:
        nvml, ask = self._nvml, self._library.ask
        for slot in range(ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            try:
                each = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
            except nvml.NVMLError as error:
                if error.value != nvml.NVML_ERROR_NOT_FOUND:
                    raise
                continue
            part = replace(
                card,
                uuid=text(nvml.nvmlDeviceGetUUID(each)),
                model=text(ask(nvml.nvmlDeviceGetName, each) or card.model),
                memory=self._library.memory(each)[0] or 0,
                parent=card.uuid,
            )
            yield _Seat(part, each, handle)

    # -- what they tell --------------------------------------------------------------------------

    def _reading(self, seat: _Seat) -> Reading:
        xid = self._xids.get(seat.card.parent or seat.card.uuid, 0)
        if not seat.trouble:
            try:
                return self._told(seat, xid)
            except self._nvml.NVMLError as error:
                seat = seat._replace(trouble=self._library.words(error))
        return Reading(uuid=seat.card.uuid, trouble=seat.trouble, xid=xid)

    def _told(self, seat: _Seat, xid: int) -> Reading:
        nvml, ask, whole = self._nvml, self._library.ask, seat.whole
        # how busy a slice is NVML does not tell; its heat, power and errors are those of its card
        rates = None if seat.card.parent else ask(nvml.nvmlDeviceGetUtilizationRates, whole)
        power = ask(nvml.nvmlDeviceGetPowerUsage, whole)
        limit = ask(nvml.nvmlDeviceGetEnforcedPowerLimit, whole)
        uncorrected = (nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC)
        return Reading(
            uuid=seat.card.uuid,
            load=None if rates is None else rates.gpu / _PERCENT,
            memory=self._library.memory(seat.handle)[1],
            temperature=ask(nvml.nvmlDeviceGetTemperature, whole, nvml.NVML_TEMPERATURE_GPU),
            power=None if power is None else power / _MILLI,
            power_limit=None if limit is None else limit / _MILLI,
            ecc=ask(nvml.nvmlDeviceGetTotalEccErrors, whole, *uncorrected),
            xid=xid,
            tenants=self._library.tenants(seat.handle),
        )

    # -- errors ----------------------------------------------------------------------------------

    def _listen(self, handle: Any) -> None:
        nvml = self._nvml
        with contextlib.suppress(nvml.NVMLError):  # not every card reports its errors
            if self._events is None:
                self._events = nvml.nvmlEventSetCreate()
            nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, self._events)

    def _heed_events(self) -> None:
        """Take note of the errors that were reported since the last time."""
        if self._events is None:
            return
        for _ in range(_EVENTS_AT_MOST):
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._events, 0)
            except self._nvml.NVMLError:
                return  # no more of them
            name = self._names.get(pointer(event.device))
            if name is not None:
                self._xids[name] = event.eventData
