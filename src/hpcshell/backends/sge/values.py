"""Sizes, durations and instants as Grid Engine writes them. Text that is none of it is None.

Its commands write local time without a zone, and they make it from seconds themselves: all of
them are run with `TZ=UTC`, so that what they write is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC"}
UNLIMITED: Final = "INFINITY"

_POWERS: Final = "KMGTP"
_SIZE: Final = re.compile(r"(?a)\A([0-9]+(?:\.[0-9]*)?)([kKmMgGtTpP]?)B?s?\Z")
_FORMS: Final = (
    "%Y-%m-%dT%H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S.%f",
)
_SIXTY: Final = {f"{number:02d}": number for number in range(60)}


_remembered = lru_cache(maxsize=4096)
"""Jobs ask for the same over and over."""


@_remembered
def size(text: str, bare: int = 1) -> int | None:
    """`1.5G`, `4.578KB`, `10k` in bytes; capitals are powers of 1024, small letters of 1000.
    `bare`: what a number without a letter counts."""
    found = _SIZE.match(text.strip())
    if found is None:
        return None
    if not found[2]:
        return int(float(found[1]) * (1 if text.strip().endswith("B") else bare))
    base = 1024 if found[2].isupper() else 1000
    return int(float(found[1]) * base ** (_POWERS.index(found[2].upper()) + 1))


@_remembered
def seconds(text: str) -> float | None:
    """`600`, `00:10:00`, `5s`, `0.012s`; `INFINITY` and what is no duration are None."""
    parts = text.strip().removesuffix("s").split(":")
    if not 1 <= len(parts) <= 4:
        return None
    total = 0.0
    for part, unit in zip(reversed(parts), (1, 60, 3600, 86400), strict=False):
        if not re.fullmatch(r"(?a)[0-9]*(?:\.[0-9]+)?", part) or (len(parts) == 1 and not part):
            return None
        total += float(part or 0) * unit
    return total


def instant(text: str) -> float | None:
    """Unix seconds of a time that was written in UTC; `-/-` and the year 1970 mean none."""
    word = " ".join(text.split())
    for form in _FORMS:
        try:
            unix = datetime.strptime(word, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
        return unix if unix > 86400 else None
    return None


def iso_instant(text: str) -> float | None:
    """The same of `2026-11-21T20:50:55` alone, faster: there is one for every job of a queue."""
    minute, second = _SIXTY.get(text[14:16]), _SIXTY.get(text[17:])
    if minute is None or second is None or text[16] != ":":
        return _iso_instant(text)
    hour = _iso_instant(f"{text[:14]}00:00")
    return None if hour is None else hour + (60 * minute + second)


@_remembered
def _iso_instant(text: str) -> float | None:
    try:
        unix = datetime.fromisoformat(f"{text}+00:00").timestamp()
    except ValueError:
        return None
    return unix if unix > 86400 else None


def written(unix: float) -> str:
    """An instant as `-a` wants it, in UTC."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y%m%d%H%M.%S")


def whole_number(text: str) -> int | None:
    word = text.strip()
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 18 else None
