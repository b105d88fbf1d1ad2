"""Whatever goes wrong, in whatever order: nothing is there twice, nothing is lost, nothing is told
that is not so.

Two processes use one ledger, one in the middle of what the other does; commands are lost on the way
there or back, cut, answered in no language; processes are killed between any two steps.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hpcshell.backends.contract import Site
from hpcshell.core.errors import HpcError
from hpcshell.core.indexset import IndexSet
from hpcshell.core.sightings import ENDED, GONE
from tests.clusters.world import LIVE, Killed, World
from tests.store.test_model import FAST
from tests.support.clusters.toy import spec

FAULTS = st.lists(
    st.sampled_from(
        ["", "", "", "lost", "lost", "dead", "busy", "garbage", "half", "full", "down"]
    ),
    max_size=8,
)
DOOM = st.one_of(st.none(), st.none(), st.integers(0, 30))
DURING = st.one_of(st.none(), st.integers(1, 6), st.integers(-6, -1))
WHO = st.integers(0, 1)
ARRAYS = st.sampled_from(["", "", "0-3", "2-8:2", "7-20:6,3", "0-11%2"])
ENDS = {"COMPLETED": "done", "FAILED": "bad", "CANCELLED": "gone"}


class Desks(RuleBasedStateMachine):
    """Two desks, one site."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=FAST))
        self.patch = pytest.MonkeyPatch()
        self.accepted: dict[str, list[int | None]] = {}
        self.cancelled: set[str] = set()
        self.touched: set[str] = set()
        """What somebody tried to cancel; what of it waited here is not sent."""
        self.count = 0

    @initialize(most=st.sampled_from([None, None, 2]), split=st.booleans(), early=st.booleans())
    def begins(self, most: int | None, split: bool, early: bool) -> None:
        limits = Site(most_elements=3, highest_index=9) if split else Site()
        self.world = World(self.directory, self.patch, limits=limits, early=early, max_jobs=most)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.heals()
        finally:
            self.world.close()
            self.patch.undo()
            shutil.rmtree(self.directory)

    # --------------------------------------------------------------------------------- what they do

    def act(self, who: int, verb: str, **args: Any) -> Any:
        """One command of one process, which may be killed in the middle of it."""
        try:
            return self.world.desk(who).call(verb, **args)
        except HpcError:
            return None
        except Killed:
            self.world.ends(who)
            return None

    def submits(self, who: int, array: str, hold: bool) -> None:
        self.count += 1
        name = f"job{self.count}"
        asked = spec("true", name=name, array=array, hold=hold)
        answer = self.act(who, "submit", submissions=[asked])
        if answer is not None:
            indices = array.partition("%")[0]
            self.accepted[name] = list(IndexSet.parse(indices)) if indices else [None]

    def looks(self, who: int) -> None:
        answer = self.act(who, "queue", limit=0, all=True)
        for row in (answer or {"rows": []})["rows"]:
            self.told(row)

    def cancels(self, who: int, name: str) -> None:
        self.touched.add(name)
        answer = self.act(who, "cancel", ids=[name])
        if answer is not None and answer["jobs"] and not answer["unchanged"]:
            self.cancelled.add(name)

    def trouble(self, faults: list[str], doom: int | None, during: int | None, other: int) -> None:
        self.world.faults = list(faults)
        self.world.doom = doom
        self.world.meanwhile.clear()
        if during is not None:
            self.world.during(abs(during), (lambda: self.looks(other)) if during > 0 else self.runs)

    def runs(self) -> None:
        """Everything at the site begins, and ends."""
        for row in self.world.live():
            self.world.begin(row)
            self.world.end(row)

    def calm(self) -> None:
        self.trouble([], None, None, 0)

    @rule(who=WHO, array=ARRAYS, hold=st.booleans(), faults=FAULTS, doom=DOOM, during=DURING)
    def submit(self, who, array, hold, faults, doom, during) -> None:
        self.trouble(faults, doom, during, 1 - who)
        self.submits(who, array, hold)

    @rule(who=WHO, faults=FAULTS, doom=DOOM, during=DURING)
    def look(self, who, faults, doom, during) -> None:
        self.trouble(faults, doom, during, 1 - who)
        self.looks(who)

    @precondition(lambda self: self.accepted)
    @rule(who=WHO, which=st.integers(0), faults=FAULTS, doom=DOOM, during=DURING)
    def cancel(self, who, which, faults, doom, during) -> None:
        names = sorted(self.accepted)
        self.trouble(faults, doom, during, 1 - who)
        self.cancels(who, names[which % len(names)])

    @rule(seconds=st.sampled_from([1.0, 20.0, 70.0, 700.0]))
    def time_passes(self, seconds) -> None:
        self.world.passes(seconds)

    @precondition(lambda self: self.world.live())
    @rule(which=st.integers(0), what=st.sampled_from(["begin", "begin", "done", "bad", "again"]))
    def something_happens(self, which, what) -> None:
        self.calm()
        row = self.world.live()[which % len(self.world.live())]
        if row["state"] == "wait":
            self.world.begin(row)
        elif what == "again":
            self.world.requeue(row)
        elif what in ("done", "bad"):
            self.world.end(row, what)

    @rule(accounts=st.booleans(), forgets=st.booleans())
    def the_site_changes(self, accounts, forgets) -> None:
        self.world.accounts, self.world.forgets = accounts, forgets

    # ------------------------------------------------------------------------------- what must hold

    def told(self, row: dict[str, Any]) -> None:
        """What a document says of ends is so."""
        there = Counter(each["state"] for each in self.world.jobs if each["name"] == row["name"])
        counts = (row["elements"] or {}).get("counts") or {row["state"]: 1}
        for state, count in counts.items():
            if state in ENDED and row["name"] not in self.touched:
                assert count <= there[ENDS[state]], f"{row['name']}: {counts}, there {there}"
            assert state != GONE or there["done"] + there["bad"] + there["gone"] >= count

    @invariant()
    def nothing_is_there_twice(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = Counter((row["key"], row["index"]) for row in self.world.jobs)
        assert set(rows.values()) <= {1}, f"sent twice: {rows}"

    def heals(self) -> None:
        """The site answers again, and in time everything is as it was wanted."""
        self.calm()
        self.world.accounts = True
        for _ in range(60):
            self.world.passes(400.0)
            self.looks(0)
            if not self.world.desk().cluster.ledger.unsent("toy"):
                break
            self.runs()
        assert not self.world.desk().cluster.ledger.unsent("toy")
        self.nothing_is_there_twice()
        for name, elements in self.accepted.items():
            rows = [row for row in self.world.jobs if row["name"] == name]
            if name not in self.touched:
                offsets = self.world.offsets
                there = [
                    None if row["index"] is None else row["index"] + offsets[row["key"]]
                    for row in rows
                ]
                assert sorted(there, key=str) == sorted(elements, key=str), f"{name} is not there"
            elif name in self.cancelled:
                assert not [row for row in rows if row["state"] in LIVE], f"{name} is alive"


def test_nothing_is_sent_twice_nothing_is_lost_and_no_end_is_invented() -> None:
    run_state_machine_as_test(Desks)
