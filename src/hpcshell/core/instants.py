"""Points in time: from `now+1h`, `tomorrow`, `18:30` or `2026-11-30T08:00` to Unix seconds.

    instant("now+1h", now, offset) -> now + 3600
    format_instant(1790000000.0, offset) -> "2026-09-21 13:13:20"

The clock and the time zone are the caller's: `now` is Unix seconds, and `offset(unix)` tells how
many seconds local time is ahead of UTC at that moment (`time.localtime(unix).tm_gmtoff`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

Offset = Callable[[float], float]
"""Seconds that local time is ahead of UTC at a Unix time."""

_EPOCH: Final = datetime(1970, 1, 1)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2200
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_RELATIVE: Final = (
    r"\A(?:now)? *(?P<sign>[+-]) *(?P<number>[0-9]{1,10}) *"
    r"(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?)?\Z"
)
_SEVERAL: Final = r"\A(?:now)? *(?P<sign>[+-]) *(?P<parts>(?:[0-9]{1,10}[smhdw] *){2,5})\Z"
_ISO: Final = (
    r"\A(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})(?:[t ](?P<clock>[0-9:]+)"
    r"(?P<zone>z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
_SLASHED: Final = (
    r"\A(?P<month>[0-9]{1,2})[/.](?P<day>[0-9]{1,2})(?:[/.](?P<year>[0-9]{4}|[0-9]{2}))?"
    r"(?:[-t ](?P<clock>[0-9:]+))?\Z"
)
_CLOCK: Final = r"\A([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))? ?(am|pm)?\Z"
_EPOCH_FORM: Final = r"\A@([0-9]{1,11})(\.[0-9]{1,6})?\Z"
_HOURS: Final = {"midnight": 0, "noon": 12, "elevenses": 11, "fika": 15, "teatime": 16}
_DAYS: Final = {"today": 0, "tomorrow": 1, "yesterday": -1}

_HINT: Final = "write now+1h, 18:30, tomorrow, 2026-11-30 or 2026-11-30T18:30"


def instant(text: str, now: float, offset: Offset, option: str = "time") -> float:
    """Unix seconds of `text`.

    A time of day alone is its next occurrence, a day alone its first moment. After `now+` and
    `now-` a bare number is seconds, as in Slurm. Raises `Wrong` for anything else, for days that do
    not exist and for years outside 1970 to 2200.
    """
    word = text.strip().lower()
    found = _read(word, now, offset, option) if 0 < len(word) <= 64 else None
    if found is None:
        raise Wrong(f"{option}: {quote(text)} is no point in time", _HINT)
    if not 0 <= found < _since_epoch(datetime(_LAST_YEAR, 1, 1)):
        raise Wrong(f"{option}: {quote(text)} is not between {_FIRST_YEAR} and {_LAST_YEAR}", _HINT)
    return found


def format_instant(unix: float, offset: Offset) -> str:
    """Local time to the second: `2026-11-30 18:30:00`."""
    return str(_local(float(int(unix)), offset))


def _read(word: str, now: float, offset: Offset, option: str) -> float | None:
    if word == "now":
        return now
    if found := re.match(_EPOCH_FORM, word):
        return float(found[1] + (found[2] or ""))
    if (moved := _relative(word)) is not None:
        return now + moved
    if (wall := _wall(word, now, offset, option)) is None:
        return None
    return wall if isinstance(wall, float) else _unix(wall, offset)


def _relative(word: str) -> float | None:
    if found := re.match(_RELATIVE, word):
        total = int(found["number"]) * _UNITS[(found["unit"] or "s")[0]]
    elif found := re.match(_SEVERAL, word):
        parts = re.findall(r"([0-9]+)([smhdw])", found["parts"])
        total = sum(int(number) * _UNITS[unit] for number, unit in parts)
    else:
        return None
    return float(-total if found["sign"] == "-" else total)


def _wall(word: str, now: float, offset: Offset, option: str) -> datetime | float | None:
    """Local wall time, or Unix seconds where the text names its zone."""
    today = _local(now, offset)
    if word in _DAYS:
        return _midnight(today) + timedelta(days=_DAYS[word])
    if word in _HOURS or re.match(_CLOCK, word):
        clock = timedelta(hours=_HOURS[word]) if word in _HOURS else _time_of_day(word)
        if clock is None:
            return None
        at = _midnight(today) + clock
        return at if _unix(at, offset) > now else at + timedelta(days=1)
    if found := re.match(_ISO, word):
        return _zoned(found, option)
    if found := re.match(_SLASHED, word):
        return _month_first(found, today, option)
    return None


def _zoned(found: re.Match[str], option: str) -> datetime | float | None:
    at = _calendar(int(found["year"]), int(found["month"]), int(found["day"]), option)
    clock = _time_of_day(found["clock"]) if found["clock"] else timedelta()
    if clock is None:
        return None
    zone = found["zone"]
    if not zone:
        return at + clock
    digits = zone[1:].replace(":", "")
    ahead = 0 if zone == "z" else (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
    return _since_epoch(at + clock) - (-ahead if zone[0] == "-" else ahead)


def _month_first(found: re.Match[str], today: datetime, option: str) -> datetime | None:
    year = int(found["year"] or today.year)
    year += 2000 if year < 100 else 0
    at = _calendar(year, int(found["month"]), int(found["day"]), option)
    clock = _time_of_day(found["clock"]) if found["clock"] else timedelta()
    if clock is None:
        return None
    if not found["year"] and at.date() < today.date():
        at = _calendar(year + 1, int(found["month"]), int(found["day"]), option)
    return at + clock


def _time_of_day(word: str) -> timedelta | None:
    found = re.match(_CLOCK, word)
    if found is None:
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[4] == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _calendar(year: int, month: int, day: int, option: str) -> datetime:
    if not _FIRST_YEAR <= year < _LAST_YEAR:
        raise Wrong(
            f"{option}: the year {year} is not between {_FIRST_YEAR} and {_LAST_YEAR}", _HINT
        )
    try:
        date(year, month, day)
    except ValueError:
        raise Wrong(f"{option}: there is no day {year}-{month:02d}-{day:02d}", _HINT) from None
    return datetime(year, month, day)


def _midnight(at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day)


def _local(unix: float, offset: Offset) -> datetime:
    return _EPOCH + timedelta(seconds=unix + offset(unix))


def _since_epoch(at: datetime) -> float:
    return (at - _EPOCH).total_seconds()


def _unix(wall: datetime, offset: Offset) -> float:
    """The Unix time at which clocks here show `wall`; inside a skipped hour, a moment beside it."""
    naive = _since_epoch(wall)
    guess = naive - offset(naive)
    return naive - offset(guess)
