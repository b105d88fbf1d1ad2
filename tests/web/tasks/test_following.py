"""What happens on this machine's daemon becomes known to the tracker, each thing once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from hpcshell.client.client import Client
from hpcshell.machine.paths import places
from hpcshell.track.client.surroundings import host
from hpcshell.track.joining.facts import JobFacts
from hpcshell.track.records import Run
from hpcshell.track.store import cursors, experiments, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.jobstates import Told, live, take
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import runs as table
from hpcshell.web.tasks import following
from hpcshell.web.tasks.following import Follower
from tests.support.runners import eventually
from tests.support.stores import new_database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(new_database(tmp_path / "track.db")) as opened:
        yield opened


@pytest.fixture
def follower(store: Store, home: Path) -> Callable[..., AbstractContextManager[None]]:
    """Follows the daemon of the test's home while its context is entered. `machine`: where that is
    said to be."""

    @contextmanager
    def entered(machine: str = "") -> Iterator[None]:
        here = places({"HPCSHELL_HOME": str(home)})
        one = Follower(store, Client(here, autostart=False), machine)
        thread = threading.Thread(target=one.run)
        thread.start()
        try:
            yield
        finally:
            one.stop()
            thread.join(20)
            assert not thread.is_alive()

    return entered


def every_run(store: Store) -> list[Run]:
    with store.reading() as connection:
        return runs.page(connection, Wanted(limit=1000)).rows


def statuses(store: Store) -> list[str]:
    return sorted(run.status for run in every_run(store))


def test_jobs_that_nobody_tracks_get_runs(hpc, store, follower):
    hpc("submit", "--quiet", "--name", "train", "--", "sh", "-c", "exit 3", check=True)
    with follower():
        eventually(lambda: statuses(store) == ["FAILED"])
    (run,) = every_run(store)
    assert (run.experiment, run.source, run.name, run.exit_code) == ("Jobs", "job", "train", 3)
    assert run.job is not None
    assert run.job.cpus == 1
    assert run.job.cpu_time is not None
    assert run.ended_at == run.job.end_time


def test_a_tag_names_the_experiment(hpc, store, follower):
    hpc("submit", "--quiet", "--tag", "experiment=nets", "--", "true", check=True)
    with follower():
        eventually(lambda: statuses(store) == ["COMPLETED"])
    assert every_run(store)[0].experiment == "nets"


def test_each_element_of_an_array_is_a_job(hpc, store, follower):
    with follower():
        hpc("submit", "--quiet", "--array", "1-20", "--", "true", check=True)
        eventually(lambda: statuses(store) == ["COMPLETED"] * 20)
    elements = {run.job.element for run in every_run(store) if run.job is not None}
    assert elements == set(range(1, 21))


def test_what_happens_while_nobody_follows_is_taken_in_later(hpc, store, follower):
    with follower():
        hpc("submit", "--quiet", "--", "true", check=True)
        eventually(lambda: statuses(store) == ["COMPLETED"])
    hpc("submit", "--quiet", "--", "false", check=True)
    hpc("wait", "2")
    with follower():
        eventually(lambda: statuses(store) == ["COMPLETED", "FAILED"])


@pytest.mark.parametrize("page", [1, 3])
def test_what_happened_long_ago_is_taken_in_page_by_page(hpc, store, follower, monkeypatch, page):
    monkeypatch.setattr(following, "PAGE", page)
    monkeypatch.setattr(following, "OLD", -3600.0)  # as if all of it had
    hpc("submit", "--quiet", "--array", "1-5", "--", "true", check=True)
    hpc("wait", "1")
    with follower():
        eventually(lambda: statuses(store) == ["COMPLETED"] * 5)


def test_a_rest_is_over_when_the_server_ends(hpc, store, follower, monkeypatch):
    monkeypatch.setattr(following, "PAGE", 1)
    monkeypatch.setattr(following, "OLD", -3600.0)
    monkeypatch.setattr(following, "REST", 1e9)
    monkeypatch.setattr(following, "LONGEST_REST", 3600.0)
    hpc("submit", "--quiet", "--", "true", check=True)
    stream = following.stream_of(host())
    with follower():
        eventually(lambda: known_up_to(store, stream) > 0)


def known_up_to(store: Store, stream: str) -> int:
    with store.reading() as connection:
        return cursors.cursor(connection, stream)


def test_it_goes_on_over_a_restart_of_the_daemon(hpc, store, follower):
    with follower():
        hpc("submit", "--quiet", "--", "sh", "-c", "read x < wait", check=False)
        hpc("daemon", "restart", check=True)
        hpc("submit", "--quiet", "--", "true", check=True)
        eventually(lambda: "COMPLETED" in statuses(store))


def test_a_daemon_that_was_made_anew_is_followed_from_its_first_event(hpc, store, follower):
    store.change(lambda connection: cursors.move(connection, f"events {host()}", 10_000, 1.0))
    hpc("submit", "--quiet", "--", "true", check=True)
    with follower():
        eventually(lambda: statuses(store) == ["COMPLETED"])


def test_a_live_job_that_the_daemon_does_not_know_is_gone(hpc, store, follower):
    hpc("submit", "--quiet", "--", "true", check=True)
    ref = JobRef("local", "77", host())
    running = Told(ref, JobFacts(state="RUNNING", time=5.0))
    store.change(lambda connection: link_new(connection, ref))
    store.change(lambda connection: take(connection, [running], 5.0))
    with follower():
        eventually(lambda: "LOST" in statuses(store))
    with store.reading() as connection:
        assert live(connection, kind="local") == []


def test_of_one_that_nobody_has_ever_seen_nothing_follows(hpc, store, follower):
    hpc("submit", "--quiet", "--", "true", check=True)
    store.change(lambda connection: link_new(connection, JobRef("local", "77", "local")))
    with follower():
        eventually(lambda: statuses(store) == ["COMPLETED", "RUNNING"])


def test_a_job_that_is_tracked_by_a_client_gets_no_second_run(hpc, store, follower):
    hpc("submit", "--quiet", "--", "sh", "-c", "exit 4", check=True)
    hpc("wait", "1")
    store.change(lambda connection: link_new(connection, JobRef("local", "1", "local")))
    with follower():
        eventually(lambda: statuses(store) == ["FAILED"])
    with store.reading() as connection:
        assert connection.scalars(select(table.c.source)).all() == ["client"]


def test_jobs_of_two_machines_that_share_a_store_stay_two(hpc, store, follower):
    hpc("submit", "--quiet", "--", "sh", "-c", "exit 4", check=True)
    hpc("wait", "1")
    far = JobRef("local", "1", "elsewhere")
    store.change(lambda connection: link_new(connection, far))
    running = Told(far, JobFacts(state="RUNNING", time=5.0))
    store.change(lambda connection: take(connection, [running], 5.0))
    with follower("here"):
        eventually(lambda: "here FAILED" in each_job(store))
    with follower("there"):
        eventually(lambda: "there FAILED" in each_job(store))
    assert each_job(store) == ["elsewhere RUNNING", "here FAILED", "there FAILED"]
    with store.reading() as connection:
        assert [job.ref for job in live(connection, kind="local")] == [far]


def each_job(store: Store) -> list[str]:
    jobs = [run.job for run in every_run(store)]
    return sorted(f"{job.cluster} {job.state}" for job in jobs if job is not None)


def link_new(connection, ref):
    home = experiments.ensure(connection, "nets", now=1.0)
    new = runs.NewRun(experiment_id=home.id, source="client", job=ref)
    runs.create(connection, new, 2.0)
