"""A database that is older than what the runner knows: nothing is taken for something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.benches import Bench, Clock, submission


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    Clock(monkeypatch)
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def put_back_an_older_copy(bench: Bench) -> tuple[int, int]:
    """The runner knows two runs that the database does not: one is alive, one has ended. A job
    waits that was started since. Returns the two."""
    copy = Path(bench.places.state, "copy.db")
    waits = submission("true", begin=1.0, hold=True)
    job = bench.ask("submit", submissions=[waits])["jobs"][0]["id"]
    bench.store.backup(copy)
    bench.ask("release", ids=[job])
    alive, ended = bench.run_of(job), bench.run_of(bench.submit("true"))
    bench.loop.runner.close()
    bench.runner.end(ended)
    bench.close()
    copy.replace(bench.places.database)
    bench.crash()
    bench.engine.met = False  # there is no journal that could tell of them
    return alive, ended


def test_no_run_id_is_given_out_again_that_the_runner_knows(bench: Bench) -> None:
    alive, ended = put_back_an_older_copy(bench)
    bench.send("release", ids=[1])
    bench.settle()
    assert bench.run_of(1) > max(alive, ended)
    assert bench.state(1) == "RUNNING", "the end of a run of old is not taken for that of a new"
    assert set(bench.runner.begun.values()) == {1}


def test_run_ids_go_on_from_there_after_the_runner_has_forgotten_them(bench: Bench) -> None:
    alive, ended = put_back_an_older_copy(bench)
    bench.settle()
    bench.runner.end(alive)
    bench.settle()
    assert not bench.runner.reports
    bench.crash()
    bench.ask("release", ids=[1])
    assert bench.run_of(1) > max(alive, ended)


def test_what_is_alive_of_them_is_ended_and_told_in_the_log(bench: Bench) -> None:
    alive, ended = put_back_an_older_copy(bench)
    bench.settle()
    assert bench.runner.stopping == {alive: "unknown to the daemon"}
    told = {line["run"]: line["process"] for line in bench.complaints()}
    assert told == {alive: 100_000 + alive, ended: None}


def test_nothing_is_started_before_the_runner_has_said_what_it_knows(bench: Bench) -> None:
    bench.engine.met = False
    said, bench.runner.said = bench.runner.said, []
    job = bench.submit("true")
    assert bench.state(job) == "PENDING"
    assert not bench.engine.dirty, "it waits, and does not go round and round"
    bench.runner.said = said
    bench.settle()
    assert bench.state(job) == "RUNNING"
