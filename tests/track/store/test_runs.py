"""Runs: made, found, changed, deleted and brought back, over both databases."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.track.records import Run
from hpcshell.track.store import experiments, jobs, runs
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.jobs import JobRef, Prices
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import jobs as table
from tests.track.store.made import NOW, experiment, measured, run, show

ID = "0123456789abcdef" * 2


def test_one_that_is_made_can_be_shown_whole(store: Store) -> None:
    made = run(
        store,
        experiment(store),
        run_id=ID,
        name="first",
        source="client",
        user="ann",
        host="node1",
        seed=7,
        config={"opt": {"lr": 0.1, "on": True}, "layers": [1, 2]},
        params={"extra": "x"},
        tags={"team": "a"},
        job=JobRef("slurm", "42", "big", 3),
    )

    assert show(store, ID) == made
    assert made.experiment == "mnist"
    assert (made.name, made.user, made.host, made.seed) == ("first", "ann", "node1", 7)
    assert made.config == {"opt": {"lr": 0.1, "on": True}, "layers": [1, 2]}
    assert made.params == {"extra": "x", "layers": "[1,2]", "opt.lr": "0.1", "opt.on": "true"}
    assert made.tags == {"team": "a"}
    assert (made.status, made.started_at, made.ended_at) == ("RUNNING", NOW, None)
    assert made.job is not None
    assert (made.job.cluster, made.job.id, made.job.element) == ("big", "42", 3)
    assert made.job.label == "42_3"


def test_the_same_words_make_it_once(store: Store) -> None:
    number = experiment(store)

    assert run(store, number, run_id=ID) == run(store, number, NOW + 5, run_id=ID)
    with store.reading() as connection:
        assert len(runs.page(connection, Wanted()).rows) == 1


def test_an_id_that_another_experiment_has_is_taken(store: Store) -> None:
    run(store, experiment(store, "one"), run_id=ID)

    with pytest.raises(Exists):
        run(store, experiment(store, "other"), run_id=ID)


def test_two_runs_of_a_job_have_one_row_of_it(store: Store) -> None:
    number, ref = experiment(store), JobRef("pbs", "12.server")
    for _ in range(2):
        run(store, number, job=ref)

    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 1
        assert jobs.find(connection, ref) is not None
        assert jobs.find(connection, JobRef("pbs", "13.server")) is None


# ---------------------------------------------------------------------------------- the statuses


def test_its_status_says_when_it_began_and_ended(store: Store) -> None:
    number = experiment(store)
    id = run(store, number, status="PENDING").run_id
    assert show(store, id).started_at is None

    store.change(lambda c: runs.set_status(c, id, "running", now=NOW + 1))
    store.change(
        lambda c: runs.set_status(
            c, id, "FAILED", time=NOW + 5, reason="out of luck", exit_code=3, now=NOW + 6
        )
    )

    ended = show(store, id)
    assert (ended.status, ended.reason, ended.exit_code) == ("FAILED", "out of luck", 3)
    assert (ended.started_at, ended.ended_at, ended.updated_at) == (NOW + 1, NOW + 5, NOW + 6)


def test_one_that_ended_may_go_on(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: runs.set_status(c, id, "FINISHED", now=NOW + 1))
    assert show(store, id).status == "COMPLETED"

    store.change(lambda c: runs.set_status(c, id, "RUNNING", now=NOW + 2))
    assert show(store, id).ended_at is None


def test_a_word_that_is_no_status_is_refused(store: Store) -> None:
    id = run(store, experiment(store)).run_id

    with pytest.raises(Wrong, match="no status"):
        store.change(lambda c: runs.set_status(c, id, "sleeping", now=NOW))


def test_one_that_was_lost_and_lives_runs(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: runs.set_status(c, id, "LOST", reason="said nothing", now=NOW + 1))
    store.change(lambda c: runs.heartbeat(c, id, NOW + 2))

    found = show(store, id)
    assert (found.status, found.reason, found.heartbeat_at) == ("RUNNING", None, NOW + 2)


def test_one_that_ended_stays_so_whatever_lives_of_it(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: runs.set_status(c, id, "TIMEOUT", now=NOW + 1))
    store.change(lambda c: runs.heartbeat(c, id, NOW + 2))

    assert show(store, id).status == "TIMEOUT"


# --------------------------------------------------------------------- names, notes, params, tags


def test_its_name_and_note_change(store: Store) -> None:
    id = run(store, experiment(store), name="first").run_id
    store.change(lambda c: runs.update(c, id, note="*good*\nfor a start", now=NOW))
    store.change(lambda c: runs.update(c, id, name="second", now=NOW))

    assert (show(store, id).name, show(store, id).note) == ("second", "*good*\nfor a start")


def test_a_parameter_may_be_said_again_and_never_changes(store: Store) -> None:
    id = run(store, experiment(store), params={"lr": "0.1"}).run_id
    store.change(lambda c: runs.set_params(c, id, {"lr": "0.1", "depth": "3"}, NOW))

    with pytest.raises(Exists, match="'lr'"):
        store.change(lambda c: runs.set_params(c, id, {"other": "1", "lr": "0.2"}, NOW))
    assert show(store, id).params == {"depth": "3", "lr": "0.1"}


def test_tags_are_written_over_and_taken_away(store: Store) -> None:
    id = run(store, experiment(store), tags={"a": "1", "b": "2"}).run_id
    store.change(lambda c: runs.set_tags(c, id, {"b": "3", "c": "4"}, NOW))
    store.change(lambda c: runs.drop_tag(c, id, "a", NOW))

    assert show(store, id).tags == {"b": "3", "c": "4"}
    with pytest.raises(NotFound):
        store.change(lambda c: runs.drop_tag(c, id, "a", NOW))


# ---------------------------------------------------------------------------- deleted and brought


def test_it_is_deleted_and_brought_back(store: Store) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: runs.delete(c, id, NOW + 1))
    store.change(lambda c: runs.delete(c, id, NOW + 2))
    with store.reading() as connection:
        assert runs.page(connection, Wanted()).rows == []
    assert show(store, id).deleted_at == NOW + 1

    store.change(lambda c: runs.restore(c, id, NOW + 3))
    assert show(store, id).deleted_at is None


def test_it_cannot_come_back_to_an_experiment_that_is_deleted(store: Store) -> None:
    number = experiment(store)
    id = run(store, number).run_id
    store.change(lambda c: experiments.delete(c, number, NOW))

    with pytest.raises(Refused, match="experiment"):
        store.change(lambda c: runs.restore(c, id, NOW))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: runs.set_status(c, ID, "FAILED", now=NOW),
        lambda c: runs.heartbeat(c, ID, NOW),
        lambda c: runs.update(c, ID, name="x", now=NOW),
        lambda c: runs.set_params(c, ID, {"a": "b"}, NOW),
        lambda c: runs.set_tags(c, ID, {"a": "b"}, NOW),
        lambda c: runs.drop_tag(c, ID, "a", NOW),
        lambda c: runs.link(c, ID, JobRef("slurm", "12"), NOW),
    ],
)
def test_what_is_deleted_or_not_there_is_not_changed(store: Store, change: Any) -> None:
    with pytest.raises(NotFound):
        store.change(change)
    run(store, experiment(store), run_id=ID, tags={"a": "b"})
    store.change(lambda c: runs.delete(c, ID, NOW))
    with pytest.raises(Refused, match="restore it"):
        store.change(change)


# ------------------------------------------------------------------------------ metrics and jobs


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e300, -5e-324, 1.0, 0.0, 1 / 3, 123456789.123456789])
def test_a_metric_is_told_to_its_last_digit(store: Store, value: float) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: measured(c, id, {"loss": value}))

    assert show(store, id).metrics["loss"].last == value
    assert show(store, id).metrics["loss"].last_time == NOW


@pytest.mark.parametrize(
    ("value", "told"), [(None, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_what_is_no_number_is_told_in_words(store: Store, value: float | None, told: str) -> None:
    id = run(store, experiment(store)).run_id
    store.change(lambda c: measured(c, id, {"loss": value}))

    found = show(store, id).metrics["loss"]
    assert found.last == told
    assert found.max == (None if value is None else told)
    msgspec.json.encode(show(store, id))


@pytest.mark.parametrize("key", ['"', "\\", "<b>", "a:b", "%s", "é", "日本", "a b", "{}", "'"])
def test_odd_keys_are_kept(store: Store, key: str) -> None:
    id = run(store, experiment(store), params={key: key}, tags={key: "\n\t\x01" + key}).run_id
    store.change(lambda c: measured(c, id, {key: 1.0}))

    found = show(store, id)
    assert found.params == {key: key}
    assert found.tags == {key: "\n\t\x01" + key}
    assert list(found.metrics) == [key]


def test_a_job_says_what_it_took_and_cost(store: Store) -> None:
    id = run(store, experiment(store), job=JobRef("slurm", "42")).run_id
    facts = {
        "start_time": NOW,
        "end_time": NOW + 7200,
        "cpus": 4,
        "gpus": 0.5,
        "cpu_time": 14400.0,
        "max_rss": 50,
        "memory": 200,
        "nodes": '["n1","n2"]',
    }
    store.change(lambda c: c.execute(table.update().values(facts)))

    with store.reading() as connection:
        job = runs.show(connection, id, Prices(cpu_hour=0.1, gpu_hour=2.0)).job
    assert job is not None
    assert (job.cpu_hours, job.gpu_hours, job.nodes) == (8.0, 1.0, ["n1", "n2"])
    assert (job.cpu_efficiency, job.memory_efficiency) == (0.5, 0.25)
    assert job.cost == pytest.approx(2.8)
    assert show(store, id).job == msgspec.structs.replace(job, cost=None)


def test_a_job_of_which_nothing_is_known_costs_nothing_that_is_known(store: Store) -> None:
    run(store, experiment(store), job=JobRef("slurm", "42"))

    with store.reading() as connection:
        job = runs.page(connection, Wanted(), Prices(1.0, 1.0)).rows[0].job
    assert job is not None
    assert (job.cpu_hours, job.cost, job.cpu_efficiency, job.element) == (None,) * 4


# ----------------------------------------------------------------------------------- bad input


def deep(levels: int) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for _ in range(levels):
        config = {"a": config}
    return config


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x" * 251},
        {"name": "a\x00"},
        {"user": "\x1b[2J"},
        {"run_id": "short"},
        {"run_id": ID.upper()},
        {"run_id": "'; DROP TABLE runs; --"},
        {"parent_run_id": "x"},
        {"seed": 2**63},
        {"seed": -(2**63) - 1},
        {"started_at": math.nan},
        {"started_at": math.inf},
        {"started_at": 1e300},
        {"status": "nice"},
        {"tags": {"a\nb": "x"}},
        {"tags": {"a": "x\x00"}},
        {"tags": {"a": "x" * 1_000_000}},
        {"tags": {"": "x"}},
        {"params": {"x" * 251: "x"}},
        {"params": {f"k{n}": "" for n in range(10_001)}},
        {"config": {"a": "\ud800"}},
        {"config": {"a": "x" * 1_000_000}},
        {"config": deep(10_000)},
        {"config": {"": 1}},
        {"job": JobRef("slurm", "")},
        {"job": JobRef("slurm", "1; rm -rf")},
        {"job": JobRef("a cloud", "1")},
        {"job": JobRef("slurm", "1", "a\nb")},
        {"job": JobRef("slurm", "1", "", -1)},
        {"job": JobRef("slurm", "1", "", 2**63)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_left_of_it(
    store: Store, fields: dict[str, Any]
) -> None:
    number = experiment(store)

    with pytest.raises(Wrong) as told:
        run(store, number, **fields)
    assert told.value.hint
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 0


def test_numbers_that_json_has_no_words_for_become_text(store: Store) -> None:
    config = {"a": math.nan, "b": math.inf, "c": 2**70, "d": None}
    made: Run = run(store, experiment(store), config=config)

    assert made.config == {"a": "NaN", "b": "Infinity", "c": str(2**70), "d": None}
    assert made.params == {"a": "NaN", "b": "Infinity", "c": str(2**70), "d": "null"}


def test_a_page_of_many_costs_as_many_questions_as_one_of_one(store: Store) -> None:
    from sqlalchemy import event

    number = experiment(store)

    def asked() -> int:
        told: list[str] = []
        with store.reading() as connection:
            runs.page(connection, Wanted())
            event.listen(
                connection, "before_cursor_execute", lambda *said: told.append(str(said[2]))
            )
            runs.page(connection, Wanted())
        return len(told)

    run(store, number, params={"a": "b"}, job=JobRef("slurm", "1"))
    one = asked()
    for id in range(2, 20):
        run(store, number, params={"a": "b"}, tags={"c": "d"}, job=JobRef("slurm", str(id)))
    # with PostgreSQL, how long it may take is said before, and taken back
    assert asked() == one == {"sqlite": 2, "postgresql": 4}[store.dialect]
