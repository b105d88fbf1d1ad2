"""Runs a workload under a policy, by the compiled kernel or by plain Python, with one result; and
what the kernel does not know through the decisions of the daemon itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from math import inf
from time import monotonic, process_time
from typing import Final, Literal

import numpy as np
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.policy.reserve import Reservation
from hpcshell.sim.apart import Use
from hpcshell.sim.cases import case_of
from hpcshell.sim.faults import NO_ROW, Fault, Outages
from hpcshell.sim.kernel import arrays
from hpcshell.sim.kernel.play import play
from hpcshell.sim.kernel.state import BEGUN, Case, Rules, Work, plans, prepared
from hpcshell.sim.logged import has_gangs
from hpcshell.sim.machines import Layout
from hpcshell.sim.policies import Policy, unplayable
from hpcshell.sim.replay import Replay, Toll
from hpcshell.sim.replaying import allowed, replay_of
from hpcshell.trace.clean import Workload
from hpcshell.trace.measures import Measures, Pieces, Schedule, measure
from hpcshell.trace.part import noted
from hpcshell.trace.record import Bools, Floats, Ints

Engine = Literal["auto", "compiled", "python"]
Play = Callable[[Case, int, float], int]
Progress = Callable[[int], None]
"""Told now and then how many jobs have been started."""

WORTH_COMPILING: Final = 5_000
"""Jobs from which on `auto` takes the compiled kernel: numba takes its time to load, and the first
time to compile."""
PLANNING: Final = 20
"""A job under a policy that promises many a start takes as long as so many others."""
REPLAYING: Final = 100
"""And so does a job that is replayed."""
SLICE: Final = 4096
"""A workload is run in slices, the first of about so many jobs: between them progress is shown and
Ctrl-C is heard."""
QUICK: Final = 0.1
SLOW: Final = 0.4
"""Seconds: after a slice that took less, the next is twice as large; after one that took more, a
quarter."""


class Simulation(Record, frozen=True, kw_only=True, eq=False):
    """What became of a workload under a policy; columns by the workload's rows.

    `start` is NaN where a job was not started: the run was `cut_short`, or the job was lost in a
    fault. `estimate` is the run time that was expected when the job came. `backfilled`: it passed
    one that stood before it in line. `cpu_seconds` counts the simulation alone, not the reading.
    `killed` and `lost` count what faults did, `toll` what preemption did; `pieces` are what jobs
    held, where they may stand still or run again. `layout`: the nodes, where jobs were placed on
    them. `uses`: what became of the reservations that were for somebody.
    """

    policy: Policy
    workload: Workload
    start: Floats
    estimate: Floats
    backfilled: Bools
    measures: Measures
    cpu_seconds: float
    engine: str
    layout: Layout | None = None
    cut_short: bool = False
    killed: int = 0
    lost: int = 0
    toll: Toll = Toll()
    pieces: Pieces | None = None
    uses: tuple[Use, ...] = ()

    @property
    def started(self) -> Bools:
        """Which jobs were started."""
        return ~np.isnan(self.start)

    @property
    def schedule(self) -> Schedule:
        """Of the jobs that were started."""
        return _schedule(self.workload, self.start, self.pieces)

    @property
    def end(self) -> Floats:
        """When each job ended, by the workload's rows; NaN where it was not started."""
        end = np.full(len(self.workload), np.nan)
        end[self.started] = self.schedule.end
        return end

    @property
    def backfilled_share(self) -> float:
        """Of the jobs that were started, the share that passed another."""
        started = self.started
        return float(self.backfilled[started].mean()) if started.any() else 0.0

    @property
    def per_second(self) -> float:
        """How many jobs were simulated in a second of CPU time."""
        return self.measures.jobs / self.cpu_seconds if self.cpu_seconds else 0.0


