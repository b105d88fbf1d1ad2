"""Ways to decide for tests: policies, orders, expectations."""

from __future__ import annotations

from math import ceil, inf
from typing import Final

from hypothesis import strategies as st

from hpcshell.core.records import Job, Request
from hpcshell.policy.decide import Policy
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.line import Shape
from hpcshell.policy.regime import Fill, Foresight, Rank, Regime, Requested
from hpcshell.predict.foresight import Predicted
from hpcshell.predict.runtimes import PREDICTORS
from hpcshell.predict.shrunk import ShrunkForesight

ENDLESS: Final = 1e9
"""Seconds: the length of what has no limit, for formulas."""

policies = st.builds(
    Policy,
    promises=st.sampled_from((0, 1, 2, None)),
    backfill=st.sampled_from((True, True, True, False)),
    max_backfill_jobs=st.sampled_from((None, None, 0, 2)),
    window=st.sampled_from((None, None, 4.0)),
    resolution=st.sampled_from((0.0, 0.0, 4.0)),
)


def rank_of(name: str) -> Rank:
    score = ORDERS[name].score

    def rank(job: Job, length: float | None, now: float) -> float:
        run = ENDLESS if length is None else length
        return score(run, job.request.cpus, job.submit_time, now - job.submit_time)

    return rank


def shortest(shape: Shape) -> float:
    return inf if shape.length is None else shape.length


def widest(shape: Shape) -> float:
    return -shape.request.cpus


FILLS: tuple[Fill | None, ...] = (None, None, shortest, widest)


class Halved:
    """Expects half of what is asked for, then twice what has passed."""

    def typical(self, job: Job, request: Request) -> float | None:
        return self.length(job, request)

    def length(self, job: Job, request: Request) -> float | None:
        limit = request.time_limit
        return limit if limit is None else float(max(1, ceil(limit / 2)))

    def longer(self, first: float, lasted: float, times: int, limit: float | None) -> float | None:
        return limit if limit is None else min(limit, 2 * lasted)

    def ended(self, job: Job, request: Request, run: float) -> None:
        pass


def foresight(name: str) -> Foresight:
    """A new one of that name."""
    if name == "halved":
        return Halved()
    if name == "shrunk":
        return ShrunkForesight()
    return Requested() if name == "request" else Predicted(PREDICTORS[name].make())


FORESIGHTS = ("request", "halved", "last2", "shrunk")


@st.composite
def regimes(draw: st.DrawFn, *, exact: bool = False, aging: bool = True) -> Regime:
    """`exact`: every run is expected to take as long as it may."""
    names = [name for name, order in ORDERS.items() if aging or not order.ages]
    order = draw(st.sampled_from(["", *names]))
    made = Regime(fill=draw(st.sampled_from(FILLS)))
    if order:
        made = made._replace(rank=rank_of(order), timely=ORDERS[order].ages)
    name = "request" if exact else draw(st.sampled_from(FORESIGHTS))
    return made._replace(foresight=foresight(name))
