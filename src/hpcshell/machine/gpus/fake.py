"""Cards that are made up, to try everything on where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.gpus import Card, Reading, Tenant
from hpcshell.core.words import quote, shortened

GROUP: Final = 4
"""So many neighbours are joined by links."""
COUNT: Final = 8
_IDLE_POWER, _POWER_LIMIT, _ROOM_TEMPERATURE = 50.0, 400.0, 30.0


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one made-up card is to tell; see `FakeProvider`."""

    load: float = 0.0
    memory: int | None = None
    temperature: float | None = None
    power: float | None = None
    ecc: int = 0
    xid: int = 0
    trouble: str = ""
    alone: bool = False
    closed: bool = False
    tenants: tuple[Tenant, ...] = ()


class Play(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: parts by the number of the card."""

    cards: dict[str, Part] = {}


class FakeProvider:
    """`count` cards named GPU-fake-0000-0000-0000-00000000000N, idle and healthy.

    They play what a JSON file says, which is read at every reading, so that it may be changed, or
    be made, at any time:

        {"cards": {"0": {"load": 0.9, "memory": 8589934592, "temperature": 91,
                         "tenants": [{"pid": 4711, "memory": 8589934592,
                                      "user": "anna", "command": "python"}]},
                   "3": {"trouble": "lost: it has fallen off the bus", "xid": 79}}}

    - keys of `cards`: their numbers, from 0
    - `load`: a part of one; `memory`: bytes used, by itself the sum of the tenants'
    - `temperature` in degrees Celsius, `power` in watts: by themselves they follow the load
    - `ecc`, `xid`, `trouble`: as in `core.gpus.Reading`; `alone`, `closed`: as in `core.gpus.Card`
    - `tenants`: who holds memory. Of a pid that exists here all else is found out; of others (a
      dead process, a made-up stranger) what the file says is told: `memory`, `user`, `command`,
      `since`, `run`

    What cannot be read is said in `trouble`, and the cards are idle; so are cards that there are
    not. `num_gpus` is another name of `count`. Raises `Wrong` for what is no number.
    """

    name = "fake"
    driver = ""

    def __init__(
        self,
        count: int = COUNT,
        memory: int = 80 << 30,
        model: str = "fake",
        file: str | Path | None = None,
        *,
        num_gpus: int | None = None,
    ) -> None:
        self.trouble = ""
        count = _whole("count", count if num_gpus is None else num_gpus)
        memory = _whole("memory", memory)
        self._file = Path(file) if file is not None else None
        self._cards = tuple(
            Card(uuid=f"GPU-fake-0000-0000-0000-{number:012}", model=model, memory=memory)
            for number in range(count)
        )

    def cards(self) -> tuple[Card, ...]:
        parts = self._play().cards
        return tuple(
            replace(card, alone=part.alone, closed=part.closed)
            if (part := parts.get(str(number)))
            else card
            for number, card in enumerate(self._cards)
        )

    def readings(self) -> tuple[Reading, ...]:
        parts = self._play().cards
        return tuple(
            _reading(card, parts.get(str(number), Part()))
            for number, card in enumerate(self._cards)
        )

    def links(self) -> tuple[tuple[int, ...], ...]:
        count = len(self._cards)
        whole = (range(first, min(first + GROUP, count)) for first in range(0, count, GROUP))
        return tuple(tuple(group) for group in whole if len(group) > 1)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _play(self) -> Play:
        self.trouble = ""
        if self._file is None:
            return Play()
        try:
            play = msgspec.json.decode(self._file.read_bytes(), type=Play)
        except FileNotFoundError:
            return Play()
        except (OSError, msgspec.DecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            self.trouble = f"{self._file} cannot be read: {why}"
            return Play()
        if strangers := play.cards.keys() - set(map(str, range(len(self._cards)))):
            named = ", ".join(map(quote, sorted(strangers)))
            self.trouble = f"{self._file} names cards that there are not: {named}"
        return play


def _reading(card: Card, part: Part) -> Reading:
    if part.trouble:
        return Reading(uuid=card.uuid, trouble=part.trouble, xid=part.xid)
    held = sum(tenant.memory or 0 for tenant in part.tenants)
    return Reading(
        uuid=card.uuid,
        load=part.load,
        memory=held if part.memory is None else part.memory,
        temperature=_or(part.temperature, _ROOM_TEMPERATURE + 50 * part.load),
        power=_or(part.power, _IDLE_POWER + (_POWER_LIMIT - _IDLE_POWER) * part.load),
        power_limit=_POWER_LIMIT,
        ecc=part.ecc,
        xid=part.xid,
        tenants=part.tenants,
    )


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        hint = "write how many" if name == "count" else "write a number of bytes, as 80 << 30"
        raise Wrong(f"FakeProvider: {name}={shortened(repr(value))} is no whole number", hint)
    return value


def _or(told: float | None, otherwise: float) -> float:
    return otherwise if told is None else told
