"""Questions to the queue and their answers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX, Outcome, State, Task
from hpcshell.store import past, reading
from hpcshell.store.reading import Reader
from hpcshell.store.rows import Wanted
from hpcshell.store.store import Store
from tests.store import made


def test_a_restart_finds_what_waits_what_runs_and_what_has_ended(store: Store) -> None:
    with store.change() as change:
        plain = made.submit(change)
        over = made.whole_life(change)
        array = made.submit(change, array="0-9")
        made.finish(change, made.begin(change, array.id, 0))
        made.finish(change, made.begin(change, array.id, 4), Outcome.FAILED)
        ran = made.begin(change, array.id, 2)
        held = Task(job=array.id, index=7, held=True)
        change.put_task(held)
        alone = made.submit(change)
        begun = made.begin(change, alone.id)
    live = {found.job.id: found for found in store.live_jobs()}
    assert list(live) == [plain.id, array.id, alone.id]
    assert over.id not in live
    assert list(live[plain.id].waiting) == [NO_INDEX]
    assert live[plain.id].tasks == []
    assert str(live[array.id].waiting) == "1,3,5-6,8-9"
    assert live[array.id].tasks == [ran, held]
    assert live[array.id].ended == {"COMPLETED": 1, "FAILED": 1}
    assert [task.index for task in store.ended_tasks(array.id)] == [0, 4]
    assert not live[alone.id].waiting
    assert live[alone.id].tasks == [begun]


def test_dropped_elements_do_not_wait_any_more(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-999999")
        made.finish(change, made.begin(change, job.id, 0))
        ran = made.begin(change, job.id, 1)
        change.update_job(replace(job, dropped=Outcome.CANCELLED))
    [live] = store.live_jobs()
    assert not live.waiting
    assert live.dropped == 999_998
    assert live.ended == {"COMPLETED": 1, "CANCELLED": 999_998}
    assert live.tasks == [ran]
    assert store.tally(job.id) == {"COMPLETED": 1, "RUNNING": 1, "CANCELLED": 999_998}
    with store.change() as change:
        made.finish(change, ran)
        change.end_job(job.id, made.summary(Outcome.CANCELLED, COMPLETED=2, CANCELLED=999_998))
    assert store.tally(job.id) == {"COMPLETED": 2, "CANCELLED": 999_998}
    gone = store.task(job.id, 5)
    assert gone is not None
    assert (gone.state, gone.outcome, gone.end_time) == (State.ENDED, Outcome.CANCELLED, 300.0)
    assert store.task(job.id, 1_000_000) is None


def test_an_element_that_waits_has_no_record(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-3")
    assert store.task(job.id, 2) is None
    assert store.task(99) is None
    assert store.tally(job.id) == {"PENDING": 4}
    assert store.tally(99) == {}


def test_elements_by_word_a_page_at_a_time(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-99")
        for index in range(20):
            outcome = Outcome.FAILED if index % 2 else Outcome.COMPLETED
            made.finish(change, made.begin(change, job.id, index), outcome)
        for index in range(20, 25):
            made.begin(change, job.id, index)

    def indices(*words: str, limit: int = -1, after: int = -2) -> list[int]:
        return [task.index for task in store.tasks(job.id, words, limit=limit, after=after)]

    assert indices() == list(range(25))
    assert indices("FAILED") == list(range(1, 20, 2))
    assert indices("RUNNING") == list(range(20, 25))
    assert indices("ENDED") == list(range(20))
    assert indices("FAILED", "RUNNING", limit=4) == [1, 3, 5, 7]
    assert indices("FAILED", "RUNNING", limit=4, after=17) == [19, 20, 21, 22]
    with pytest.raises(ValueError, match="LOST"):
        indices("LOST")
    outcomes = store.outcomes(job.id)
    assert outcomes[1] == (1, 200.0, 300.0, Outcome.FAILED)
    assert outcomes[-1] == (24, 200.0, None, None)


def test_the_last_jobs_of_a_user_and_the_jobs_of_a_name(store: Store) -> None:
    with store.change() as change:
        mine = [made.submit(change, name=name).id for name in ("a", "b", "a")]
        theirs = made.submit(change, name="a", uid=7).id
    assert [store.last_job_id(1000, back) for back in range(4)] == [*reversed(mine), None]
    assert store.last_job_id(7) == theirs
    assert store.job_ids_by_name("a") == [theirs, mine[2], mine[0]]
    assert store.job_ids_by_name("a", 1000) == [mine[2], mine[0]]
    assert store.job_ids_by_name("c") == []


def test_several_jobs_at_once_in_the_order_asked_for(store: Store) -> None:
    with store.change() as change:
        for _ in range(3):
            made.submit(change)
    assert [stored.job.id for stored in store.jobs((3, 9, 1))] == [3, 1]


def test_history_is_filtered_and_paged(store: Store) -> None:
    with store.change() as change:
        made.whole_life(change, name="a", time=10.0)
        made.whole_life(change, name="b", time=30.0, tags=("x", "y"))
        made.whole_life(change, name="a", time=20.0, outcome=Outcome.FAILED, tags=("x",))
        made.whole_life(change, name="c", time=40.0, uid=7)
        made.submit(change, name="a")

    def ids(limit: int = -1, offset: int = 0, **wanted: object) -> list[int]:
        rows, _ = store.history(Wanted(**wanted), limit=limit, offset=offset)  # type: ignore[arg-type]
        return [row.job.id for row in rows]

    assert ids() == [4, 2, 3, 1]
    assert ids(names=("a",)) == [3, 1]
    assert ids(names=("a", "b")) == [2, 3, 1]
    assert ids(users=("user7",)) == [4]
    assert ids(outcomes=("FAILED", "TIMEOUT")) == [3]
    assert ids(tags=("x",)) == [2, 3]
    assert ids(tags=("x", "y")) == [2]
    assert ids(since=20.0, until=40.0) == [2, 3]
    rows, total = store.history(Wanted(), limit=2, offset=1)
    assert total == 4
    assert [row.job.id for row in rows] == [2, 3]
    assert rows[1].summary == made.summary(Outcome.FAILED, time=20.0)
    assert rows[1].task == store.task(3)


def test_history_of_elements(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-9")
        made.finish(change, made.begin(change, job.id, 1), time=50.0)
        made.finish(change, made.begin(change, job.id, 0), Outcome.FAILED, time=60.0)
        made.begin(change, job.id, 2)
    rows, total = store.history(Wanted(elements=True))
    assert total == 2
    assert [row.task and row.task.index for row in rows] == [0, 1]
    rows, total = store.history(Wanted(elements=True, outcomes=("COMPLETED",), until=60.0))
    assert [row.task and row.task.index for row in rows] == [1]
    assert store.history(Wanted())[1] == 0, "the array itself has not ended"


def test_a_plain_job_that_was_dropped_has_its_element_in_the_history(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change)
        change.update_job(replace(job, dropped=Outcome.CANCELLED))
        change.end_job(job.id, made.summary(Outcome.CANCELLED, CANCELLED=1))
    [[row], _] = store.history(Wanted())
    assert row.task == store.task(job.id)
    assert row.task is not None
    assert row.task.outcome is Outcome.CANCELLED


def test_events_go_on_from_a_cursor(store: Store) -> None:
    with store.change() as change:
        change.add_event(1.0, None, "daemon", cause="started")
        job = made.submit(change, array="0-3")
        made.begin(change, job.id, 1)
        seq = change.add_event(5.0, job.id, "edit", detail={"priority": [500, 600]})
        made.begin(change, job.id, 2)
    assert [entry.seq for entry in store.events()] == [1, 2, 3, 4, 5]
    assert [entry.kind for entry in store.events(seq)] == ["start"]
    assert [entry.kind for entry in store.events(limit=2)] == ["daemon", "submit"]
    assert [entry.index for entry in store.story(job.id)] == [None, 1, None, 2]
    assert [entry.index for entry in store.story(job.id, 2)] == [None, None, 2]
    [edit] = store.events(seq - 1, job=job.id, limit=1)
    assert edit.detail == {"priority": [500, 600]}
    assert store.events(seq, job=99) == []


def test_another_reader_sees_what_is_committed_and_does_not_hold_the_writer_up(
    path: Path, store: Store
) -> None:
    with store.change() as change:
        made.submit(change)
    reader = Reader.of(path)
    listing = reader.live_jobs()
    assert next(listing).job.id == 1
    with store.change() as change:
        made.submit(change)
        assert reader.job(2) is None, "not yet committed"
    assert reader.job(2) is not None
    with pytest.raises(sqlite3.OperationalError):
        reader._connection.execute("DELETE FROM event")
    reader.close()


@given(st.sets(st.integers(0, 60)), st.integers(1, 4), st.data())
def test_waiting_is_the_array_less_what_has_a_record(
    whole: set[int], step: int, data: st.DataObject
) -> None:
    indices = IndexSet.of(index * step for index in whole)
    begun = data.draw(st.sets(st.sampled_from(sorted(indices))) if whole else st.just(set()))
    remaining = reading._remaining(indices, sorted(begun))
    assert list(remaining) == sorted(set(indices) - begun)


def test_the_failed_elements_of_a_large_array_are_found_by_an_index(store: Store) -> None:
    for word in ("FAILED", "CANCELLED"):
        sql = f"SELECT idx, record FROM task WHERE {reading._at(word)} AND job = 1 AND idx > -2"
        [step] = store._connection.execute(f"EXPLAIN QUERY PLAN {sql} ORDER BY idx").fetchall()
        assert "task_bad (job=? AND outcome=? AND idx>?)" in step[3]


@pytest.mark.parametrize(
    "sql",
    [
        reading._LIVE_JOBS,
        reading._LIVE_TASKS,
        reading._LIVE_COUNTS,
        reading._BEGUN,
        reading._TALLY,
        reading._LIVE_RUNS,
        f"{past._EVENT} WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?",
        "SELECT id FROM job WHERE uid = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
        "SELECT id FROM job WHERE name = ? AND uid = ? ORDER BY id DESC",
        f"SELECT {past._JOBS.rows} WHERE job.ended = 1 AND job.end_time >= ?"
        f" ORDER BY {past._JOBS.order} LIMIT ?",
        f"SELECT {past._ELEMENTS.rows} WHERE task.state = 'ENDED'"
        " ORDER BY task.end_time DESC LIMIT ?",
    ],
)
def test_no_question_reads_a_whole_table(store: Store, sql: str) -> None:
    plan = store._connection.execute(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?")).fetchall()
    for step in (row[3] for row in plan):
        assert not step.startswith("SCAN") or "INDEX" in step or "(subquery" in step, plan
