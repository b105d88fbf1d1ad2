"""What MLflow's client logs of a run: metrics, parameters, tags; and the history of a metric."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.reading import Page, raw
from hpcshell.track.records import number
from hpcshell.track.store import models, runs
from hpcshell.track.store.errors import Exists
from hpcshell.web.mlflow import asked, told
from hpcshell.web.mlflow.asked import Point, whole
from hpcshell.web.mlflow.calls import By, changes, reads
from hpcshell.web.mlflow.problems import told_invalid
from hpcshell.web.mlflow.runs import live, put_tags

MOST_RUNS: Final = 100
"""Runs whose histories are asked for at once."""
_step: Final = attrgetter("step")
_time: Final = attrgetter("timestamp")
_value: Final = attrgetter("value")
_model: Final = attrgetter("model_id")


class History(msgspec.Struct, omit_defaults=True):
    metrics: list[told.MetricTold] = []
    next_page_token: str | None = None


def columns(points: Iterable[Point | asked.LogMetric]) -> dict[str, Points]:
    """The points of each metric: steps, times in seconds, values. Raises `Wrong`."""
    found: defaultdict[str, list[Point | asked.LogMetric]] = defaultdict(list)
    for point in points:
        found[point.key].append(point)
    try:
        return {
            asked.given(key, "key"): Points(
                list(map(int, map(_step, its))),
                [int(time) / 1000 for time in map(_time, its)],
                list(map(float, map(_value, its))),
            )
            for key, its in found.items()
        }
    except ValueError as error:
        raise Wrong(f"a metric: {error}", "steps and timestamps are whole numbers") from None


def _log_metric(connection: Connection, said: asked.LogMetric, by: By) -> None:
    run_id = live(connection, said, by)
    _append(connection, run_id, [said], by)
    if said.model_id:
        _of_models(connection, [said], by)


def _log_batch(connection: Connection, said: asked.LogBatch, by: By) -> None:
    run_id = live(connection, said, by)
    if said.params:
        _put_params(connection, run_id, said.params, by)
    if said.tags:
        put_tags(connection, run_id, asked.mapping(said.tags), by)
    if said.metrics:
        _append(connection, run_id, said.metrics, by)
        if any(map(_model, said.metrics)):
            _of_models(connection, said.metrics, by)


def _append(
    connection: Connection, run_id: str, points: Sequence[Point | asked.LogMetric], by: By
) -> None:
    """Add points. The client sends the same again where no answer came: that is one batch."""
    batch = hashlib.sha256(by.body).hexdigest()
    append(connection, run_id, columns(points), by.now, batch=batch)


def _of_models(connection: Connection, points: Iterable[Point | asked.LogMetric], by: By) -> None:
    """The last points of what was measured of models."""
    last: dict[str, dict[str, told.MetricTold]] = {}
    for point in points:
        if point.model_id:
            value = number(float(point.value))
            step, time = whole(point.step), whole(point.timestamp)
            last.setdefault(point.model_id, {})[point.key] = told.MetricTold(
                point.key, value, time, step
            )
    for model_id, its in last.items():
        models.set_metrics(connection, model_id, msgspec.to_builtins(its), by.now)


def _log_param(connection: Connection, said: asked.RunTag, by: By) -> None:
    run_id = live(connection, said, by)
    _put_params(connection, run_id, [asked.Pair(said.key, said.value)], by)


def _put_params(connection: Connection, run_id: str, said: list[asked.Pair], by: By) -> None:
    given = asked.mapping(said)
    for pair in said:
        if given[pair.key] != pair.value:
            raise Wrong(f"param {pair.key!r} has two values", "give each parameter once")
    with told_invalid(Exists):
        runs.set_params(connection, run_id, given, by.now)


# ------------------------------------------------------------------------------------ histories


def _history(connection: Connection, said: asked.History) -> History:
    run_id = said.run
    key = asked.given(said.metric_key, "metric_key")
    most = asked.most(said.max_results, asked.MOST_POINTS)
    try:
        page = raw(connection, run_id, key, limit=most, cursor=said.page_token or None)
    except NotFound:
        runs.show(connection, run_id)  # there is a run, or that is what is wrong
        return History()
    return History(_told(page, key), page.next)


def _of_many(connection: Connection, said: asked.HistoryOfMany) -> History:
    key = asked.given(said.metric_key, "metric_key")
    most = asked.most(said.max_results, asked.MOST_POINTS)
    if not 1 <= len(said.run_ids) <= MOST_RUNS:
        raise Wrong(f"there are {len(said.run_ids)} run_ids", f"give 1 to {MOST_RUNS}")
    since = None if said.start_step is None else whole(said.start_step)
    until = None if said.end_step is None else whole(said.end_step)
    found: list[told.MetricTold] = []
    for run_id in said.run_ids:
        try:
            page = raw(connection, run_id, key, since=since, until=until, limit=most)
        except NotFound:
            continue
        found += _told(page, key, run_id)
    return History(found[:most])


def _told(page: Page, key: str, run_id: str | None = None) -> list[told.MetricTold]:
    steps, times, values = (column.tolist() for column in page.points)
    return [
        told.MetricTold(key, number(value), told.stamp(time), step, run_id)
        for step, time, value in zip(steps, times, values, strict=True)
    ]


handlers: Final = [
    changes("POST", "/runs/log-metric", asked.LogMetric, _log_metric),
    changes("POST", "/runs/log-batch", asked.LogBatch, _log_batch),
    changes("POST", "/runs/log-parameter", asked.RunTag, _log_param),
    reads("GET", "/metrics/get-history", asked.History, _history),
    reads("GET", "/metrics/get-history-bulk", asked.HistoryOfMany, _of_many),
    reads("GET", "/metrics/get-history-bulk-interval", asked.HistoryOfMany, _of_many),
]
