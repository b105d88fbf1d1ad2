"""What a run was configured with: nested as it was given, and flat as parameters.

flat({"opt": {"lr": 0.1}, "layers": [1, 2]})  ->  {"opt.lr": "0.1", "layers": "[1,2]"}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.track.records import number
from hpcshell.track.store import texts

DEEPEST: Final = 50
LONGEST: Final = 1 << 20
"""Bytes of a configuration as JSON."""


def plain(value: Any, depth: int = 0) -> Any:
    """The same as JSON can say it: NaN and what has more than 64 bits become text. Raises
    `Wrong`."""
    if depth > DEEPEST:
        raise Wrong(f"the configuration is nested more than {DEEPEST} deep", "make it flatter")
    if isinstance(value, Mapping):
        return {
            texts.kept(str(key), "config"): plain(each, depth + 1) for key, each in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each, depth + 1) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -texts.LARGEST <= value <= texts.LARGEST else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else number(value)
    return texts.kept(str(value), "config")


def encoded(config: Mapping[str, Any]) -> str:
    """The JSON of what `plain` gave. Raises `Wrong` where it is too long."""
    said = msgspec.json.encode(config)
    if len(said) > LONGEST:
        raise Wrong(
            f"the configuration has {len(said):,} bytes", f"the limit is {LONGEST:,}; upload a file"
        )
    return said.decode()


def flat(config: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that what `plain` gave means, lists as JSON. Raises `Wrong`."""
    return texts.pairs(dict(_leaves(config, "")), "param")


def value_of(text: str) -> float | None:
    """The number that a parameter is, by which it is compared and sorted."""
    if len(text) > 50 or "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _leaves(config: Mapping[str, Any], front: str) -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{front}{key}.")
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            yield f"{front}{key}", text
