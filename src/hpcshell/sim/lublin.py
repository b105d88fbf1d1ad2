"""Synthetic workloads: the model of Lublin and Feitelson.

U. Lublin, D. G. Feitelson, "The workload on parallel supercomputers: modeling the characteristics
of rigid jobs", J. Parallel and Distributed Computing 63 (2003). Sizes are two-stage uniform in
their logarithm, with many powers of two and many serial jobs; the logarithms of the run times are
hyper-gamma, and larger jobs run longer; the logarithms of the times between arrivals are gamma, and
arrivals follow the hours of the day.
"""

from __future__ import annotations

from math import lgamma, log2
from typing import Final, TypeAlias

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.trace.record import Columns, Floats, Ints, Trace, trace_of, unknown_columns

Chance: TypeAlias = np.random.Generator


class Model(Record, frozen=True, kw_only=True):
    """The parameters of one kind of jobs, as published.

    Sizes: the shares of serial jobs and of powers of two; of the other sizes the logarithm (to base
    2) is uniform from `smallest` to a bend that lies `bend` below that of the machine, with the
    probability `below`, and else from there to that of the machine.
    Run times: their natural logarithm is gamma(*short) with the probability `slope` * size +
    `offset`, else gamma(*long); each a shape and a scale.
    Arrivals: the natural logarithm of the time between two is gamma(*between); the share of the
    day's jobs in each half hour, gamma(*daily), counted in half hours.
    """

    serial: float
    powers: float
    smallest: float
    bend: float
    below: float
    short: tuple[float, float]
    long: tuple[float, float]
    slope: float
    offset: float
    between: tuple[float, float]
    daily: tuple[float, float]


ALL: Final = Model(
    serial=0.244,
    powers=0.576,
    smallest=0.8,
    bend=2.5,
    below=0.86,
    short=(4.2, 0.94),
    long=(312.0, 0.03),
    slope=-0.0054,
    offset=0.78,
    between=(10.2303 * 1.0225, 0.4871),
    daily=(8.1737, 3.9631),
)
"""Jobs of all kinds. (The shape of `between` is that of the rush hours, by the ratio of all hours
to these.)"""

BATCH: Final = Model(
    serial=0.2927,
    powers=0.6686,
    smallest=1.2,
    bend=2.0,
    below=0.875,
    short=(6.57, 0.823),
    long=(639.1, 0.0156),
    slope=-0.003,
    offset=0.6986,
    between=(6.0415 * 1.0519, 0.8531),
    daily=(6.1271, 5.2740),
)
"""Batch jobs only."""

INTERACTIVE: Final = Model(
    serial=0.1541,
    powers=0.625,
    smallest=1.0,
    bend=2.5,
    below=0.705,
    short=(3.8351, 0.6605),
    long=(7.073, 0.6856),
    slope=-0.0118,
    offset=0.9156,
    between=(6.5510 * 0.9797, 0.6621),
    daily=(8.9186, 3.6680),
)
"""Interactive jobs only."""

MODELS: Final = {"all": ALL, "batch": BATCH, "interactive": INTERACTIVE}

LONGEST_LOG: Final = 12.0
"""No job runs longer than e^12 s, not quite two days."""
LONGEST_GAP_LOG: Final = 13.0
"""No two arrivals of the rush hours are further apart than e^13 s, five days."""

DAY: Final = 86400.0
SLOTS: Final = 48
SLOT: Final = DAY / SLOTS
DAWN: Final = 11
"""The slot in which the model's day begins: half past five."""

POPULAR: Final = (
    np.array(
        [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1080, 1440, 2880, 4320]
    )
    * 60.0
)
"""Requested times people like, seconds; above the last whole days."""


def lublin(
    machine: int,
    jobs: int,
    seed: int,
    *,
    model: Model = BATCH,
    load: float | None = None,
    overestimate: float = 0.0,
) -> Trace:
    """`jobs` jobs for a machine of so many processors; equal arguments give equal traces.

    `load`: the times between arrivals are stretched so that the jobs use this share of the machine
    until the last arrives; None: as the model has it. `overestimate` f: the requested time is
    uniform in run .. (f + 1) run (the f-model of Mu'alem and Feitelson, IEEE TPDS 12, 2001),
    rounded up to a popular value; 0: it is the run time.
    """
    _check(machine, jobs, load, overestimate)
    if seed < 0:
        raise Wrong(f"{seed} is no seed", "give a whole number, 0 or more")
    chance = np.random.default_rng(seed)
    procs = _sizes(chance, model, machine, jobs)
    run = _run_times(chance, model, procs)
    submit = _arrivals(chance, model, jobs)
    if load is not None:
        submit = np.floor(submit * float(run @ procs) / (machine * load * max(submit[-1], 1.0)))
    columns: Columns = unknown_columns(jobs)
    columns["id"][:] = np.arange(1, jobs + 1)
    columns["submit"][:] = submit
    columns["run"][:] = run
    columns["procs"][:] = columns["used_procs"][:] = procs
    columns["request"][:] = _requests(chance, run, overestimate)
    columns["status"][:] = 1
    header = {
        "Version": "2.2",
        "MaxJobs": str(jobs),
        "MaxProcs": str(machine),
        "Note": f"synthetic: Lublin-Feitelson model, seed {seed}",
    }
    return trace_of(f"lublin-{seed}", columns, header=header)


