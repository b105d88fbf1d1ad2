"""How jobs of a cluster are named, and what is meant where the site has begun to count anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcshell.backends.contract import Site
from hpcshell.cli import exits
from hpcshell.core.errors import HpcError, NotFound, Wrong
from tests.clusters.world import World
from tests.support.clusters.toy import ToySite, spec, toy_desk


@pytest.fixture
def four(world: World) -> World:
    """Jobs 1 and 4, array 2 and array 3."""
    world.submit("true", name="prep")
    world.submit("true", name="sweep", array="0-4")
    world.submit("true", name="other", array="3-9")
    world.submit("true", name="prep")
    return world


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ("1", ["1"]),
        ("2_3", ["2_3"]),
        ("3[3-5]", ["3_3", "3_4", "3_5"]),
        ("3_[3,9]", ["3_3", "3_9"]),
        ("1-3", ["1", "2", "3"]),
        ("@", ["4"]),
        ("@~1", ["3"]),
        ("@~2_4", ["2_4"]),
        ("sweep", ["2"]),
        ("sweep_2", ["2_2"]),
        ("prep", ["1", "4"]),
        ("w3", ["3"]),
        ("w3_7", ["3_7"]),
        ("2.3", ["2_3"]),
        ("1 1 1-2", ["1", "2"]),
        ("1 2_3 2", ["1", "2_3", "2"]),
    ],
)
def test_a_word_names_what_it_says(four: World, words: str, labels: list[str]) -> None:
    assert four.labels(*words.split()) == labels


@pytest.mark.parametrize("word", ["5", "9-12", "nothing", "@~9", "w17", "2_9", "3[0-2]", "7.1"])
def test_what_there_is_not_is_not_found(four: World, word: str) -> None:
    with pytest.raises(NotFound) as caught:
        four.show(word)
    assert caught.value.exit_code == exits.NOT_FOUND
    assert caught.value.hint


@pytest.mark.parametrize("word", ["@x", "3-1", "1_0", "2[]"])
def test_what_is_no_id_is_wrong(four: World, word: str) -> None:
    with pytest.raises(Wrong):
        four.show(word)


def test_all_that_is_named_must_be_there(four: World) -> None:
    with pytest.raises(HpcError, match="8"):
        four.show("1", "8")


def test_native_ids_of_parts_mean_the_elements_that_the_site_means(make_world) -> None:
    world = make_world(limits=Site(most_elements=3, highest_index=5))
    job = world.submit("true", name="a", array="0-9")
    assert [job["id"], *dict.fromkeys(row["id"] for row in world.jobs)] == [1, "1", "2", "3", "4"]
    for row in world.jobs:
        index = row["index"] + world.offsets[row["key"]]
        assert world.labels(f"{row['id']}.{row['index']}") == [f"1_{index}"]
        assert world.labels(f"1_{index}") == [f"1_{index}"]


def test_jobs_of_others_are_known_by_the_queue_and_by_the_accounting(world: World) -> None:
    world.do_submit("", "", "theirs")
    world.do_submit("", "0-2", "array")
    assert world.labels("1", "theirs") == ["1"]
    assert world.labels("2_1") == ["2_1"]
    assert world.labels("1-2") == ["1", "2_0", "2_1", "2_2"]
    world.end(world.jobs[0])
    world.passes(1)
    assert world.state("1") == "COMPLETED"


# ------------------------------------------------------------------------------ numbers given again


def test_a_number_that_was_given_again_means_the_latest(world: World) -> None:
    world.submit("true", name="first")
    assert world.state("first") == "PENDING"
    world.jobs.clear()
    world.next = 1
    world.submit("true", name="second")
    assert [job["name"] for job in world.show("1")] == ["second"]
    assert [job["name"] for job in world.show("1-2")] == ["second"]
    world.passes(100)
    assert world.state("first") == "UNKNOWN", "the sighting with another key is not its own"
    world.begin(world.jobs[0])
    world.passes(1)
    assert world.state("second") == "RUNNING"
    assert world.state("first") == "UNKNOWN"


def test_without_a_key_a_number_is_taken_for_that_of_the_latest(world: World) -> None:
    world.submit("true", name="first")
    assert world.state("first") == "PENDING"
    world.jobs.clear()
    world.next = 1
    world.submit("true", name="second")
    world.passes(100)
    world.jobs[0]["key"] = ""
    world.jobs[0]["state"] = "run"
    assert world.state("first") == "UNKNOWN"
    assert world.state("second") == "RUNNING"


def test_a_stranger_that_has_our_number_now_is_a_stranger(world: World) -> None:
    world.submit("true", name="ours")
    assert world.state("ours") == "PENDING"
    world.jobs.clear()
    world.next = 1
    world.do_submit("theirs", "", "theirs")
    world.passes(100)
    assert world.state("ours") == "UNKNOWN"
    assert [job["name"] for job in world.show("1")] == ["theirs"]
    names = {row["name"] for row in world.desk().call("queue", limit=0)["rows"]}
    assert names == {"ours", "theirs"}


def test_what_has_ended_of_others_is_not_meant_by_a_name_of_ones_own(tmp_path: Path) -> None:
    site = ToySite()
    site.forgets = False
    site.do_submit("anotherkey", "", "same")
    site.run("1", "done")
    desk = toy_desk(tmp_path, site)
    mine = desk.call("submit", submissions=[spec(name="same")])["jobs"][0]["id"]
    assert [view["id"] for view in desk.call("show", ids=["same"])["jobs"]] == [mine]
