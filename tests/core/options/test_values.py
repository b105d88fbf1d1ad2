"""Python's values as settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count, repeat
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.options.build import build
from hpcshell.core.options.read import Place
from hpcshell.core.options.values import from_keywords, from_parameters
from hpcshell.core.submission import Submission
from tests.support.refusals import refusal

NOW = 1_790_000_000.0
PLACE = Place(now=NOW, offset=lambda unix: 7200.0, cwd="/work", env={})


def submission(**values) -> Submission:
    return build([from_keywords(**values)], PLACE, ("x",)).submission


def test_numbers_mean_what_they_mean_at_the_prompt():
    found = submission(cpus=2, memory=512, time_limit=30, gpus=1, priority=7)
    assert found.request.cpus == 2
    assert found.request.memory == 512 << 20
    assert found.request.time_limit == 1800
    assert submission(time_limit=0.5).request.time_limit == 30


@given(st.integers(1, 10**9))
def test_a_timedelta_says_what_it_says(milliseconds: int):
    limit = timedelta(milliseconds=milliseconds)
    assert submission(time_limit=limit).request.time_limit == pytest.approx(limit.total_seconds())


def test_a_datetime_is_local_unless_it_names_its_zone():
    assert submission(begin=datetime(2026, 11, 30, 12)).begin == pytest.approx(
        datetime(2026, 11, 30, 10, tzinfo=UTC).timestamp()
    )
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert submission(begin=at).begin == at.timestamp()


def test_flags_are_true_or_false_and_none_is_not_given():
    assert submission(hold=True, requeue=False).hold is True
    assert submission(requeue=False).requeue is False
    assert from_keywords(hold=None, cpus=None) == []


def test_long_flags_are_keywords_too():
    found = submission(mem="4G", job_name="x", time="1h", kill_on_invalid_dep="no")
    assert (found.request.memory, found.name, found.on_never) == (4 << 30, "x", "hold")


@given(st.sets(st.integers(0, 500), min_size=1))
def test_an_array_may_be_any_indices(indices: set[int]):
    assert submission(array=indices).array == submission(array=sorted(indices)).array


def test_collections_and_tables():
    found = submission(
        array=range(0, 10, 2),
        tag=["a", "b"],
        resource={"matlab": 2},
        env={"A": "x,y", "B": "1"},
        retries=1,
        retry_grow={"mem": 1.5},
        retry_on=["oom", 75],
        afterok=[1, SimpleNamespace(label="2")],
        afterany=3,
        output=Path("logs") / "x",
    )
    assert found.array == "0-8:2"
    assert found.tags == ("a", "b")
    assert found.request.others == {"matlab": 2}
    assert found.env == {"A": "x,y", "B": "1"}
    assert found.retry.grow == {"memory": 1.5}
    assert found.retry.on == ("oom", "exit:75")
    assert found.dependency == "afterok:1:2,afterany:3"
    assert found.stdout == "logs/x"


@pytest.mark.parametrize(
    ("keyword", "value", "message"),
    [
        ("memry", 1, "memry= is no option of a job"),
        ("cpus", 1.5, "cpus=: '1.5' is no whole number"),
        ("cpus", float("nan"), "cpus=: 'nan' is no whole number"),
        ("cpus", True, "cpus=: 'yes' is no whole number"),
        ("cpus", object(), "cpus=: '<object"),
        ("cpus", b"2", "cpus=: 'b"),
        ("memory", float("inf"), "memory=: 'inf' is no size"),
        ("memory", 1 << 41, "memory=: '2199023255552' is more than"),
        ("time_limit", timedelta(0), "time_limit=: '0s' is no time"),
        ("time_limit", timedelta(-1), "time_limit=: '-86400s' is no duration"),
        ("gpus", [1], "gpus=: '1' is a list, and how many GPUs is one number"),
        ("gpus", range(2), "gpus=: '0,1' is a list"),
        ("array", [-1], "array=: indices are whole numbers"),
        ("array", ["a"], "array=: indices are whole numbers"),
        ("array", [], "array=: an array has at least one index"),
        ("begin", datetime(1969, 1, 1), "begin=: the year 1969"),
    ],
)
def test_what_is_no_value(keyword: str, value: object, message: str):
    error = refusal(lambda: submission(**{keyword: value}))
    assert error is not None
    assert error.message.startswith(message)


def test_the_nearest_keyword_is_named():
    error = refusal(lambda: from_keywords(memry=1))
    assert error is not None
    assert error.hint == "did you mean memory=?"


def test_what_click_collected():
    found = from_parameters(
        {
            "cpus": "2",
            "hold": True,
            "unique": False,
            "requeue": False,
            "tag": ("a", "b"),
            "mem": "x",
        }
        | {"memory": None, "afterok": ()}
    )
    assert [(setting.option, setting.text, setting.origin) for setting in found] == [
        ("cpus", "2", "--cpus"),
        ("hold", "yes", "--hold"),
        ("tag", "a", "--tag"),
        ("tag", "b", "--tag"),
        ("requeue", "no", "--requeue"),
    ]


def test_an_array_without_end_is_refused_and_not_counted_out():
    for endless in (count(), range(10**12), repeat(0)):
        error = refusal(from_keywords, array=endless)
        assert error is not None
        assert "more than 1,000,000 elements" in error.message


def test_an_index_is_named_once():
    assert refusal(from_keywords, array=[1, 1])
    assert submission(array=[5, 1]).array == "1,5"


def test_a_variable_s_name_holds_no_equals_sign():
    assert refusal(from_keywords, env={"A=B": "1"})
    assert refusal(from_keywords, env={1: "1"})
    assert submission(env={"A": "b=c\nd"}).env["A"] == "b=c\nd"
