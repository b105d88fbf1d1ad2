"""Instants as LSF prints them: `Dec 28 19:56`, without a year, in the zone of whoever asks.

All commands are said with TZ=UTC0, and `date +%s` is asked beside them: the year is the latest one
that puts an instant before then. `bjobs` tells minutes, `bhist` seconds.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from hpcshell.core.units import DAY

_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
INSTANT: Final = re.compile(
    r"(?a)(?:[A-Z][a-z]{2} +)?(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2})"
    r" +(?P<clock>\d{2}:\d{2}(?::\d{2})?)(?: +(?P<year>\d{4})\b)?"
)


def minutes(seconds: float) -> int:
    """Whole minutes, rounded up: LSF has nothing shorter."""
    return max(math.ceil(seconds / 60), 1)


def written(instant: float) -> str:
    """For -b and -t: the next whole minute of it, in UTC."""
    moment = datetime.fromtimestamp(math.ceil(instant / 60) * 60, UTC)
    return f"{moment:%Y:%m:%d:%H:%M}"


@lru_cache(maxsize=16384)  # thousands of jobs are submitted in the same minute
def read(text: str, now: float | None, ahead: float = DAY) -> float | None:
    """Unix seconds of an instant at most `ahead` seconds after `now`; None where there is none."""
    found = INSTANT.match(text.strip())
    if found is None or _MONTHS.find(found["month"]) % 3:
        return None
    if found["year"]:
        return _in(int(found["year"]), found)
    if now is None:
        return None
    year = datetime.fromtimestamp(now + ahead, UTC).year
    for candidate in range(year, year - 9, -1):  # 29 February may be eight years ago
        instant = _in(candidate, found)
        if instant is not None and instant <= now + ahead:
            return instant
    return None


def _in(year: int, found: re.Match[str]) -> float | None:
    hour, minute, second = [*map(int, found["clock"].split(":")), 0][:3]
    month = _MONTHS.index(found["month"]) // 3 + 1
    try:
        moment = datetime(year, month, int(found["day"]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()


def clock(text: str) -> float | None:
    """What `date +%s` answered."""
    word = text.strip().rpartition("\n")[2]
    return float(word) if word.isascii() and word.isdigit() and len(word) <= 11 else None
