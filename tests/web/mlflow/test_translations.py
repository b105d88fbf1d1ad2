"""What MLflow says and what we say are the same things in other words."""

from __future__ import annotations

import contextlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.track.records import Run, Summary
from hpcshell.track.store.filters.parse import parse
from hpcshell.track.store.filters.tree import shown
from hpcshell.track.words import ENDED, STATUSES, status_of
from hpcshell.web.mlflow import asked, told
from hpcshell.web.mlflow.artifacts import place_of
from hpcshell.web.mlflow.logs import columns
from hpcshell.web.mlflow.models import like
from hpcshell.web.mlflow.searches import EXPERIMENTS, RUNS, reordered, sorting, translated

WORDS = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.sampled_from(sorted(STATUSES)))
def test_every_status_has_a_word_of_mlflows(status):
    assert told.status(status) in WORDS


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_a_clock_said_is_a_number_of_64_bits_for_mlflow(seconds):
    assert -(2**63) <= told.stamp(seconds) < 2**63
    if abs(seconds) < 1e12:
        assert abs(told.stamp(seconds) - seconds * 1000) <= 0.5


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_mlflows_comes_back_as_it_was_said(word):
    assert told.status(status_of(word)) == word


@given(st.sampled_from(sorted(ENDED)))
def test_what_has_ended_has_ended_for_mlflow_too(status):
    assert told.status(status) in ("FINISHED", "FAILED", "KILLED")


# --------------------------------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", ""),
        ("metrics.loss < 0.5", "metrics.loss < 0.5"),
        ("start_time > 1700000000500", "attributes.started_at > 1700000000.5"),
        ("attributes.status = 'FINISHED'", "attributes.status IN ('COMPLETED')"),
        ("status != 'KILLED'", "attributes.status NOT IN ('CANCELLED', 'PREEMPTED')"),
        ("attribute.`Run name` = 'a'", "attributes.name = 'a'"),
        ("tags.`mlflow.runName` = 'a'", "attributes.name = 'a'"),
        ("tags.mlflow.source.name = 'a'", "tags.mlflow.source.name = 'a'"),
        ("params.start_time = '5'", "params.start_time = '5'"),
        ("job.user = 'ann' or note LIKE 'x%'", "job.user = 'ann' OR attributes.note LIKE 'x%'"),
    ],
)
def test_a_filter_means_with_us_what_it_meant(said, meant):
    assert translated(said, RUNS) == meant


def test_a_filter_of_experiments_knows_their_times_and_words():
    said = "creation_time >= 1500 and tags.mlflow.note.content ILIKE '%q%' and name = 'x'"
    meant = "attributes.created_at >= 1.5 AND attributes.description ILIKE '%q%'"
    assert translated(said, EXPERIMENTS) == meant + " AND attributes.name = 'x'"


@given(st.text(max_size=40))
def test_a_filter_is_understood_or_refused(text):
    with contextlib.suppress(Wrong):
        meant = translated(text, RUNS)
        assert not text.strip() or shown(parse(meant)) == meant


def test_orders_are_those_of_mlflow():
    said = ["metrics.`val/a b` DESC", "start_time", "params.lr ASC", "tags.mlflow.runName desc"]
    assert sorting(said, RUNS) == ["-metrics.val/a b", "started_at", "params.lr", "-name"]
    with pytest.raises(Wrong):
        sorting(["metrics.loss up"], RUNS)


def run(loss: float | None, name: str) -> Run:
    found = {} if loss is None else {"loss": Summary(count=1, last=loss, last_step=0, last_time=0)}
    return Run(
        run_id=name,
        experiment_id=1,
        experiment="e",
        name=name,
        status="RUNNING",
        metrics=found,
        created_at=0,
        updated_at=0,
    )


@given(
    st.lists(st.tuples(st.none() | st.floats(width=16), st.sampled_from("abc")), max_size=20),
    st.booleans(),
)
def test_runs_in_two_orders_are_in_the_first_and_within_it_in_the_second(pairs, down):
    rows = [run(loss, name) for loss, name in pairs]
    found = reordered(rows, [("-" if down else "") + "metrics.loss", "name"])
    assert sorted(map(id, found)) == sorted(map(id, rows))
    keys = [float(row.metrics["loss"].last) if row.metrics else math.nan for row in found]
    numbers = [key for key in keys if not math.isnan(key)]
    assert keys[: len(numbers)] == numbers == sorted(numbers, reverse=down)
    for (one, key), (other, next_key) in zip(
        zip(found, keys, strict=True), zip(found[1:], keys[1:], strict=True), strict=False
    ):
        if key == next_key or (math.isnan(key) and math.isnan(next_key)):
            assert one.name <= other.name


# ---------------------------------------------------------------------------------------- points

VALUES = st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity", "1.5"])


@given(st.lists(st.tuples(st.sampled_from("ab"), VALUES, st.integers(0, 2**40), st.integers(0))))
def test_points_keep_their_values_steps_and_instants(points):
    found = columns([asked.Point(*point) for point in points])
    for key in "ab":
        its = [point for point in points if point[0] == key]
        if its:
            wanted = [float(point[1]) for point in its]
            assert [str(value) for value in found[key].values] == [str(value) for value in wanted]
            assert list(found[key].steps) == [point[3] for point in its]
            assert list(found[key].times) == [point[2] / 1000 for point in its]
        else:
            assert key not in found


def test_a_point_that_is_none_is_refused():
    for point in (asked.Point("a", "much"), asked.Point("a", 1.0, "now"), asked.Point("", 1.0)):
        with pytest.raises(Wrong):
            columns([point])


# -------------------------------------------------------------------------------------- patterns


@given(st.text("ab%_\n", max_size=8), st.text("abA\n", max_size=8))
def test_like_is_as_in_sql(pattern, text):
    plain = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    assert like(text, pattern, 0) == (re.fullmatch(plain, text, re.DOTALL) is not None)


def test_like_is_quick_however_the_pattern_is():
    assert not like("a" * 20_000, "%a" * 50 + "%b", 0)


# ------------------------------------------------------------------------------------- addresses

RUN = "0" * 32


@given(st.lists(st.sampled_from(["..", ".", "", "a", "%2e%2e", "b c", "models", RUN]), max_size=6))
def test_an_address_stays_within_its_run(parts):
    with contextlib.suppress(HpcError):
        place = place_of("/".join(["1", RUN, "artifacts", *parts]))
        assert place.owner == RUN
        assert not {"..", ".", ""} & set(place.path.split("/")) or place.path == ""


def test_an_address_is_of_a_run_or_of_a_model():
    assert place_of(f"1/{RUN}/artifacts/a/b") == (RUN, "a/b")
    assert place_of(f"/1/models/m-{RUN}/artifacts") == (f"m-{RUN}", "")
    for wrong in (
        "",
        "1",
        f"1/{RUN}",
        "1/x/artifacts/a",
        f"1/models/{RUN}/artifacts",
        "1/traces/t",
    ):
        with pytest.raises(HpcError):
            place_of(wrong)
