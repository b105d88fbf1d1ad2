"""A job that is moved is alive at one site at most, at every moment; none is lost; none that has
begun is touched; its user's cancel wins.

Two processes, three sites, commands lost there or back, processes killed between any two steps,
jobs that begin in the middle of anything.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from hpcshell.backends.contract import Answer
from hpcshell.core.errors import HpcError, NotYet
from hpcshell.core.indexset import IndexSet
from tests.clusters.realm import (
    Realm,
    brief_realm,
    broken_off,
    comes_to_rest,
    quietly,
    runs,
    somebody,
    with_one,
)
from tests.clusters.world import LIVE, Killed
from tests.store.test_model import FAST

FAULTS = st.lists(
    st.sampled_from(["", "", "", "", "lost", "dead", "busy", "garbage", "half", "full", "down"]),
    max_size=12,
)
DOOM = st.one_of(st.none(), st.none(), st.integers(0, 60))
DURING = st.one_of(
    st.none(),
    st.tuples(
        st.integers(1, 15), st.sampled_from(["begins", "runs", "rebalances", "looks", "cancels"])
    ),
)
WHO = st.integers(0, 1)
SITE = st.sampled_from("abc")


class Moves(RuleBasedStateMachine):
    """Two processes, three sites; c takes whatever comes."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=FAST))
        self.patch = pytest.MonkeyPatch()
        self.accepted: dict[str, list[int | None]] = {}
        self.cancelled: set[str] = set()
        self.held: set[str] = set()
        self.count = 0

    @initialize()
    def begins(self) -> None:
        self.realm = Realm(self.directory, self.patch, "abc")

    def teardown(self) -> None:
        try:
            if hasattr(self, "realm"):
                self.heals()
        finally:
            self.realm.close()
            self.patch.undo()
            shutil.rmtree(self.directory)

    # ---------------------------------------------------------------------------- what they do

    def act(self, who: int, act: Callable[[], Any]) -> Any:
        """One command of one process, which may be killed in the middle of it."""
        try:
            return act()
        except HpcError:
            return None
        except Killed:
            self.realm.ends(who)
            return None

    def trouble(self, faults: list[str], doom: int | None, during: Any, other: int) -> None:
        self.realm.calm()
        self.realm.faults, self.realm.doom = list(faults), doom
        if during is None:
            return
        command, what = during
        acts: dict[str, Callable[[], Any]] = {
            "begins": self.begin_all,
            "runs": self.run_all,
            "rebalances": lambda: self.act(other, lambda: self.realm.rebalance(who=other)),
            "looks": lambda: self.looks(other),
            "cancels": lambda: self.cancels(other, 0),
        }
        self.realm.during(command, acts[what])

    def begin_all(self) -> None:
        for place in self.realm.places.values():
            place.begins()

    def run_all(self) -> None:
        for place in self.realm.places.values():
            place.runs()

    def looks(self, who: int) -> None:
        self.act(who, lambda: self.realm.any(who).call("queue", limit=0))

    def cancels(self, who: int, which: int) -> None:
        names = sorted(self.accepted)
        if not names:
            return
        name = names[which % len(names)]
        self.realm.unwanted.add(name)
        answer = self.act(who, lambda: self.realm.any(who).call("cancel", ids=[name]))
        if answer is not None and answer["jobs"]:
            self.cancelled.add(name)

    @rule(who=WHO, array=st.sampled_from(["", "", "0-2"]), hold=st.booleans(), faults=FAULTS,
          doom=DOOM, during=DURING)  # fmt: skip
    def submit(self, who, array, hold, faults, doom, during) -> None:
        self.trouble(faults, doom, during, 1 - who)
        self.count += 1
        name = f"job{self.count}"
        if self.act(who, lambda: self.realm.submit(name, who, array=array, hold=hold)):
            self.accepted[name] = list(IndexSet.parse(array)) if array else [None]
            if hold:
                self.held.add(name)

    @rule(who=WHO, faults=FAULTS, doom=DOOM, during=DURING)
    def rebalance(self, who, faults, doom, during) -> None:
        self.trouble(faults, doom, during, 1 - who)
        self.act(who, lambda: self.realm.rebalance(who=who))

    @rule(who=WHO, faults=FAULTS, doom=DOOM, during=DURING)
    def look(self, who, faults, doom, during) -> None:
        self.trouble(faults, doom, during, 1 - who)
        self.looks(who)

    @rule(who=WHO, which=st.integers(0), faults=FAULTS, doom=DOOM, during=DURING)
    def cancel(self, who, which, faults, doom, during) -> None:
        self.trouble(faults, doom, during, 1 - who)
        self.cancels(who, which)

    @rule(site=SITE, starts=st.sampled_from([None, 0.0, 60.0, 90_000.0]))
    def the_estimate_changes(self, site, starts) -> None:
        self.realm.places[site].starts = starts

    @rule(site=st.sampled_from("ab"), refuses=st.booleans())
    def the_site_changes(self, site, refuses) -> None:
        self.realm.places[site].refuses = refuses

    @rule(site=SITE, accounts=st.booleans())
    def the_accounting_changes(self, site, accounts) -> None:
        self.realm.places[site].accounts = accounts

    @rule(seconds=st.sampled_from([1.0, 20.0, 70.0, 700.0]))
    def time_passes(self, seconds) -> None:
        self.realm.passes(seconds)

    @rule(site=SITE)
    def one_begins(self, site) -> None:
        self.realm.places[site].begins()

    # ---------------------------------------------------------------------------- what must hold

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "realm"):
            self.realm.check()
            assert not self.realm.wrong

    def heals(self) -> None:
        """All sites answer again, and in time everything is as it was wanted."""
        self.realm.calm()
        for place in self.realm.places.values():
            place.accounts, place.refuses = True, False
        for _ in range(12):
            self.realm.passes(400.0)
            self.looks(0)
            self.run_all()
        self.nothing_is_wrong()
        for name, elements in self.accepted.items():
            rows = self.realm.rows(name)
            ran = [row["index"] for row in rows if row["start"]]
            alive = [row["index"] for row in rows if row["state"] in LIVE]
            if name in self.cancelled:
                assert not alive, f"{name} is alive"
            elif name in self.realm.unwanted:
                continue  # nobody knows what came of the cancel
            elif name in self.held:
                assert sorted(alive, key=str) == elements, f"{name} does not wait, held"
                assert all(row["held"] for row in rows if row["state"] in LIVE)
            else:
                assert sorted(ran, key=str) == elements, f"{name} has not run"


