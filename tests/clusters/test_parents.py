"""Dependencies: what is settled is decided here, the rest is asked of the site."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.backends.contract import Order, Parent, Site, Words
from hpcshell.core.errors import HpcError, NotFound, NotYet, Refused
from hpcshell.core.sightings import Sighting
from hpcshell.store.ledger.entries import Part
from tests.clusters.world import Limited, World
from tests.store.ledger.test_ledger import entry


class Listening(Limited):
    """A site that keeps what it was told of parents."""

    told: list[tuple[tuple[Parent, ...], bool]] = []  # noqa: RUF012

    def submit(self, order: Order) -> Words:
        self.told.append((order.parents, order.any))
        return super().submit(order)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    fresh: list[Any] = []
    monkeypatch.setattr(Listening, "told", fresh)
    return fresh


@pytest.fixture
def world(make_world, told) -> World:
    made: World = make_world(backend=Listening, limits=Site(most_elements=3))
    made.submit("true", name="alive")
    made.submit("true", name="good")
    made.submit("true", name="bad")
    made.end(made.of("good")[0], "done")
    made.end(made.of("bad")[0], "bad")
    made.passes(100)
    made.desk().call("queue", limit=0)
    told.clear()
    return made


def depends(world: World, text: str) -> None:
    world.submit("true", name="child", dependency=text)


@pytest.mark.parametrize(
    "text",
    [
        *("afterok:good", "afterany:good", "afterany:bad", "after:bad", "afternotok:bad"),
        *("aftercorr:good", "afterok:good,afterany:bad", "afterok:bad?afterok:good", "good"),
        "afterok:alive?afterok:good",
    ],
)
def test_what_holds_already_is_not_asked_of_the_site(world: World, told, text: str) -> None:
    depends(world, text)
    assert told == [((), False)]


@pytest.mark.parametrize(
    "text",
    [
        *("afterok:bad", "afternotok:good", "afterok:alive,afterok:bad", "aftercorr:bad"),
        *("afterok:bad?afternotok:good", "bad"),
    ],
)
def test_what_can_never_hold_is_refused(world: World, told, text: str) -> None:
    with pytest.raises(Refused) as caught:
        depends(world, text)
    assert caught.value.hint
    assert told == []


@pytest.mark.parametrize("kind", ["after", "afterok", "afternotok", "afterany", "aftercorr"])
def test_what_is_not_settled_is_the_sites_to_decide(world: World, told, kind: str) -> None:
    depends(world, f"{kind}:alive+2")
    directory = f"/home/me/.hpcshell/jobs/{world.of('alive')[0]['key']}"
    parent = Parent(kind=kind, ids=("1",), delay=120.0, directories=(directory,))
    assert told == [((parent,), False)]


def test_of_several_the_settled_ones_are_left_out(world: World, told) -> None:
    depends(world, "afterok:alive:good,afterany:bad")
    ((parents, any_one),) = told
    assert [(parent.kind, parent.ids) for parent in parents] == [("afterok", ("1",))]
    assert not any_one
    told.clear()
    depends(world, "afterok:bad?afterany:alive?singleton")
    ((parents, any_one),) = told
    assert [parent.kind for parent in parents] == ["afterany", "singleton"]
    assert any_one


def test_parents_in_several_parts_are_all_named(world: World, told) -> None:
    world.submit("true", name="sweep", array="0-7")
    told.clear()
    depends(world, "afterok:sweep")
    ((parents, _),) = told
    assert parents[0].ids == tuple(dict.fromkeys(row["id"] for row in world.of("sweep")))
    assert len(parents[0].ids) == len(parents[0].directories) == 3
    told.clear()
    depends(world, "afterok:sweep[2-3]")
    ((parents, _),) = told
    rows = [row for row in world.of("sweep") if row["index"] in (2, 3)]
    assert parents[0].ids == tuple(f"{row['id']}.{row['index']}" for row in rows)


def test_an_array_some_of_which_failed(world: World, told) -> None:
    world.submit("true", name="sweep", array="0-1")
    for row, state in zip(world.of("sweep"), ["done", "bad"], strict=True):
        world.end(row, state)
    world.passes(100)
    told.clear()
    with pytest.raises(Refused):
        depends(world, "afterok:sweep")
    depends(world, "afternotok:sweep")
    assert told == [((), False)]
    depends(world, "afterok:sweep_0")
    assert told[-1] == ((), False)
    depends(world, "aftercorr:sweep")
    assert [parent.kind for parent in told[-1][0]] == ["aftercorr"]


def test_nobody_waits_for_what_the_site_was_never_sent(make_world, told) -> None:
    world = make_world(backend=Listening, max_jobs=1)
    world.submit("true", name="first")
    world.submit("true", name="second")
    with pytest.raises(NotYet, match="waits here"):
        depends(world, "afterok:second")
    world.desk().call("cancel", ids=["second"])
    with pytest.raises(Refused):
        depends(world, "afterok:second")


def test_a_parent_that_there_is_not_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        depends(world, "afterok:77")


def test_jobs_of_others_can_be_waited_for(world: World, told) -> None:
    number = world.do_submit("", "", "theirs")
    depends(world, f"afterany:{number}")
    assert told == [((Parent(kind="afterany", ids=(number,), directories=("",)),), False)]


@pytest.mark.parametrize(("end", "then"), [("done", "PENDING"), ("bad", "FAILED")])
def test_parents_that_end_while_a_job_waits_here_are_decided_here(
    make_world, told, end: str, then: str
) -> None:
    world = make_world(backend=Listening, max_jobs=1)
    world.submit("true", name="first")
    depends(world, "afterok:first")
    told.clear()
    world.begin(world.jobs[0])
    world.end(world.jobs[0], end)
    world.passes(100)
    (job,) = world.show("child")
    assert job["state"] == then
    assert told == ([((), False)] if end == "done" else [])
    assert end == "done" or "never hold" in job["reason"]


# ------------------------------------------------------------------------ parents on other clusters


@pytest.mark.parametrize("name", ["toy:alive", "toy:1", "alive"])
def test_a_parent_may_be_named_with_its_cluster(world: World, told, name: str) -> None:
    depends(world, f"afterok:{name}+2,afterany:bad")
    ((parents, _),) = told
    assert [(one.kind, one.ids, one.delay) for one in parents] == [("afterok", ("1",), 120.0)]


def elsewhere(world: World, number: str, state: str | None) -> None:
    """A job of another cluster, which has ended if `state` is given."""
    with world.desk().cluster.ledger.change() as change:
        made, _ = change.enter(entry(f"there{number}", "b"), [(f"there{number}", "", 0)])
        part = Part(serial=made.serial, number=0, key="", indices="", state="planned", since=1.0)
        change.known(part, number, number, 1.0)
        if state is not None:
            change.end(made.serial, [(None, Sighting(native=number, number=number, state=state))])


def test_one_of_another_cluster_counts_if_it_has_ended(world: World, told) -> None:
    elsewhere(world, "7", "COMPLETED")
    elsewhere(world, "8", "FAILED")
    depends(world, "afterok:b:7,afterany:b:8")
    assert told == [((), False)]
    with pytest.raises(Refused, match="afterok:b:8: that can never hold"):
        depends(world, "afterok:b:8")


@pytest.mark.parametrize("parent", ["b:7", "b:99", "b:job", "b:@"])
def test_and_is_no_condition_that_a_site_could_wait_for(world: World, told, parent: str) -> None:
    elsewhere(world, "7", None)
    with pytest.raises(
        Refused, match=f"afterok:{parent}: toy cannot wait for a job of b"
    ) as caught:
        depends(world, f"afterok:alive:{parent}")
    assert f"hpc wait --on b {parent}" in str(caught.value.hint)
    assert not told


def test_ids_are_understood_with_their_cluster(world: World) -> None:
    assert world.labels("toy:1", "toy:good") == ["1", "2"]
    with pytest.raises(HpcError):
        world.labels("b:1")