def simulate(
    workload: Workload,
    policy: Policy,
    engine: Engine = "auto",
    *,
    faults: tuple[Fault, ...] = (),
    layout: Layout | None = None,
    reservations: tuple[Reservation, ...] = (),
    progress: Progress | None = None,
) -> Simulation:
    """Run the workload on its machine. The result is the same whichever engine runs it; faults are
    always run by plain Python, and what the kernel does not know is replayed. With a `layout` jobs
    are placed on its nodes; one that fits none of them does not start, and nor does a gang (see
    `replaying.fitting`).

    Ctrl-C cuts it short: what was simulated until then is returned, and no exception raised. Raises
    `Wrong`: a job larger than the machine, no numba to compile, a fault of a node that there is
    not.
    """
    check(workload, faults, layout)
    if beyond_kernel(workload, policy, faults, layout, reservations):
        return replayed(
            workload,
            policy,
            faults=faults,
            layout=layout,
            reservations=reservations,
            progress=progress,
        )
    rules = policy.rules(workload.machine)
    chosen = "python" if faults else engine_for(effort(workload, policy, faults), engine)
    play_on = _compiled() if chosen == "compiled" else play
    began = process_time()
    running = _Running(workload, rules, chosen, faults)
    cut_short = running.cut_short(play_on, progress or _unheard)
    seconds = process_time() - began
    found = running.case.found
    start = running.by_row(found.start)
    return Simulation(
        policy=policy,
        workload=workload,
        start=start,
        estimate=running.by_row(found.estimate),
        backfilled=running.by_row(found.backfilled) == 1,
        measures=measure(_schedule(workload, start)),
        cpu_seconds=seconds,
        engine=chosen,
        cut_short=cut_short,
        killed=running.outages.killed,
        lost=running.outages.lost,
    )


def check(workload: Workload, faults: tuple[Fault, ...], layout: Layout | None) -> None:
    """Raise `Wrong` for jobs larger than the machine, and faults of nodes that there are not."""
    if len(workload) and int(workload.procs.max()) > workload.machine:
        raise Wrong(
            f"{workload.name}: has jobs larger than its machine of {workload.machine:,} processors",
            "clean the trace for that machine",
        )
    names = [] if layout is None else [node.name for node in layout.nodes]
    for fault in faults:
        if fault.node and fault.node not in names:
            told = f"there are {names[0]} to {names[-1]}" if names else "the machine has no nodes"
            raise Wrong(f"--fault: there is no node {quote(fault.node)}", told)


def beyond_kernel(
    workload: Workload,
    policy: Policy,
    faults: tuple[Fault, ...] = (),
    layout: Layout | None = None,
    reservations: tuple[Reservation, ...] = (),
) -> str:
    """What in that is more than the kernel knows, in words; "": nothing."""
    if layout is not None:
        return "jobs are placed on nodes"
    if reservations:
        return "parts of the machine are set apart"
    if has_gangs(workload):
        return "some jobs start together"
    if policy.settings is not None:
        return "it is a policy file"
    if unknown := unplayable(policy.rules(workload.machine)):
        return unknown
    faulty = faults and plans(policy.rules(workload.machine))
    return "faults take what has been promised to many" if faulty else ""


def replayed(
    workload: Workload,
    policy: Policy,
    *,
    faults: tuple[Fault, ...] = (),
    layout: Layout | None = None,
    reservations: tuple[Reservation, ...] = (),
    progress: Progress | None = None,
) -> Simulation:
    """As `simulate`, through the decisions of the daemon: all that these can do, and slower."""
    began = process_time()
    workload = allowed(workload, policy)
    replay = replay_of(workload, policy, faults, layout, reservations)
    cut_short = False
    try:
        replay.play(progress)
    except KeyboardInterrupt:
        cut_short = True
    seconds = process_time() - began
    found = _found(workload, policy, replay, layout)
    if not cut_short and (left := replay.left()):
        stuck = np.isin(np.arange(len(workload)), left)
        found = replace(found, workload=noted(workload, stuck, "never_started"))
    return replace(found, cpu_seconds=seconds, cut_short=cut_short)


def _found(workload: Workload, policy: Policy, replay: Replay, layout: Layout | None) -> Simulation:
    """What a replay has found so far."""
    start = np.array(replay.starts, np.float64)
    start[np.isinf(start)] = np.nan
    estimate = np.array(replay.estimates, np.float64)
    estimate[np.isnan(start)] = np.nan
    pieces = _pieces(replay) if replay.regime.preempting else None
    return Simulation(
        policy=policy,
        workload=workload,
        start=start,
        estimate=estimate,
        backfilled=np.array(replay.passed, np.bool_),
        measures=measure(_schedule(workload, start, pieces)),
        cpu_seconds=0.0,
        engine="replay",
        layout=layout,
        killed=replay.killed,
        lost=replay.lost,
        toll=replay.toll,
        pieces=pieces,
        uses=replay.uses.told(),
    )


def _pieces(replay: Replay) -> Pieces:
    held = replay.pieces()
    return Pieces(
        job=np.array([at for at, _ in held], np.int64),
        start=np.array([span.start for _, span in held], np.float64),
        end=np.array([span.end for _, span in held], np.float64),
    )


