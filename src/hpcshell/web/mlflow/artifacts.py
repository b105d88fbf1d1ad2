"""Stub."""
from typing import Any, Final
tracking: Final[list[Any]] = []
proxy: Final[list[Any]] = []
