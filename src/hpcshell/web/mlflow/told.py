"""What MLflow's client is told: the records of ours in the JSON of its protocol.

A run's name, note and parent are fields with us and tags with MLflow: here they become tags,
and what comes as such a tag becomes the field, so that nothing is kept twice. Whose a run is, the
token says: MLflow's word for the user stays a tag.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hpcshell.track.records import Experiment, Number, Run, Summary
from hpcshell.web.mlflow.asked import DatasetInput, ModelUse, Pair

NAME: Final = "mlflow.runName"
USER: Final = "mlflow.user"
NOTE: Final = "mlflow.note.content"
PARENT: Final = "mlflow.parentRunId"
FIELDS: Final = {NAME: "name", NOTE: "note", PARENT: "parent_run_id"}
"""Tags of MLflow's that are fields of a run of ours."""

_FARTHEST: Final = 2.0**63 - 1024
"""Milliseconds: the largest whole number of 64 bits that a float can be."""
_STATUS: Final = {
    "PENDING": "SCHEDULED",
    "RUNNING": "RUNNING",
    "SUSPENDED": "RUNNING",
    "UNKNOWN": "RUNNING",
    "COMPLETED": "FINISHED",
    "CANCELLED": "KILLED",
    "PREEMPTED": "KILLED",
}


def status(ours: str) -> str:
    """MLflow's word for how a run stands: it has five. A lost run counts as FAILED."""
    return _STATUS.get(ours, "FAILED")


class Told(msgspec.Struct, omit_defaults=True):
    """What all of them share: what is empty is left out."""


class ExperimentTold(Told):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[Pair] = []


class MetricTold(Told):
    key: str
    value: Number
    timestamp: int
    step: int = msgspec.field(name="step")
    run_id: str | None = None
    model_id: str | None = None


class RunInfo(Told):
    run_id: str
    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    artifact_uri: str
    lifecycle_stage: str
    start_time: int | None = None
    end_time: int | None = None


class RunData(Told):
    metrics: list[MetricTold] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class Inputs(Told):
    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelUse] = []


class Outputs(Told):
    model_outputs: list[ModelUse] = []


class RunTold(Told):
    info: RunInfo
    data: RunData
    inputs: Inputs
    outputs: Outputs


def milliseconds(seconds: float | None) -> int | None:
    """An instant as MLflow says it."""
    return None if seconds is None else stamp(seconds)


def stamp(seconds: float) -> int:
    """The same of a point, whose clock may have been anything: its client reads 64 bits."""
    return round(max(-_FARTHEST, min(seconds * 1000, _FARTHEST)))


def stage(deleted_at: float | None) -> str:
    """MLflow's word for whether something is deleted."""
    return "active" if deleted_at is None else "deleted"


def pairs(values: dict[str, str]) -> list[Pair]:
    """A mapping as MLflow says it."""
    return [Pair(key, value) for key, value in values.items()]


def experiment(row: Experiment) -> ExperimentTold:
    """An experiment; its description is a tag."""
    tags = row.tags | ({NOTE: row.description} if row.description else {})
    return ExperimentTold(
        experiment_id=str(row.id),
        name=row.name,
        artifact_location=f"mlflow-artifacts:/{row.id}",
        lifecycle_stage=stage(row.deleted_at),
        last_update_time=round(row.updated_at * 1000),
        creation_time=round(row.created_at * 1000),
        tags=pairs(tags),
    )


def artifact_uri(experiment_id: int, run_id: str) -> str:
    """Where the artifacts of a run are, for MLflow's client."""
    return f"mlflow-artifacts:/{experiment_id}/{run_id}/artifacts"


def info(row: Run) -> RunInfo:
    """What MLflow tells of a run besides what it logged."""
    return RunInfo(
        run_id=row.run_id,
        run_uuid=row.run_id,
        experiment_id=str(row.experiment_id),
        run_name=row.name,
        user_id=row.tags.get(USER) or row.user,
        status=status(row.status),
        artifact_uri=artifact_uri(row.experiment_id, row.run_id),
        lifecycle_stage=stage(row.deleted_at),
        start_time=milliseconds(row.started_at or row.created_at),
        end_time=milliseconds(row.ended_at),
    )


def metric(key: str, summary: Summary) -> MetricTold:
    """The last value of a metric."""
    return MetricTold(
        key=key,
        value=summary.last,
        timestamp=stamp(summary.last_time),
        step=summary.last_step,
    )


def run(row: Run, inputs: Inputs | None = None, outputs: Outputs | None = None) -> RunTold:
    """A run with all that it logged."""
    tags = {tag: value for tag, field in FIELDS.items() if (value := getattr(row, field))}
    return RunTold(
        info=info(row),
        data=RunData(
            metrics=[metric(key, summary) for key, summary in row.metrics.items()],
            params=pairs(row.params),
            tags=pairs(row.tags | tags),
        ),
        inputs=inputs or Inputs(),
        outputs=outputs or Outputs(),
    )
