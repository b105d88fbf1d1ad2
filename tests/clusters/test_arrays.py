"""Arrays in parts: every index once, labels are ours, and what is done to an element reaches it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Site
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
