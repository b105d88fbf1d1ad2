"""Real logs: the decider, the kernel as it stands and the compiled kernel start all jobs alike."""

from __future__ import annotations

from functools import cache
from math import inf

import numpy as np
import pytest

from hpcshell.sim.kernel import arrays
from hpcshell.sim.kernel.state import Work, prepared
from tests.sim.kernel.logs import Log, Row, Way, by_decisions, by_kernel
from tests.support.traces import reference

LOGS = {"sc15_KTH-SP2": 100, "sc15_SDSC-SP2": 128}
WAYS = [
    Way("easy"),
    Way("none"),
    Way("greedy"),
    Way("all"),
    Way("hybrid 3"),
    Way("easy", fill="sjf"),
    Way("easy", fill="sjf", predict="last2"),
    Way("easy", predict="clairvoyant"),
    Way("easy", "saf", "saf"),
    Way("none", "f1", "f1"),
    Way("easy", "wfp3", "wfp3"),
    Way("easy", "unicef", "unicef", "last2"),
    Way("easy", "expansion", "expansion", "shrunk"),
    Way("none", "expansion", "expansion", "shrunk"),
]
ways = pytest.mark.parametrize("way", WAYS, ids="-".join)
logs = pytest.mark.parametrize("name", LOGS)


@cache
def log(name: str) -> Log:
    columns = reference(name)
    told = (columns[column].tolist() for column in ("submit", "run", "procs", "req", "user"))
    users: dict[float, int] = {}
    rows = [
        Row(submit, run, int(procs), request, users.setdefault(user, len(users)))
        for submit, run, procs, request, user in zip(*told, strict=True)
    ]
    return Log(LOGS[name], rows)


def first(name: str, number: int, since: int = 0) -> Log:
    whole = log(name)
    return Log(whole.total, whole.rows[since : since + number])


def by_arrays(log: Log, way: Way) -> list[float]:
    """When each job starts by the compiled kernel."""
    pytest.importorskip("numba")
    from hpcshell.sim.kernel.compiled import compiled_play

    told = log.work()
    columns = [np.array(column) if isinstance(column, list) else column for column in told]
    work = Work._make(columns)
    case = prepared(work, way.rules(log.total), arrays)
    compiled_play(case, 0, inf)
    starts: list[float] = case.found.start.tolist()
    return starts


@logs
@ways
def test_the_decider_starts_the_jobs_of_a_log_as_the_kernel_does(name: str, way: Way) -> None:
    some = first(name, 600, since=5000)
    assert by_decisions(some, way) == by_kernel(some, way)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@logs
@ways
def test_and_the_jobs_of_whole_logs(name: str, way: Way) -> None:
    whole = log(name)
    assert by_decisions(whole, way) == by_kernel(whole, way)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@logs
@ways
def test_compiled_or_not_it_is_one_kernel(name: str, way: Way) -> None:
    some = first(name, 3000)
    assert by_arrays(some, way) == by_kernel(some, way)
