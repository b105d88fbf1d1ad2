"""A run of which nothing is heard is lost, which is no end; one that speaks again runs."""

from __future__ import annotations

import pytest

from hpcshell.track.joining.facts import JobFacts
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.records import File
from hpcshell.track.store import experiments, files, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.jobstates import Told, take
from hpcshell.track.store.silence import lose

REF = JobRef("slurm", "12", "frontier")


@pytest.fixture
def start(store):
    def begin(job=None, source="client"):
        def work(connection):
            home = experiments.ensure(connection, "nets", now=1.0)
            new = runs.NewRun(experiment_id=home.id, source=source, job=job)
            return runs.create(connection, new, 100.0).run_id

        return store.change(work)

    return begin


def after(store, now):
    return store.change(lambda connection: lose(connection, 300.0, now))


def shown(store, run_id):
    with store.reading() as connection:
        return runs.show(connection, run_id)


def tell(store, **facts):
    store.change(lambda connection: take(connection, [Told(REF, JobFacts(**facts))], 100.0))


def test_a_run_that_falls_silent_is_lost_and_not_ended(store, start):
    run_id = start()
    assert after(store, 399.0) == 0
    assert after(store, 401.0) == 1
    run = shown(store, run_id)
    assert (run.status, run.ended_at) == ("LOST", None)
    assert run.reason == "nothing has been heard of it for 5m 0s"


def test_it_runs_again_as_it_speaks(store, start):
    run_id = start()
    after(store, 401.0)
    store.change(lambda connection: runs.heartbeat(connection, run_id, 500.0))
    after(store, 501.0)
    assert (shown(store, run_id).status, shown(store, run_id).reason) == ("RUNNING", None)


SIGNS = {
    "a heartbeat": lambda connection, run_id: runs.heartbeat(connection, run_id, 500.0),
    "points": lambda connection, run_id: append(
        connection, run_id, {"loss": Points([1], [1.0], [0.5])}, 500.0
    ),
    "parameters": lambda connection, run_id: runs.set_params(
        connection, run_id, {"lr": "1"}, 500.0
    ),
    "that it runs": lambda connection, run_id: runs.set_status(
        connection, run_id, "RUNNING", now=500.0
    ),
    "a file": lambda connection, run_id: files.put(
        connection, File(run_id=run_id, path="a", created_at=5.0), 500.0
    ),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_whatever_it_says_itself_is_a_sign_of_life(store, start, sign):
    run_id = start(source="rest")
    store.change(lambda connection: SIGNS[sign](connection, run_id))
    assert after(store, 799.0) == 0
    assert after(store, 801.0) == 1
    assert shown(store, run_id).status == "LOST"


@pytest.mark.parametrize("sign", SIGNS)
def test_by_each_of_them_a_lost_one_runs_again(store, start, sign):
    run_id = start(source="rest")
    after(store, 401.0)
    store.change(lambda connection: SIGNS[sign](connection, run_id))
    assert (shown(store, run_id).status, shown(store, run_id).reason) == ("RUNNING", None)


def test_what_people_say_of_it_is_none(store, start):
    run_id = start()
    after(store, 401.0)
    store.change(lambda connection: runs.set_tags(connection, run_id, {"bad": "yes"}, 500.0))
    store.change(lambda connection: runs.update(connection, run_id, note="it hangs", now=500.0))
    assert shown(store, run_id).status == "LOST"


def test_a_run_whose_job_is_alive_is_not_lost(store, start):
    run_id = start(job=REF)
    tell(store, state="RUNNING", time=100.0)
    assert after(store, 9000.0) == 0
    assert shown(store, run_id).status == "RUNNING"


def test_one_whose_job_is_not_known_to_be_alive_is(store, start):
    run_id = start(job=REF)
    tell(store, state="RUNNING", time=100.0)
    tell(store, unknown_since=100.0)
    after(store, 9000.0)
    assert shown(store, run_id).status == "LOST"


def test_one_whose_job_is_forgotten_stays_lost_until_it_speaks(store, start):
    run_id = start(job=REF)
    tell(store, state="GONE", time=100.0)
    after(store, 101.0)
    assert shown(store, run_id).status == "LOST"
    store.change(lambda connection: runs.heartbeat(connection, run_id, 102.0))
    assert shown(store, run_id).status == "RUNNING"


def test_a_lost_run_still_gets_the_outcome_of_its_job(store, start):
    run_id = start(job=REF)
    after(store, 9000.0)
    tell(store, state="NODE_FAIL", time=300.0, end_time=300.0)
    run = shown(store, run_id)
    assert (run.status, run.ended_at) == ("NODE_FAIL", 300.0)


def test_what_has_ended_is_not_lost(store, start):
    run_id = start()
    store.change(lambda connection: runs.set_status(connection, run_id, "FAILED", now=200.0))
    assert after(store, 9000.0) == 0


def test_a_run_that_only_its_job_made_is_never_heard_of_and_not_lost(store):
    tell(store, state="RUNNING", time=100.0)
    assert after(store, 9000.0) == 0
