"""Old jobs leave, slice by slice; their ids stay taken."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken
from hpcshell.store.rows import Wanted
from hpcshell.store.store import Store
from tests.store import made
from tests.store.faulty import Torn, torn_at


def _purge(store: Store, before: float, rows: int = 5000) -> tuple[int, set[str]]:
    jobs, blobs = 0, set[str]()
    for _ in range(1000):
        purged = store.purge(before, rows)
        jobs += purged.jobs
        blobs |= set(purged.blobs)
        if not purged.more:
            return jobs, blobs
    raise AssertionError("purging goes on for ever")


def test_only_what_ended_before_is_removed(store: Store) -> None:
    with store.change() as change:
        shared, lone = change.add_blob(b"shared"), change.add_blob(b"lone")
        change.add_event(1.0, None, "daemon")
        old = made.whole_life(change, time=10.0, env=lone)
        made.whole_life(change, time=20.0, env=shared)
        live = made.submit(change, env=shared)
        made.begin(change, live.id)
    assert _purge(store, 15.0) == (1, {lone})
    assert store.job(old.id) is None
    assert store.runs(old.id) == []
    assert store.story(old.id) == []
    assert store.blob(lone) is None
    assert store.blob(shared) == b"shared"
    assert store.history(Wanted())[1] == 1
    assert {found.job.id for found in store.live_jobs()} == {live.id}
    assert store.events()[0].job is not None, "the daemon's old events are gone, too"
    with store.change() as change:
        assert change.add_blob(b"lone") == lone
    assert store.blob(lone) == b"lone", "a purged blob is stored again when it is needed"


def test_a_queue_from_which_nothing_leaves_is_not_read_through(store: Store) -> None:
    with store.change() as change:
        for _ in range(10):
            made.submit(change, env=change.add_blob(b"env"))
    read: list[str] = []
    store._connection.set_trace_callback(read.append)
    assert _purge(store, 1e9) == (0, set())
    assert read
    assert not [statement for statement in read if "EXCEPT" in statement]


def test_unused_blobs_are_found_though_a_crash_came_between(path: Path) -> None:
    with Store.open(path) as store:
        with store.change() as change:
            lone = change.add_blob(b"lone")
            made.whole_life(change, env=lone)
        assert store.purge(1e9).more, "the job has left, its environment not yet"
    with Store.open(path) as store:
        assert _purge(store, 1e9) == (0, {lone})


def test_ids_are_never_given_twice_even_when_all_is_gone(path: Path) -> None:
    with Store.open(path) as store:
        with store.change() as change:
            for _ in range(5):
                made.whole_life(change)
        assert _purge(store, 1e9)[0] == 5
        assert store.history(Wanted())[1] == 0
    with Store.open(path) as store:
        with store.change() as change:
            assert change.next_job_id() == 6
            assert change.next_run_id() == 6
            assert change.add_event(1.0, None, "daemon") == 16
        with pytest.raises(Broken, match="never used twice"), store.change() as change:
            change.add_job(made.job(3))


def test_a_large_array_leaves_in_slices(store: Store) -> None:
    with store.change() as change:
        job = made.submit(change, array="0-299")
        for index in range(300):
            made.finish(change, made.begin(change, job.id, index))
        change.end_job(job.id, made.summary(COMPLETED=300))
        made.whole_life(change)
    calls = 0
    while store.purge(1e9, 100).more:
        calls += 1
    assert calls > 10
    assert store.events() == []
    assert store.check() == []


def test_purging_goes_on_after_a_crash(path: Path) -> None:
    with Store.open(path) as store, store.change() as change:
        for _ in range(30):
            made.whole_life(change)
    for number in range(1, 40, 3):
        with contextlib.suppress(Torn), Store.open(path, on_write=torn_at(number)) as store:
            _purge(store, 1e9, 20)
        with Store.open(path) as store:
            rows, _ = store.history(Wanted())
            for row in rows:
                assert row.job.id > 0
    with Store.open(path) as store:
        _purge(store, 1e9)
        assert store.history(Wanted())[1] == 0
        assert store.events() == []
