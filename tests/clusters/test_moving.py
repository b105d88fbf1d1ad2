"""A job that is moved is alive at one site at most, at every moment; none is lost; none that has
begun is touched; its user's cancel wins.

Two processes, three sites, commands lost there or back, processes killed between any two steps,
jobs that begin in the middle of anything.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hpcshell.core.errors import HpcError, NotYet
from hpcshell.core.indexset import IndexSet
from tests.clusters.realm import Realm, brief_realm
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
        except HpcError as error:
            assert error.message
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
    run_state_machine_as_test(Moves)  # type: ignore[no-untyped-call]
