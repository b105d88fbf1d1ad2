"""What training scripts do with MLflow, and what comes of it, as JSON."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy
from mlflow import MlflowClient
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag
from mlflow.pyfunc.model import PythonModel

client: Any = MlflowClient()
said: dict[str, Any] = {}


def refused(work: Callable[[], Any]) -> str:
    """The code of the error that this raises."""
    try:
        return f"no error: {work()}"
    except mlflow.exceptions.MlflowException as error:
        return str(error.error_code)


def dump(run_id: str) -> dict[str, Any]:
    run = client.get_run(run_id)
    kept: dict[str, Any] = run.to_dictionary()
    kept["data"]["metrics"] = {key: str(value) for key, value in run.data.metrics.items()}
    return kept


def scripts() -> None:
    with mlflow.start_run(run_name="nowhere") as run:
        mlflow.log_metric("a", 1)
    said["default"] = {
        "run": run.info.experiment_id,
        "name": client.get_experiment("0").name,
        "zero": client.get_experiment("0").experiment_id,
        "found": len(mlflow.search_runs(["0"])),
    }
    experiment = mlflow.set_experiment("digits")
    os.environ["MLFLOW_RUN_CONTEXT"] = json.dumps({"slurm_job_id": "77_3", "cluster": "big"})
    with mlflow.start_run(run_name="first", tags={"team": "a"}, description="words") as run:
        del os.environ["MLFLOW_RUN_CONTEXT"]
        for step, value in enumerate([float("nan"), float("inf"), -float("inf"), 0.5]):
            mlflow.log_metric("loss", value, step=step)
        mlflow.log_metrics({"acc": 0.9, "worst": float("nan")}, step=3)
        mlflow.log_params({"lr": 0.1, "layers": [1, 2]})
        said["same param"] = mlflow.log_param("lr", 0.1)
        said["other param"] = refused(lambda: mlflow.log_param("lr", 0.2))
        said["other params"] = refused(lambda: mlflow.log_params({"lr": 0.3, "new": 1}))
        mlflow.set_tags({"k": "v", "gone": "soon"})
        mlflow.delete_tag("gone")
        said["no tag"] = refused(lambda: mlflow.delete_tag("gone"))
        data = from_numpy(numpy.zeros(3), name="nums")
        mlflow.log_input(data, context="training")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("z", 1)
    said["first"] = dump(run.info.run_id)
    said["loss"] = [
        (point.step, str(point.value))
        for point in client.get_metric_history(run.info.run_id, "loss")
    ]
    said["no metric"] = client.get_metric_history(run.info.run_id, "none")
    parent: Any = mlflow.get_parent_run(child.info.run_id)
    said["child"] = parent.info.run_id == run.info.run_id
    nested = f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    found = client.search_runs([experiment.experiment_id], nested)
    said["children"] = [each.info.run_name for each in found]
    said["failed"] = _failing()
    mlflow.set_system_metrics_sampling_interval(0.1)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(run_id=run.info.run_id, log_system_metrics=True):
        said["resumed"] = client.get_run(run.info.run_id).info.status
        said["system"] = _measured(run.info.run_id)


def _measured(run_id: str) -> list[str]:
    """The names of what the client has measured of the machine, once it has."""
    give_up = time.monotonic() + 20
    found: list[str] = []
    while not found and time.monotonic() < give_up:
        metrics = client.get_run(run_id).data.metrics
        found = sorted(key for key in metrics if key.startswith("system/"))
    return found


def _failing() -> str:
    try:
        with mlflow.start_run() as run:
            raise ValueError("as intended")
    except ValueError:
        return str(client.get_run(run.info.run_id).info.status)


def tracking() -> None:
    id = client.create_experiment("plain", tags={"a": "b"})
    said["twice"] = refused(lambda: client.create_experiment("plain"))
    said["no name"] = refused(lambda: client.create_experiment(" " * 3))
    client.rename_experiment(id, "renamed")
    client.set_experiment_tag(id, "c", "d")
    client.delete_experiment_tag(id, "a")
    said["renamed"] = [client.get_experiment(id).name, client.get_experiment(id).tags]
    said["by name"] = client.get_experiment_by_name("plain")
    said["no experiment"] = [
        refused(lambda: client.get_experiment("9999")),
        refused(lambda: client.get_experiment("abc")),
    ]
    run_id = client.create_run(id, run_name="r", tags={"mlflow.user": "ann"}).info.run_id
    client.log_batch(
        run_id,
        [Metric("m", step / 2, 1_700_000_000_000 + step, step) for step in range(10_000)],
        [Param("p", "q")],
        [RunTag("g", "h")],
    )
    client.log_metric(run_id, "backwards", 1.0, step=5)
    client.log_metric(run_id, "backwards", 2.0, step=2)
    client.log_batch(run_id, [Metric("later", 1.0, 5, 1)], synchronous=False).wait()
    client.set_tag(run_id, "pbs_job_id", "12.server")
    said["bad job"] = refused(lambda: client.set_tag(run_id, "slurm_job_id", "none"))
    said["history"] = len(client.get_metric_history(run_id, "m"))
    client.update_run(run_id, "RUNNING", "other name")
    client.set_terminated(run_id, "KILLED")
    said["batch"] = dump(run_id)
    _deleting(id, run_id)
    said["names"] = [
        refused(lambda: client.log_metric(run_id, "k" * 300, 1)),
        refused(lambda: client.log_metric(run_id, "a\nb", 1)),
        refused(lambda: client.log_param(run_id, "", 1)),
        refused(lambda: client.get_run("0" * 32)),
        refused(lambda: client.get_run("zz")),
    ]
    said["absent"] = [
        refused(lambda: client.create_registered_model("m")),
        refused(lambda: mlflow.search_traces(locations=[id])),
    ]


def _deleting(id: str, run_id: str) -> None:
    client.delete_run(run_id)
    said["deleted run"] = [
        client.get_run(run_id).info.lifecycle_stage,
        refused(lambda: client.log_metric(run_id, "m", 1)),
        len(client.search_runs([id])),
        len(client.search_runs([id], run_view_type=2)),
    ]
    client.restore_run(run_id)
    client.delete_experiment(id)
    said["deleted"] = [
        client.get_experiment(id).lifecycle_stage,
        refused(lambda: client.create_run(id)),
        refused(lambda: client.delete_experiment(id)),
        [each.name for each in client.search_experiments(view_type=2)],
    ]
    client.restore_experiment(id)
    said["restored"] = [
        client.get_experiment(id).lifecycle_stage,
        refused(lambda: client.restore_experiment(id)),
        client.get_run(run_id).info.lifecycle_stage,
    ]


class Same(PythonModel):
    """A model that answers with what it is asked."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input


