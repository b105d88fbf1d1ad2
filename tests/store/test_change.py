"""Writing: all or nothing, and the laws that hold whoever writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from hpcshell.core.errors import Broken
from hpcshell.core.records import Outcome, State, Task
from hpcshell.store.store import Store
from tests.store import made


def test_what_a_change_recorded_is_there_after_it_and_after_opening_again(path: Path) -> None:
    with Store.open(path) as store, store.change() as change:
        key = change.add_blob(b"PATH=/bin")
        job = made.submit(change, env=key)
        task = made.begin(change, job.id)
    with Store.open(path) as store:
        stored = store.job(job.id)
        assert stored is not None
        assert stored.job == job
        assert stored.summary is None
        assert store.task(job.id) == task
        assert store.run(task.run) == made.run_of(task)
        assert store.blob(key) == b"PATH=/bin"
        assert [entry.kind for entry in store.story(job.id)] == ["submit", "start"]


def test_nothing_is_recorded_when_the_block_raises(store: Store) -> None:
    def mistaken() -> None:
        with store.change() as change:
            made.submit(change, env=change.add_blob(b"A=1"))
            raise KeyError("a mistake")

    with pytest.raises(KeyError):
        mistaken()
    assert store.job(1) is None
    assert store.events() == []
    with store.change() as change:
        job = made.submit(change, env=change.add_blob(b"A=1"))
    assert job.id == 1, "the id was given to nobody"
    assert store.blob(job.launch.env) == b"A=1", "the lost blob is not taken for stored"


def test_a_change_that_writes_nothing_commits_nothing(path: Path) -> None:
    writes: list[str] = []
    with Store.open(path, on_write=lambda when, number, kind: writes.append(kind)) as store:
        with store.change() as change:
            change.next_job_id()
        with store.change() as change:
            made.submit(change)
    assert writes == ["job", "job", "event", "event", "commit", "commit"]


def test_the_hook_is_called_before_and_after_each_write(path: Path) -> None:
    calls: list[tuple[str, int, str]] = []
    opened = Store.open(path, on_write=lambda *call: calls.append(call))
    with opened as store, store.change() as change:
        change.add_event(1.0, None, "daemon started")
    assert calls == [
        ("before", 1, "event"),
        ("after", 1, "event"),
        ("before", 2, "commit"),
        ("after", 2, "commit"),
    ]


def test_equal_environments_are_stored_once(store: Store) -> None:
    with store.change() as change:
        first, second = change.add_blob(b"A=1"), change.add_blob(b"A=1")
        other = change.add_blob(b"A=2")
    with store.change() as change:
        third = change.add_blob(b"A=1")
    assert first == second == third != other


def test_changes_do_not_nest(store: Store) -> None:
    with store.change(), pytest.raises(RuntimeError), store.change():
        pass


def test_ids_only_grow(store: Store) -> None:
    with store.change() as change:
        ids = [made.submit(change).id for _ in range(3)]
    with store.change() as change:
        ids.append(made.submit(change).id)
    assert ids == [1, 2, 3, 4]


def test_run_ids_that_somebody_else_knows_are_skipped_for_good(path: Path) -> None:
    with Store.open(path) as store:
        with store.change() as change:
            change.skip_runs(0)
            assert change.next_run_id() == 1
        with store.change() as change:
            change.skip_runs(41)
            change.skip_runs(7)
    with Store.open(path) as store, store.change() as change:
        assert change.next_run_id() == 42
        assert made.begin(change, made.submit(change).id).run == 43


def test_a_job_that_is_not_there_cannot_be_changed(store: Store) -> None:
    with pytest.raises(LookupError), store.change() as change:
        change.update_job(made.job(7))


# ------------------------------------------------------------------------------- laws of the schema


def test_an_ended_element_never_changes(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-3")
        task = made.finish(change, made.begin(change, job.id, 0))
    with pytest.raises(Broken, match="an ended element never changes"), store.change() as change:
        change.put_task(replace(task, exit_code=7))
    with pytest.raises(Broken, match="an ended element never changes"), store.change() as change:
        change.put_task(made.running(job.id, 0, run=2, attempt=2))
    assert store.task(job.id, 0) == task


def test_an_ended_job_never_changes(store: Store) -> None:
    with store.change() as change:
        job = made.whole_life(change)
    with pytest.raises(Broken, match="an ended job never changes"), store.change() as change:
        change.update_job(replace(job, name="other"))
    with pytest.raises(Broken, match="an ended job never changes"), store.change() as change:
        change.end_job(job.id, made.summary(Outcome.FAILED))
    with pytest.raises(Broken, match="has not ended"), store.change() as change:
        change.put_task(Task(job=job.id, index=5))


def test_an_ended_run_never_changes(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change)
        task = made.begin(change, job.id)
        run = replace(made.run_of(task), end_time=300.0)
        change.update_run(replace(made.run_of(task), pid=77))
        change.end_run(run)
    with pytest.raises(Broken, match="an ended run never changes"), store.change() as change:
        change.end_run(replace(run, exit_code=1))
    with pytest.raises(ValueError, match="end_time"), store.change() as change:
        change.end_run(made.run_of(task))
    assert store.run(run.id) == run


def test_a_run_is_recorded_once(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-3")
        task = made.begin(change, job.id, 1)
    with pytest.raises(Broken), store.change() as change:
        change.add_run(made.run_of(task))
    with pytest.raises(Broken), store.change() as change:
        change.add_run(replace(made.run_of(task), id=99))
    with pytest.raises(Broken, match="has not ended"), store.change() as change:
        change.add_run(replace(made.run_of(task), id=99, index=2))


def test_a_job_does_not_end_before_its_elements(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change)
        made.begin(change, job.id)
    with pytest.raises(Broken, match="before its elements"), store.change() as change:
        change.end_job(job.id, made.summary())


def test_an_element_belongs_to_a_job(store: Store) -> None:
    with pytest.raises(Broken, match="belongs to a job"), store.change() as change:
        change.put_task(Task(job=12))


def test_a_job_needs_its_environment(store: Store) -> None:
    with pytest.raises(Broken, match="environment"), store.change() as change:
        made.submit(change, env="0" * 32)


def test_states_are_known_words(path: Path, store: Store) -> None:
    with store.change() as change:
        job = made.submit(change)
        change.put_task(Task(job=job.id))
    with sqlite3.connect(path) as other:
        for law in (
            "UPDATE task SET state = 'LOST'",
            "UPDATE task SET state = 'ENDED'",
            "UPDATE task SET outcome = 'FAILED'",
            "UPDATE job SET ended = 1",
            "DELETE FROM task",
            "DELETE FROM job",
            "DELETE FROM event",
            "UPDATE event SET cause = 'another'",
            "INSERT OR REPLACE INTO task SELECT * FROM task",
        ):
            other.execute("PRAGMA recursive_triggers = ON")
            with pytest.raises(sqlite3.IntegrityError):
                other.execute(law)


def test_a_mistake_that_is_caught_inside_the_block_spoils_it_all_the_same(store: Store) -> None:
    def careless() -> None:
        with store.change() as change:
            made.submit(change)
            change.put_task(Task(job=12))
            with pytest.raises(Broken):
                change.settle()
            with pytest.raises(Broken):
                made.submit(change)

    with pytest.raises(Broken, match="belongs to a job"):
        careless()
    assert store.job(1) is None


def test_an_element_that_was_requeued_keeps_all_its_runs(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change)
        first = made.begin(change, job.id)
        change.end_run(replace(made.run_of(first), end_time=250.0, exit_code=1))
        change.put_task(replace(first, state=State.PENDING))
        second = made.begin(change, job.id, attempt=2)
    assert [run.id for run in store.runs(job.id)] == [first.run, second.run]
    assert [run.id for run in store.live_runs()] == [second.run]


def test_what_a_change_has_recorded_is_read_before_it_is_durable(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change)
        task = made.begin(change, job.id)
        change.put_task(replace(task, state=State.ENDED, outcome=Outcome.FAILED, end_time=250.0))
        assert [each.state for each in store.tasks(job.id)] == [State.ENDED]
