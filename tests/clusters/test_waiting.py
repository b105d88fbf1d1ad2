"""What the site does not take now waits here, and is sent in order; what it never takes leaves
nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Site, Words
from hpcshell.clusters.submitting import Submitting
from hpcshell.core.errors import Unreachable, Wrong
from tests.clusters.world import World, brief_world
from tests.support.clusters.toy import spec


def order_sent(world: World) -> list[str]:
    return list(dict.fromkeys(row["name"] for row in world.jobs))


@given(most=st.integers(1, 4), count=st.integers(1, 9), ends=st.lists(st.integers(0), max_size=30))
def test_jobs_over_the_limit_are_sent_in_order_as_slots_come_free(most, count, ends) -> None:
    with brief_world(max_jobs=most) as world:
        for number in range(count):
            world.submit("true", name=f"a{number}")
        assert order_sent(world) == [f"a{number}" for number in range(min(most, count))]
        for which in [*ends, *range(count)]:
            if live := world.live():
                world.begin(live[which % len(live)])
                world.end(live[which % len(live)])
            world.passes(100)
            world.desk().call("queue", limit=0)  # its end is seen
            world.passes(100)
            world.desk().call("queue", limit=0)
            assert len(world.live()) <= most
        assert order_sent(world) == [f"a{number}" for number in range(count)]


def test_the_parts_of_one_array_wait_for_each_other(make_world) -> None:
    world = make_world(max_jobs=1, limits=Site(most_elements=2))
    world.submit("true", name="a", array="0-5")
    for _ in range(3):
        assert len({row["key"] for row in world.live()}) == 1
        for row in world.live():
            world.begin(row)
            world.end(row)
        world.passes(100)
        world.desk().call("queue", limit=0)
        world.passes(100)
        world.desk().call("queue", limit=0)
    assert sorted(row["index"] for row in world.jobs) == list(range(6))
    world.passes(100)
    assert world.state("a") == "COMPLETED"


def test_a_newer_job_does_not_overtake_what_waits(make_world) -> None:
    world = make_world(max_jobs=1, poll=5.0)
    world.submit("true", name="first")
    job = world.submit("true", name="second")
    assert "1 of yours are there, of 1 at most" in job["notes"][0]
    world.desk().call("queue", limit=0)  # it was just tried, and is not soon tried again
    world.end(world.jobs[0])
    world.passes(6)
    world.desk().call("queue", limit=0)
    assert order_sent(world) == ["first"]
    job = world.submit("true", name="third")
    assert job["job"]["reason_code"] == "NotSentYet"
    assert order_sent(world) == ["first"]
    world.passes(20)
    world.desk().call("queue", limit=0)
    assert order_sent(world) == ["first", "second"]


def test_a_command_that_was_begun_is_not_fed_if_something_came_to_wait(make_world) -> None:
    world = make_world(early=True, max_jobs=1, poll=5.0)
    begun = world.say_while

    def overtaken(words: Words, work: Callable[[], None]) -> Answer:
        world.say_while = begun
        for name in ("first", "second"):
            world.desk(1).call("submit", submissions=[spec("true", name=name)])
        answer: Answer = begun(words, work)
        return answer

    world.say_while = overtaken
    job = world.submit("true", name="third")
    assert job["job"]["reason_code"] == "NotSentYet"
    assert order_sent(world) == ["first"]


def test_what_is_cancelled_while_it_waits_is_never_sent(make_world) -> None:
    world = make_world(max_jobs=1)
    world.submit("true", name="first")
    world.submit("true", name="second", array="0-3")
    answer = world.desk().call("cancel", ids=["second"])
    assert [(line["was"], line["now"]) for line in answer["jobs"]] == [("PENDING", "CANCELLED")]
    world.end(world.jobs[0])
    for _ in range(3):
        world.passes(1000)
        assert world.state("second") == "CANCELLED"
    assert order_sent(world) == ["first"]


def test_what_is_held_while_it_waits_is_sent_held(make_world) -> None:
    world = make_world(max_jobs=1)
    world.submit("true", name="first")
    world.submit("true", name="second")
    world.desk().call("hold", ids=["second"])
    assert world.show("second")[0]["held"]
    entry = world.desk().cluster.ledger.named("toy", "second")[0]
    world.end(world.jobs[0])
    for _ in range(3):
        world.passes(100)
        world.desk().call("queue", limit=0)
    assert order_sent(world) == ["first", "second"]
    assert entry.held


def test_a_limit_of_the_sites_own_is_waited_for_too(world: World) -> None:
    world.desk().cluster.site()
    world.faults = ["full"]
    job = world.submit("true", name="a")
    assert "no more than so many jobs" in job["notes"][0]
    assert world.state("a") == "PENDING"
    world.passes(100)
    world.desk().call("queue", limit=0)
    assert order_sent(world) == ["a"]


@pytest.mark.parametrize("array", ["", "0-5"])
def test_what_the_site_refuses_for_good_leaves_nothing(make_world, array: str) -> None:
    world = make_world(limits=Site(most_elements=2))
    world.desk().cluster.site()
    world.faults = ["wrong"]
    with pytest.raises(Wrong, match="there is no such queue"):
        world.submit("true", name="a", array=array)
    assert world.files == {}
    assert world.desk().cluster.ledger.last("toy") is None
    assert world.jobs == []


def test_where_no_configuration_is_found_a_new_job_is_refused_and_nothing_is_left(world) -> None:
    world.faults = ["unset"] * 4
    with pytest.raises(Unreachable, match="no configuration"):
        world.submit("true", name="before anything is known of the site")
    world.faults.clear()
    world.desk().cluster.site()
    world.faults = ["unset"]
    with pytest.raises(Unreachable, match="no configuration") as refused:
        world.submit("true", name="a")
    assert refused.value.hint
    assert world.files == {}
    assert world.desk().cluster.ledger.last("toy") is None
    assert world.jobs == []


def test_what_waits_already_is_sent_once_there_is_a_configuration_again(make_world) -> None:
    world = make_world(max_jobs=1)
    world.submit("true", name="first")
    world.submit("true", name="second")
    world.end(world.jobs[0])
    world.passes(100)
    world.faults = [*[""] * 4, "unset"]  # queue, accounting, its name twice, and then it is sent
    (job,) = world.show("second")
    assert (job["state"], job["reason"]) == ("PENDING", "no configuration")
    world.passes(100)
    world.desk().call("queue", limit=0)
    assert order_sent(world) == ["first", "second"]


def test_what_is_refused_once_it_is_sent_has_failed_and_says_why(make_world) -> None:
    world = make_world(max_jobs=1)
    world.submit("true", name="first")
    world.submit("true", name="second")
    world.end(world.jobs[0])
    world.passes(100)
    world.faults = [*[""] * 4, "wrong"]  # queue, accounting, its name twice, and then it is sent
    (job,) = world.show("second")
    assert (job["state"], job["reason"]) == ("FAILED", "there is no such queue")
    assert order_sent(world) == ["first"]


def test_two_processes_never_exceed_the_limit(make_world) -> None:
    world = make_world(max_jobs=3)
    desks = [world.desk(number) for number in range(4)]
    world.desk().cluster.site()
    names = [[f"a{who}-{number}" for number in range(5)] for who in range(4)]

    def submit(who: int) -> None:
        for name in names[who]:
            desks[who].call("submit", submissions=[spec("true", name=name)])

    threads = [threading.Thread(target=submit, args=(who,)) for who in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(world.jobs) == 3
    assert len(world.desk().cluster.ledger.unsent("toy")) == 17


def test_what_is_held_in_the_last_moment_is_not_sent_as_it_was_before(make_world) -> None:
    world = make_world(max_jobs=1)
    world.submit("true", name="first")
    world.submit("true", name="second")
    cluster = world.desk().cluster
    (_, before) = cluster.ledger.open_entries("toy")
    assert world.desk().call("hold", ids=["second"])["jobs"]
    world.jobs.clear()
    cluster.settings = replace(cluster.settings, max_jobs=None)
    assert Submitting(cluster, world.passes).hand_over(before) is None
    assert not world.jobs
    now = cluster.ledger.entry(before.serial)
    assert now is not None
    assert Submitting(cluster, world.passes).hand_over(now) is None
    assert [row["name"] for row in world.jobs] == ["second"]
