"""What a refusal must look like, whatever was refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hpcshell.core.errors import Wrong

_RANGES = ((0, 31), (0x7F, 0x9F), (0x2028, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF))
OBEYED = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))
"""Characters that a terminal obeys or cannot be sent."""


def refusal(call: Callable[..., Any], *args: Any, **named: Any) -> Wrong | None:
    """What `call` refuses its arguments with, or None: short, on one line, nothing hidden."""
    try:
        call(*args, **named)
    except Wrong as error:
        found = error
    else:
        return None
    for line in (found.message, found.hint or ""):
        assert not OBEYED & set(line), f"{line!r} holds what a terminal would obey"
        assert len(line) < 200, f"{line!r} is long"
    return found