def test_there_are_never_two_and_none_is_lost() -> None:
    run_state_machine_as_test(Moves)


# ----------------------------------------------------------------------------- one move, broken off


ONE = st.sampled_from(["lost", "dead", "busy", "garbage", "half", "down"])
SOMEWHERE = st.one_of(st.none(), st.tuples(st.integers(0, 25), ONE))
STEP = st.one_of(st.none(), st.integers(0, 80))
ACTS = ["begins", "runs", "rebalances", "cancels", "refuses", "cannot be reached"]


@settings(max_examples=300)
@given(
    array=st.sampled_from(["", "0-2"]),
    fault=SOMEWHERE,
    doom=STEP,
    again=STEP,
    during=st.one_of(st.none(), st.tuples(st.integers(1, 16), st.sampled_from(ACTS))),
    accounts=st.booleans(),
)
@example(array="", fault=None, doom=17, again=9, during=(9, "cancels"), accounts=True)
def test_a_move_that_is_broken_off_anywhere_is_gone_on_with(
    array, fault, doom, again, during, accounts
) -> None:
    with brief_realm() as realm:
        with_one(realm, array)
        realm.places["a"].accounts = accounts
        if during is not None:
            realm.during(during[0], somebody(realm, during[1]))
        if fault is not None:
            realm.faults = [""] * fault[0] + [fault[1]]
        realm.doom = doom
        broken_off(realm, realm.rebalance)
        realm.doom = again
        broken_off(realm, realm.any().moves.finish)
        comes_to_rest(realm, array)


