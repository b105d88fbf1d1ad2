"""Numbers of a policy are checked once, when its record is made: NaN would break every order."""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong

MOST: Final = 1e12
"""Larger than any weight, share or quota that means something, and small enough that sums are
exact to a thousandth."""


def check_number(name: str, number: float, *, least: float = 0.0, most: float = MOST) -> None:
    """Raise `Wrong`, naming `name`, unless `number` lies between `least` and `most`; NaN never
    does."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise Wrong(f"{name}: {number!r} is no number", "write a plain number such as 1.5")
    if not least <= number <= most:
        raise Wrong(
            f"{name}: {number:g} is out of range", f"write a number from {least:g} to {most:g}"
        )
