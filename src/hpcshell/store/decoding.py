"""Records read from documents, by several threads at once.

msgspec completes what it knows of a record class when the class is first read from, and gives the
half of it to a thread that comes in between, which then ends the process. So who reads a class for
the first time does it alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_ALONE: Final = threading.Lock()
_made: Final[dict[Any, Callable[[bytes | str], Any]]] = {}


def decoder(kind: type[T]) -> Callable[[bytes | str], T]:
    """Reads JSON documents of `kind`; made when first asked for, as that takes longer than to read
    many. What it gives raises `msgspec.MsgspecError` for a document of another form."""
    found = _made.get(kind)
    if found is None:
        with _ALONE:
            found = _made[kind] = msgspec.json.Decoder(kind).decode
    return found


def converted(document: Any, kind: type[T], *, str_keys: bool = False) -> T:
    """`document`, which stands in plain lists and dictionaries, as a `kind`.

    Raises `msgspec.ValidationError` where it has another form.
    """
    decoder(kind)
    return msgspec.convert(document, kind, str_keys=str_keys)
