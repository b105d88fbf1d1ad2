"""Documents of jobs on clusters are those of this machine's, and `wait` ends as it does there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hpcshell.cli import exits
from hpcshell.clusters import views
from hpcshell.core.sightings import GONE
from tests.clusters.world import World

DOCUMENTS = Path(__file__).parents[2] / "docs" / "reference" / "documents.md"
FURTHER = {"cluster", "native", "word", "unknown_since", "chosen", "expected_start"}


def documented() -> set[str]:
    """The fields of a job, as the reference lists them."""
    section = DOCUMENTS.read_text().split("## A job")[1].split("## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.fixture
def busy(world: World) -> World:
    """Jobs in every state, plain and in arrays, ours and a stranger's."""
    for name in ("waits", "runs", "done", "bad", "gone", "odd"):
        world.submit("true", name=name)
        world.submit("true", name=f"{name}-array", array="0-2")
    world.do_submit("", "", "stranger")
    world.do_submit("", "4-5", "strangers")
    for row in world.jobs:
        kind = row["name"].removesuffix("-array")
        if kind in ("runs", "done", "bad"):
            world.begin(row)
        if kind in ("done", "bad", "gone"):
            world.end(row, kind)
        if kind == "odd":
            row["state"] = "hibernating"
    world.passes(100)
    return world


def test_every_document_has_exactly_the_fields_that_are_documented(busy: World) -> None:
    fields = documented() - {"story"} | FURTHER
    desk = busy.desk()
    rows = [
        *desk.call("queue", limit=0, all=True)["rows"],
        *desk.call("queue", limit=0, elements=True)["rows"],
        *busy.show("waits", "runs-array", "runs-array_1", "stranger", "odd", "bad"),
        *desk.call("history", limit=0)["rows"],
        busy.submit("true", array="1-4")["job"],
    ]
    assert {row["state"] for row in rows} > {"PENDING", "RUNNING", "COMPLETED", "FAILED", "UNKNOWN"}
    for row in rows:
        assert row.keys() == fields, row["label"]


def test_the_further_fields_are_those_that_the_module_names() -> None:
    assert set(re.findall(r"`(\w+)`", views.__doc__ or "")) == FURTHER


def test_the_story_has_the_fields_of_events(busy: World) -> None:
    (job,) = busy.desk().call("show", ids=["bad"], story=True)["jobs"]
    assert [event["kind"] for event in job["story"]] == ["submit", "start", "end"]
    names = {"seq", "time", "job", "element", "kind", "state", "cause", "detail"}
    assert all(event.keys() == names for event in job["story"])


def test_pages_are_cut_from_the_same_order(busy: World) -> None:
    whole = busy.desk().call("queue", limit=0, elements=True)
    assert whole["total"] == len(whole["rows"]) == sum(whole["counts"].values())
    pages = [
        row["label"]
        for offset in range(0, whole["total"], 4)
        for row in busy.desk().call("queue", limit=4, offset=offset, elements=True)["rows"]
    ]
    assert pages == [row["label"] for row in whole["rows"]]
    starts = [row["start_time"] is None for row in whole["rows"]]
    assert starts == sorted(starts), "first what runs"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"states": ["running"]}, {"runs", "runs-array"}),
        ({"names": ["waits"]}, {"waits"}),
        ({"user": "nobody"}, set()),
        ({"ids": ["runs", "stranger"]}, {"runs", "stranger"}),
    ],
)
def test_filters_choose(busy: World, filters, names) -> None:
    rows = busy.desk().call("queue", limit=0, **filters)["rows"]
    assert {row["name"] for row in rows} == names


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["done"], exits.OK),
        (["bad"], exits.FAILED),
        (["gone"], exits.CANCELLED),
        (["done", "bad"], exits.SOME_FAILED),
        (["done-array", "done"], exits.OK),
        (["bad-array"], exits.FAILED),
        (["gone-array"], exits.CANCELLED),
    ],
)
def test_wait_ends_with_the_codes_of_this_machine(busy: World, ids, code) -> None:
    answer = busy.desk().call("wait", ids=ids)
    assert answer.keys() == {"done", "pending", "timed_out"}
    assert (answer["pending"], answer["timed_out"]) == ([], False)
    assert exits.of_ends(answer["done"]) == code


def test_wait_goes_on_until_all_have_ended_and_looks_less_and_less(make_world) -> None:
    world = make_world(poll=5.0)
    world.submit("true", name="a")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        world.passes(seconds)
        if len(pauses) == 9:
            world.end(world.jobs[0])

    world.desk().pause = pause
    asked = len(world.asked)
    assert world.desk().call("wait", ids=["a"])["done"][0]["state"] == "COMPLETED"
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0
    assert len(world.asked) - asked <= len(pauses) + 3


def test_wait_for_any_ends_with_the_first(busy: World) -> None:
    answer = busy.desk().call("wait", ids=["waits", "bad"], any=True)
    assert [end["state"] for end in answer["done"]] == ["FAILED"]
    assert len(answer["pending"]) == 1


def test_wait_ends_when_its_time_is_over(busy: World) -> None:
    assert busy.desk().call("wait", ids=["waits"], timeout=0.0)["timed_out"]


def test_what_is_forgotten_is_over_and_has_not_gone_well(world: World) -> None:
    world.submit("true", name="a")
    world.desk().call("queue", limit=0)
    world.jobs.clear()
    for _ in range(2):
        world.passes(700)
        world.desk().call("queue", limit=0)
    answer = world.desk().call("wait", ids=["a"])
    assert [end["state"] for end in answer["done"]] == [GONE]
    assert exits.of_ends(answer["done"]) == exits.FAILED


def test_whoever_submits_and_looks_in_turn_asks_no_more_often_than_is_fair(make_world) -> None:
    world = make_world(poll=5.0)
    for number in range(20):
        world.submit("true", name=f"a{number}")
        assert world.state(f"a{number}") == "PENDING"
        assert world.desk().call("queue", limit=0)["total"] == number + 1
        world.passes(0.2)
    assert world.asked.count("queue") == 1
    world.passes(5)
    assert world.desk().call("cancel", ids=["a0"])["jobs"]
    assert world.state("a0") == "CANCELLED", "what was changed is looked at anew"
    assert world.asked.count("queue") == 3


def test_errors_go_where_the_output_goes_also_while_a_job_waits_here(make_world) -> None:
    world = make_world(max_jobs=0)
    world.submit("true", name="apart", stderr="errors")
    world.submit("true", name="together")
    apart, together = (world.show(name)[0] for name in ("apart", "together"))
    assert apart["stderr"].endswith("/errors")
    assert together["stderr"] == together["stdout"]
    assert together["stdout"].endswith("hpc-%j.out")
