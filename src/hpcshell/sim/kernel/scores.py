"""The orders of the kernel by number. The formulas are those of `policy.formulas`."""

from __future__ import annotations

from math import log2, log10, sqrt
from typing import Final

FIFO, SJF, LJF, SAF, F1, F2, F3, F4, WFP3, UNICEF = range(10)
LAST_STATIC: Final = F4


def score(order: int, wait: float, estimate: float, procs: int, submit: float) -> float:
    if order == SJF:
        return estimate
    if order == LJF:
        return -estimate
    if order == SAF:
        return estimate * procs
    if order == F1:
        return log10(estimate) * procs + 870.0 * log10(max(submit, 0.1))
    if order == F2:
        return sqrt(estimate) * procs + 25600.0 * log10(max(submit, 0.1))
    if order == F3:
        return estimate * procs + 6860000.0 * log10(max(submit, 0.1))
    if order == F4:
        return estimate * sqrt(procs) + 530000.0 * log10(max(submit, 0.1))
    if order == WFP3:
        return -((wait / estimate) ** 3) * procs
    if order == UNICEF:
        return -wait / (log2(procs + 1e-15) * estimate)
    return submit
