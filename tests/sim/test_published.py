"""The simulator reproduces what was published: not one wait differs, and slowdowns agree to the
printed digits."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import pytest

from hpcshell.sim.policies import policy_of
from hpcshell.sim.simulate import Engine, Simulation, simulate
from hpcshell.trace.clean import DIRLAB, SC15, Filter, Workload, clean
from hpcshell.trace.measures import bounded_slowdown
from hpcshell.trace.part import rows
from hpcshell.trace.read import read_trace
from hpcshell.trace.record import Floats
from tests.support.traces import reference, shared_trace


@cache
def log(name: str, chosen: Filter) -> Workload:
    return clean(read_trace(name, shared_trace(f"{name}.swf.gz")), None, chosen)


def published(name: str) -> tuple[Workload, dict[str, Floats]]:
    """A reference schedule: the jobs in it, and its columns. One log is not among the shared ones:
    its jobs are made of the schedule's own columns."""
    columns = reference(name)
    if name != "sc15_SDSC-SP2":
        return log("KTH-SP2-1996-2" if "KTH" in name else "SDSC-SP2-1998-4.2-cln", SC15), columns
    known = log("SDSC-SP2-1998-4.2-cln", SC15)
    whole: dict[str, Any] = {f: columns[f].astype(np.int64) for f in ("procs", "user")}
    seconds = {field: columns[field] for field in ("submit", "run")}
    number = len(columns["run"])
    work = rows(known, np.resize(np.arange(len(known)), number))
    return _with(work, request=columns["req"], **whole, **seconds), columns


def _with(work: Workload, **columns: Any) -> Workload:
    kept = {field: getattr(work, field) for field in work.__struct_fields__}
    return Workload(**(kept | columns))


SC15_POLICIES: Final = {
    "wait_easy": ("easy", "request"),
    "wait_easy_clairvoyant": ("easy", "clairvoyant"),
    "wait_sjbf_clairvoyant": ("easy-sjbf", "clairvoyant"),
    "wait_easypp": ("easy++", "last2"),
}
SCHEDULES: Final = [
    *((name, column) for name in ("sc15_KTH-SP2", "sc15_SDSC-SP2") for column in SC15_POLICIES),
    *(("pyss_KTH", f"wait_{policy}") for policy in ("fcfs", "conservative")),
    *(("pyss_SDSC2", f"wait_{policy}") for policy in ("fcfs", "conservative")),
    *(("pyss_SDSC2", f"wait_{policy}") for policy in ("easy", "easypp")),
]


def replayed(name: str, column: str, engine: Engine) -> tuple[Simulation, dict[str, Floats]]:
    work, columns = published(name)
    policy, predict = SC15_POLICIES.get(column, (column.removeprefix("wait_"), None))
    return simulate(work, policy_of(policy, predict=predict, variant="sc15"), engine), columns


SLOW: Final = ("python", "pyss_SDSC2", "wait_conservative")
"""Takes ten seconds, and compiled half a second."""


@pytest.mark.parametrize(
    ("engine", "name", "column"),
    [
        (engine, *schedule)
        for engine in ("python", "compiled")
        for schedule in SCHEDULES
        if (engine, *schedule) != SLOW
    ],
)
def test_no_wait_differs_from_the_published_schedule(
    name: str, column: str, engine: Engine
) -> None:
    if engine == "compiled":
        pytest.importorskip("numba")
    found, columns = replayed(name, column, engine)
    differing = np.flatnonzero(found.schedule.wait != columns[column])
    assert differing.tolist() == []


@pytest.mark.parametrize("name", ["sc15_KTH-SP2", "sc15_SDSC-SP2"])
def test_predictions_are_the_published_ones(name: str) -> None:
    found, columns = replayed(name, "wait_easypp", "auto")
    assert np.array_equal(found.estimate, columns["pred_easypp"])


# -------------------------------------------------------------------------- textbook heuristics

STARTS: Final = (1981, 2756, 4299, 8850, 3316, 2714, 5228, 7762, 4022, 7085)
LENGTH: Final = 1024
ORDERS: Final = ("fifo", "sjf", "wfp3", "unicef", "f1", "saf")
TEXTBOOK: Final = {
    "lublin_256": (
        ("7273.77", "47.16", "118.74", "34.36", "34.53", "26.9"),
        ("271.40", "42.08", "80.33", "58.71", "35.26", "34.4"),
    ),
    "SDSC-SP2-1998-4.2-cln": (
        ("1727.54", "1563.5", "998.7", "876.3", "995.0", "968.7"),
        ("929.69", "1892.6", "488.9", "672.4", "997.6", "957.4"),
    ),
    "lublin_256_new2": (
        ("7842.47", "205.9", "469.3", "165.7", "117.9", "46.1"),
        ("222.18", "82.6", "71.3", "88.7", "109.6", "72.7"),
    ),
}
"""Mean bounded slowdowns of ten sequences of jobs on an empty machine, by log; without backfill and
with EASY; by order, to the printed digits. The sequences are those of Zhang, Dai, He, Bao, Xie,
"RLScheduler", SC 2020, the heuristics those of the textbooks: the line is put in order at each
event."""


@pytest.mark.parametrize("name", TEXTBOOK)
@pytest.mark.parametrize(("backfill", "policy"), [(0, "fcfs"), (1, "easy")])
@pytest.mark.parametrize(("at", "order"), list(enumerate(ORDERS)))
def test_textbook_heuristics_have_their_slowdowns(
    name: str, backfill: int, policy: str, at: int, order: str
) -> None:
    work = log(name, DIRLAB)
    slowdowns = []
    for first in STARTS:
        some = rows(work, slice(first, first + LENGTH))
        found = simulate(some, policy_of(policy, order=order))
        slowdowns.append(bounded_slowdown(found.schedule.wait, some.run).mean())
    digits = TEXTBOOK[name][backfill][at]
    assert f"{np.mean(slowdowns):.{len(digits.partition('.')[2])}f}" == digits
