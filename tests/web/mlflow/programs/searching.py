"""120 runs, looked for in all the ways that MLflow's documentation shows; as JSON."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

RUNS = 120
client = MlflowClient()
id = client.create_experiment("many")
said: dict[str, Any] = {}


def make() -> None:
    for number in range(RUNS):
        run_id = client.create_run(
            id, 1_700_000_000_000 + number, run_name=f"run {number:03}"
        ).info.run_id
        loss = math.nan if number % 40 == 7 else number / 10
        client.log_batch(
            run_id,
            [Metric("loss", loss, 0, 1), Metric("val/acc@1", 1 - number / RUNS, 0, 1)],
            [Param("lr", str(number % 3)), Param("model type", "wide" if number % 2 else "deep")],
            [RunTag("team", "ab"[number % 2])],
        )
        if number % 10 == 0:
            client.set_terminated(run_id, ("FINISHED", "FAILED", "KILLED")[number // 10 % 3])


def names(filter: str = "", **named: Any) -> list[str]:
    return [run.info.run_name for run in client.search_runs([id], filter, **named)]


def pages(filter: str, size: int, order: list[str]) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = client.search_runs([id], filter, 1, size, order, token)
        found += [run.info.run_name for run in page]
        token = page.token
        if not token:
            return found


FILTERS = (
    "metrics.loss < 0.35",
    'metrics.loss <= 0.3 and params.lr = "0"',
    "metrics.`val/acc@1` > 0.98",
    "params.`model type` = 'wide' AND metrics.loss < 0.8",
    "tags.team = 'a' and metrics.loss < 1",
    "tags.team LIKE 'A%'",
    "tags.team ILIKE 'A%' and metrics.loss <= 0.2",
    "attributes.status = 'FINISHED'",
    "status != 'RUNNING' and status != 'FAILED'",
    "attributes.run_name = 'run 005'",
    "run_name LIKE 'run 00%' and params.lr != '0'",
    "tags.mlflow.runName = 'run 011'",
    "attributes.start_time < 1700000000003",
    "params.lr IN ('1', '2') and metrics.loss < 0.5",
    "user_id = 'nobody'",
)
make()
said["filters"] = {each: sorted(names(each)) for each in FILTERS}
said["newest"] = names()[:2]
said["by loss"] = names(order_by=["metrics.loss ASC"])
said["by loss down"] = names(order_by=["metrics.loss DESC"])[:3]
said["by start"] = names(order_by=["attributes.start_time ASC"])[:2]
said["by two"] = names(order_by=["params.lr DESC", "metrics.`val/acc@1` ASC"])[:2]
said["pages"] = pages("", 50, ["metrics.loss ASC"])
said["wrong"] = []
for filter, order in (("foo = 1", None), ("metrics.loss >", None), ("", ["bla ASC"])):
    try:
        names(filter, order_by=order)
    except mlflow.exceptions.MlflowException as error:
        said["wrong"].append(error.error_code)
said["frame"] = len(mlflow.search_runs([id], "params.lr = '1'"))

with mlflow.start_run(experiment_id=id) as run, tempfile.TemporaryDirectory() as place:
    top = Path(place, "up")
    (top / "sub dir" / "deep").mkdir(parents=True)
    (top / "a.txt").write_text("alpha")
    (top / "sub dir" / "b ü.txt").write_text("beta")
    (top / "sub dir" / "deep" / "c.bin").write_bytes(bytes(range(256)) * 4096)
    mlflow.log_artifacts(str(top), "many")
    mlflow.log_artifact(str(top / "a.txt"))
    mlflow.log_dict({"x": [1, 2]}, "conf/d.json")
    mlflow.log_text("hello", "t.txt")
    said["dict"] = mlflow.artifacts.load_dict(run.info.artifact_uri + "/conf/d.json")
    said["text"] = mlflow.artifacts.load_text(run.info.artifact_uri + "/t.txt")
    back = Path(client.download_artifacts(run.info.run_id, "many", place))
    said["same"] = all(
        (back / path.relative_to(top)).read_bytes() == path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    )
    said["listed"] = {
        path: [
            [each.path, each.is_dir, each.file_size]
            for each in client.list_artifacts(run.info.run_id, path)
        ]
        for path in ("", "many", "many/sub dir", "t.txt", "nothing")
    }
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    where = get_artifact_repository(run.info.artifact_uri)
    where.delete_artifacts("many/sub dir")
    where.delete_artifacts("t.txt")
    said["left"] = [each.path for each in client.list_artifacts(run.info.run_id)]
    said["left in many"] = [each.path for each in client.list_artifacts(run.info.run_id, "many")]
    try:
        client.download_artifacts(run.info.run_id, "t.txt", place)
    except mlflow.exceptions.MlflowException as error:
        said["gone"] = error.error_code
    said["run"] = run.info.run_id
json.dump(said, sys.stdout)
