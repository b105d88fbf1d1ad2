"""What is told of jobs is written down once, and runs follow."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hpcshell.track.joining.facts import JobFacts
from hpcshell.track.store import experiments, jobs, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.jobstates import UNNAMED, Told, take
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.tables import jobs as table

REF = JobRef("slurm", "12", "frontier")
STARTED = JobFacts(state="RUNNING", time=10, start_time=10, name="train", user="ann", nodes=("n1",))
ENDED = JobFacts(state="FAILED", time=30, start_time=10, end_time=30, exit_code=3)


def tell(store, *facts, ref=REF, experiment=UNNAMED):
    told = [Told(ref, each, experiment) for each in facts]
    return store.change(lambda connection: take(connection, told, 100.0))


def every_run(store):
    with store.reading() as connection:
        return runs.page(connection, Wanted()).rows


def start(store, *, job, status="RUNNING", experiment="nets"):
    def work(connection):
        home = experiments.ensure(connection, experiment, now=1.0)
        new = NewRun(experiment_id=home.id, name="mine", source="client", status=status, job=job)
        return runs.create(connection, new, 50.0)

    return store.change(work)


def shown(store, run_id):
    with store.reading() as connection:
        return runs.show(connection, run_id)


def end(store, run_id, status, reason=None):
    store.change(
        lambda connection: runs.set_status(connection, run_id, status, reason=reason, now=60.0)
    )


def rows(store):
    with store.reading() as connection:
        return connection.execute(select(table)).mappings().all()


# ------------------------------------------------------------------------- jobs without a client


def test_a_job_that_starts_gets_a_run_of_its_own(store):
    tell(store, STARTED)
    (run,) = every_run(store)
    assert (run.source, run.experiment, run.status) == ("job", "Jobs", "RUNNING")
    assert (run.name, run.user, run.host, run.started_at) == ("train", "ann", "n1", 10)
    assert run.job is not None
    assert (run.job.cluster, run.job.id, run.job.state) == ("frontier", "12", "RUNNING")


def test_a_job_that_waits_gets_none_yet(store):
    tell(store, JobFacts(state="PENDING", time=5))
    assert every_run(store) == []


def test_its_run_is_in_the_experiment_that_the_job_names(store):
    tell(store, STARTED, experiment="nets")
    assert [run.experiment for run in every_run(store)] == ["nets"]


def test_its_run_ends_as_it_does(store):
    tell(store, STARTED)
    tell(store, ENDED)
    (run,) = every_run(store)
    assert (run.status, run.exit_code, run.ended_at) == ("FAILED", 3, 30)


def test_what_is_told_again_changes_nothing(store):
    tell(store, STARTED, ENDED)
    before = every_run(store)
    assert tell(store, STARTED, ENDED).changed == ()
    assert every_run(store) == before


def test_a_requeued_job_runs_again(store):
    tell(store, STARTED, ENDED)
    tell(store, JobFacts(attempt=2, state="RUNNING", time=40, start_time=40))
    (run,) = every_run(store)
    assert run.job is not None
    assert (run.status, run.ended_at, run.job.attempt) == ("RUNNING", None, 2)


def test_thousands_of_elements_are_told_in_one_go(store):
    several = [Told(JobRef("local", "7", element=index), STARTED) for index in range(3000)]
    taken = store.change(lambda connection: take(connection, several, 100.0))
    assert taken.new == 3000
    assert len(rows(store)) == 3000


# --------------------------------------------------------------------------------------- linking


def test_a_clients_run_takes_the_place_of_the_jobs_own(store):
    tell(store, STARTED)
    mine = start(store, job=REF)
    assert [run.run_id for run in every_run(store)] == [mine.run_id]
    assert mine.job is not None
    assert mine.job.state == "RUNNING"


def test_what_was_noted_at_the_jobs_own_run_is_kept(store):
    tell(store, STARTED)
    (own,) = every_run(store)
    store.change(lambda connection: runs.update(connection, own.run_id, note="see this", now=20.0))
    assert start(store, job=REF).note == "see this"


def test_a_run_that_its_client_never_ended_gets_the_outcome_of_its_job(store):
    mine = start(store, job=REF)
    tell(store, ENDED)
    run = shown(store, mine.run_id)
    assert (run.status, run.exit_code, run.ended_at) == ("FAILED", 3, 30)
    assert run.reason == "its job ended as FAILED before it had said how it went"


def test_that_outcome_is_told_better_by_who_knows_more(store):
    mine = start(store, job=REF)
    tell(store, ENDED)
    tell(store, JobFacts(state="TIMEOUT", time=31, reason="the limit of 20 s"))
    run = shown(store, mine.run_id)
    assert run.status == "TIMEOUT"
    assert run.reason is not None
    assert run.reason.endswith(": the limit of 20 s")


def test_a_run_that_its_client_ended_keeps_its_status_and_says_how_its_job_ended(store):
    mine = start(store, job=REF)
    end(store, mine.run_id, "COMPLETED")
    tell(store, JobFacts(state="OUT_OF_MEMORY", time=70, end_time=70))
    run = shown(store, mine.run_id)
    assert (run.status, run.reason) == ("COMPLETED", "its job then ended as OUT_OF_MEMORY")


def test_the_clients_own_reason_is_not_written_over(store):
    mine = start(store, job=REF)
    end(store, mine.run_id, "FAILED", "the loss is NaN")
    tell(store, JobFacts(state="TIMEOUT", time=70, end_time=70))
    assert shown(store, mine.run_id).reason == "the loss is NaN"


def test_a_run_is_suspended_and_goes_on_with_its_job(store):
    mine = start(store, job=REF)
    for time, state in ((20, "SUSPENDED"), (30, "RUNNING")):
        tell(store, JobFacts(state=state, time=time))
        assert shown(store, mine.run_id).status == state


def test_nothing_is_ended_because_nobody_knows(store):
    mine = start(store, job=REF)
    tell(store, STARTED, JobFacts(unknown_since=15.0))
    run = shown(store, mine.run_id)
    assert run.job is not None
    assert (run.status, run.job.state, run.job.unknown_since) == ("RUNNING", "RUNNING", 15.0)


def test_a_run_whose_job_is_forgotten_is_lost(store):
    mine = start(store, job=REF)
    tell(store, JobFacts(state="GONE", time=90))
    run = shown(store, mine.run_id)
    assert run.status == "LOST"
    assert run.reason is not None
    assert "forgotten" in run.reason


# ------------------------------------------------------------------------- clusters without names


def test_a_number_without_a_cluster_is_the_job_of_the_only_cluster(store):
    tell(store, STARTED)
    mine = start(store, job=JobRef("slurm", "12"))
    assert mine.job is not None
    assert mine.job.cluster == "frontier"
    assert len(rows(store)) == 1


def test_its_cluster_is_named_by_who_knows_it_later(store):
    mine = start(store, job=JobRef("slurm", "12"))
    tell(store, ENDED)
    run = shown(store, mine.run_id)
    assert run.job is not None
    assert (run.job.cluster, run.status) == ("frontier", "FAILED")


def test_which_of_two_clusters_is_meant_is_not_guessed(store):
    tell(store, STARTED, ref=JobRef("slurm", "99", "summit"))
    mine = start(store, job=JobRef("slurm", "12"))
    tell(store, ENDED)
    assert shown(store, mine.run_id).status == "RUNNING"
    assert {row["cluster"] for row in rows(store)} == {"slurm", "summit", "frontier"}


@pytest.mark.parametrize("other", [JobRef("pbs", "12", "frontier"), JobRef("slurm", "12", "x", 1)])
def test_another_kind_or_element_is_another_job(store, other):
    if other.kind == "pbs":
        other = JobRef("pbs", "12", "chicoma")
    tell(store, STARTED)
    tell(store, STARTED, ref=other)
    assert len(rows(store)) == 2


def test_a_job_is_found_by_its_name(store):
    tell(store, STARTED)
    with store.reading() as connection:
        found = jobs.find(connection, REF)
        assert found is not None
        assert jobs.document(found).label == "12"
