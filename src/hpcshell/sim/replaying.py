"""A workload and a policy as a replay takes them: jobs, ranks, what is expected of runs, nodes."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import numpy as np
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Job, Request, Resources
from hpcshell.core.settings import Settings
from hpcshell.policy import decide
from hpcshell.policy.choice import bounds_of, choice
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.formulas import ORDERS, Order
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.regime import Foresight, Rank, Regime, Requested
from hpcshell.predict import runtimes
from hpcshell.predict.foresight import Predicted
from hpcshell.predict.shrunk import ShrunkForesight
from hpcshell.sim.faults import Fault
from hpcshell.sim.kernel.state import ALL, NONE
from hpcshell.sim.machines import Layout
from hpcshell.sim.policies import Policy
from hpcshell.sim.replay import NOTHING, Replay
from hpcshell.trace.clean import Workload
from hpcshell.trace.oddities import Tally
from hpcshell.trace.part import rows

GAP: Final = 1 << 20
"""Between the numbers of two jobs there is room for so many that are submitted again."""
UNBOUNDED: Final = 1 << 40


def replay_of(
    workload: Workload, policy: Policy, faults: Sequence[Fault] = (), layout: Layout | None = None
) -> Replay:
    """The replay of a workload, which must fit the machine (see `fitting`)."""
    machine = Resources(cpus=workload.machine) if layout is None else cluster_of(layout)
    if policy.settings is not None:
        rules, regime = configured_rules(policy, policy.settings, workload)
        return Replay(
            jobs_of(workload, layout),
            workload.run.tolist(),
            machine,
            rules,
            regime,
            stepwise=policy.variant == "sc15",
            faults=faults,
        )
    order, fill = ORDERS[policy.order], ORDERS[policy.fill or policy.order]
    return Replay(
        jobs_of(workload, layout),
        workload.run.tolist(),
        machine,
        rules_of(policy),
        Regime(
            rank=rank_of(order),
            timely=order.ages,
            passes=None if fill is order else rank_of(fill),
            foresight=foresight_of(policy.predict, workload),
        ),
        stepwise=policy.variant == "sc15",
        repass=fill is not order and fill.ages,
        faults=faults,
    )


def configured_rules(
    policy: Policy, settings: Settings, workload: Workload
) -> tuple[decide.Policy, Regime]:
    """What a configuration makes of decisions about a log. Raises `Wrong` for what a replay does
    not do: runs that make room."""
    rules, regime = choice(
        settings,
        Resources(cpus=workload.machine),
        foresight=foresight_of(settings.scheduler.predict, workload),
    )
    if regime.preempting:
        raise Wrong(
            f"{policy.name}: preemption and time slices are not simulated",
            "leave preempts, preempt_gap, tier and time_sliced out of the file",
        )
    return rules, regime


def allowed(workload: Workload, policy: Policy) -> Workload:
    """Less the jobs that the limits of a configuration never let start, which are counted."""
    bounds = None if policy.settings is None else bounds_of(policy.settings)
    if bounds is None:
        return workload
    never = [
        bounds.throttle.never(bounds.claimant(job, job.request)) is not None
        for job in jobs_of(workload, None)
    ]
    over = np.flatnonzero(np.array(never, np.bool_))
    if not len(over):
        return workload
    tally = Tally(dict(workload.oddities), dict(workload.examples))
    tally.add("over_limits", (f"job {job}" for job in workload.id[over].tolist()), len(over))
    kept = rows(workload, np.flatnonzero(~np.array(never, np.bool_)))
    return replace(kept, oddities=tally.counts, examples=tally.examples)


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


def foresight_of(predictor: str, workload: Workload) -> Foresight:
    """A new one of that name."""
    if predictor == "request":
        return Requested()
    if predictor == "clairvoyant":
        return Clairvoyant(workload.run.tolist())
    if predictor == "shrunk":
        return ShrunkForesight()
    return Predicted(runtimes.PREDICTORS[predictor].make())


def jobs_of(workload: Workload, layout: Layout | None) -> list[Job]:
    """The jobs, named by their rows. On nodes, processors and memory go where there is room; the
    memory counts where every node says how much it has."""
    nodes = 1 if layout is None else 0
    counted = layout is not None and all(node.memory for node in layout.nodes)
    columns = zip(
        *(getattr(workload, name).tolist() for name in ("submit", "procs", "memory", "request")),
        workload.user.tolist(),
        strict=True,
    )
    return [
        Job(
            id=(row + 1) * GAP,
            name=str(row),
            user=str(user),
            uid=0,
            submit_time=submit,
            request=Request(
                cpus=procs,
                memory=int(memory) if counted else 0,
                time_limit=request,
                nodes=nodes,
            ),
            launch=NOTHING,
        )
        for row, (submit, procs, memory, request, user) in enumerate(columns)
    ]


def cluster_of(layout: Layout) -> Cluster:
    """The nodes as the decider knows them."""
    return Cluster(layout.nodes, WAYS[layout.way])


def fitting(workload: Workload, layout: Layout) -> Workload:
    """The jobs that fit the nodes when nobody is on them; the others are counted as left out.
    Raises `Wrong`: none does."""
    room = cluster_of(layout)
    requests = [job.request for job in jobs_of(workload, layout)]
    known: dict[tuple[int, int], bool] = {}
    for one in requests:
        if (one.cpus, one.memory) not in known:
            known[one.cpus, one.memory] = room.part(one) is not None
    fits = np.array([known[one.cpus, one.memory] for one in requests], np.bool_)
    if fits.all():
        return workload
    if not fits.any():
        raise Wrong(
            f"{workload.name}: no job fits the nodes", "give nodes with more cpus or more memory"
        )
    tally, over = Tally(workload.oddities, workload.examples), np.flatnonzero(~fits)
    tally.add("over_nodes", (f"job {job}" for job in workload.id[over].tolist()), len(over))
    kept = rows(workload, np.flatnonzero(fits))
    return replace(kept, oddities=tally.counts, examples=tally.examples)
