"""`/metrics` by the word of Prometheus' own parsers."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_plain

from hpcshell.web.counting import BOUNDS, MOST, UNKNOWN, Counts
from hpcshell.web.figures import Figures
from tests.conftest import Hpc

LABELS = {"state", "gpu", "cluster", "method", "route", "status", "le"}


def test_both_formats_are_read_and_say_the_same(
    api: httpx.Client, hpc: Hpc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    hpc("submit", "--hold", "--name", "secret name", "--", "true", check=True)
    api.get("/api/v1/jobs/1")
    plain = api.get("/metrics")
    newer = api.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    one = {family.name: family for family in read_plain(plain.text)}
    two = {family.name: family for family in read_openmetrics(newer.text)}
    assert one.keys() == two.keys()
    jobs = {sample.labels["state"]: sample.value for sample in one["hpcshell_jobs"].samples}
    assert jobs == {"PENDING": 1, "RUNNING": 0, "SUSPENDED": 0, "COMPLETING": 0}
    assert one["hpcshell_daemon_up"].samples[0].value == 1
    for family in one.values():
        assert family.documentation
        for sample in family.samples:
            assert sample.labels.keys() <= LABELS
    assert "secret name" not in plain.text


def test_each_card_has_its_figures(
    api: httpx.Client, hpc: Hpc, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    for name, value in (("PROVIDER", "fake"), ("COUNT", "2"), ("INTERVAL", "0.1s")):
        monkeypatch.setenv(f"HPC_GPUS__{name}", value)
    hpc("gpu", "status", check=True)
    families = {family.name: family for family in read_plain(api.get("/metrics").text)}
    cards = {name for name in families if name.startswith("hpcshell_gpu_")}
    assert {"hpcshell_gpu_up", "hpcshell_gpu_memory_used_bytes"} <= cards
    for name in cards:
        told = [sample.labels["gpu"] for sample in families[name].samples]
        assert sorted(told) == ["0", "1"], name
    assert {sample.value for sample in families["hpcshell_gpu_up"].samples} == {1}


def test_a_daemon_that_is_down_is_a_figure_and_is_not_started(api: httpx.Client) -> None:
    families = {family.name: family for family in read_plain(api.get("/metrics").text)}
    assert families["hpcshell_daemon_up"].samples[0].value == 0
    assert api.get("/readyz").json()["daemon"] == "stopped"


def test_routes_are_their_templates_and_histograms_add_up(api: httpx.Client) -> None:
    for id in range(5):
        api.get(f"/api/v1/jobs/{id}")
    api.get("/api/v1/nowhere")
    families = {family.name: family for family in read_plain(api.get("/metrics").text)}
    requests = families["hpcshell_requests"].samples
    routes = {sample.labels["route"]: sample.value for sample in requests}
    assert routes["/api/v1/jobs/{job_id}"] == 5
    assert routes[UNKNOWN] == 1
    counts = [
        sample.value
        for sample in families["hpcshell_request_seconds"].samples
        if sample.labels.get("route") == "/api/v1/jobs/{job_id}" and "le" in sample.labels
    ]
    assert counts == sorted(counts)
    assert counts[-1] == 5


def test_there_are_never_more_than_so_many_routes() -> None:
    counts = Counts()
    for number in range(2 * MOST):
        counts.add("BREW", f"/{number}", 200, 0.1)
    assert len(counts.latencies) <= MOST + 1
    assert {method for method, _, _ in counts.requests} == {UNKNOWN}


def test_a_bound_belongs_to_its_own_bucket() -> None:
    counts = Counts()
    for bound in BOUNDS:
        counts.add("GET", "/x", 200, bound)
    assert counts.latencies["/x"].buckets == [1] * len(BOUNDS) + [0]


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "é", ""])
def test_labels_of_any_text_are_read_back(text: str) -> None:
    figures = Figures()
    figures.add("x", "gauge", "It.", 1.5, {"cluster": text})
    [family] = read_plain(figures.text())
    assert family.samples[0].labels["cluster"] == text


def test_the_dashboard_asks_for_figures_that_there_are(api: httpx.Client, hpc: Hpc) -> None:
    hpc("queue", check=True)
    api.get("/api/v1/jobs")
    told = api.get("/metrics").text
    there = {sample.name for family in read_plain(told) for sample in family.samples}
    board = json.loads(Path("examples/grafana/hpcshell.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    of_machines = {"hpcshell_gpu_", "hpcshell_cluster_"}
    for expression in asked:
        names = [word for word in _words(expression) if word.startswith("hpcshell_")]
        assert names
        for name in names:
            assert name in there or any(name.startswith(each) for each in of_machines), name


def _words(expression: str) -> list[str]:
    return "".join(each if each.isalnum() or each == "_" else " " for each in expression).split()
