"""The report counts every point, and all of it can be written as JSON."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.points import Point
from hpcshell.flow.results.report import ALL, Asked, Report, reported, run_times
from tests.flow.results.made import point, points


def of(found: list[Point], metric: str = "loss", best: int = 10) -> Report:
    """The report on the points, without errors."""
    return reported(found, (), Asked(name="study", metric=metric, best=best))


@given(points())
def test_every_point_is_counted_once(found: list[Point]) -> None:
    report = of(found)
    assert sum(report.counts.values()) == report.points == len(found)


@given(points())
def test_the_report_can_be_written_and_read(found: list[Point]) -> None:
    report = of(found)
    written = msgspec.json.decode(msgspec.json.encode(report))
    assert set(written) == set(Report.__struct_fields__)
    assert len(written["effects"]) == len(report.effects)


@given(points())
def test_run_times_are_ordered_and_add_up(found: list[Point]) -> None:
    for times in run_times(found):
        assert times.min <= times.median <= times.p95 <= times.max
        those = [one for one in found if times.state in (one.state, ALL)]
        seconds = [one.seconds for one in those if one.seconds is not None]
        assert times.n == len(seconds)
        assert times.hours == pytest.approx(sum(seconds) / 3600)


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(1, 5))
def test_the_best_come_in_order(losses: list[float], count: int) -> None:
    report = of([point(at, {}, loss) for at, loss in enumerate(losses)], best=count)
    assert [one.value for one in report.best] == sorted(losses)[:count]


def test_the_only_metric_need_not_be_named() -> None:
    assert of([point(0, {}, 1.0)], metric="").metric == "loss"


def test_of_several_metrics_one_has_to_be_named() -> None:
    found = Point(index=0, id="x", params={}, state="COMPLETED", metrics={"loss": 1, "acc": 2})
    report = of([found], metric="")
    assert (report.metric, report.best) == ("", ())
    assert report.notes == ("no metric was named, so nothing is ranked: there are loss, acc",)


def test_what_is_missing_is_told() -> None:
    found = [point(0, {}, 1.0), point(1, {}, None), point(2, {}, float("nan"))]
    assert of(found).notes == ("2 of 3 completed points have no finite loss",)
    assert of(found, metric="acc").notes == ("no completed point has a number for acc",)
    noted = [msgspec.structs.replace(one, note="stdout is a link: not read") for one in found[:2]]
    assert of(noted).notes[-1] == (
        f"point {0:016x}: stdout is a link: not read (1 more point has a note)"
    )
