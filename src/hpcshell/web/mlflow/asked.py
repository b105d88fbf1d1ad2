"""What MLflow's client asks, as it says it: the JSON of its protocol.

Whole numbers may come as text, instants are milliseconds, and a value that JSON cannot say is
`"NaN"`, `"Infinity"` or `"-Infinity"`. A run goes by `run_id` or, from old clients, `run_uuid`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

Whole = int | str
DEFAULT_RUNS: Final = 1000
MOST_RUNS: Final = 50_000
"""Of one page of a search, as MLflow has it."""
MOST_POINTS: Final = 25_000
"""Of one page of a metric's history."""


class Asked(msgspec.Struct, gc=False):
    """What all of them share: what we do not know is passed over."""


class Empty(Asked):
    """Nothing."""


class Pair(Asked):
    """A tag or a parameter."""

    key: str = ""
    value: str = ""


class Point(Asked):
    """One value of a metric."""

    key: str = ""
    value: float | str = 0.0
    timestamp: Whole = 0
    step: Whole = 0
    model_id: str | None = None


# ------------------------------------------------------------------------------- experiments


class CreateExperiment(Asked):
    name: str = ""
    artifact_location: str = ""
    tags: list[Pair] = []


class OneExperiment(Asked):
    experiment_id: str = ""


class NamedExperiment(Asked):
    experiment_name: str = ""


class UpdateExperiment(OneExperiment):
    new_name: str = ""


class SearchExperiments(Asked):
    max_results: Whole = DEFAULT_RUNS
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: str = "ACTIVE_ONLY"


class ExperimentTag(OneExperiment):
    key: str = ""
    value: str = ""


# -------------------------------------------------------------------------------------- runs


class CreateRun(Asked):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Whole = 0
    tags: list[Pair] = []


class OneRun(Asked):
    run_id: str = ""
    run_uuid: str = ""

    @property
    def run(self) -> str:
        """The run that is meant. Raises `Wrong`."""
        return given(self.run_id or self.run_uuid, "run_id")


class UpdateRun(OneRun):
    status: str = ""
    end_time: Whole = 0
    run_name: str = ""


class SearchRuns(Asked):
    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str = "ACTIVE_ONLY"
    max_results: Whole = DEFAULT_RUNS
    order_by: list[str] = []
    page_token: str = ""


class RunTag(OneRun):
    key: str = ""
    value: str = ""


class LogMetric(OneRun):
    key: str = ""
    value: float | str = 0.0
    timestamp: Whole = 0
    step: Whole = 0
    model_id: str | None = None


class LogBatch(OneRun):
    metrics: list[Point] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class Dataset(Asked, omit_defaults=True):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class DatasetInput(Asked, omit_defaults=True):
    tags: list[Pair] = []
    dataset: Dataset = msgspec.field(default_factory=Dataset)


class ModelUse(Asked):
    """A model that a run took or made."""

    model_id: str = ""
    step: Whole = 0


class LogInputs(OneRun):
    datasets: list[DatasetInput] = []
    models: list[ModelUse] = []


class LogOutputs(OneRun):
    models: list[ModelUse] = []


class LogModel(OneRun):
    model_json: str = ""


class ListArtifacts(OneRun):
    path: str = ""


# ----------------------------------------------------------------------------------- metrics


class History(OneRun):
    metric_key: str = ""
    max_results: Whole = MOST_POINTS
    page_token: str = ""


class HistoryOfMany(Asked):
    run_ids: list[str] = []
    metric_key: str = ""
    max_results: Whole = MOST_POINTS
    start_step: Whole | None = None
    end_step: Whole | None = None


# ------------------------------------------------------------------------------------ models


class CreateModel(Asked):
    experiment_id: str = ""
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[Pair] = []
    tags: list[Pair] = []


class OneModel(Asked):
    model_id: str = ""


class FinalizeModel(OneModel):
    status: str = ""


class ModelPairs(OneModel):
    params: list[Pair] = []
    tags: list[Pair] = []


class ModelTag(OneModel):
    tag_key: str = ""


class ModelFiles(OneModel):
    artifact_directory_path: str = ""


class OrderBy(Asked):
    field_name: str = ""
    ascending: bool = True


class SearchModels(Asked):
    experiment_ids: list[str] = []
    filter: str = ""
    max_results: Whole = 100
    order_by: list[OrderBy] = []
    page_token: str = ""


# ------------------------------------------------------------------------------- their values


def given(value: str, name: str) -> str:
    """What has to be given. Raises `Wrong`."""
    if not value:
        raise Wrong(f"{name} is missing", f"give {name}")
    return value


def whole(value: Whole) -> int:
    """A whole number, which may be text. Raises `Wrong`."""
    try:
        return int(value)
    except ValueError:
        raise Wrong(f"{quote(str(value))} is no whole number", "write digits") from None


def instant(milliseconds: Whole) -> float | None:
    """Unix seconds; `None` where nothing was said."""
    number = whole(milliseconds)
    return number / 1000 if number else None


def most(wanted: Whole, limit: int) -> int:
    """How many are wanted on a page. Raises `Wrong` where that is more than `limit`."""
    number = whole(wanted)
    if not 1 <= number <= limit:
        raise Wrong(f"max_results is {number}", f"give 1 to {limit}")
    return number


def mapping(pairs: list[Pair]) -> dict[str, str]:
    """Pairs as a mapping. Raises `Wrong` where a key is missing."""
    return {given(pair.key, "key"): pair.value for pair in pairs}
