"""Runs, as MLflow's client makes, changes and finds them.

The client tells nothing of the job that it runs in, so a tag does: `slurm_job_id`, `pbs_job_id`,
`lsf_job_id`, `sge_job_id` or `local_job_id`. With `MLFLOW_RUN_CONTEXT='{"slurm_job_id": "123"}'` in
the environment the client sets such a tag by itself.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.track.joining.refs import FIELDS, ref_of
from hpcshell.track.records import Run
from hpcshell.track.store import models, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.models import Use
from hpcshell.track.store.paging import Page, Wanted
from hpcshell.web.jobs.changing import own_run
from hpcshell.web.mlflow import asked, experiments, searches, told
from hpcshell.web.mlflow.calls import By, changes, reads
from hpcshell.web.mlflow.problems import told_invalid

SOURCE: Final = "mlflow"
CLUSTER: Final = "cluster"
"""The tag that names the cluster of the job."""
_WORDS: Final = frozenset({"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"})


class Shown(msgspec.Struct):
    run: told.RunTold


class Changed(msgspec.Struct):
    run_info: told.RunInfo


class Found(msgspec.Struct, omit_defaults=True):
    runs: list[told.RunTold] = []
    next_page_token: str | None = None


def owned(connection: Connection, said: asked.OneRun, by: By) -> str:
    """The run that is to be changed. Raises `NotFound`, `Refused` or `Wrong`."""
    run_id = said.run
    own_run(connection, by.caller, run_id)
    return run_id


def live(connection: Connection, said: asked.OneRun, by: By) -> str:
    """The same where it must not be deleted."""
    run_id = owned(connection, said, by)
    with told_invalid(Refused):
        runs.require_live(connection, run_id)
    return run_id


def job_of(tags: dict[str, str]) -> JobRef | None:
    """The job that tags name. Raises `Wrong` for what is no id of a job."""
    return ref_of({key: tags[key] for key in (*FIELDS, CLUSTER) if key in tags})


def _create(connection: Connection, said: asked.CreateRun, by: By) -> Shown:
    tags = asked.mapping(said.tags)
    name = tags.pop(told.NAME, "")
    note = tags.pop(told.NOTE, "")
    parent = tags.pop(told.PARENT, None)
    if said.user_id:
        tags.setdefault(told.USER, said.user_id)
    run_id = runs.new_id()
    new = runs.NewRun(
        run_id=run_id,
        experiment_id=experiments.writable(connection, said.experiment_id, by).id,
        name=said.run_name or name or f"run-{run_id[:8]}",
        source=SOURCE,
        user=by.user,
        tags=tags,
        parent_run_id=parent,
        started_at=asked.instant(said.start_time),
        job=job_of(tags),
    )
    row = runs.create(connection, new, by.now)
    if note:
        runs.update(connection, row.run_id, note=note, now=by.now)
        row = runs.show(connection, row.run_id)
    return Shown(told.run(row))


def _get(connection: Connection, said: asked.OneRun) -> Shown:
    row = runs.show(connection, said.run)
    return Shown(_with_uses(connection, [row])[0])


def _with_uses(connection: Connection, rows: list[Run]) -> list[told.RunTold]:
    used = models.used(connection, [row.run_id for row in rows])
    return [told.run(row, *_uses(used.get(row.run_id, []))) for row in rows]


def _uses(used: list[Use]) -> tuple[told.Inputs, told.Outputs]:
    def of(kind: str, shape: Any) -> list[Any]:
        return [msgspec.json.decode(each.body, type=shape) for each in used if each.kind == kind]

    taken = told.Inputs(of("dataset", asked.DatasetInput), of("model", asked.ModelUse))
    return taken, told.Outputs(of("output", asked.ModelUse))


def _search(connection: Connection, said: asked.SearchRuns) -> Found:
    most = asked.most(said.max_results, asked.MOST_RUNS)
    known = experiments.numbers(connection, said.experiment_ids)
    if not known:
        return Found()
    orders = searches.sorting(said.order_by, searches.RUNS)
    wanted = Wanted(
        filter=searches.translated(said.filter, searches.RUNS),
        sort=orders[0] if orders else "-created_at",
        cursor=said.page_token or None,
        deleted=searches.view(said.run_view_type),
        experiments=known,
    )
    page = searches.gathered(lambda part: _page(connection, part), wanted, most)
    rows = searches.reordered(page.rows, orders) if len(orders) > 1 else page.rows
    return Found(told_of(connection, rows), page.next)


def told_of(connection: Connection, rows: list[Run]) -> list[told.RunTold]:
    """Runs with what they took and made, a thousand at a time."""
    parts = [rows[at : at + 1000] for at in range(0, len(rows), 1000)]
    return [each for part in parts for each in _with_uses(connection, part)]


def _page(connection: Connection, wanted: Wanted) -> Page[Run]:
    return runs.page(connection, wanted)


def _update(connection: Connection, said: asked.UpdateRun, by: By) -> Changed:
    run_id = live(connection, said, by)
    if said.run_name:
        runs.update(connection, run_id, name=said.run_name, now=by.now)
    if said.status:
        if said.status not in _WORDS:
            raise Wrong(f"{quote(said.status)} is no status", "there are " + ", ".join(_WORDS))
        ended = asked.instant(said.end_time)
        runs.set_status(connection, run_id, said.status, time=ended, now=by.now)
    return Changed(told.info(runs.show(connection, run_id)))


def _delete(connection: Connection, said: asked.OneRun, by: By) -> None:
    runs.delete(connection, owned(connection, said, by), by.now)


def _restore(connection: Connection, said: asked.OneRun, by: By) -> None:
    runs.restore(connection, owned(connection, said, by), by.now)


# --------------------------------------------------------------------------------------- tags


def put_tags(connection: Connection, run_id: str, tags: dict[str, str], by: By) -> None:
    """Tags of a live run; some are fields of it, some name its job."""
    name, note = tags.pop(told.NAME, None), tags.pop(told.NOTE, None)
    tags.pop(told.PARENT, None)  # it has had one from the beginning
    if name is not None or note is not None:
        runs.update(connection, run_id, name=name, note=note, now=by.now)
    if tags:
        runs.set_tags(connection, run_id, tags, by.now)
    if (job := job_of(tags)) is not None:
        runs.link(connection, run_id, job, by.now)


def _set_tag(connection: Connection, said: asked.RunTag, by: By) -> None:
    run_id = live(connection, said, by)
    put_tags(connection, run_id, {asked.given(said.key, "key"): said.value}, by)


def _drop_tag(connection: Connection, said: asked.RunTag, by: By) -> None:
    run_id = live(connection, said, by)
    key = asked.given(said.key, "key")
    if key in (told.NAME, told.NOTE):
        put_tags(connection, run_id, {key: ""}, by)
    else:
        runs.drop_tag(connection, run_id, key, by.now)


# --------------------------------------------------------------------------- inputs and outputs


def _log_inputs(connection: Connection, said: asked.LogInputs, by: By) -> None:
    run_id = live(connection, said, by)
    taken = [_dataset(each) for each in said.datasets]
    models.use(connection, run_id, [*taken, *(_model("model", each) for each in said.models)])


def _log_outputs(connection: Connection, said: asked.LogOutputs, by: By) -> None:
    run_id = live(connection, said, by)
    models.use(connection, run_id, [_model("output", each) for each in said.models])


def _dataset(said: asked.DatasetInput) -> Use:
    name = asked.given(said.dataset.name, "dataset.name")
    key = hashlib.sha256(f"{name}\0{said.dataset.digest}".encode("utf-8", "surrogatepass"))
    return Use("dataset", key.hexdigest(), msgspec.json.encode(said).decode())


def _model(kind: str, said: asked.ModelUse) -> Use:
    return Use(kind, asked.given(said.model_id, "model_id"), msgspec.json.encode(said).decode())


def _log_model(connection: Connection, said: asked.LogModel, by: By) -> None:
    """What clients of version 2 log with a model goes where they look for it: a tag."""
    run_id = live(connection, said, by)
    history = runs.show(connection, run_id).tags.get(_MODELS, "[]")
    try:
        known = msgspec.json.decode(history, type=list[Any])
        known.append(msgspec.json.decode(asked.given(said.model_json, "model_json")))
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise Wrong("model_json is no JSON", "log the model with MLflow's client") from None
    put_tags(connection, run_id, {_MODELS: msgspec.json.encode(known).decode()}, by)


_MODELS: Final = "mlflow.log-model.history"

handlers: Final = [
    changes("POST", "/runs/create", asked.CreateRun, _create),
    reads("GET", "/runs/get", asked.OneRun, _get),
    reads("POST", "/runs/search", asked.SearchRuns, _search),
    changes("POST", "/runs/update", asked.UpdateRun, _update),
    changes("POST", "/runs/delete", asked.OneRun, _delete),
    changes("POST", "/runs/restore", asked.OneRun, _restore),
    changes("POST", "/runs/set-tag", asked.RunTag, _set_tag),
    changes("POST", "/runs/delete-tag", asked.RunTag, _drop_tag),
    changes("POST", "/runs/log-inputs", asked.LogInputs, _log_inputs),
    changes("POST", "/runs/outputs", asked.LogOutputs, _log_outputs),
    changes("POST", "/runs/log-model", asked.LogModel, _log_model),
]
