"""Workloads of the Lublin-Feitelson model: equal seeds give equal traces, and the figures are the
model's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.sim.lublin import ALL, BATCH, INTERACTIVE, LONGEST_LOG, MODELS, Model, lublin
from hpcshell.trace.clean import clean
from hpcshell.trace.read import read_trace
from hpcshell.trace.record import Trace
from tests.support.traces import shared_trace
from tests.trace.made import equal

models = st.sampled_from([ALL, BATCH, INTERACTIVE])
machines = st.sampled_from([1, 2, 3, 8, 100, 256, 93312])


@given(machines, st.integers(1, 300), st.integers(0, 2**64), models, st.sampled_from([0.0, 3.0]))
def test_equal_seeds_give_equal_traces_that_can_be_simulated(
    machine: int, jobs: int, seed: int, model: Model, overestimate: float
) -> None:
    trace = lublin(machine, jobs, seed, model=model, overestimate=overestimate)
    assert equal(trace, lublin(machine, jobs, seed, model=model, overestimate=overestimate))
    work = clean(trace)
    assert work.machine == machine
    assert len(work) == jobs
    assert not work.oddities
    assert (trace.run <= np.exp(LONGEST_LOG)).all()
    assert (trace.request >= trace.run).all()
    assert overestimate or np.array_equal(trace.request, trace.run)


def test_other_seeds_give_other_traces() -> None:
    assert not equal(lublin(64, 100, 1), lublin(64, 100, 2))


@given(st.floats(0.1, 2), st.integers(0, 99))
def test_the_load_is_the_one_that_was_wished(load: float, seed: int) -> None:
    trace = lublin(128, 500, seed, load=load)
    offered = float(trace.run @ trace.procs) / (128 * float(trace.submit[-1]))
    assert offered == pytest.approx(load, rel=1e-3)


def test_shares_of_sizes_are_those_of_the_model() -> None:
    for model in MODELS.values():
        procs = lublin(256, 20_000, 5, model=model).procs
        assert np.mean(procs == 1) == pytest.approx(model.serial, abs=0.02)
        assert np.mean(np.bitwise_count(procs) == 1) >= model.serial + model.powers - 0.02


def test_larger_jobs_run_longer() -> None:
    trace = lublin(256, 20_000, 5, model=ALL)
    large, small = trace.run[trace.procs >= 64], trace.run[trace.procs <= 4]
    assert np.log(large).mean() > np.log(small).mean() + 1


def test_fewer_jobs_come_at_night() -> None:
    hour = lublin(256, 20_000, 5).submit % 86400 // 3600
    assert np.mean((hour >= 2) & (hour < 6)) < 0.1 < 0.4 < np.mean((hour >= 9) & (hour < 17))


def test_people_ask_for_round_times() -> None:
    trace = lublin(256, 5_000, 5, overestimate=4)
    assert len(set(trace.request.tolist())) <= 40
    assert (trace.request % 60 == 0).all()


@pytest.mark.parametrize(
    ("machine", "jobs", "load", "overestimate"),
    [(0, 1, None, 0), (1, 0, None, 0), (1, 1, 0, 0), (1, 1, float("nan"), 0), (1, 1, None, -1)],
)
def test_impossible_wishes_are_wrong(
    machine: int, jobs: int, load: float | None, overestimate: float
) -> None:
    with pytest.raises(Wrong) as refused:
        lublin(machine, jobs, 1, load=load, overestimate=overestimate)
    assert refused.value.hint


def test_a_negative_seed_is_wrong() -> None:
    with pytest.raises(Wrong, match="-1 is no seed"):
        lublin(1, 1, -1)


def figures(trace: Trace) -> list[float]:
    """Of sizes, run times and times between arrivals, whatever the seed about the same."""
    procs, gaps = np.maximum(trace.procs, trace.used_procs), np.diff(trace.submit)
    return [
        float(np.mean(procs == 1)),
        float(np.log2(procs).mean()),
        float(np.mean(np.bitwise_count(procs) == 1)),
        float(np.log(trace.run + 1).mean()),
        float(np.log(trace.run + 1).std()),
        float(np.corrcoef(procs, np.log(trace.run + 1))[0, 1]),
        float(np.log(gaps + 1).mean()),
        float(np.log(gaps + 1).std()),
    ]


def test_the_figures_are_those_of_a_log_its_authors_program_made() -> None:
    log = read_trace("lublin_256", shared_trace("lublin_256.swf.gz"))
    assert figures(lublin(256, 20_000, 5, model=ALL)) == pytest.approx(figures(log), rel=0.06)


def test_the_figures_are_those_of_a_log_of_both_kinds() -> None:
    log = read_trace("lublin_256_new2", shared_trace("lublin_256_new2.swf.gz"))
    for kind, model in ((0, INTERACTIVE), (1, BATCH)):
        run = np.log(log.run[log.queue == kind] + 1)
        made = np.log(lublin(256, 20_000, 5, model=model).run + 1)
        assert run.mean() == pytest.approx(made.mean(), rel=0.05)
        assert run.std() == pytest.approx(made.std(), rel=0.05)
