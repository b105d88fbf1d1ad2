"""How people name jobs: `12`, `12_3`, `7[3-5]`, `7_[3-5,9]`, `12-20`, `@`, `@~2`, or a job's name.

    select("12") -> Ids(first=12, last=12)          select("12-20") -> Ids(first=12, last=20)
    select("7[3-5]") -> Ids(7, 7, indices={3,4,5})  select("@~2_4") -> Last(back=2, indices={4})
    select("prep") -> Named(name="prep")

`local_12` is 12 (a job's address is a cluster and an id). Digits are always an id, never a name.
A name may itself look like `prep_3`; where no job has it, `element_of` tells what else it can mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.words import check_name, quote

LARGEST_ID: Final = 2**63 - 1
CLUSTER: Final = "local_"
"""What an id of this machine may carry in front."""


class Ids(Record, frozen=True, kw_only=True):
    """The jobs `first` to `last`; with `indices`, those elements of the one job."""

    first: int
    last: int
    indices: IndexSet | None = None


class Last(Record, frozen=True, kw_only=True):
    """The caller's last job (`back` 0), or the one `back` before it."""

    back: int = 0
    indices: IndexSet | None = None


class Named(Record, frozen=True, kw_only=True):
    """The jobs of this name."""

    name: str


Selector = Ids | Last | Named

_DIGITS = r"[0-9]{1,30}"
_ONE: Final = rf"\A({_DIGITS})(?P<rest>_{_DIGITS}|_?\[.*\]|_\*)?\Z"
_RANGE: Final = rf"\A({_DIGITS})-({_DIGITS})\Z"
_LAST: Final = rf"\A@(?:~({_DIGITS}))?(?P<rest>_{_DIGITS}|_?\[.*\]|_\*)?\Z"
_ELEMENT: Final = rf"\A(.*[^_])(?P<rest>_{_DIGITS}|_?\[[-0-9,:]+\])\Z"
_THROTTLE: Final = r"%[0-9]+\Z"

_HINT: Final = "write 12, 12_3, 7[3-5], 12-20, @ (the last job), @~2, or a job's name"


def select(text: str) -> Selector:
    """What `text` names. Raises `Wrong` for a malformed id, range or name; looks nothing up."""
    word = text.strip()
    bare = word.removeprefix(CLUSTER)
    if found := re.match(_ONE, bare):
        number = _id(found[1])
        return Ids(first=number, last=number, indices=_indices(found["rest"], text))
    if found := re.match(_RANGE, bare):
        return _range(_id(found[1]), _id(found[2]), text)
    if found := re.match(_LAST, word):
        return Last(back=_id(found[1] or "0"), indices=_indices(found["rest"], text))
    if word.startswith("@"):
        raise Wrong(f"{quote(text)} names no job", _HINT)
    return Named(name=check_name(word, "job"))


def element_of(name: str) -> tuple[str, IndexSet] | None:
    """`sweep_3` and `sweep[3-5]` as a name and elements of it; None for a name alone."""
    found = re.match(_ELEMENT, name)
    indices = None if found is None else _indices(found["rest"], name)
    return None if found is None or indices is None else (found[1], indices)


def select_all(texts: Iterable[str]) -> list[Selector]:
    """Each text, or each of its comma-separated parts: `12,15_3` names two."""
    return [select(part) for text in texts for part in split(text)]


def split(text: str, separator: str = ",") -> list[str]:
    """The parts of a list of ids; a separator inside brackets separates nothing."""
    parts, depth, begin = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == separator and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    parts.append(text[begin:])
    return parts


def format_selector(selector: Selector) -> str:
    """The text that `select` reads back as the same."""
    if isinstance(selector, Named):
        return selector.name
    if isinstance(selector, Last):
        front = f"@~{selector.back}" if selector.back else "@"
    elif selector.first != selector.last:
        return f"{selector.first}-{selector.last}"
    else:
        front = str(selector.first)
    if selector.indices is None:
        return front
    one = len(selector.indices) == 1
    return f"{front}_{selector.indices}" if one else f"{front}[{selector.indices}]"


def _id(digits: str) -> int:
    number = int(digits)
    if number > LARGEST_ID:
        raise Wrong(f"{digits} is too large for a job's id", _HINT)
    return number


def _range(first: int, last: int, text: str) -> Ids:
    if last < first:
        raise Wrong(f"the range {quote(text)} runs backwards", f"write {last}-{first}")
    return Ids(first=first, last=last)


def _indices(rest: str | None, text: str) -> IndexSet | None:
    if rest is None or rest == "_*":
        return None
    inside = rest.lstrip("_").strip("[]")
    if not inside:
        raise Wrong(f"{quote(text)} names no elements", _HINT)
    return IndexSet.parse(re.sub(_THROTTLE, "", inside))
