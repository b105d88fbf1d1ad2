"""The lines of a spool file: one JSON object each, as `track/points/ingest.py` reads them.

metrics_line(t, 3, {"loss": 0.5})   b'{"k":"m","t":...,"s":3,"v":{"loss":0.5}}\\n'
line("h", t=5.0)                    b'{"k":"h","t":5.0}\\n'
plain(object)                       the same as JSON can say it, never failing
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.words import safe
from hpcshell.track.client import say
from hpcshell.track.store import texts

LONGEST_TEXT: Final = 8000
"""Characters of a text within a configuration; what is longer is cut."""
DEEPEST: Final = 20
MOST: Final = 10_000
"""Entries of one mapping or list."""
_INT64: Final = range(-(1 << 63), 1 << 63)

encode: Final = msgspec.json.Encoder().encode


def line(kind: str, /, **fields: Any) -> bytes:
    """A line. The fields are what JSON can say."""
    return encode({"k": kind, **fields}) + b"\n"


def metrics_line(time: float, step: int, values: Mapping[str, float | str]) -> bytes:
    return encode({"k": "m", "t": time, "s": step, "v": values}) + b"\n"


def is_key(key: object) -> bool:
    """Whether a metric, parameter or tag may be called so: printable, 1 to 250 bytes."""
    try:
        return isinstance(key, str) and bool(texts.key(key, "name"))
    except Wrong:
        return False


def number(value: Any) -> float | str:
    """A value of a metric: a float, or the word of one that JSON has no number for.

    Whatever `float()` takes is a number (of numpy, torch, fractions), but text is not. Raises what
    `float()` does.
    """
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError("text is no number")
    found = float(value)
    return found if found - found == 0.0 else word(found)


def word(value: float) -> str:
    """NaN and the infinities."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def step_of(step: Any) -> int | None:
    """A step as the store can keep it; None: it cannot."""
    try:
        found = int(step)
    except Exception:  # whatever a type of the user's raises; whoever asks says so
        return None
    return found if found in _INT64 else None


def plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's words: mappings, lists, text, numbers. What has no such word is text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value in _INT64 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else word(value)
    if isinstance(value, str):
        return _text(value)
    if depth >= DEEPEST:
        return "…"
    try:
        return _other(value, depth)
    except Exception as error:  # of a type of the user's, which may fail in any way
        name = type(value).__name__
        say.once(f"value of {name}", f"a {name} is recorded as no more than that: {error!r:.300}")
        return f"<{name}>"


def named(value: Any) -> dict[str, Any]:
    """A configuration: a mapping, or an object with attributes (argparse, dataclasses)."""
    try:
        fields = value if isinstance(value, Mapping) else dict(vars(value))
    except Exception:  # it has no attributes, or does not tell them: it is recorded as it prints
        return {"config": plain(value)}
    found = plain(fields)
    return found if isinstance(found, dict) else {"config": found}


def text_of(value: Any) -> str:
    """A parameter, a tag or a note, as text; what is too long is cut."""
    if isinstance(value, str):
        return _text(value, texts.LONGEST_VALUE)
    found = plain(value)
    return (found if isinstance(found, str) else encode(found).decode())[: texts.LONGEST_VALUE]


def _mapping(items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
    return {_text(str(key)): plain(each, depth + 1) for key, each in list(items)[:MOST]}


def _text(text: str, longest: int = LONGEST_TEXT) -> str:
    cut = text[:longest]
    try:
        cut.encode()
    except UnicodeEncodeError:
        cut = safe(cut)[:longest]
    return cut.replace("\0", "\\x00")[:longest]


def _other(value: Any, depth: int) -> Any:
    """Mappings and lists, numbers of numpy and torch, dataclasses, and whatever else there is.
    Raises what they do."""
    if isinstance(value, Mapping):
        return _mapping(value.items(), depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each, depth + 1) for each in list(value)[:MOST]]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return plain(value.item(), depth + 1)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return _mapping(vars(value).items(), depth)
    return _text(str(value))
