"""A name that leads to another cluster than before: nothing of the one is told, changed or sent at
the other."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Site, Trouble
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.giving_up import give_up
from hpcshell.clusters.identity import Another
from hpcshell.clusters.known import GONE_AFTER
from hpcshell.core.sightings import GONE, UNKNOWN
from tests.clusters.world import Limited, World
from tests.store.test_model import FAST
from tests.support.clusters.toy import spec

CHANGES = ("cancel", "hold")


class Named(Limited):
    """A toy that says which one it is."""

    def read_probe(self, answer: Answer) -> Site | Trouble:
        told = super().read_probe(answer)
        return told if isinstance(told, Trouble) else replace(told, identity=told.version)


class Keyless(Named):
    """Its queue and its accounting tell numbers, and not whose they are."""

    def read_queue(self, answers):
        seen = super().read_queue(answers)
        return replace(seen, sightings=tuple(replace(one, key="") for one in seen.sightings))

    read_history = read_queue


class Town(World):
    """Two sites behind one name."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **{"backend": Named} | how)
        self.called = "alpha"

    def do_version(self) -> str:
        return self.called

    def moves(self, *others: str) -> None:
        """The name leads to another site, which has jobs of its own from number 1 on."""
        self.called, self.next, self.jobs = "beta", 1, []
        for name in others:
            self.do_submit(f"key of {name}", "", name)
        self.asked.clear()


@contextlib.contextmanager
def brief_town(backend: type[Named]) -> Iterator[Town]:
    """A town for one of many examples."""
    directory = Path(tempfile.mkdtemp(dir=FAST))
    with pytest.MonkeyPatch.context() as patch:
        made = Town(directory, patch, backend=backend)
        try:
            yield made
        finally:
            made.close()
            shutil.rmtree(directory)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = Town(tmp_path, monkeypatch)
    yield made
    made.close()


def configured_anew(town: Town) -> Cluster:
    """A process that was started after the configuration was changed."""
    town.ends(0)
    town.settings = replace(town.settings, directory=town.settings.directory, jump="gate", ssh="b")
    return town.desk().cluster


def by_itself(town: Town) -> Cluster:
    """Nothing is seen of the change from here."""
    town.ends(0)
    return town.desk().cluster


WAYS = pytest.mark.parametrize("changed", [configured_anew, by_itself])


# ---------------------------------------------------------------------------------------- the laws


@given(
    others=st.lists(st.sampled_from(["x", "y", "a"]), max_size=3),
    state=st.sampled_from(["wait", "run", "done", "bad", "gone"]),
    looks=st.lists(st.sampled_from([1.0, 70.0, GONE_AFTER + 1]), min_size=1, max_size=4),
    keys=st.booleans(),
    sees=st.booleans(),
    changed=st.sampled_from([configured_anew, by_itself]),
)
def test_whatever_another_site_tells_a_job_of_the_first_is_unknown(
    others: list[str],
    state: str,
    looks: list[float],
    keys: bool,
    sees: bool,
    changed: Callable[[Town], Cluster],
) -> None:
    with brief_town(Named if keys else Keyless) as town:
        town.submit("true", name="mine")
        if sees:
            town.passes(1)
            assert town.state("mine") == "PENDING"
        town.moves(*others)
        for row in town.jobs:
            row["state"] = state
        alike = not keys and bool(others) and changed is by_itself and state in ("wait", "run")
        changed(town)
        for seconds in looks:
            town.passes(seconds)
            assert town.state("mine") == UNKNOWN or alike


@WAYS
@pytest.mark.parametrize("verb", CHANGES)
def test_nothing_is_said_of_it_to_another_site(town: Town, verb: str, changed) -> None:
    town.submit("true", name="mine")
    town.moves("theirs")
    changed(town)
    town.passes(70)
    with pytest.raises(Another, match="toy leads to another cluster now: beta") as refused:
        town.desk().call(verb, ids=["mine"])
    assert refused.value.exit_code == 4
    assert "hpc cluster add" in str(refused.value.hint)
    assert verb not in town.asked
    assert town.of("theirs")[0]["state"] == "wait"


@WAYS
def test_nothing_is_submitted_beside_it(town: Town, changed) -> None:
    town.submit("true", name="mine")
    town.moves("theirs")
    changed(town)
    town.passes(70)
    town.desk().call("queue", limit=0)
    with pytest.raises(Another):
        town.submit("true", name="more")
    assert "submit" not in town.asked


