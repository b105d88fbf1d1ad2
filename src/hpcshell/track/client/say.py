"""What is said to whoever watches a training: little, and each thing once."""

from __future__ import annotations

import contextlib
import logging
from typing import Final

from hpcshell.core.words import safe

_log: Final = logging.getLogger("hpcshell.track")
_MOST: Final = 100
"""Warnings of one process: a script that is wrong in a new way each step is not echoed for ever."""

_said: set[str] = set()


def once(key: str, text: str) -> None:
    """Warn, unless `key` has been warned of in this process."""
    if key in _said or len(_said) >= _MOST:
        return
    _said.add(key)
    with contextlib.suppress(Exception):  # a handler of the user's may fail; training goes on
        _log.warning("%s", safe(text))


def shown(value: object) -> str:
    """A value of the user's in a few characters; its type, where it cannot be printed."""
    try:
        return f"{value!r:.100}"
    except Exception:  # of a type of the user's
        return f"<{type(value).__name__}>"
