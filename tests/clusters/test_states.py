"""What is shown of a job: what is known, that nobody knows, or that it is forgotten; never an end
that was not seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.clusters.known import GONE_AFTER, Assessing
from hpcshell.clusters.lookout import FRESH
from hpcshell.core.errors import HpcError, NotYet
from hpcshell.core.sightings import ENDED, GONE, UNKNOWN, Sighting
from hpcshell.store.ledger.entries import Entry, Part
from tests.clusters.world import World, brief_world
from tests.support.clusters.toy import ToyBackend

BAD = ["dead", "busy", "garbage", "half", "down"]


def test_what_was_cancelled_is_not_shown_as_running_by_an_older_answer(world: World) -> None:
    world.submit("true", name="a")
    world.begin(world.live()[0])
    assert world.state("a") == "RUNNING"
    world.passes(5)
    world.desk().call("cancel", ids=["a"])
    world.passes(1)
    world.faults = ["dead"] * 9
    assert world.state("a") == UNKNOWN
    world.faults = []
    world.passes(100)
    assert world.state("a") == "CANCELLED"


class NoAccounting(ToyBackend):
    """A site that keeps no accounts."""

    accounting = False


def test_one_that_ends_while_another_process_reads_the_record_is_shown_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.submit("true", name="a")
    world.begin(world.live()[0])
    world.state("a")
    ledger = world.desk().cluster.ledger
    plain = ledger.open_entries

    def interrupted(cluster: str) -> list[Entry]:
        found = plain(cluster)
        monkeypatch.setattr(ledger, "open_entries", plain)
        world.end(world.jobs[0])
        world.passes(10)
        world.desk(1).call("queue", limit=0)
        return found

    monkeypatch.setattr(ledger, "open_entries", interrupted)
    (row,) = world.desk().call("queue", limit=0, all=True)["rows"]
    assert row["state"] == "RUNNING"
    assert not ledger.open_entries("toy")
    assert world.state("a") == "COMPLETED"


# ---------------------------------------------------------------------------- answers that are none


@given(faults=st.lists(st.sampled_from(BAD), min_size=1, max_size=6), passes=st.floats(0, 5000))
def test_no_kind_of_silence_is_an_end(faults, passes) -> None:
    with brief_world() as world:
        world.submit("true", name="a")
        assert world.state("a") == "PENDING"
        world.begin(world.live()[0])
        world.passes(passes)
        world.faults = list(faults)
        expected = {"PENDING", "RUNNING", UNKNOWN} if passes <= FRESH else {UNKNOWN}
        for _ in faults:
            assert world.state("a") in expected
        world.faults = []
        world.passes(400)
        assert world.state("a") == "RUNNING"


def test_what_was_known_is_shown_while_it_is_fresh_and_then_not_any_more(world: World) -> None:
    world.submit("true", name="a")
    world.begin(world.live()[0])
    assert world.state("a") == "RUNNING"
    seen = world.now
    world.passes(FRESH)
    world.faults = ["dead"] * 9
    assert world.state("a") == "RUNNING"
    world.passes(1)
    (job,) = world.show("a")
    assert job["state"] == UNKNOWN
    assert job["unknown_since"] == seen
    assert "does not answer" in job["reason"]


def test_a_word_that_was_never_heard_is_unknown_and_kept(world: World) -> None:
    world.submit("true", name="a")
    world.jobs[0]["state"] = "hibernating"
    (job,) = world.show("a")
    assert (job["state"], job["word"]) == (UNKNOWN, "hibernating")


def test_what_was_accepted_by_a_silent_site_waits_and_is_sent(world: World) -> None:
    world.desk().cluster.site()
    world.faults = ["down"] * 2
    job = world.submit("true", name="a")
    assert (job["id"], job["job"]["state"]) == ("w1", "PENDING")
    assert "it waits here" in job["notes"][0]
    assert not world.jobs
    world.faults = []
    assert world.state("a") == "PENDING"
    assert len(world.of("a")) == 1
    assert world.labels("w1") == ["1"]


# ---------------------------------------------------------------------------------------- forgotten


def test_a_job_is_gone_only_after_ten_minutes_of_whole_answers_without_it(world: World) -> None:
    world.submit("true", name="a")
    assert world.state("a") == "PENDING"
    world.jobs.clear()
    world.passes(5000)
    world.faults = ["dead"] * 2
    assert world.state("a") == UNKNOWN
    world.faults = []
    world.passes(400)
    assert world.state("a") == UNKNOWN, "the first answer without it, however late"
    world.passes(GONE_AFTER)
    assert world.state("a") == UNKNOWN
    world.passes(1)
    assert world.state("a") == GONE
    assert world.desk().call("queue", limit=0)["total"] == 0
    assert world.desk().call("history", limit=0)["rows"][0]["state"] == GONE
    assert world.desk().cluster.ledger.open_entries("toy") == [], "and it is not asked for again"


def test_a_job_that_is_shown_again_was_not_gone(world: World) -> None:
    world.submit("true", name="a")
    rows = list(world.jobs)
    for _ in range(3):
        world.jobs.clear()
        world.passes(400)
        assert world.state("a") == UNKNOWN
        world.jobs[:] = rows
        world.passes(400)
        assert world.state("a") == "PENDING"


def test_while_the_accounting_is_silent_nothing_is_gone(world: World) -> None:
    world.submit("true", name="a")
    world.jobs.clear()
    for _ in range(5):
        world.passes(GONE_AFTER)
        world.faults = ["", "dead"]  # the queue answers, the accounting does not
        assert world.state("a") == UNKNOWN


# -------------------------------------------------------------------------------- their own records


@pytest.mark.parametrize(("state", "told"), [("done", "COMPLETED"), ("bad", "FAILED")])
def test_where_the_accounting_is_silent_the_job_itself_tells(
    world: World, state: str, told: str
) -> None:
    world.submit("true", name="a")
    world.accounts = False
    world.begin(world.jobs[0])
    world.passes(10)
    world.end(world.jobs[0], state)
    world.passes(1)
    (job,) = world.show("a")
    assert (job["state"], job["exit_code"]) == (told, int(state == "bad"))
    assert (job["start_time"], job["end_time"]) == (world.now - 11, world.now - 1)
    assert job["nodes"] == ["n1"]


def test_elements_tell_by_themselves_too(make_world) -> None:
    world = make_world(backend=NoAccounting)
    world.submit("true", name="a", array="0-3")
    for row, state in zip(world.jobs, ["done", "bad", "wait", "done"], strict=True):
        if state != "wait":
            world.begin(row)
            world.end(row, state)
    world.passes(1)
    counts = world.show("a")[0]["elements"]["counts"]
    assert counts == {"COMPLETED": 2, "FAILED": 1, "PENDING": 1}


def test_the_record_of_another_run_is_not_believed(world: World) -> None:
    world.submit("true", name="a")
    world.accounts = False
    world.begin(world.jobs[0])
    world.record(world.jobs[0], "begin", f"99 {int(world.now)} n1")
    world.end(world.jobs[0])
    world.passes(1)
    assert world.state("a") == UNKNOWN


def test_a_record_that_is_cut_is_not_believed(world: World) -> None:
    world.submit("true", name="a")
    world.accounts = False
    world.begin(world.jobs[0])
    world.end(world.jobs[0])
    world.record(world.jobs[0], "end", "0 17")
    world.passes(1)
    assert world.state("a") == UNKNOWN


def test_the_end_of_a_first_run_is_not_that_of_a_second(world: World) -> None:
    world.submit("true", name="a")
    row = world.jobs[0]
    world.begin(row)
    world.end(row, "bad")
    world.requeue(row)
    world.passes(100)
    assert world.state("a") == "PENDING"
    world.accounts = False
    row["state"] = "gone"  # while it waited the second time: its record is still that of the first
    world.passes(100)
    assert world.state("a") == UNKNOWN


def test_what_runs_again_has_not_ended(world: World) -> None:
    world.submit("true", name="a", array="0-1")
    one, other = world.jobs
    world.begin(one)
    world.end(one, "bad")
    world.passes(100)
    assert world.show("a")[0]["elements"]["counts"] == {"FAILED": 1, "PENDING": 1}
    world.requeue(one)
    world.passes(100)
    assert world.show("a")[0]["elements"]["counts"] == {"PENDING": 2}
    world.end(one, "done")
    world.end(other, "done")
    world.passes(100)
    assert world.state("a") == "COMPLETED"


# ---------------------------------------------------------------------------------------- cancelled


def test_what_the_site_agreed_to_end_and_does_not_mention_any_more_was_cancelled(
    make_world,
) -> None:
    world = make_world(backend=NoAccounting)
    world.submit("true", name="a")
    assert world.state("a") == "PENDING"
    world.desk().call("cancel", ids=["a"])
    world.passes(1)
    assert world.state("a") == "CANCELLED"
    assert not world.desk().cluster.ledger.open_entries("toy")


def test_what_the_site_did_not_agree_to_end_was_not_cancelled(make_world) -> None:
    world = make_world(backend=NoAccounting)
    world.submit("true", name="a")
    world.faults = ["", "busy"]
    with pytest.raises(NotYet):
        world.desk().call("cancel", ids=["a"])
    world.jobs.clear()
    world.passes(400)
    assert world.state("a") == UNKNOWN


@given(faults=st.lists(st.sampled_from(["", "lost", *BAD]), max_size=6))
def test_a_cancelled_job_is_over_at_the_site_whenever_that_was_answered(faults) -> None:
    with brief_world() as world:
        world.desk().cluster.site()
        world.faults = ["lost", *["dead"] * 3]
        world.submit("true", name="a")
        assert world.state("a") == UNKNOWN, "nobody knows whether the site has it"
        world.faults = list(faults)
        try:
            answer = world.desk().call("cancel", ids=["a"])
        except HpcError:
            return
        assert answer["jobs"]
        world.faults = []
        for _ in range(4):
            world.passes(400)
            state = world.state("a")
        assert state == "CANCELLED"
        assert not world.live()
        assert len(world.of("a")) == 1


def test_every_end_is_one_of_those_that_there_are(world: World) -> None:
    for state in ("done", "bad", "gone"):
        world.submit("true", name=state)
        world.begin(world.of(state)[0])
        world.end(world.of(state)[0], state)
    world.passes(100)
    assert {world.state(name) for name in ("done", "bad", "gone")} <= ENDED


def test_an_element_that_the_site_agreed_to_end_and_does_not_mention_any_more_was_cancelled(
    make_world,
) -> None:
    world = make_world(backend=NoAccounting)
    world.submit("true", name="a", array="0-2")
    for element in ("1_1", "1_2"):
        assert world.state(element) == "PENDING"
        world.desk().call("cancel", ids=[element])
        world.passes(1)
    assert [world.state(f"1_{index}") for index in range(3)] == ["PENDING", *["CANCELLED"] * 2]


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ({"signal": 9}, "CANCELLED"),
        ({"exit_code": 137}, "CANCELLED"),
        ({}, "CANCELLED"),
        ({"exit_code": 3}, "FAILED"),
    ],
)
@pytest.mark.parametrize("told", ["see", "account"])
def test_what_was_killed_after_the_site_had_agreed_was_cancelled(told, end, state) -> None:
    plain = Part(
        serial=1, number=0, key="k", indices="", state="known", since=1.0, native="7", site="7"
    )
    failed = Sighting(native="7", number="7", state="FAILED", **end)
    for part, ends in ((replace(plain, cancelled=2.0), state), (plain, "FAILED")):
        assessing = Assessing(part, {})
        getattr(assessing, told)([failed])
        assert assessing.elements[None].state == ends


def test_what_a_verb_does_not_fit_is_looked_at_anew(make_world) -> None:
    world = make_world(poll=600.0)
    world.submit("true", name="a")
    (row,) = world.of("a")
    world.begin(row)
    world.passes(1)
    assert world.state("a") == "RUNNING"
    world.requeue(row)
    world.passes(1)
    assert world.desk().call("hold", ids=["a"])["jobs"]
