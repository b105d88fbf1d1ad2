"""The orders of `policy.formulas` by number: what is compiled cannot be told a name."""

from __future__ import annotations

from typing import Final

from hpcshell.policy.formulas import (
    ORDERS,
    expansion,
    f1,
    f2,
    f3,
    f4,
    laf,
    lexp,
    ljf,
    saf,
    sexp,
    sjf,
    unicef,
    wfp3,
)

FIFO, SJF, LJF, SAF, LAF, F1, F2, F3, F4, WFP3, UNICEF, LEXP, SEXP, EXPANSION = range(14)
LAST_STATIC: Final = F4
"""Those with higher numbers change while jobs wait."""
NUMBERS: Final = {name: number for number, name in enumerate(ORDERS)}


def score(order: int, wait: float, run: float, procs: int, submit: float) -> float:
    """What the job is put in order by; the smaller goes first."""
    if order <= SAF:
        return plain_score(order, run, procs, submit)
    if order <= F4:
        return fitted_score(order, run, procs, submit)
    if order == WFP3:
        return wfp3(run, procs, submit, wait)
    if order == UNICEF:
        return unicef(run, procs, submit, wait)
    if order == LEXP:
        return lexp(run, procs, submit, wait)
    if order == EXPANSION:
        return expansion(run, procs, submit, wait)
    return sexp(run, procs, submit, wait)


def plain_score(order: int, run: float, procs: int, submit: float) -> float:
    if order == SJF:
        return sjf(run, procs, submit, 0.0)
    if order == LJF:
        return ljf(run, procs, submit, 0.0)
    if order == SAF:
        return saf(run, procs, submit, 0.0)
    return submit


def fitted_score(order: int, run: float, procs: int, submit: float) -> float:
    if order == LAF:
        return laf(run, procs, submit, 0.0)
    if order == F1:
        return f1(run, procs, submit, 0.0)
    if order == F2:
        return f2(run, procs, submit, 0.0)
    if order == F3:
        return f3(run, procs, submit, 0.0)
    return f4(run, procs, submit, 0.0)
