"""How PBS writes instants, durations and sizes, and how it wants to hear them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Final

_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_INSTANT: Final = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})\Z"
)
_CLOCK: Final = re.compile(r"(?:(?:(\d{1,9}):)?(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,15})\Z")
_SIZE: Final = re.compile(r"(\d{1,18})([kmgtp]?)([bw]?)\Z", re.IGNORECASE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SIXTY: Final = {f"{number:02d}": number for number in range(60)}


_remembered = lru_cache(maxsize=1 << 16)
"""Jobs say the same over and over, and so does the next answer about them."""


@_remembered
def instant(text: str) -> float | None:
    """Unix seconds of `Sat Nov 21 20:38:28 2026`: PBS's commands write times in the zone that they
    are run in, and they are run in UTC."""
    minute, second = _SIXTY.get(text[14:16]), _SIXTY.get(text[17:19])
    if minute is None or second is None or text[16] != ":":
        return _instant(text)
    hour = _hour(text[:14] + text[19:])
    return None if hour is None else hour + (60 * minute + second)


@_remembered
def _hour(text: str) -> float | None:
    """The beginning of the hour, without minutes and seconds: `Sat Nov 21 20: 2026`."""
    return _instant(f"{text[:14]}00:00{text[14:]}")


def _instant(text: str) -> float | None:
    if text.isascii() and text.isdecimal() and len(text) <= 12:
        return float(text)
    found = _INSTANT.match(text)
    month = _MONTHS.find(found[1]) if found else -1
    if found is None or month % 3:
        return None
    day, hour, minute, second, year = map(int, found.groups()[1:])
    try:
        when = datetime(year, month // 3 + 1, day, hour, minute, 0, tzinfo=UTC)
    except ValueError:
        return None
    return when.timestamp() + second


def stamp(when: float) -> str:
    """`CCYYMMDDhhmm[.SS]` in UTC, no earlier than that."""
    moment = _EPOCH + timedelta(seconds=ceil(when))
    return moment.strftime("%Y%m%d%H%M.%S" if moment.second else "%Y%m%d%H%M")


@_remembered
def seconds(text: str) -> float | None:
    """`[[[DD:]HH:]MM:]SS`."""
    minute, second = _SIXTY.get(text[3:5]), _SIXTY.get(text[6:])
    if minute is None or second is None:
        return _seconds(text)
    hour = _seconds(f"{text[:3]}00{text[5]}00")
    return None if hour is None else hour + (60 * minute + second)


@_remembered
def _seconds(text: str) -> float | None:
    found = _CLOCK.match(text)
    if found is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in _from_the_right(text))
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


def _from_the_right(text: str) -> list[str]:
    parts = text.split(":")
    return ["0"] * (4 - len(parts)) + parts


def clock(duration: float) -> str:
    """`HH:MM:SS`, as many hours as it takes."""
    whole = ceil(duration)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@_remembered
def size(text: str) -> int | None:
    """Bytes of `64mb`, `8gb`, `100` (bytes) and `5kw` (words of 8 bytes)."""
    digits = text[:-2]
    if text[-2:] == "kb" and digits.isascii() and digits.isdecimal() and len(digits) <= 18:
        return int(digits) << 10
    return _size(text)


def _size(text: str) -> int | None:
    found = _SIZE.match(text)
    if found is None:
        return None
    power = " kmgtp".index(found[2].lower()) if found[2] else 0
    unit: int = 1024**power
    return int(found[1]) * unit * (8 if found[3] in ("w", "W") else 1)


def amount(number: int) -> str:
    """A size for PBS, which takes whole numbers only: in the largest unit that says it exactly, or
    in kb, rounded up."""
    for unit, power in (("gb", 3), ("mb", 2)):
        if number % 1024**power == 0:
            return f"{number // 1024**power}{unit}"
    return f"{-(-number // 1024)}kb"


@_remembered
def whole(text: str) -> int | None:
    """A count, where it is one."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 15 else None
