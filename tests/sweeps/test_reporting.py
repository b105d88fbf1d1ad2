"""The report of points as they lie there, and the curves that are chosen to be drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcshell.core.errors import NotFound
from hpcshell.flow.spec import Search, Spec
from hpcshell.sweeps.reporting import CURVES, findings, report
from hpcshell.sweeps.standing import Standing
from tests.sweeps.made import leave, standing


def study(directory: Path, count: int = 3) -> list[Standing]:
    """Points whose loss falls over three steps, to their number."""
    return [
        leave(
            standing(directory, at, params={"a": at}),
            jsonl="".join(
                f'{{"step": {step}, "loss": {at + 2 - step}, "acc": 1}}\n' for step in range(3)
            ),
        )
        for at in range(count)
    ]


def test_the_metric_of_the_specification_is_reported(tmp_path: Path) -> None:
    found = report(Spec(name="s", metric="loss", direction="maximize"), study(tmp_path))
    assert (found.name, found.metric, found.direction) == ("s", "loss", "maximize")
    assert [point.value for point in found.best] == [2.0, 1.0, 0.0]


def test_another_metric_may_be_asked_for(tmp_path: Path) -> None:
    found = report(Spec(metric="acc"), study(tmp_path), metric="loss", best=1)
    assert [point.value for point in found.best] == [0.0]


def test_of_a_search_its_first_metric_is_reported_in_its_direction(tmp_path: Path) -> None:
    search = Search(
        method="tpe", metrics=("loss", "acc"), directions=("maximize", "minimize"), parameters={}
    )
    found = report(Spec(search=search), study(tmp_path))
    assert (found.metric, found.direction) == ("loss", "maximize")
    assert report(Spec(search=search), study(tmp_path), metric="acc").direction == "minimize"


def test_a_metric_that_no_point_has_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no point has a metric 'los'") as caught:
        report(Spec(), study(tmp_path), metric="los")
    assert caught.value.hint == "did you mean loss?"


def test_before_any_point_has_a_metric_any_may_be_asked_for(tmp_path: Path) -> None:
    found = report(Spec(), [standing(tmp_path, state="RUNNING")], metric="loss")
    assert (found.metric, found.best) == ("loss", ())


def test_errors_are_those_of_the_failed(tmp_path: Path) -> None:
    failed = leave(standing(tmp_path, 9, state="FAILED", exit_code=1), stderr="no data\n")
    found = report(Spec(metric="loss"), [*study(tmp_path), failed])
    assert [(group.label, group.points) for group in found.errors] == [("no data", (failed.id,))]


def test_every_curve_of_few_points_is_read_the_best_first(tmp_path: Path) -> None:
    found = findings(Spec(metric="loss"), study(tmp_path))
    assert [(curve.place, curve.steps[-1]) for curve in found.curves] == [
        (0, (2.0, 0.0)), (1, (2.0, 1.0)), (2, (2.0, 2.0)),
    ]  # fmt: skip


def test_of_many_points_the_best_curves_are_read_and_some_of_the_others(tmp_path: Path) -> None:
    found = findings(Spec(metric="loss"), study(tmp_path, 3 * CURVES))
    places = [curve.place for curve in found.curves]
    assert len(set(places)) == CURVES
    assert places == sorted(places)
    assert places[: CURVES // 2] == list(range(CURVES // 2))
    assert places[-1] > 2.8 * CURVES


def test_a_point_that_told_only_its_last_has_no_curve(tmp_path: Path) -> None:
    found = leave(standing(tmp_path), json='{"loss": 1}')
    assert findings(Spec(metric="loss"), [found]).curves == ()
