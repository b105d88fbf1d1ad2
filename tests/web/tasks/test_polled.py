"""A cluster is asked once for all of its jobs; what it does not mention is not finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.settings import ClusterSettings, Settings
from hpcshell.track.joining.facts import JobFacts
from hpcshell.track.store.jobs import JobRef
from hpcshell.web.tasks.polled import Awaited, Looked, look_at
from hpcshell.web.tasks.polling import Whose
from tests.clusters.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def look(world: World) -> Callable[..., Looked]:
    def at(*ids: str, heard: float = 5.0, user: str = "") -> Looked:
        awaited = [Awaited(JobRef("toy", id, "toy"), user, heard) for id in ids]
        return look_at(world.desk(), awaited)

    return at


def states(looked: Looked) -> dict[str, str]:
    return {told.ref.id: told.facts.state for told in looked.told}


def stranger(world: World, name: str = "theirs", state: str = "run") -> str:
    """The number of a job that somebody submitted by other means."""
    world.do_submit("", "", name)
    world.jobs[-1] |= {"state": state, "start": 3.0}
    return str(world.jobs[-1]["id"])


def asked(world: World) -> list[str]:
    """What the site is asked besides who it is."""
    return [verb for verb in world.asked if verb in ("queue", "history")]


def test_what_runs_is_told(world, look):
    number = stranger(world)
    looked = look(number)
    assert (looked.answered, states(looked)) == (True, {number: "RUNNING"})


def test_many_jobs_are_one_question(world, look):
    numbers = [stranger(world) for _ in range(200)]
    assert len(look(*numbers).told) == 200
    assert asked(world) == ["queue"]


def test_and_those_that_the_queue_has_forgotten_are_one_more(world, look):
    numbers = [stranger(world, state="bad") for _ in range(200)]
    assert set(states(look(*numbers)).values()) == {"FAILED"}
    assert asked(world) == ["queue", "history"]


def test_what_nobody_mentions_is_unknown_since_it_was_last_heard_of(world, look):
    stranger(world)
    (told,) = (told for told in look("77", heard=5.0).told if told.ref.id == "77")
    assert told.facts == JobFacts(unknown_since=5.0)


def test_of_others_jobs_that_are_not_shown_nothing_follows(world, look):
    assert look("77", user="somebody").told == []


@pytest.mark.parametrize("fault", ["dead", "busy", "garbage", "half", "down"])
def test_where_it_does_not_answer_all_are_unknown(world, look, fault):
    number = stranger(world)
    world.faults = [fault] * 9
    looked = look(number)
    assert not looked.answered
    assert [told.facts for told in looked.told] == [JobFacts(unknown_since=5.0)]


def test_jobs_that_run_without_any_client_are_told_as_well(world, look):
    running, waiting = stranger(world, "theirs"), stranger(world, "later", "wait")
    assert states(look()) == {running: "RUNNING"}
    assert states(look(waiting)) == {running: "RUNNING", waiting: "PENDING"}


def test_what_was_submitted_from_here_is_told_from_its_record(world, look):
    world.submit("true", name="mine")
    (row,) = world.of("mine")
    look()
    world.begin(row)
    world.end(row, "bad")
    world.passes(30.0)
    looked = look(str(row["id"]))
    assert states(looked) == {str(row["id"]): "FAILED"}


# ------------------------------------------------------------------------------------ whose it is


def whose(**clusters: str) -> Whose:
    named = {name: ClusterSettings(backend=kind) for name, kind in clusters.items()}
    return Whose(Settings(clusters=named))


@pytest.mark.parametrize(
    ("clusters", "ref", "name"),
    [
        ({"a": "slurm"}, JobRef("slurm", "1", "a"), "a"),
        ({"a": "slurm"}, JobRef("slurm", "1", "slurm"), "a"),
        ({"a": "slurm", "b": "slurm"}, JobRef("slurm", "1", "slurm"), None),
        ({"a": "slurm", "b": "pbs"}, JobRef("pbs", "1", "pbs"), "b"),
        ({}, JobRef("slurm", "1", "slurm"), "slurm"),
    ],
)
def test_a_cluster_is_asked_for_the_jobs_that_are_its_own(clusters, ref, name):
    assert whose(**clusters).cluster(ref) == name


def test_a_name_that_none_of_ours_has_is_nobodys(home: Any) -> None:
    assert whose(a="slurm").cluster(JobRef("slurm", "1", "elsewhere")) is None
