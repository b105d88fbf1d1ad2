"""A log through the kernel, and the same log through the view and decisions of the daemon."""

from __future__ import annotations

from math import inf
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from hpcshell.core.records import Job, Request, Resources
from hpcshell.policy.decide import Policy
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.line import Shape
from hpcshell.policy.regime import Fill, Foresight, Rank, Regime, Requested
from hpcshell.predict.foresight import Predicted
from hpcshell.predict.runtimes import PREDICTORS
from hpcshell.predict.shrunk import ShrunkForesight
from hpcshell.sim.kernel import primitives
from hpcshell.sim.kernel.play import play
from hpcshell.sim.kernel.scores import NUMBERS
from hpcshell.sim.kernel.state import (
    ALL,
    CLAIRVOYANT,
    LAST_TWO,
    NONE,
    REQUEST,
    SHRUNK,
    Rules,
    Work,
    prepared,
)
from hpcshell.sim.replay import NOTHING, Replay
from hpcshell.sim.replaying import Clairvoyant

SIZES = ["sjf", "ljf", "saf", "laf"]
"""The orders that look at nothing but what is asked for."""
PROMISES = {"none": NONE, "greedy": 0, "easy": 1, "hybrid 2": 2, "hybrid 3": 3, "all": ALL}
ONE_LINE = ["none", "greedy", "easy"]
"""What the kernel does in any order; more promises it gives as submitted only."""
PREDICT = {
    "request": REQUEST,
    "clairvoyant": CLAIRVOYANT,
    "last2": LAST_TWO,
    "shrunk": SHRUNK,
}


class Row(NamedTuple):
    """One job of a log. `run` is at most `request`."""

    submit: float
    run: float
    procs: int
    request: float
    user: int = 0


class Log(NamedTuple):
    """A machine of so many processors and what comes to it, sorted by submit time."""

    total: int
    rows: list[Row]

    def work(self) -> Work:
        submit, run, procs, request, user = (list(each) for each in zip(*self.rows, strict=True))
        alike = numbered(list(zip(user, request, strict=True)))
        same = numbered(list(zip(user, request, procs, strict=True)))
        users, alikes, sames = max(user) + 1, max(alike) + 1, max(same) + 1
        return Work(submit, run, procs, request, user, users, alike, alikes, same, sames)

    def jobs(self) -> list[Job]:
        return [
            plain_job(number, row.submit, row.procs, row.request, str(row.user))
            for number, row in enumerate(self.rows, 1)
        ]


def plain_job(number: int, submit: float, cpus: int, limit: float, user: str) -> Job:
    """A job of a log, as the view takes it."""
    return Job(
        id=number,
        name=str(number - 1),
        user=user,
        uid=0,
        submit_time=submit,
        request=Request(cpus=cpus, time_limit=limit),
        launch=NOTHING,
    )


def numbered(keys: list[tuple[float, ...]]) -> list[int]:
    """Equal keys get equal numbers, from 0."""
    known: dict[tuple[float, ...], int] = {}
    return [known.setdefault(key, len(known)) for key in keys]


class Way(NamedTuple):
    """A policy in words."""

    promises: str = "easy"
    order: str = "fifo"
    fill: str = "fifo"
    predict: str = "request"

    def rules(self, total: int) -> Rules:
        orders = NUMBERS[self.order], NUMBERS[self.fill]
        return Rules(total, PROMISES[self.promises], *orders, PREDICT[self.predict], False)

    def policy(self) -> Policy:
        number = PROMISES[self.promises]
        kept = None if number == ALL else max(number, 0)
        return Policy(promises=kept, backfill=number != NONE, depth=1 << 40)

    def regime(self, log: Log) -> Regime:
        order = ORDERS[self.order]
        fill = None if self.fill == self.order else fill_of(self.fill)
        return Regime(
            rank_of(self.order), timely=order.ages, fill=fill, foresight=self.foresight(log)
        )

    def foresight(self, log: Log) -> Foresight:
        if self.predict == "request":
            return Requested()
        if self.predict == "clairvoyant":
            return Clairvoyant([row.run for row in log.rows])
        if self.predict == "shrunk":
            return ShrunkForesight()
        return Predicted(PREDICTORS[self.predict].make())


def rank_of(name: str) -> Rank:
    score = ORDERS[name].score

    def rank(job: Job, length: float | None, now: float) -> float:
        run = inf if length is None else length
        return score(run, job.request.cpus, job.submit_time, now - job.submit_time)

    return rank


def fill_of(name: str) -> Fill:
    """Only for those of `SIZES`."""
    score = ORDERS[name].score
    return lambda shape: score(_length(shape), shape.request.cpus, 0.0, 0.0)


def _length(shape: Shape) -> float:
    return inf if shape.length is None else shape.length


def by_kernel(log: Log, way: Way) -> list[float]:
    """When each job starts."""
    case = prepared(log.work(), way.rules(log.total), primitives)
    play(case, 0, inf)
    return list(case.found.start)


def by_decisions(log: Log, way: Way) -> list[float]:
    """When each job starts."""
    runs = [row.run for row in log.rows]
    total = Resources(cpus=log.total)
    return Replay(log.jobs(), runs, total, way.policy(), way.regime(log)).play()


@st.composite
def logs(draw: st.DrawFn, most: int = 14, longest: int = 12) -> Log:
    """Small ones, full of ties: at one instant several come and end."""
    total = draw(st.integers(1, 6))
    rows: list[Row] = []
    at = 0.0
    for _ in range(draw(st.integers(1, most))):
        at += draw(st.sampled_from((0, 0, 0, 1, 1, 2, 5)))
        request = draw(st.integers(1, longest))
        run = request if draw(st.booleans()) else draw(st.integers(1, request))
        procs = total if draw(st.integers(0, 4)) == 0 else draw(st.integers(1, total))
        rows.append(Row(at, float(run), procs, float(request), draw(st.integers(0, 2))))
    return Log(total, rows)


def long_log(random: Random) -> Log:
    """Queues longer than those that are drawn one by one."""
    total, longest = random.randint(1, 10), random.choice((5, 12, 300, 900))
    rows: list[Row] = []
    at = 0.0
    for _ in range(random.randint(20, 60)):
        at += random.choice((0, 0, 0, 1, 2, longest // 3, longest // 2))
        request = random.randint(1, longest)
        run = request if random.random() < 0.3 else random.randint(1, request)
        procs = total if random.random() < 0.15 else random.randint(1, total)
        rows.append(Row(at, float(run), procs, float(request), random.randint(0, 2)))
    return Log(total, rows)


@st.composite
def ways(draw: st.DrawFn) -> Way:
    """All that the kernel can do."""
    if draw(st.booleans()):
        predict = draw(st.sampled_from(["request", "clairvoyant"]))
        return Way(draw(st.sampled_from(["hybrid 2", "hybrid 3", "all"])), predict=predict)
    order = draw(st.sampled_from(list(ORDERS)))
    fill = draw(st.sampled_from([order, *SIZES]))
    return Way(draw(st.sampled_from(ONE_LINE)), order, fill, draw(st.sampled_from(list(PREDICT))))
