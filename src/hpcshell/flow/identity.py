"""What a point is known by: a hash of its parameters, its command and its code."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from msgspec.json import Encoder

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.flow.spec import Params, Spec

CHARACTERS: Final = 16
"""Of an id."""
_ENCODER: Final = Encoder(order="deterministic")
_OTHERS: Final = "use finite numbers, texts, true, false, null, lists and mappings"


def canonical(value: Any) -> bytes:
    """Parameters, or one value, as JSON with its keys in order. What was not made by `reading` is
    checked with `storable` first."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Wrong(f"parameters that JSON cannot say: {quote(str(error))}", _OTHERS) from None


def salt(spec: Spec, code: str) -> bytes:
    """What all points of a study share: the command and how it is told, and the hash of its code
    ("" where it is not copied)."""
    return _ENCODER.encode([list(spec.command), spec.passing, code])


def point_id(params: Params, salt: bytes) -> str:
    """16 hex characters. Raises `Wrong` for what JSON cannot say: NaN, infinity, a date."""
    storable(params)
    return quick_id(params, salt)


def quick_id(params: Params, salt: bytes) -> str:
    """The same id for parameters that are known to be storable, as those of `points` are."""
    return blake2b(salt + canonical(params), digest_size=CHARACTERS // 2).hexdigest()


def storable(value: Any) -> None:
    """Refuses what JSON cannot say."""
    kind = type(value)
    if kind is float:
        if not value - value == 0:
            raise Wrong(f"{value} is no value of a parameter", _OTHERS)
    elif kind is int:
        if not -(1 << 63) <= value < 1 << 64:
            raise Wrong("a whole number of more than 64 bits", "use text")
    elif kind in (list, tuple):
        for item in value:
            storable(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Wrong(f"the key {quote(repr(key))} is no text", _OTHERS)
            storable(item)
    elif value is not None and kind not in (str, bool):
        raise Wrong(f"a {kind.__name__[:40]} is no value of a parameter", _OTHERS)
