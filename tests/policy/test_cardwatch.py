"""What is known of the cards: who may not be disturbed, what has failed, who holds too much."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.gpus import Card, Reading, Survey, Tenant
from hpcshell.core.records import Claim
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.policy.cardfacts import enforcement, with_cards
from hpcshell.policy.cardhealth import health
from hpcshell.policy.cardnotes import LONGEST, CardNotes, Failure, Kept
from hpcshell.policy.cardwatch import CardWatch
from hpcshell.policy.place.nodes import Domain, Node

GIB = 1 << 30
SETTINGS = GpuSettings(failures=3, retry_after=100.0, failure_within=10.0)
BOB = Tenant(pid=12, memory=70 * GIB, user="bob", command="/opt/py/bin/python train.py", since=0.0)


def cards(*uuids: str) -> tuple[Card, ...]:
    return tuple(Card(uuid=uuid, model="NVIDIA A100", memory=80 * GIB) for uuid in uuids)


def survey(*readings: Reading, time: float = 60.0, uuids: tuple[str, ...] = ()) -> Survey:
    """Of as many cards; they are called a, b, c, ... unless it is said how."""
    names = uuids or tuple(chr(ord("a") + number) for number in range(len(readings)))
    told = tuple(replace(one, uuid=name) for one, name in zip(readings, names, strict=True))
    return Survey(provider="nvml", time=time, cards=cards(*names), readings=told)


def watching(*readings: Reading, settings: GpuSettings = SETTINGS) -> CardWatch:
    watch = CardWatch(settings)
    watch.hear(survey(*readings), ())
    return watch


def claim(run: int = 1, card: int = 0, share: int = 50, *, job: int = 1, start: float = 0) -> Claim:
    shared = ((card, share),) if share < 100 else ()
    gpus = () if shared else (card,)
    return Claim(run=run, job=job, index=-1, cpus=1, gpus=gpus, shared=shared, start=start)


# -------------------------------------------------------------------------------------- strangers


def test_a_card_full_of_strangers_is_avoided_and_it_is_said_who_and_for_how_long() -> None:
    watch = watching(Reading(memory=70 * GIB, load=0.1, tenants=(BOB,)), Reading(memory=0))
    assert watch.closed([], 60.0) == {
        0: "70G of its 80G is held by bob's python (pid 12, for 1m)",
    }


def test_a_card_that_strangers_keep_busy_is_avoided_unless_ours_are_on_it() -> None:
    light = replace(BOB, memory=GIB)
    watch = watching(Reading(memory=GIB, load=0.9, tenants=(light,)))
    assert watch.closed([], 60.0) == {0: "used by bob's python (pid 12, for 1m), at a load of 90%"}
    assert watch.closed([claim()], 60.0) == {}


def test_a_busy_card_is_left_at_once_and_taken_again_once_it_has_been_calm() -> None:
    light = replace(BOB, memory=GIB)
    busy, calm = Reading(load=0.9, tenants=(light,)), Reading(load=0.0, tenants=(light,))
    watch = watching(busy)
    assert watch.closed([], 60.0)
    for time in range(61, 70):
        watch.hear(survey(calm, time=float(time)), ())
        closed = watch.closed([], float(time))
    assert not closed
    assert watch.loads(0).average == pytest.approx(0.09)
    assert watch.loads(0).peak == 0.9


def test_memory_that_nobody_is_seen_to_hold_is_a_strangers() -> None:
    dead = Tenant(pid=4711, memory=75 * GIB)
    for tenants in ((), (dead,)):
        [why] = watching(Reading(memory=75 * GIB, tenants=tenants)).closed([], 60.0).values()
        assert why.startswith("75G of its 80G is held by")
        assert "cannot be seen" in why


def test_what_our_own_runs_hold_keeps_nobody_away() -> None:
    mine = Tenant(pid=9, memory=79 * GIB, user="ann", command="python", since=0.0, run=1)
    full = Reading(memory=79 * GIB, load=1.0, tenants=(mine,))
    assert watching(full).closed([claim(share=100)], 60.0) == {}


@given(st.integers(0, 80), st.integers(0, 80), st.floats(0, 1))
def test_strangers_never_hold_less_than_is_told_of_them(
    mine: int, theirs: int, load: float
) -> None:
    tenants = (
        Tenant(pid=1, memory=mine * GIB, user="ann", command="a", since=0.0, run=1),
        replace(BOB, memory=theirs * GIB),
    )
    reading = Reading(memory=min(80, mine + theirs) * GIB, load=load, tenants=tenants)
    watch = watching(reading)
    strangers, memory = watch.strangers(0, [claim()])
    assert [one.user for one in strangers] == ["bob"]
    assert memory >= theirs * GIB
    assert bool(watch.closed([claim()], 60.0)) == (theirs > 64)


@given(st.integers(0, 64))
def test_what_strangers_hold_is_counted_in_steps_and_never_too_low(theirs: int) -> None:
    watch = watching(Reading(memory=theirs * GIB, tenants=(replace(BOB, memory=theirs * GIB),)))
    burden = watch.burdens([]).get(0, 0)
    assert burden == 0 or 100 * theirs <= 80 * burden < 100 * theirs + 400
    assert bool(burden) == (theirs > 4)


# --------------------------------------------------------------------------------------- overuse


@given(st.integers(1, 100), st.integers(0, 81920))
def test_a_run_holds_too_much_exactly_when_it_holds_more_than_its_share(
    share: int, mebibytes: int
) -> None:
    used = mebibytes << 20
    tenant = Tenant(pid=9, memory=used, user="ann", command="python", since=0.0, run=1)
    watch = watching(Reading(memory=used, tenants=(tenant,)))
    over = watch.overuse([claim(share=share)], 60.0)
    assert bool(over) == (used > 80 * GIB * share // 100)
    assert all(one.used == used and one.since == 60.0 for one in over)


def test_since_when_is_remembered_until_it_gives_it_back() -> None:
    greedy = Reading(tenants=(replace(BOB, run=1),), memory=70 * GIB)
    watch = watching(greedy)
    assert watch.overuse([claim()], 60.0)[0].since == 60.0
    assert watch.overuse([claim()], 65.0)[0].since == 60.0
    watch.hear(survey(Reading(memory=0), time=66.0), [claim()])
    assert watch.overuse([claim()], 66.0) == []
    watch.hear(survey(greedy, time=67.0), [claim()])
    assert watch.overuse([claim()], 67.0)[0].since == 67.0
    assert watch.peaks == {1: 70 * GIB}


def test_a_card_that_is_not_its_own_is_no_ones_to_use() -> None:
    watch = watching(Reading(), Reading(tenants=(replace(BOB, run=1, memory=1),)))
    [over] = watch.overuse([claim(card=0)], 60.0)
    assert (over.card, over.limit) == (1, 0)


# -------------------------------------------------------------------------------------- failures


def fail(watch: CardWatch, *jobs: int, at: float = 0.0, card: int = 0, kind: str = "") -> None:
    """These jobs fail on a card; each is of a kind of its own, unless they are of this one."""
    for job in jobs:
        mine = claim(run=job, card=card, job=job, start=at)
        watch.ended(mine, failed=True, time=at + 1.0, kind=kind or f"kind {job}")


def succeed(watch: CardWatch, job: int, *, at: float, card: int = 0, kind: str = "") -> None:
    """This one goes well."""
    watch.ended(claim(run=job, card=card, job=job, start=at), failed=False, time=at, kind=kind)


def test_a_card_on_which_jobs_fail_in_a_row_is_left_alone_then_one_is_tried() -> None:
    watch = watching(Reading())
    fail(watch, 1, 2)
    assert watch.closed([], 2.0) == {}
    fail(watch, 3)
    assert watch.closed([], 2.0) == {
        0: "jobs 1, 2 and 3 failed on it right after the start; tried again in 1m 39s"
    }
    assert watch.notes.next_wake(2.0) == 101.0
    assert watch.standings([], 101.0)[0].state == "trial"
    assert watch.closed([], 101.0) == {}
    tried = claim(run=4, job=4, start=102.0)
    assert watch.closed([tried], 103.0) == {0: "job 4 is tried on it after failures"}


def test_a_trial_that_goes_well_makes_all_good_and_one_that_fails_doubles_the_time() -> None:
    watch = watching(Reading())
    fail(watch, 1, 2, 3)
    fail(watch, 4, at=102.0)
    assert watch.notes.next_wake(103.0) == 103.0 + 200.0
    succeed(watch, 5, at=311.0)
    assert watch.standings([], 311.0)[0].state == "up"
    assert watch.kept().notes == {}


def test_a_job_counts_once_and_what_fails_late_or_works_between_does_not() -> None:
    watch = watching(Reading())
    fail(watch, 1, 1, 1, 1)
    watch.ended(claim(run=9, job=9), failed=True, time=10.0, kind="late")
    fail(watch, 2)
    succeed(watch, 8, at=100.0)
    fail(watch, 3, 4)
    assert watch.closed([], 2.0) == {}


def test_alike_jobs_that_fail_on_all_cards_are_at_fault_themselves() -> None:
    watch = watching(Reading(), Reading())
    for job in range(1, 40, 2):
        fail(watch, job, card=0, kind="typo")
        fail(watch, job + 1, card=1, kind="typo")
    assert watch.closed([], 2.0) == {}


def test_alike_jobs_that_fail_on_one_card_and_go_well_on_another_tell_against_it() -> None:
    watch = watching(Reading(), Reading())
    for job in range(1, 8, 2):
        fail(watch, job, at=float(job), kind="train")
        succeed(watch, job + 1, at=job + 1.5, card=1, kind="train")
    assert watch.closed([], 10.0).keys() == {0}


def test_a_driver_that_is_gone_is_no_fault_of_a_card() -> None:
    watch = watching(Reading(), Reading())
    for time in range(61, 80, 2):
        gone = survey(Reading(trouble="gone"), Reading(trouble="gone"), time=float(time))
        watch.hear(replace(gone, trouble="no driver"), ())
        watch.hear(survey(Reading(), Reading(), time=time + 1.0), ())
    assert watch.closed([], 80.0) == {}


def test_a_card_that_is_lost_again_and_again_is_left_alone() -> None:
    watch = watching(Reading(), Reading())
    for time in range(61, 67, 2):
        watch.hear(survey(Reading(trouble="lost: off"), Reading(), time=float(time)), ())
        watch.hear(survey(Reading(), Reading(), time=time + 1.0), ())
    assert watch.closed([], 67.0)[0].startswith("it was lost again and again; tried again in")


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5000)), max_size=60))
def test_a_card_is_never_left_alone_for_longer_than_a_day(said: list[tuple[int, float]]) -> None:
    notes, now = CardNotes({}), 0.0
    for job, wait in said:
        now += wait
        if job:
            notes.fail("a", Failure(job, f"kind {job}"), now, SETTINGS)
        else:
            notes.well("a")
        note = notes.of("a")
        assert note.shut - now <= LONGEST
        assert len(note.failed) < SETTINGS.failures
        assert (note.opened == 0) == (note.shut == 0.0)


# ------------------------------------------------------------------------------- lost, and found


def test_a_card_that_falls_off_the_bus_is_lost_under_its_own_number() -> None:
    watch = watching(Reading(), Reading(), Reading())
    held = [claim(card=2, share=100)]
    watch.hear(survey(Reading(), Reading(), time=61.0, uuids=("a", "c")), held)
    assert [card.uuid for card in watch.cards] == ["a", "b", "c"]
    assert watch.closed(held, 61.0) == {1: "it is not there any more"}
    watch.hear(survey(Reading(), Reading(), Reading(), time=62.0), held)
    assert watch.closed(held, 62.0) == {}


class Shuffle(NamedTuple):
    before: list[str]
    after: list[str]


@given(st.permutations("abcd"), st.permutations("abcd"))
def test_a_card_keeps_its_number_whatever_order_the_driver_tells_them_in(
    before: list[str], after: list[str]
) -> None:
    watch = CardWatch(SETTINGS)
    watch.hear(survey(*[Reading()] * 4, uuids=tuple(before)), ())
    hot = [Reading(temperature=ord(name)) for name in after]
    watch.hear(survey(*hot, time=61.0, uuids=tuple(after)), ())
    assert [card.uuid for card in watch.cards] == before
    for number, name in enumerate(before):
        reading = watch.reading(number)
        assert reading is not None
        assert reading.temperature == ord(name)


def test_after_a_restart_cards_keep_their_numbers_while_anything_holds_one() -> None:
    kept = watching(Reading(), Reading()).kept()
    assert kept.cards == cards("a", "b")
    for claims, order in (([claim(card=1)], ["a", "b", "z"]), ([], ["z", "b", "a"])):
        watch = CardWatch(SETTINGS, kept)
        watch.hear(survey(Reading(), Reading(), Reading(), uuids=("z", "b", "a")), claims)
        assert [card.uuid for card in watch.cards] == order


def test_cards_that_are_only_remembered_take_no_work_until_they_answer() -> None:
    watch = CardWatch(SETTINGS, Kept(cards=cards("a", "b")))
    assert watch.closed([], 1.0) == dict.fromkeys((0, 1), "its driver has not answered yet")
    watch.hear(survey(Reading(), Reading()), [claim()])
    assert watch.closed([], 60.0) == {}


def test_while_the_driver_is_silent_no_card_takes_work() -> None:
    watch = watching(Reading(), Reading())
    silent = survey(Reading(trouble="the driver has not answered"), Reading(trouble="the same"))
    watch.hear(replace(silent, trouble="the driver has not answered"), ())
    assert watch.closed([], 60.0).keys() == {0, 1}
    assert health(watch, watch.standings([], 60.0), expected=True).state == "UNHEALTHY"


# ---------------------------------------------------------------------------------------- people


def test_a_pause_is_kept_and_told_and_taken_back() -> None:
    watch = watching(Reading(), Reading())
    watch.notes.ask("b", "paused", reason="new fans", user="ann", now=7.0)
    again = CardWatch(SETTINGS, watch.kept())
    again.hear(survey(Reading(), Reading()), ())
    assert again.closed([], 60.0) == {1: "paused by ann: new fans"}
    assert again.standings([], 60.0)[1].since == 7.0
    assert health(again, again.standings([], 60.0), expected=True).state == "HEALTHY"
    again.notes.ask("b", "up", reason="", user="ann", now=8.0)
    assert again.kept() == Kept(cards=cards("a", "b"))


# ----------------------------------------------------------------------------- facts and sentences


def test_the_decider_is_told_models_memory_links_and_what_is_near() -> None:
    watch = CardWatch(SETTINGS, Kept(cards=cards("b", "a")))
    told = survey(Reading(), Reading(), uuids=("a", "b"))
    told = replace(told, links=((0, 1),), domains=(0, 1))
    watch.hear(replace(told, cards=(told.cards[0], replace(told.cards[1], alone=True))), [claim()])
    two = (Domain(cpus=(0,)), Domain(cpus=(1,)))
    node = with_cards(Node(name="n", cpus=2, gpus=("",) * 3, domains=two), watch)
    assert node.gpus == ("NVIDIA A100", "NVIDIA A100", "")
    assert node.gpu_memory == (80 * GIB, 80 * GIB, 0)
    assert (node.alone, node.links) == ((0,), ((0, 1),))
    assert [domain.gpus for domain in node.domains] == [(1,), (0,)]


@pytest.mark.parametrize(
    ("change", "settings", "by", "said"),
    [
        ({}, {}, "measured", "compute is not enforced, because no CUDA MPS daemon runs"),
        ({"mps": "/tmp/nvidia-mps"}, {}, "mps", "limited by CUDA MPS (/tmp/nvidia-mps)"),
        ({"mps": "/tmp/nvidia-mps"}, {"mps": False}, "measured", "because [gpus] mps is off"),
        ({}, {"overuse": "warn"}, "measured", "who holds more than its share is told"),
        ({}, {"overuse": "off"}, "measured", "nothing is done about it"),
        ({"trouble": "no driver"}, {}, "declared", "not enforced, because no driver"),
        ({"provider": "amd"}, {}, "measured", "there is no such thing with provider amd"),
    ],
)
def test_what_keeps_shares_apart_is_said_as_it_is(
    change: dict[str, object], settings: dict[str, object], by: str, said: str
) -> None:
    watch = CardWatch(replace(SETTINGS, **settings))
    watch.hear(replace(survey(Reading()), **change), ())
    assert enforcement(watch).by == by
    assert said in enforcement(watch).sentence


def test_health_names_its_causes() -> None:
    hot = Reading(temperature=93.0, ecc=2, xid=48)
    watch = watching(hot, Reading(trouble="lost: gone"), Reading())
    found = health(watch, watch.standings([], 60.0), expected=True)
    assert found.state == "DEGRADED"
    assert found.causes == (
        "gpu 0 is hot: 93 degrees",
        "gpu 0 has had 2 memory errors that could not be corrected",
        "gpu 0 reported an error to the driver: Xid 48",
        "gpu 1 is lost: gone",
    )
    assert health(CardWatch(SETTINGS), [], expected=False).state == "HEALTHY"
    assert health(CardWatch(SETTINGS), [], expected=True).state == "UNHEALTHY"
