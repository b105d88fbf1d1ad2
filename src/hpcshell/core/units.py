"""Durations, sizes, counts and instants: from the text people write to numbers, and back.

Inside: seconds (float), bytes (int), Unix time (float). Everything here raises `Wrong` with one
line that names `option` (what the value was given for) and a hint that shows right values.

    duration("1h30m") -> 5400.0           time_limit("unlimited") -> None
    size("8G") -> 8589934592              count("4", option="--cpus") -> 4
    gpus("1.5") -> 150                    format_gpus(50) -> "0.5"
    instant("tomorrow", now, offset) -> Unix seconds
    format_duration(1800) -> "30m 0s"     format_clock(93784) -> "1-02:03:04"
    format_size(1610612736) -> "1.5G"     short_size(1234567890) -> "1.15G"

`duration(format_duration(x)) == x` and `size(format_size(n)) == n` for every value they can give.
Names and terminal text (`check_name`, `safe`) and signals (`signal_number`) are in `words`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.instants import Offset as Offset
from hpcshell.core.instants import format_instant as format_instant
from hpcshell.core.instants import instant as instant
from hpcshell.core.records import WHOLE
from hpcshell.core.words import check_name as check_name
from hpcshell.core.words import format_signal as format_signal
from hpcshell.core.words import quote
from hpcshell.core.words import safe as safe
from hpcshell.core.words import signal_number as signal_number
from hpcshell.core.words import warn_signal as warn_signal

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
WEEK: Final = 7 * DAY
LONGEST: Final = 36500 * DAY
"""A hundred years: anything longer is a slip of the finger, and `unlimited` says what was meant."""

KIB: Final = 1 << 10
MIB: Final = 1 << 20
LARGEST: Final = 1 << 60
"""An exbibyte."""
MOST: Final = 1_000_000_000
"""The largest count of anything."""

_UNITS: Final = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": 1.0}
_UNIT_WORD: Final = (
    r"\A(?:w(?:eeks?)?|d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)\Z"
)
_PART: Final = r"([0-9]{1,15}(?:\.[0-9]{1,9})?) *([A-Za-z]+) *"
_CLOCK: Final = (
    r"\A(?:(?P<days>[0-9]{1,9})-(?P<dh>[0-9]{1,9})(?::(?P<dm>[0-9]{1,9}))?(?::(?P<ds>[0-9]{1,9}))?"
    r"|(?:(?P<h>[0-9]{1,9}):)?(?P<m>[0-9]{1,9}):(?P<s>[0-9]{1,9}))\Z"
)
_NUMBER: Final = r"\A[0-9]{1,15}(?:\.[0-9]{1,9})?\Z"
_SIZE: Final = r"\A([0-9]{1,19})(?:\.([0-9]{1,12}))? ?([KkMmGgTtPpEe]?)(i?[Bb])?\Z"
_GPUS: Final = r"\A[0-9]{1,9}(?:\.[0-9]{1,2}0{0,7})?\Z"
_WHOLE: Final = r"\A[0-9]{1,18}\Z"
_UNLIMITED: Final = frozenset({"unlimited", "infinite", "infinity", "none"})
_POWERS: Final = "KMGTPE"

_DURATION_HINT: Final = (
    "write 90s, 30m, 2h, 1d, 1h30m, HH:MM:SS or D-HH:MM:SS; a bare number is minutes"
)
_BARE: Final = {MINUTE: "minutes", DAY: "days"}
_SIZE_HINT: Final = "write 512M, 8G, 8GiB or 1.5G; a bare number is MiB"


# ------------------------------------------------------------------------------------ durations


def duration(
    text: str, option: str = "duration", *, zero: bool = False, bare: float = MINUTE
) -> float:
    """Seconds of `90s 30m 2h 1d 1h30m MM:SS HH:MM:SS D-HH[:MM[:SS]]`.

    A bare number counts `bare` seconds. Zero is refused unless `zero`; so is anything over a
    hundred years.
    """
    seconds = _seconds(text.strip(), bare) if len(text) <= 64 else None
    hint = _DURATION_HINT.replace("minutes", _BARE.get(bare, "seconds"))
    if seconds is None:
        raise Wrong(f"{option}: {quote(text)} is no duration", hint)
    if seconds == 0 and not zero:
        raise Wrong(f"{option}: {quote(text)} is no time at all", hint)
    if seconds > LONGEST:
        raise Wrong(f"{option}: {quote(text)} is longer than a hundred years", hint)
    return seconds


def time_limit(text: str, option: str = "time limit", *, bare: float = MINUTE) -> float | None:
    """Like `duration`; None for `unlimited` and `infinite`."""
    if text.strip().lower() in _UNLIMITED:
        return None
    try:
        return duration(text, option, bare=bare)
    except Wrong as error:
        raise Wrong(error.message, f"{error.hint}; or unlimited") from None


def _seconds(text: str, bare: float) -> float | None:
    """None where the text has none of the forms."""
    if re.match(_NUMBER, text):
        return float(text) * bare
    clock = re.match(_CLOCK, text)
    if clock is None:
        return _units(text)
    part = {name: int(value or 0) for name, value in clock.groupdict().items()}
    hours, minutes = part["dh"] + part["h"], part["dm"] + part["m"]
    return part["days"] * DAY + hours * HOUR + minutes * MINUTE + part["ds"] + part["s"]


def _units(text: str) -> float | None:
    total, smallest, rest = 0.0, WEEK + 1, text
    while rest:
        part = re.match(_PART, rest)
        if part is None or not re.match(_UNIT_WORD, part[2].lower()):
            return None
        unit = _UNITS[part[2][0].lower()]
        if unit >= smallest:  # 30m1h, 1h1h: more likely a slip than meant
            return None
        total, smallest, rest = total + float(part[1]) * unit, unit, rest[part.end() :]
    return total if text else None


def format_duration(seconds: float | None) -> str:
    """`45s`, `1m 30s`, `30m 0s`, `2h 0m`, `1d 6h`.

    The largest unit, the next one, and of the rest what is not zero; `unlimited` for None.
    """
    if seconds is None:
        return "unlimited"
    whole, fraction = divmod(max(seconds, 0.0), 1)
    days, rest = divmod(int(whole), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, last = divmod(rest, 60)
    least = f"{last + round(fraction, 6):.6f}".rstrip("0").rstrip(".") if fraction else str(last)
    parts = [(str(days), "d"), (str(hours), "h"), (str(minutes), "m"), (least, "s")]
    first = next((place for place, part in enumerate(parts) if part[0] != "0"), 3)
    shown = parts[first : first + 2] + [part for part in parts[first + 2 :] if part[0] != "0"]
    return " ".join(number + unit for number, unit in shown)


@lru_cache(maxsize=1024)
def format_clock(seconds: float | None) -> str:
    """`[D-]HH:MM:SS` in whole seconds, `UNLIMITED` for None."""
    if seconds is None:
        return "UNLIMITED"
    days, rest = divmod(int(max(seconds, 0.0)), 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock


# ---------------------------------------------------------------------------------------- sizes


def size(
    text: str, option: str = "size", *, zero: bool = False, bare: int = MIB, small: int = KIB
) -> int:
    """Bytes of `512M 8G 8GiB 8gb 1.5G 100B`: powers of 1024; a bare number counts `bare` bytes.

    `small` is the base of lower-case letters (1000 in Grid Engine). Zero is refused unless `zero`.
    """
    found = re.match(_SIZE, text.strip()) if len(text) <= 64 else None
    if found is None:
        raise Wrong(f"{option}: {quote(text)} is no size", _SIZE_HINT)
    whole, fraction, letter, suffix = found.groups()
    unit: int
    if letter:
        base = small if letter.islower() else KIB
        unit = base ** (_POWERS.index(letter.upper()) + 1)
    elif suffix and len(suffix) == 2:
        raise Wrong(f"{option}: {quote(text)} is no size", _SIZE_HINT)
    else:
        unit = 1 if suffix else bare
    number = int(whole) * unit
    if fraction:
        number += int(fraction) * unit // int(f"1{'0' * len(fraction)}")
    if number == 0 and not zero:
        raise Wrong(f"{option}: {quote(text)} is nothing", _SIZE_HINT)
    if number > LARGEST:
        raise Wrong(f"{option}: {quote(text)} is more than an exbibyte", _SIZE_HINT)
    return number


def format_size(number: int) -> str:
    """Exact, in the largest unit that needs at most two decimals: `8G`, `1.5G`, `1234567B`."""
    for power in range(len(_POWERS), 0, -1):
        unit = 1 << (10 * power)
        if number >= unit and number * 100 % unit == 0:
            return f"{_decimal(number * 100 // unit)}{_POWERS[power - 1]}"
    return f"{number}B"


@lru_cache(maxsize=1024)
def short_size(number: float) -> str:
    """Rounded to three figures, for columns: `1.15G`, `67.2M`, `512B`."""
    power = 0
    while abs(number) >= 999.5 and power < len(_POWERS):
        number, power = number / 1024, power + 1
    if power == 0:
        return f"{number:.0f}B"
    figures = f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f}"
    figures = figures.rstrip("0").rstrip(".") if "." in figures else figures
    return figures + _POWERS[power - 1]


def _decimal(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


# --------------------------------------------------------------------------------------- counts


def count(text: str, option: str = "count", *, least: int = 1, most: int = MOST) -> int:
    """A whole number between `least` and `most`, in plain digits."""
    stripped = text.strip()
    negative = stripped[:1] == "-"
    digits = stripped[1:] if negative else stripped
    if digits.isascii() and digits.isdecimal() and len(digits) > 18:
        size, bound = ("small", f"least is {least}") if negative else ("large", f"most is {most}")
        raise Wrong(f"{option}: {quote(text)} is too {size}", f"the {bound}")
    if not re.match(_WHOLE, digits):
        raise Wrong(
            f"{option}: {quote(text)} is no whole number", f"write a number from {least} up"
        )
    number = int(stripped)
    if number < least:
        raise Wrong(f"{option}: {number} is too small", f"the least is {least}")
    if number > most:
        raise Wrong(f"{option}: {number} is too large", f"the most is {most}")
    return number


def gpus(text: str, option: str = "gpus") -> int:
    """GPUs as people write them (`2`, `0.25`, `1.5`) in hundredths of one."""
    stripped = text.strip()
    if not re.match(_GPUS, stripped):
        raise Wrong(
            f"{option}: {quote(text)} is no number of GPUs", "write 2, 0.25 or 1.5: steps of 0.01"
        )
    return int(Decimal(stripped) * WHOLE)


def number_of_gpus(hundredths: int) -> int | float:
    """As documents have it: a whole number where it is one."""
    return hundredths / WHOLE if hundredths % WHOLE else hundredths // WHOLE


def format_gpus(hundredths: int) -> str:
    """`2`, `0.25`: as `gpus` reads it."""
    return _decimal(hundredths)


def factor(text: str, option: str = "factor", *, least: float = 0.0, most: float = 1e6) -> float:
    """A plain decimal number such as `1.5`, between `least` and `most`."""
    stripped = text.strip()
    if not re.match(_NUMBER, stripped.removeprefix("-")):
        raise Wrong(f"{option}: {quote(text)} is no number", "write a plain number such as 1.5")
    number = float(stripped)
    if not least <= number <= most:
        raise Wrong(
            f"{option}: {quote(text)} is out of range", f"write a number from {least:g} to {most:g}"
        )
    return number
