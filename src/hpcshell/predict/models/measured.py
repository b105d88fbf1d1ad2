"""What earlier runs of a family really used, and what that makes of an estimate.

A run tells how far the formula was off for its family, mode and type: what it used at most over
what was predicted for it. Context and batch are in the prediction, so that runs with others count,
too. Of the last 20 runs the ratio is taken that nine of ten do not pass, and a tenth is added: up
to nine runs that is the largest of all, and later one wild run in ten is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import ModelAsk, Record
from hpcshell.predict.models.formula import Estimate

RECENT: Final = 20
"""Runs that count."""
TENTHS: Final = 9
"""Of ten runs, how many the ratio is not passed by."""
MARGIN: Final = 1.1
FEWEST: Final = 3
"""With fewer runs, they can only raise an estimate."""
HIGHEST: Final = 4.0
"""No estimate grows by more: such a run took all of a card because it was there."""


class Measured(Record, frozen=True, kw_only=True):
    """What a run that has ended used of its cards: `peak` and `predicted` are bytes over all of
    its `cards`."""

    family: str
    mode: str
    dtype: str
    ctx: int
    batch: int
    cards: int
    peak: int
    predicted: int


def measured_of(ask: ModelAsk, peak: int) -> Measured:
    """What is to be kept of a run that has ended, of a job that was sized by the formula: `peak`
    bytes were the most that it held, over all of its cards."""
    return Measured(
        family=ask.family,
        mode=ask.mode,
        dtype=ask.dtype,
        ctx=ask.ctx,
        batch=ask.batch,
        cards=ask.cards,
        peak=peak,
        predicted=ask.predicted,
    )


Key = tuple[str, str, str]


def key_of(estimate: Estimate) -> Key:
    """What earlier runs must have in common with it: family, mode and type."""
    return estimate.model.family, estimate.mode, estimate.dtype


def corrected(estimate: Estimate, peaks: Iterable[Measured]) -> Estimate:
    """The estimate by the earlier runs that tell of it, oldest first; itself where none does.

    Never below the weights as they are held and what every card bears.
    """
    ratios = [
        run.peak / run.predicted
        for run in peaks
        if (run.family, run.mode, run.dtype) == key_of(estimate)
        and run.peak > 0
        and run.predicted > 0
    ][-RECENT:]
    if not ratios:
        return estimate
    high = sorted(ratios)[-(-TENTHS * len(ratios) // 10) - 1]
    ratio = min(HIGHEST, high * MARGIN)
    if len(ratios) < FEWEST:
        ratio = max(1.0, ratio)
    floor = estimate.weights + estimate.overhead
    needed = max(floor, round(estimate.computed * ratio))
    return replace(estimate, measured=needed, runs=len(ratios))
