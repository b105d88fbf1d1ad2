"""Predicted run times: bounded by the request, from the past alone, exact where it is published."""

from __future__ import annotations

import csv
import gzip
import heapq
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.predict.runtimes import (
    CORRECTIONS,
    LEAST,
    PREDICTORS,
    Features,
    Predictor,
    bounded,
    corrected,
)
from tests.support.traces import shared_trace

every_predictor = pytest.mark.parametrize("name", PREDICTORS)

requests = st.sampled_from([0.5, 1.0, 60.0, 3600.0, 86400.0, inf]) | st.floats(1e-3, 1e9)
jobs = st.builds(
    Features,
    user=st.sampled_from(["ann", "bob"]),
    request=requests,
    procs=st.integers(1, 4),
    submit=st.floats(0, 1e9),
)
runs = st.floats(-10.0, 2e9) | st.sampled_from([0.0, nan, inf])
pasts = st.lists(st.tuples(jobs, runs), max_size=12)


def told(name: str, past: list[tuple[Features, float]]) -> Predictor:
    predictor = PREDICTORS[name].make()
    for job, run in past:
        predictor.ended(job, run)
    return predictor


def job(user: str = "ann", request: float = 3600.0, procs: int = 1) -> Features:
    return Features(user=user, request=request, procs=procs, submit=0.0)


@every_predictor
@given(past=pasts, asked=jobs)
def test_no_prediction_is_longer_than_the_request_and_none_is_nothing(
    name: str, past: list[tuple[Features, float]], asked: Features
) -> None:
    predicted = told(name, past).predict(asked)
    assert min(LEAST, asked.request) <= predicted <= asked.request


@every_predictor
@given(asked=jobs)
def test_without_a_past_the_request_is_the_prediction(name: str, asked: Features) -> None:
    assert PREDICTORS[name].make().predict(asked) == asked.request


@every_predictor
@given(past=pasts, asked=jobs)
def test_asking_changes_nothing(
    name: str, past: list[tuple[Features, float]], asked: Features
) -> None:
    predictor = told(name, past)
    assert predictor.predict(asked) == predictor.predict(asked)


@every_predictor
@given(past=pasts, asked=jobs)
def test_what_others_ran_does_not_count(
    name: str, past: list[tuple[Features, float]], asked: Features
) -> None:
    own = [(ended, run) for ended, run in past if ended.user == asked.user]
    assert told(name, past).predict(asked) == told(name, own).predict(asked)


@given(run=st.floats(LEAST, 1e6), past=st.integers(2, 30))
def test_who_always_runs_the_same_is_predicted_that(run: float, past: int) -> None:
    asked = job(request=2e6)
    again = [(asked, run)] * past
    assert told("median", again).predict(asked) == run
    assert told("last2", again).predict(asked) == int(run)
    assert told("ratio", again).predict(asked) == pytest.approx(run)


@given(base=st.floats(1.0, 1e9), request=st.floats(1.0, 1e9), outrun=st.integers(0, 30))
def test_a_correction_is_longer_and_at_most_the_request(
    base: float, request: float, outrun: int
) -> None:
    base = min(base, request)
    longer = corrected(base, outrun, request)
    assert longer <= request
    assert longer > base or base == request
    assert corrected(base, outrun + 1, request) >= longer


def test_the_corrections_are_those_of_the_table_and_then_the_request() -> None:
    table = [60, 300, 900, 1800, 3600, 7200, 18000, 36000, 72000, 180000, 360000]
    assert list(CORRECTIONS) == table
    assert [corrected(100.0, k, 1e6) for k in range(12)] == [100.0 + more for more in table] + [1e6]
    assert corrected(100.0, 3, 400.0) == 400.0


def test_the_last_two_that_ended_count_in_whole_seconds() -> None:
    assert told("last2", [(job(), 100.0)]).predict(job()) == 3600.0
    assert told("last2", [(job(), 100.0), (job(), 7.0)]).predict(job()) == 53.0
    assert told("last2", [(job(), 1.0), (job(), 100.0), (job(), 7.0)]).predict(job()) == 53.0
    assert told("last2", [(job(), 100.0), (job(), 7.0)]).predict(job(request=30.0)) == 30.0


def test_the_largest_recent_part_of_the_request_counts() -> None:
    past = [(job(), 3600.0)] + [(job(), 360.0), (job(request=100.0), 50.0)] * 3
    assert told("ratio", past).predict(job(request=1000.0)) == 500.0
    assert told("ratio", past).predict(job(request=inf)) == inf


def test_only_the_alike_count_and_the_last_two_where_there_are_none() -> None:
    past = [(job(), 10.0), (job(), 500.0), (job(), 20.0), (job(procs=2), 900.0)]
    assert told("median", past).predict(job()) == 20.0
    assert told("median", past).predict(job(procs=2)) == 900.0
    assert told("median", past).predict(job(procs=4)) == 460.0


def test_a_bound_holds_against_what_is_no_number() -> None:
    assert bounded(nan, 60.0) == LEAST
    assert bounded(inf, 60.0) == 60.0
    assert isfinite(bounded(-inf, inf))


@pytest.mark.parametrize("log", ["KTH-SP2", "SDSC-SP2"])
def test_last2_makes_the_published_predictions_of_a_real_log(log: str) -> None:
    """The schedule is given; what counts is which jobs had ended when each was submitted."""
    text = gzip.decompress(shared_trace(f"reference/sc15_{log}.csv.gz")).decode()
    predictor = PREDICTORS["last2"].make()
    ends: list[tuple[float, int, Features, float]] = []
    rows = list(csv.DictReader(text.splitlines()))
    differing = 0
    for number, row in enumerate(rows):
        submit, run, request = float(row["submit"]), float(row["run"]), float(row["req"])
        while ends and ends[0][0] < submit:
            predictor.ended(*heapq.heappop(ends)[2:])
        asked = Features(row["user"], request, int(row["procs"]), submit)
        differing += predictor.predict(asked) != float(row["pred_easypp"])
        end = submit + float(row["wait_easypp"]) + run
        heapq.heappush(ends, (end, number, asked, run))
    assert differing == 0
