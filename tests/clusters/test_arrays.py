"""Arrays in parts: every index once, labels are ours, and what is done to an element reaches it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Answer, Site, Words
from hpcshell.clusters.orders import split
from hpcshell.core.errors import NotFound
from hpcshell.core.indexset import IndexSet
from tests.clusters.world import World, brief_world

INDICES = st.sets(st.integers(0, 300), min_size=1, max_size=40)
LIMITS = st.builds(
    Site,
    most_elements=st.one_of(st.none(), st.integers(1, 12)),
    highest_index=st.one_of(st.none(), st.integers(0, 60)),
)


@given(indices=INDICES, site=LIMITS)
def test_the_parts_cover_every_index_once_and_keep_to_the_limits(indices, site) -> None:
    parts = split(str(IndexSet.of(indices)), site, "k")
    ours = [list(IndexSet.parse(text)) for _, text, _ in parts]
    assert sorted(index for part in ours for index in part) == sorted(indices)
    for part, (_, _, offset) in zip(ours, parts, strict=True):
        theirs = [index - offset for index in part]
        assert min(theirs) >= 0
        assert site.most_elements is None or len(theirs) <= site.most_elements
        assert site.highest_index is None or max(theirs) <= site.highest_index
    keys = [key for key, _, _ in parts]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("k") for key in keys)


@given(indices=INDICES, site=LIMITS)
def test_an_array_in_parts_is_one_job_with_our_labels(indices, site) -> None:
    with brief_world(limits=site) as world:
        job = world.submit("true", name="a", array=str(IndexSet.of(indices)))
        assert job["elements"] == len(indices)
        ours = [row["index"] + world.offsets[row["key"]] for row in world.jobs]
        assert sorted(ours) == sorted(indices)
        rows = world.desk().call("queue", limit=0, elements=True)["rows"]
        labels = {row["label"]: row["element"] for row in rows}
        assert labels == {f"{job['id']}_{index}": index for index in indices}
        outputs = world.desk().call("outputs", ids=[str(job["id"])])["outputs"]
        assert [each["element"] for each in outputs] == sorted(indices)


@given(indices=INDICES, site=LIMITS, which=st.integers(0), data=st.data())
def test_what_is_done_to_an_element_reaches_it_and_no_other(indices, site, which, data) -> None:
    verb = data.draw(st.sampled_from(["cancel", "hold"]))
    index = sorted(indices)[which % len(indices)]
    with brief_world(limits=site) as world:
        job = world.submit("true", name="a", array=str(IndexSet.of(indices)))
        answer = world.desk().call(verb, ids=[f"{job['id']}_{index}"])
        assert [(line["id"], line["element"]) for line in answer["jobs"]] == [(job["id"], index)]
        reached = [
            row["index"] + world.offsets[row["key"]]
            for row in world.jobs
            if row["state"] == "gone" or row.get("held")
        ]
        assert reached == [index]
        if verb == "cancel":
            world.passes(1)
            assert world.state(f"{job['id']}_{index}") == "CANCELLED"
            assert world.show(str(job["id"]))[0]["elements"]["counts"] == (
                {"CANCELLED": 1} | ({"PENDING": len(indices) - 1} if len(indices) > 1 else {})
            )


@pytest.mark.parametrize("verb", ["cancel", "hold"])
def test_what_is_done_to_the_whole_reaches_all_parts_and_is_told_once(make_world, verb) -> None:
    world = make_world(limits=Site(most_elements=3))
    job = world.submit("true", name="a", array="0-9")
    answer = world.desk().call(verb, ids=[str(job["id"])])
    (line,) = answer["jobs"]
    assert (line["id"], line["element"], line["elements"]) == (job["id"], None, 10)
    assert all(row["state"] == "gone" or row.get("held") for row in world.jobs)


def test_several_elements_of_several_parts(make_world) -> None:
    world = make_world(limits=Site(most_elements=3))
    job = world.submit("true", name="a", array="0-9")
    world.desk().call("cancel", ids=[f"{job['id']}[2-4,9]"])
    world.passes(1)
    (seen,) = world.show("a")
    assert [bad["element"] for bad in seen["elements"]["failed"]] == [2, 3, 4, 9]


@given(indices=INDICES, most=st.integers(1, 12), highest=st.integers(5, 60))
def test_the_script_of_a_part_adds_what_its_indices_are_less_by(indices, most, highest) -> None:
    with brief_world(limits=Site(most_elements=most, highest_index=highest)) as world:
        world.submit("true", name="a", array=str(IndexSet.of(indices)))
        for row in world.jobs:
            offset = world.offsets[row["key"]]
            script = _script(world, row["key"])
            assert (f"hpc_element=$((hpc_element + {offset}))" in script) == bool(offset)


def _script(world: World, key: str) -> str:
    entry, _, part = key.partition(".")
    name = f"job-{part}.sh" if part else "job.sh"
    return world.files[f"/home/me/.hpcshell/jobs/{entry}/{name}"].decode()


def test_an_element_that_there_is_not_is_not_found(world: World) -> None:
    world.submit("true", name="a", array="0-3")
    with pytest.raises(NotFound, match="no element 7"):
        world.show("1_7")


def test_a_part_that_the_site_refuses_for_good_has_failed_and_the_others_go_on(make_world) -> None:
    world = make_world(limits=Site(most_elements=2))
    world.desk().cluster.site()
    world.faults = ["", "wrong"]
    job = world.submit("true", name="a", array="0-5")
    assert "that part was not taken" in job["notes"][0]
    assert world.show("a")[0]["elements"]["counts"] == {"PENDING": 4, "FAILED": 2}


# ---------------------------------------------------------------------------------- what waits here


def takes_none(world: World) -> Callable[[Words], Answer]:
    """The way to a site where the user has as many jobs as he may."""
    plain = world.say
    return lambda words: Answer(code=9) if words.argv[1] == "submit" else plain(words)


@given(indices=INDICES, site=LIMITS, data=st.data())
def test_elements_that_wait_here_are_cancelled_one_by_one_and_the_rest_is_sent(
    indices, site, data
) -> None:
    with brief_world(limits=site) as world:
        world.desk().cluster.site()
        world.__dict__["say"] = takes_none(world)
        array = str(IndexSet.of(indices))
        label = world.submit("true", name="a", array=array)["id"]
        unwanted = data.draw(st.sets(st.sampled_from(sorted(indices)), min_size=1))
        for index in sorted(unwanted):
            tried = world.desk().call("cancel", ids=[f"{label}_{index}"], dry_run=True)
            assert [line["now"] for line in tried["jobs"]] == [None]
            answer = world.desk().call("cancel", ids=[f"{label}_{index}"])
            assert [(one["element"], one["now"]) for one in answer["jobs"]] == [
                (index, "CANCELLED")
            ]
        del world.__dict__["say"]
        world.passes(100)
        rows = world.desk().call("queue", limit=0, elements=True, all=True)["rows"]
        left = indices - unwanted
        assert {row["element"] for row in rows if row["state"] == "PENDING"} == left
        theirs = [row["index"] + world.offsets[row["key"]] for row in world.jobs]
        assert sorted(theirs) == sorted(left)
        for row in world.live():
            world.begin(row)
            world.end(row)
        world.passes(100)
        (job,) = world.show("a")
        counts = {"COMPLETED": len(left), "CANCELLED": len(unwanted)}
        assert job["elements"]["counts"] == {state: n for state, n in counts.items() if n}
        assert not world.desk().cluster.ledger.open_entries("toy")


def test_what_is_just_being_sent_is_not_taken_apart(make_world) -> None:
    world = make_world()
    world.desk().cluster.site()
    world.faults = ["full"]
    world.submit("true", name="a", array="0-3")
    ledger = world.desk().cluster.ledger
    (part,) = ledger.parts(1)
    with ledger.change() as change:
        assert change.claim(part, world.now) is not None
        assert not change.take_out(part, [2], world.now, "")
    with ledger.change() as change:
        (asked,) = ledger.parts(1)
        assert change.mark(asked, "planned", world.now)
        assert change.take_out(part, [2], world.now, "")
        assert change.claim(part, world.now) is None, "it is another part now"
    assert [(one.indices, one.state) for one in ledger.parts(1)] == [
        ("0-1,3", "planned"),
        ("2", "withdrawn"),
    ]
