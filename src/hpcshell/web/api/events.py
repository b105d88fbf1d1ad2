"""Routes of events."""

from __future__ import annotations

from typing import Any, Final

handlers: Final[list[Any]] = []
