"""Experiments, as MLflow's client asks for them.

Its experiment `0` is ours of the name Default, which is made when something is first put into it.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import Experiment
from hpcshell.track.store import experiments
from hpcshell.track.store.paging import Wanted
from hpcshell.web.jobs.changing import own_experiment
from hpcshell.web.mlflow import asked, searches, told
from hpcshell.web.mlflow.calls import By, changes, reads

DEFAULT: Final = "Default"
"""The experiment of those who name none."""
ZERO: Final = "0"


class Created(msgspec.Struct):
    experiment_id: str


class Shown(msgspec.Struct):
    experiment: told.ExperimentTold


class Found(msgspec.Struct, omit_defaults=True):
    experiments: list[told.ExperimentTold] = []
    next_page_token: str | None = None


def number(connection: Connection, text: str) -> int | None:
    """The number of an experiment; `None` for Default while there is none. Raises `Wrong`."""
    if asked.given(text, "experiment_id") == ZERO:
        found = experiments.named(connection, DEFAULT)
        return None if found is None else found.id
    if not (text.isascii() and text.isdigit()):
        raise Wrong(f"experiment_id {quote(text)} is no whole number", "search for its name")
    return int(text)


def numbers(connection: Connection, texts: list[str]) -> tuple[int, ...]:
    """Those of several experiments, of which Default may not be there. Raises `Wrong`."""
    found = (number(connection, text) for text in texts)
    return tuple(each for each in found if each is not None)


def row(connection: Connection, text: str) -> Experiment:
    """The experiment. Raises `NotFound` or `Wrong`."""
    id = number(connection, text)
    if id is None:
        raise NotFound(f"there is no experiment {DEFAULT}", "create a run in it")
    return experiments.show(connection, id)


def writable(connection: Connection, text: str, by: By) -> Experiment:
    """The experiment for something new in it. Raises `NotFound` or `Wrong`."""
    if text in ("", ZERO):
        return experiments.ensure(connection, DEFAULT, owner=by.user, now=by.now)
    found = row(connection, text)
    if found.deleted_at is not None:
        raise Wrong(f"experiment {text} is deleted", "restore it first")
    return found


def _changeable(connection: Connection, text: str, by: By) -> int:
    """The number of one that is there and that the caller may change. Raises `NotFound`,
    `Refused` or `Wrong`."""
    found = row(connection, text)
    own_experiment(connection, by.caller, found.id)
    if found.deleted_at is not None:
        raise NotFound(f"experiment {text} is deleted", "restore it first")
    return found.id


def _create(connection: Connection, said: asked.CreateExperiment, by: By) -> Created:
    place = said.artifact_location
    if place and not place.startswith("mlflow-artifacts:"):
        raise Wrong(f"artifacts are not kept at {quote(place)}", "leave artifact_location out")
    tags = asked.mapping(said.tags)
    made = experiments.create(
        connection,
        asked.given(said.name, "name"),
        description=tags.pop(told.NOTE, ""),
        owner=by.user,
        tags=tags,
        now=by.now,
    )
    return Created(str(made.id))


def _get(connection: Connection, said: asked.OneExperiment) -> Shown:
    if number(connection, said.experiment_id) is None:
        empty = Experiment(id=0, name=DEFAULT, created_at=0.0, updated_at=0.0)
        return Shown(told.experiment(empty))
    return Shown(told.experiment(row(connection, said.experiment_id)))


def _named(connection: Connection, said: asked.NamedExperiment) -> Shown:
    name = asked.given(said.experiment_name, "experiment_name")
    found = experiments.named(connection, name)
    if found is None:
        raise NotFound(f"there is no experiment {quote(name)}", "create it")
    return Shown(told.experiment(found))


def _search(connection: Connection, said: asked.SearchExperiments) -> Found:
    sort = searches.sorting(said.order_by, searches.EXPERIMENTS) or ["-created_at"]
    wanted = Wanted(
        filter=searches.translated(said.filter, searches.EXPERIMENTS),
        sort=sort[0],
        cursor=said.page_token or None,
        deleted=searches.view(said.view_type),
    )
    most = asked.most(said.max_results, asked.MOST_RUNS)
    page = searches.gathered(lambda part: experiments.page(connection, part), wanted, most)
    return Found([told.experiment(each) for each in page.rows], page.next)


def _update(connection: Connection, said: asked.UpdateExperiment, by: By) -> None:
    id = _changeable(connection, said.experiment_id, by)
    name = asked.given(said.new_name, "new_name")
    experiments.update(connection, id, name=name, now=by.now)


def _delete(connection: Connection, said: asked.OneExperiment, by: By) -> None:
    experiments.delete(connection, _changeable(connection, said.experiment_id, by), by.now)


def _restore(connection: Connection, said: asked.OneExperiment, by: By) -> None:
    found = row(connection, said.experiment_id)
    own_experiment(connection, by.caller, found.id)
    if found.deleted_at is None:
        raise NotFound(f"experiment {found.id} is not deleted", "there is nothing to restore")
    experiments.restore(connection, found.id, by.now)


def _set_tag(connection: Connection, said: asked.ExperimentTag, by: By) -> None:
    id = _changeable(connection, said.experiment_id, by)
    key = asked.given(said.key, "key")
    if key == told.NOTE:
        experiments.update(connection, id, description=said.value, now=by.now)
    else:
        experiments.set_tag(connection, id, key, said.value, by.now)


def _drop_tag(connection: Connection, said: asked.ExperimentTag, by: By) -> None:
    id = _changeable(connection, said.experiment_id, by)
    key = asked.given(said.key, "key")
    if key == told.NOTE:
        experiments.update(connection, id, description="", now=by.now)
    else:
        experiments.drop_tag(connection, id, key, by.now)


handlers: Final = [
    changes("POST", "/experiments/create", asked.CreateExperiment, _create),
    reads("GET", "/experiments/get", asked.OneExperiment, _get),
    reads("GET", "/experiments/get-by-name", asked.NamedExperiment, _named),
    reads("GET", "/experiments/search", asked.SearchExperiments, _search),
    reads("POST", "/experiments/search", asked.SearchExperiments, _search),
    reads("GET", "/experiments/list", asked.SearchExperiments, _search),
    changes("POST", "/experiments/update", asked.UpdateExperiment, _update),
    changes("POST", "/experiments/delete", asked.OneExperiment, _delete),
    changes("POST", "/experiments/restore", asked.OneExperiment, _restore),
    changes("POST", "/experiments/set-experiment-tag", asked.ExperimentTag, _set_tag),
    changes("POST", "/experiments/delete-experiment-tag", asked.ExperimentTag, _drop_tag),
]
