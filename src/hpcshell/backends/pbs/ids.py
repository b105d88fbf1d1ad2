"""The ids of PBS: `12.host`, of an array `12[].host`, of an element `12[3].host`."""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

_HOST: Final = r"(?:\.[A-Za-z0-9_.-]{1,255})?"
PATTERN: Final = rf"[0-9]{{1,18}}(?:\[[0-9]{{0,18}}\])?{_HOST}"
PARTS: Final = rf"([0-9]{{1,18}})(?:\[([0-9]{{0,18}})\])?{_HOST}"
"""The same, with groups for the number and the index."""
_SPLIT: Final = re.compile(rf"([0-9]{{1,18}})(?:\[([0-9]{{0,18}})\])?({_HOST})\Z")


def parse_id(native: str) -> tuple[str, int | None]:
    """Number and index: `12[3].host` is ("12", 3); a job and a whole array have no index."""
    number, index, _ = _split(native)
    return number, int(index) if index else None


def element_id(native: str, index: int) -> str:
    number, _, host = _split(native)
    return f"{number}[{index}]{host}"


def is_array(native: str) -> bool:
    """Whether this is a whole array."""
    return _split(native)[1] == ""


def same_id(left: str, right: str) -> bool:
    """PBS adds the server's name to an id that was given without it."""
    return left == right or (
        left.partition(".")[0] == right.partition(".")[0] and not ("." in left and "." in right)
    )


def _split(native: str) -> tuple[str, str | None, str]:
    found = _SPLIT.match(native)
    if found is None:
        raise Wrong(f"{quote(native)} is no id of PBS", "write 12.host, 12[].host or 12[3].host")
    return found[1], found[2], found[3]