@given(doom=st.integers(0, 70), array=st.sampled_from(["", "0-2"]), cancels=st.booleans())
@example(doom=44, array="", cancels=False)
@example(doom=44, array="", cancels=True)
def test_what_the_other_cannot_have_after_all_goes_back_wherever_that_is_broken_off(
    doom, array, cancels
) -> None:
    with brief_realm() as realm:
        with_one(realm, array)
        realm.before("cancel", lambda: setattr(realm.places["b"], "wordless", True))
        realm.doom = doom
        broken_off(realm, realm.rebalance)
        realm.doom = None
        if cancels:  # at its cluster: nobody goes on with the move first
            desk = realm.any(1).desks["a"]
            realm.unwanted.add("job")
            realm.ended = bool(quietly(lambda: desk.call("cancel", ids=["1"])["jobs"]))
        comes_to_rest(realm, array)
        assert not (realm.ended and any(row["start"] for row in realm.rows()))


# ---------------------------------------------------------------------------------------- cases


@pytest.fixture
def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    made = Realm(tmp_path, monkeypatch)
    yield made
    made.close()


def test_a_waiting_job_is_moved_to_where_it_starts_sooner(realm: Realm) -> None:
    with_one(realm)
    assert realm.rebalance() == ["moved to b"]
    assert realm.where("job") == "b"
    (job,) = realm.any().call("show", ids=["job"])["jobs"]
    assert job["cluster"] == "b"
    assert job["chosen"] == "moved from a"


def test_what_was_moved_is_closed_and_says_where_it_is(realm: Realm) -> None:
    with_one(realm)
    realm.rebalance()
    realm.passes(30.0)
    realm.any().call("queue", limit=0)
    (before, after) = realm.entries()
    assert (before.open, before.moved, after.cluster) == (False, "b", "b")


def test_it_is_moved_on_and_back_as_estimates_change(realm: Realm) -> None:
    with_one(realm)
    for best in "baba":
        realm.places["a"].starts = realm.places["b"].starts = 90_000.0
        realm.places[best].starts = 0.0
        realm.rebalance()
        realm.passes(30.0)
        assert realm.where("job") == best
    assert len({entry.key for entry in realm.entries()}) == 5


def test_a_small_gain_is_not_worth_a_move(realm: Realm) -> None:
    with_one(realm)
    realm.places["a"].starts = 299.0
    (told,) = realm.rebalance()
    assert told == "it stays: a starts it in 4m 59s (its own estimate)"
    assert realm.where("job") == "a"


def test_what_runs_stays(realm: Realm) -> None:
    with_one(realm)
    realm.places["a"].begins()
    assert realm.rebalance() == ["it stays: it does not wait any more"]
    assert realm.where("job") == "a"


def test_a_job_whose_site_is_silent_stays(realm: Realm) -> None:
    with_one(realm)
    realm.faults = ["dead"]
    (told,) = realm.rebalance()
    assert told == "it stays: a does not answer: the toy does not answer"


def test_one_that_the_other_turns_away_goes_back(realm: Realm) -> None:
    with_one(realm)
    realm.places["b"].takes = False
    assert realm.rebalance() == ["it went back: the other does not take it"]
    assert realm.where("job") == "a"
    realm.passes(30.0)
    realm.any().call("queue", limit=0)
    realm.places["a"].runs()
    realm.passes(60.0)
    assert realm.state("job") == "COMPLETED"


def test_what_its_user_holds_is_only_moved_if_it_is_named_and_stays_held(realm: Realm) -> None:
    with_one(realm, hold=True)
    assert realm.rebalance() == ["it stays: its user holds it"]
    assert realm.rebalance("job") == ["moved to b"]
    (row,) = realm.places["b"].live()
    assert row["held"]


def test_what_others_wait_for_stays(realm: Realm) -> None:
    with_one(realm)
    realm.at("a", "second", dependency="afterok:1")
    assert realm.rebalance()[0] == "it stays: it is tied to other jobs there"
    assert realm.where("job") == "a"