def _check(machine: int, jobs: int, load: float | None, overestimate: float) -> None:
    if machine < 1 or jobs < 1:
        raise Wrong(f"{jobs} jobs on {machine} processors are no workload", "give at least one")
    if load is not None and not 0 < load < np.inf:
        raise Wrong(f"a load of {load} cannot be offered", "give a share of the machine, as 0.8")
    if not 0 <= overestimate < np.inf:
        raise Wrong(f"{overestimate} is no factor of overestimation", "give 0, 1, 3 or so")


def _sizes(chance: Chance, model: Model, machine: int, jobs: int) -> Ints:
    largest = log2(machine)
    smallest = min(model.smallest, largest)
    bend = max(largest - model.bend, smallest)
    kind = chance.random(jobs)
    lower = chance.random(jobs) <= model.below
    within = chance.random(jobs)
    power = np.where(lower, smallest + within * (bend - smallest), bend + within * (largest - bend))
    power = np.where(kind <= model.serial + model.powers, np.floor(power + 0.5), power)
    size = np.floor(2.0**power + 0.5)
    size = np.where(kind <= model.serial, 1.0, size)
    return np.minimum(size, machine).astype(np.int64)


def _run_times(chance: Chance, model: Model, procs: Ints) -> Floats:
    """Whole seconds, at least one."""
    short = chance.random(len(procs)) <= model.slope * procs + model.offset
    logs = np.empty(len(procs))
    for rows, (shape, scale) in ((short, model.short), (~short, model.long)):
        logs[rows] = _gamma(chance, shape, scale, int(rows.sum()), LONGEST_LOG)
    return np.maximum(np.floor(np.exp(logs)), 1.0)


def _gamma(chance: Chance, shape: float, scale: float, count: int, most: float) -> Floats:
    """Gamma variates, those above `most` drawn again."""
    drawn: Floats = chance.gamma(shape, scale, count)
    while (over := drawn > most).any():
        drawn[over] = chance.gamma(shape, scale, int(over.sum()))
    return drawn


def _arrivals(chance: Chance, model: Model, jobs: int) -> Floats:
    """Whole seconds from a midnight on, sorted.

    Arrivals are drawn on a clock on which all hours are alike, of which a busy half hour of the day
    takes more and a quiet one less.
    """
    gaps = np.exp(_gamma(chance, *model.between, jobs, LONGEST_GAP_LOG))
    days, rest = np.divmod(np.cumsum(gaps), DAY)
    shares = np.concatenate([[0.0], np.cumsum(_daily_shares(model))])
    within: Floats = np.interp(rest, shares * DAY, np.arange(SLOTS + 1) * SLOT)
    return np.floor(days * DAY + within)


def _daily_shares(model: Model) -> Floats:
    """The share of the day's jobs in each half hour from midnight on; they add up to 1."""
    fine = 64
    shape, scale = model.daily
    at = np.arange(DAWN - 0.5, DAWN + SLOTS - 0.5, 1 / fine) + 0.5 / fine
    density = np.exp((shape - 1) * np.log(at) - at / scale - lgamma(shape) - shape * np.log(scale))
    shares = density.reshape(SLOTS, fine).sum(axis=1)
    rolled: Floats = np.roll(shares / shares.sum(), DAWN - 1)
    return rolled


def _requests(chance: Chance, run: Floats, overestimate: float) -> Floats:
    if not overestimate:
        return run.copy()
    asked = run * (1.0 + overestimate * chance.random(len(run)))
    popular = POPULAR[np.minimum(np.searchsorted(POPULAR, asked), len(POPULAR) - 1)]
    return np.where(asked <= POPULAR[-1], popular, np.ceil(asked / DAY) * DAY)
