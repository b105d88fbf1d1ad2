"""What texts and numbers may be for the store to keep them.

A key or a name is printable and short. Any other text may hold all but NUL and half characters,
which PostgreSQL cannot keep.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import check_name, quote

LONGEST_KEY: Final = 250
LONGEST_VALUE: Final = 65_536
"""Characters of a parameter, a tag or a note."""
LONGEST_URI: Final = 4096
MOST_KEYS: Final = 10_000
LARGEST: Final = 2**63 - 1

_UNKEPT: Final = re.compile("[\x00\ud800-\udfff]")
_RUN_ID: Final = re.compile(r"\A[0-9a-f]{32}\Z")
_LARGEST_SMALL: Final = 2**31 - 1


def key(text: str, what: str) -> str:
    """The key or name itself. Raises `Wrong`."""
    if text and text.isascii() and text.isprintable() and len(text) <= LONGEST_KEY and text.strip():
        return text
    check_name(text, what)
    if len(text.encode()) > LONGEST_KEY:
        raise Wrong(f"{what}: {quote(text)} is too long", f"the longest has {LONGEST_KEY} bytes")
    return text


def word(text: str, what: str) -> str:
    """The same for what may be empty: a user, a host, the name of a run."""
    return key(text, what) if text else ""


def kept(text: str, what: str, longest: int = LONGEST_VALUE) -> str:
    """The text itself. Raises `Wrong` where it is too long or cannot be kept."""
    if len(text) > longest:
        raise Wrong(f"{what}: {len(text):,} characters are too long", f"the limit is {longest:,}")
    if found := _UNKEPT.search(text):
        raise Wrong(
            f"{what}: {quote(text)} holds a character that cannot be kept",
            f"leave out U+{ord(found[0]):04X}",
        )
    return text


def pairs(given: Mapping[str, str], what: str) -> dict[str, str]:
    """Keys with their texts, checked."""
    if len(given) > MOST_KEYS:
        raise Wrong(f"{len(given):,} {what}s are too many", f"at most {MOST_KEYS:,}")
    return {key(name, what): kept(value, f"{what} {quote(name)}") for name, value in given.items()}


def run_id(text: str) -> str:
    """32 hexadecimal digits. Raises `Wrong`."""
    if not _RUN_ID.match(text):
        raise Wrong(
            f"{quote(text)} is no id of a run",
            "a run's id has 32 digits from 0 to 9 and a to f (small)",
        )
    return text


def instant(value: float, what: str) -> float:
    """Unix seconds of a year that calendars have. Raises `Wrong`."""
    if not (math.isfinite(value) and -62_135_596_800 <= value < 253_402_300_800):
        raise Wrong(
            f"{what}: {value} is no time", "write Unix seconds (no milliseconds): 1700000000.5"
        )
    return value


def whole(value: int, what: str) -> int:
    """A whole number of 64 bits. Raises `Wrong`."""
    if not -LARGEST - 1 <= value <= LARGEST:
        raise Wrong(f"{what}: {quote(str(value))} is too large", "it may have 64 bits")
    return value


def code(value: int, what: str = "exit_code") -> int:
    """A whole number of 32 bits. Raises `Wrong`."""
    if not -_LARGEST_SMALL - 1 <= value <= _LARGEST_SMALL:
        raise Wrong(f"{what}: {quote(str(value))} is too large", "it may have 32 bits")
    return value


def row_id(value: int, what: str) -> int:
    """The number of a row that may be there. Raises `NotFound`: there is none of that number."""
    if not 0 < value <= LARGEST:
        raise NotFound(f"there is no {what} {quote(str(value))}", f"list the {what}s for their ids")
    return value