def effort(
    workload: Workload,
    policy: Policy,
    faults: tuple[Fault, ...] = (),
    layout: Layout | None = None,
    reservations: tuple[Reservation, ...] = (),
) -> int:
    """How much work a simulation is, in jobs of a policy that promises none or one a start."""
    if beyond_kernel(workload, policy, faults, layout, reservations):
        return len(workload) * REPLAYING
    return len(workload) * (PLANNING if plans(policy.rules(workload.machine)) else 1)


def engine_for(jobs: int, engine: Engine = "auto") -> Literal["compiled", "python"]:
    """Which engine is to run so many jobs. Raises `Wrong`: compiled, and numba is not there."""
    if engine == "auto":
        return "compiled" if jobs >= WORTH_COMPILING and _can_compile() else "python"
    if engine == "compiled" and not _can_compile():
        raise Wrong("the compiled kernel needs numba", "pip install 'hpcshell[sim]'")
    return engine


@cache
def _can_compile() -> bool:
    """Whether numba is there, and can do with the numpy that is."""
    try:
        import_module("numba")
    except ImportError:
        return False
    return True


def load_compiled(compiling: Callable[[], None]) -> None:
    """Have the compiled kernel ready; `compiling` is called if it must be compiled first."""
    from hpcshell.sim.kernel.compiled import watched

    with watched(compiling):
        _compiled()


@cache
def _compiled() -> Play:
    """The compiled kernel, loaded by a workload without jobs."""
    from hpcshell.sim.kernel.compiled import compiled_play

    nobody, nothing = arrays.ints(0), arrays.floats(0)
    work = Work(nothing, nothing, nobody, nothing, nobody, 0, nobody, 0, nobody, 0)
    compiled_play(prepared(work, Policy(name="").rules(1), arrays), 0, inf)
    return compiled_play


def _unheard(started: int) -> None:
    """Nobody wants to know."""


def _schedule(workload: Workload, start: Floats, pieces: Pieces | None = None) -> Schedule:
    rows = np.flatnonzero(~np.isnan(start))
    return Schedule(
        machine=workload.machine,
        submit=workload.submit[rows],
        start=start[rows],
        run=workload.run[rows],
        procs=workload.procs[rows],
        user=workload.user[rows],
        pieces=None if pieces is None else pieces.of(rows),
    )


class _Running:
    """A workload on its way through the kernel."""

    def __init__(
        self, workload: Workload, rules: Rules, engine: str, faults: tuple[Fault, ...]
    ) -> None:
        self.workload = workload
        self.faults = sorted(faults, key=lambda fault: fault.at)
        self.case = case_of(workload, rules, engine)
        self.outages = Outages(self.case)

    def cut_short(self, play_on: Play, progress: Progress) -> bool:
        """Play until every job has been started; whether an interrupt came before that."""
        try:
            self._go(play_on, progress)
        except KeyboardInterrupt:
            return True
        return False

    def _go(self, play_on: Play, progress: Progress) -> None:
        """Play, slice by slice, with the faults between them."""
        case, tally = self.case, self.case.state.tally
        faults = iter([*self.faults, None])
        fault = next(faults)
        submitted, slice_, until = 0, SLICE, -inf
        while tally[BEGUN] < len(case.work.submit) or fault is not None:
            began = monotonic()
            until = self._stop(submitted + slice_, slice_, until)
            if fault is not None and fault.at <= until:
                until = fault.at
            submitted = play_on(case, submitted, until)
            if fault is not None and fault.at == until:
                submitted = self.outages.strike(fault, submitted)
                fault = next(faults)
            progress(min(int(tally[BEGUN]), len(self.workload)))
            took = monotonic() - began
            slice_ = slice_ * 2 if took < QUICK else max(1, slice_ // 4) if took > SLOW else slice_

    def _stop(self, job: int, slice_: int, before: float) -> float:
        """When a slice ends: when this job comes or, once all have come, after about the time in
        which so many are worked off."""
        work, number = self.workload, len(self.workload)
        if job < number:
            return max(before, float(work.submit[job]))
        if not number:
            return inf
        span = float(work.run @ work.procs) / work.machine / number
        return max(before, float(work.submit[-1])) + span * slice_

    def by_row(self, found: list[float] | Floats) -> Floats:
        """What was found of the jobs that were started, by the rows of the workload; NaN for the
        others."""
        values = np.full(len(self.workload), np.nan)
        begun = np.array(self.case.state.begun[: self.case.state.tally[BEGUN]], np.int64)
        rows: Ints = np.array(self.outages.rows, np.int64)[begun]
        values[rows[rows != NO_ROW]] = np.array(found, np.float64)[begun[rows != NO_ROW]]
        return values
