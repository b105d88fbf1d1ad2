"""A workload and a policy as a replay takes them: jobs, ranks, what is expected of runs, nodes."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Job, Request, Resources
from hpcshell.core.settings import Settings
from hpcshell.policy import decide
from hpcshell.policy.admit import admit
from hpcshell.policy.choice import bounds_of, choice
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.formulas import ORDERS, Order
from hpcshell.policy.gang import fit_together
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.regime import Foresight, Rank, Regime, Requested
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.room import Room
from hpcshell.predict.named import foresight_named
from hpcshell.sim.faults import Fault
from hpcshell.sim.kernel.state import ALL, NONE
from hpcshell.sim.logged import has_gangs, jobs_of
from hpcshell.sim.machines import Layout
from hpcshell.sim.policies import Policy
from hpcshell.sim.replay import Manner, Replay
from hpcshell.trace.clean import Workload
from hpcshell.trace.part import noted, rows
from hpcshell.trace.record import Bools

UNBOUNDED: Final = 1 << 40


def replay_of(
    workload: Workload,
    policy: Policy,
    faults: Sequence[Fault] = (),
    layout: Layout | None = None,
    reservations: Sequence[Reservation] = (),
) -> Replay:
    """The replay of a workload, which must fit the machine (see `fitting`)."""
    runs: list[float] = workload.run.tolist()
    rules, regime = ruled(workload, policy, runs)
    return Replay(
        jobs_of(workload, layout, policy.settings),
        runs,
        Resources(cpus=workload.machine) if layout is None else cluster_of(layout),
        rules,
        regime,
        manner=Manner(
            stepwise=policy.variant == "sc15",
            repass=regime.passes is not None and ORDERS[policy.fill].ages,
            saves=workload.saves,
        ),
        faults=faults,
        reservations=reservations,
    )


def ruled(workload: Workload, policy: Policy, runs: list[float]) -> tuple[decide.Policy, Regime]:
    """How a policy decides, and who goes first; `runs`: what is left of each job to run."""
    if policy.settings is not None:
        return choice(
            policy.settings,
            Resources(cpus=workload.machine),
            foresight=foresight_of(policy.predict, runs),
        )
    order, fill = ORDERS[policy.order], ORDERS[policy.fill or policy.order]
    return rules_of(policy), Regime(
        rank=rank_of(order),
        timely=order.ages,
        passes=None if fill is order else rank_of(fill),
        foresight=foresight_of(policy.predict, runs),
    )


def allowed(workload: Workload, policy: Policy) -> Workload:
    """Less the jobs that a configuration refuses, or that its limits never let start, which are
    counted."""
    settings = policy.settings
    if settings is None:
        return workload
    bounds, total = bounds_of(settings), Resources(cpus=workload.machine)
    known: dict[tuple[int, float | None, str], bool] = {}

    def refused(job: Job) -> bool:
        what = (job.request.cpus, job.request.time_limit, job.partition)
        if what not in known:
            known[what] = _refused(settings, total, job.request, job.partition)
        if known[what] or bounds is None:
            return known[what]
        return bounds.throttle.never(bounds.claimant(job, job.request)) is not None

    never = [refused(job) for job in jobs_of(workload, None, settings)]
    return without(workload, np.array(never, np.bool_), "over_limits")


def _refused(settings: Settings, total: Resources, request: Request, partition: str) -> bool:
    try:
        admit(request, total, settings, partition)
    except Wrong:
        return True
    return False


def without(workload: Workload, gone: Bools, word: str) -> Workload:
    """Less these jobs, which are counted as that oddity."""
    if not gone.any():
        return workload
    return rows(noted(workload, gone, word), np.flatnonzero(~gone))


def rules_of(policy: Policy) -> decide.Policy:
    """How the daemon's decider is to decide."""
    return decide.Policy(
        promises=None if policy.promises == ALL else max(policy.promises, 0),
        backfill=policy.promises != NONE,
        depth=UNBOUNDED,
    )


def rank_of(order: Order) -> Rank:
    """The score of an order, of jobs as they come."""

    def rank(job: Job, length: float | None, now: float) -> float:
        run = inf if length is None else length
        return order.score(run, job.request.cpus, job.submit_time, now - job.submit_time)

    return rank


class Clairvoyant:
    """Knows how long each job will run: `runs` by the jobs' names, which are their rows."""

    def __init__(self, runs: list[float]) -> None:
        self._runs = runs

    def typical(self, job: Job, request: Request) -> float | None:
        """As `length`."""
        return self.length(job, request)

    def length(self, job: Job, request: Request) -> float | None:
        """The seconds it will run."""
        return self._runs[int(job.name)]

    def longer(self, first: float, lasted: float, times: int, limit: float | None) -> float | None:
        """It never does."""
        return limit

    def ended(self, job: Job, request: Request, run: float) -> None:
        """Nothing is to be learnt."""


def foresight_of(predictor: str, runs: list[float]) -> Foresight:
    """A new one of that name; `runs`: what is left of each job to run."""
    if predictor == "clairvoyant":
        return Clairvoyant(runs)
    return foresight_named(predictor) or Requested()


def cluster_of(layout: Layout) -> Cluster:
    """The nodes as the decider knows them."""
    return Cluster(layout.nodes, WAYS[layout.way])


def fitting(workload: Workload, layout: Layout | None) -> Workload:
    """The jobs that fit the machine, or its nodes, when nobody is on them; those of a gang
    together. The others are counted as left out. Raises `Wrong`: none does."""
    room = Room(Resources(cpus=workload.machine)) if layout is None else cluster_of(layout)
    if layout is not None:
        workload = _fitting_nodes(workload, layout, room)
    return _whole_gangs(workload, layout, room)


def _fitting_nodes(workload: Workload, layout: Layout, room: Room) -> Workload:
    requests = [job.request for job in jobs_of(workload, layout, None)]
    known: dict[tuple[int, int], bool] = {}
    for one in requests:
        if (one.cpus, one.memory) not in known:
            known[one.cpus, one.memory] = room.part(one) is not None
    fits = np.array([known[one.cpus, one.memory] for one in requests], np.bool_)
    if not fits.any():
        raise Wrong(
            f"{workload.name}: no job fits the nodes", "give nodes with more cpus or more memory"
        )
    return without(workload, ~fits, "over_nodes")


def _whole_gangs(workload: Workload, layout: Layout | None, room: Room) -> Workload:
    if not has_gangs(workload):
        return workload
    members: dict[str, list[int]] = {}
    jobs = jobs_of(workload, layout, None)
    for row, job in enumerate(jobs):
        if job.gang is not None:
            members.setdefault(job.gang.name, []).append(row)
    gone = np.zeros(len(jobs), np.bool_)
    for mine in members.values():
        gone[mine] = not fit_together([jobs[row].request for row in mine], room)
    if gone.all():
        raise Wrong(
            f"{workload.name}: no gang fits the machine", "a gang starts together or not at all"
        )
    return without(workload, gone, "over_gang")