def models() -> None:
    experiment = mlflow.set_experiment("models")
    with mlflow.start_run() as run:
        logged = mlflow.pyfunc.log_model(name="same", python_model=Same(), pip_requirements=[])
    loaded = mlflow.pyfunc.load_model(logged.model_uri)
    said["loaded"] = loaded.predict(["a"])
    said["outputs"] = len(client.get_run(run.info.run_id).outputs.model_outputs)
    made = client.create_logged_model(
        experiment.experiment_id, name="mine", params={"a": "b"}, tags={"c": "d"}, model_type="x"
    )
    client.finalize_logged_model(made.model_id, "READY")
    client.set_logged_model_tags(made.model_id, {"e": "f"})
    client.delete_logged_model_tag(made.model_id, "c")
    client.log_model_params(made.model_id, {"g": "h"})
    client.log_metric(run.info.run_id, "score", 0.7, model_id=made.model_id)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(made.model_id, 1)])
    kept = client.get_logged_model(made.model_id)
    said["model"] = [kept.name, str(kept.status), kept.params, kept.tags, kept.metrics[0].value]
    wanted = ("name = 'mine'", "params.a LIKE '%' AND metrics.score > 0.5", "name = 'other'")
    said["models"] = [
        len(client.search_logged_models([experiment.experiment_id], filter_string=each))
        for each in wanted
    ]
    with tempfile.TemporaryDirectory() as place:
        Path(place, "w.bin").write_bytes(b"weights")
        client.log_model_artifacts(made.model_id, place)
    said["model files"] = [file.path for file in client.list_logged_model_artifacts(made.model_id)]
    client.delete_logged_model(made.model_id)
    said["no model"] = refused(lambda: client.get_logged_model(made.model_id))


scripts()
tracking()
models()
print(json.dumps(said))