@WAYS
def test_what_was_not_answered_and_what_waits_is_not_sent_to_it(town: Town, changed) -> None:
    town.desk().cluster.site()
    town.faults = ["lost", *["dead"] * 3]
    town.submit("true", name="asked")
    town.faults = ["full"]
    town.submit("true", name="waits")
    town.faults = []
    town.moves()
    changed(town)
    for _ in range(4):
        town.passes(400)
        town.desk().call("queue", limit=0)
    assert not town.jobs
    assert (town.state("asked"), town.state("waits")) == (UNKNOWN, "PENDING")
    assert town.desk().call("cancel", ids=["waits"])["jobs"], "that needs no site"


# ------------------------------------------------------------------------------------- what is said


def test_the_queue_says_so_and_what_to_do(town: Town) -> None:
    town.submit("true", name="mine")
    town.moves("theirs")
    configured_anew(town)
    trouble = town.desk().call("queue", limit=0)["trouble"]
    assert "beta answers, and its jobs are on alpha" in trouble["message"]
    assert "hpc cluster remove toy --give-up" in trouble["hint"]


def test_whoever_waits_is_told_and_does_not_wait(town: Town) -> None:
    town.submit("true", name="mine")
    town.moves()
    configured_anew(town)
    with pytest.raises(Another):
        town.desk().call("wait", ids=["mine"])


# --------------------------------------------------------------------------- where nothing is wrong


def test_back_at_the_first_everything_is_as_it_was(town: Town) -> None:
    town.submit("true", name="mine")
    before = town.jobs
    town.moves("theirs")
    configured_anew(town)
    town.passes(70)
    assert town.state("mine") == UNKNOWN
    town.called, town.jobs = "alpha", before
    town.passes(70)
    assert town.state("mine") == "PENDING"
    assert town.desk().call("cancel", ids=["mine"])["jobs"]


def test_a_name_of_which_nothing_is_open_may_lead_elsewhere(town: Town) -> None:
    town.submit("true", name="mine")
    town.begin(town.jobs[0])
    town.end(town.jobs[0])
    town.passes(100)
    assert town.state("mine") == "COMPLETED"
    town.moves()
    configured_anew(town)
    assert town.submit("true", name="other")["job"]["state"] == "PENDING"
    assert [town.state(name) for name in ("mine", "other")] == ["COMPLETED", "PENDING"]


@WAYS
def test_a_site_that_was_renamed_and_shows_its_jobs_is_the_same(town: Town, changed) -> None:
    town.submit("true", name="mine")
    town.submit("true", name="ended")
    town.called = "gamma"
    town.end(town.of("ended")[0], "bad")
    changed(town)
    town.passes(70)
    assert [town.state(name) for name in ("mine", "mine")] == ["PENDING"] * 2
    town.passes(70)
    assert town.state("ended") == "FAILED"
    assert town.submit("true", name="more")["id"]


def test_a_job_that_no_site_has_shown_is_never_gone_where_sites_have_no_names(world: World) -> None:
    world.submit("true", name="a")
    world.jobs.clear()
    for _ in range(4):
        world.passes(GONE_AFTER + 1)
        assert world.state("a") == UNKNOWN


def test_what_was_given_up_is_gone_and_the_name_is_free(town: Town) -> None:
    town.submit("true", name="mine")
    town.faults = ["full"]
    town.submit("true", name="waits")
    town.faults = []
    town.moves("theirs")
    ledger = configured_anew(town).ledger
    assert give_up(ledger, "toy", dry_run=True) == 2
    assert town.state("mine") == UNKNOWN
    assert give_up(ledger, "toy") == 2
    town.ends(0)
    assert [town.state(name) for name in ("mine", "waits")] == [GONE, "CANCELLED"]
    assert town.submit("true", name="next")["id"] == 2
    assert [row["name"] for row in town.jobs] == ["theirs", "next"]


def test_what_was_answered_by_another_way_is_no_answer(town: Town) -> None:
    town.desk().call("submit", submissions=[spec(name="mine")])
    town.passes(1)
    town.settings = replace(town.settings, poll=600.0)
    town.ends(0)
    assert town.state("mine") == "PENDING"
    town.moves("theirs")
    configured_anew(town)
    assert town.state("mine") == UNKNOWN


def test_while_a_site_that_has_a_name_does_not_tell_it_nothing_is_gone(town: Town) -> None:
    town.submit("true", name="mine")
    town.passes(1)
    assert town.state("mine") == "PENDING"
    town.jobs.clear()
    for _ in range(3):
        town.passes(GONE_AFTER + 1)
        town.faults = ["", "", "garbage"]  # queue and accounting answer
        assert town.state("mine") == UNKNOWN
    for _ in range(2):
        town.passes(GONE_AFTER + 1)
        seen = town.state("mine")
    assert seen == GONE