def test_its_users_verbs_wait_while_it_is_moved_but_not_cancel(realm: Realm) -> None:
    with_one(realm)

    def meanwhile() -> None:
        with pytest.raises(NotYet, match="moved"):
            realm.any(1).call("release", ids=["1"])
        realm.unwanted.add("job")
        assert realm.any(1).call("cancel", ids=["1"])["jobs"]

    realm.before("hold", meanwhile)
    assert realm.rebalance() == ["it stays: its user has cancelled it"]
    assert realm.rows("job")[0]["state"] == "gone"
    assert len(realm.rows("job")) == 1


def test_its_users_cancel_wins_to_the_last_moment(realm: Realm) -> None:
    with_one(realm)
    realm.before("write", somebody(realm, "cancels"))
    assert realm.rebalance() == ["it stays: its user has cancelled it"]
    assert realm.ended
    assert [row["state"] for row in realm.rows("job")] == ["gone"]


def cancelled_while_held(realm: Realm, then: Callable[[], Any] = lambda: None) -> None:
    """Its user cancels it when it has just been held; something happens before its site hears."""
    with_one(realm)

    def cancels() -> None:
        realm.before("cancel", then)
        somebody(realm, "cancels")()

    realm.before("hold", lambda: realm.before("queue", cancels))


def test_a_cancel_that_was_broken_off_with_the_move_is_gone_on_with(realm: Realm) -> None:
    cancelled_while_held(realm, lambda: setattr(realm, "doom", 0))
    assert broken_off(realm, realm.rebalance)
    assert [(row["state"], row["held"]) for row in realm.rows()] == [("wait", True)]
    assert realm.any().moves.needs_somebody()
    realm.passes(30.0)
    assert realm.rebalance() == ["it stays: its user has cancelled it"]
    assert [row["state"] for row in realm.rows()] == ["gone"]
    assert realm.any().moves.unfinished() == []


def test_a_cancel_that_its_site_does_not_answer_is_tried_again(realm: Realm) -> None:
    realm.places["a"].ends = Answer(code=None)
    cancelled_while_held(realm)
    (told,) = realm.rebalance()
    assert told == "it stays: its user has cancelled it; that it ends there is not confirmed yet"
    realm.places["a"].ends = None
    realm.passes(30.0)
    realm.any().call("queue", limit=0)
    assert [row["state"] for row in realm.rows()] == ["gone"]


def test_what_its_site_does_not_end_for_its_user_is_let_go_again(realm: Realm) -> None:
    realm.places["a"].ends = Answer(code=1, err="only its operator may")
    cancelled_while_held(realm)
    (told,) = realm.rebalance()
    assert told == "it stays: its user has cancelled it, and its site refuses that"
    assert [(row["state"], row["held"]) for row in realm.rows()] == [("wait", False)]


def test_its_own_record_of_its_beginning_is_believed(realm: Realm) -> None:
    with_one(realm)
    (row,) = realm.places["a"].jobs
    realm.before("cancel", lambda: realm.places["a"].record(row, "begin", "1 1 n1"))
    assert realm.rebalance() == ["it stays: it has begun"]
    assert len(realm.rows("job")) == 1


def test_what_waits_here_is_not_sent_once_it_is_moved(realm: Realm) -> None:
    realm.places["a"].full = True
    with_one(realm)
    assert realm.rows("job") == []
    realm.places["a"].full = False
    realm.before("write", lambda: realm.any(1).desks["a"].call("queue", limit=0))
    assert realm.rebalance() == ["moved to b"]
    realm.passes(400.0)
    realm.any(1).call("queue", limit=0)
    assert not realm.wrong
    assert realm.where("job") == "b"


def test_one_in_between_still_waits_for_those_who_ask(realm: Realm) -> None:
    with_one(realm)

    def killed() -> None:
        realm.doom = 0

    realm.before("submit", killed)
    assert broken_off(realm, realm.rebalance)
    realm.passes(30.0)
    assert realm.any().call("wait", ids=["job"], timeout=0.0)["timed_out"]
    (before, after) = realm.entries()
    assert (before.moved, after.cluster, realm.rows("job")[0]["state"]) == ("b", "b", "gone")


