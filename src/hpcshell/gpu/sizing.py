"""How much of the cards a job of the box gets that does not say so itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from hpcshell.core import units
from hpcshell.core.records import WHOLE, Record
from hpcshell.core.settings import Settings


class Sized(Record, frozen=True):
    """GPUs as at the prompt, and why so many."""

    gpus: str
    why: str


def sized(arguments: Sequence[str], said: str, settings: Settings) -> Sized:
    """What was said, else one card; rounded up to the precision that is configured."""
    if said:
        return _rounded(units.gpus(said, "gpus"), "as asked", settings)
    return _rounded(WHOLE, "it names no model", settings)


def _rounded(hundredths: int, why: str, settings: Settings) -> Sized:
    step = max(1, round(settings.box.precision * WHOLE))
    return Sized(units.format_gpus(ceil(hundredths / step) * step), why)