def test_a_submission_by_hand_is_not_moved(realm: Realm) -> None:
    from tests.support.clusters.toy import spec

    realm.any().desks["a"].call("submit", submissions=[spec("true", name="job")])
    realm.passes(30.0)
    assert realm.rebalance() == []
    assert realm.rebalance("job") == ["it stays: it was not submitted with --on any"]


def test_one_that_only_its_cluster_could_run_stays_for_that_reason(realm: Realm) -> None:
    asked = realm.choice("job")
    only = replace(asked, specs={"a": asked.specs["a"]})
    realm.any().call("submit", submissions=[only])
    realm.passes(30.0)
    assert realm.rebalance("job") == ["it stays: no other cluster could run it"]


def test_tending_looks_for_better_places_every_ten_minutes(realm: Realm) -> None:
    with_one(realm)
    realm.places["a"].starts = 0.0
    desk = realm.any().moves
    assert desk.tend() == 1
    realm.places["a"].starts = 90_000.0
    realm.passes(500.0)
    assert desk.tend() == 1
    assert realm.where("job") == "a"
    realm.passes(101.0)
    assert desk.tend() == 1
    assert realm.where("job") == "b"
    realm.places["b"].runs()
    realm.passes(60.0)
    assert desk.tend() == 0


def test_one_stays_while_something_may_be_moved(realm: Realm) -> None:
    moves = realm.any().moves
    assert not moves.needs_somebody()
    with_one(realm)
    assert moves.needs_somebody()
    told: list[bool] = []

    def passes(seconds: float) -> None:
        realm.passes(seconds)
        told.append(realm.any(1).moves.needs_somebody())
        if realm.where("job") == "b":
            realm.places["b"].runs()

    moves.pause = passes
    moves.stay()
    assert told
    assert not any(told)
    assert realm.state("job") == "COMPLETED"
    assert not moves.needs_somebody()


def test_who_stays_outlasts_a_cluster_that_is_away(realm: Realm) -> None:
    with_one(realm)
    realm.places["a"].away = realm.places["b"].away = True
    moves = realm.any().moves

    def passes(seconds: float) -> None:
        realm.passes(max(seconds, 400.0))
        realm.places["a"].away = realm.places["b"].away = False
        runs(realm)

    moves.pause = passes
    moves.stay()
    assert realm.state("job") == "COMPLETED"


# --------------------------------------------------------------------------------- what is held


HOLDERS: dict[str, Callable[[Realm], Any]] = {
    "all clusters": lambda realm: realm.any(1).call("hold", ids=["job"]),
    "its cluster": lambda realm: realm.any(1).desks["a"].call("hold", ids=["job"]),
    "its number": lambda realm: realm.any(1).desks["a"].call("hold", ids=["1"]),
}


@given(
    who=st.sampled_from(sorted(HOLDERS)),
    when=st.integers(0, 30),
    array=st.sampled_from(["", "0-2"]),
    full=st.booleans(),
)
def test_what_its_user_was_told_to_be_held_stays_where_it_is(
    who: str, when: int, array: str, full: bool
) -> None:
    with brief_realm() as realm:
        realm.places["a"].full = full
        with_one(realm, array)
        told: list[str] = []

        def holds() -> None:
            realm.places["a"].full = False
            with contextlib.suppress(HpcError):
                before = realm.where("job")
                if HOLDERS[who](realm)["jobs"]:
                    told.append(before)

        if when:
            realm.during(when, holds)
        else:
            holds()
        realm.rebalance()
        where = realm.where("job")
        for _ in range(3):
            realm.passes(700.0)
            realm.any().moves.tend()
            realm.any().call("queue", limit=0)
        if told:
            assert realm.where("job") == (told[0] or where or "a")
            assert all(row["held"] for row in realm.rows("job") if row["state"] in LIVE)
