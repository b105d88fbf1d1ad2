"""The ledger: what is written is read, by whomever; a crash leaves nothing half done; what is wrong
with the file is said."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from hpcshell.core.errors import Broken, HpcError, NotYet, Refused
from hpcshell.core.sightings import Sighting
from hpcshell.store.ledger.entries import Entry, Part
from hpcshell.store.ledger.ledger import Ledger
from tests.store.test_model import FAST
from tests.support.clusters.toy import spec


def entry(key: str, cluster: str = "toy", name: str = "job") -> Entry:
    """An entry that is not on record yet."""
    return Entry(
        serial=0,
        key=key,
        cluster=cluster,
        backend="toy",
        name=name,
        user="me",
        submitted=1.0,
        directory=f"/jobs/{key}",
        spec=spec("true", name=name),
    )


def entered(ledger: Ledger, key: str, parts: int = 1, **fields: str) -> Entry:
    several = [(f"{key}.{number}", f"{number}", 0) for number in range(parts)]
    with ledger.change() as change:
        return change.enter(entry(key, **fields), several)[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clusters.db"


# -------------------------------------------------------------------------------------- any history


class Model(RuleBasedStateMachine):
    """The ledger beside a dictionary of parts and one of entries."""

    shared = False

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=FAST))
        self.ledger = self.opened()
        self.entries: dict[int, Entry] = {}
        self.parts: dict[tuple[int, int], Part] = {}
        self.ends: dict[int, dict[int | None, Sighting]] = {}
        self.now = 10.0

    def opened(self) -> Ledger:
        return Ledger.open(self.directory / "clusters.db", shared=self.shared)

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.directory)

    def part(self, which: int) -> Part:
        keys = sorted(self.parts)
        self.now += 1
        return self.parts[keys[which % len(keys)]]

    def keep(self, part: Part) -> None:
        self.parts[part.serial, part.number] = part

    @rule(cluster=st.sampled_from(["toy", "other"]), count=st.integers(1, 3))
    def enters(self, cluster, count) -> None:
        one = entered(self.ledger, f"k{len(self.entries)}-{self.now}", count, cluster=cluster)
        assert one.serial not in self.entries
        self.now += 1
        self.entries[one.serial], self.ends[one.serial] = one, {}
        for part in self.ledger.parts(one.serial):
            assert (part.state, part.since) == ("planned", one.submitted)
            self.keep(part)

    @precondition(lambda self: self.parts)
    @rule(which=st.integers(0), stale=st.booleans())
    def is_claimed(self, which, stale) -> None:
        part = self.part(which)
        found = replace(part, state="planned", since=part.since - 1) if stale else part
        with self.ledger.change() as change:
            mine = change.claim(found, self.now)
        fits = part.state == "planned" or (part.state == "asking" and not stale)
        assert (mine is not None) == fits
        if fits:
            self.keep(replace(part, state="asking", since=self.now, reason=""))

    @precondition(lambda self: any(part.state != "known" for part in self.parts.values()))
    @rule(which=st.integers(0), state=st.sampled_from(["planned", "withdrawn", "refused"]))
    def is_marked(self, which, state) -> None:
        keys = sorted(key for key, part in self.parts.items() if part.state != "known")
        part = self.parts[keys[which % len(keys)]]
        with self.ledger.change() as change:
            assert change.mark(part, state, self.now, "why")
            assert not change.mark(replace(part, state="known"), state, self.now)
        self.keep(replace(part, state=state, since=self.now, reason="why"))

    @precondition(lambda self: self.parts)
    @rule(which=st.integers(0), number=st.integers(1, 5))
    def is_taken(self, which, number) -> None:
        part = self.part(which)
        with self.ledger.change() as change:
            kept = change.known(part, f"{number}.host", str(number), self.now)
        if part.state in ("planned", "asking"):
            known = {"state": "known", "native": f"{number}.host", "site": str(number)}
            self.keep(replace(part, **known, since=self.now, reason=""))
            one = self.entries[part.serial]
            self.entries[part.serial] = replace(one, number=one.number or str(number))
        assert kept == (self.parts[part.serial, part.number].site == str(number))

    @precondition(lambda self: self.parts)
    @rule(which=st.integers(0), over=st.booleans(), missed=st.booleans())
    def is_looked_at(self, which, over, missed) -> None:
        part = self.part(which)
        with self.ledger.change() as change:
            change.seen([part], self.now)
            change.over([part], over)
            change.missed([part], self.now if missed else None)
            change.cancelled([part], self.now)
        since = self.now if missed else None
        self.keep(replace(part, seen=self.now, over=over, missed=since, cancelled=self.now))

    @precondition(lambda self: self.entries)
    @rule(which=st.integers(0), element=st.sampled_from([None, 0, 7]), again=st.booleans())
    def ends_or_runs_again(self, which, element, again) -> None:
        serial = sorted(self.entries)[which % len(self.entries)]
        one = Sighting(native="1", number="1", state="COMPLETED", end_time=self.now)
        with self.ledger.change() as change:
            if again:
                change.forget_endings(serial, [element])
                self.ends[serial].pop(element, None)
            else:
                change.end(serial, [(element, one)])
                self.ends[serial][element] = one

    @precondition(lambda self: self.entries)
    @rule(which=st.integers(0), what=st.sampled_from(["close", "remove", "rewrite"]))
    def is_changed(self, which, what) -> None:
        serial = sorted(self.entries)[which % len(self.entries)]
        with self.ledger.change() as change:
            if what == "close":
                change.close([serial])
                self.entries[serial] = replace(self.entries[serial], open=False)
            elif what == "rewrite":
                wanted = replace(self.entries[serial], name="other", cancelled=self.now)
                change.rewrite(replace(wanted, open=True, number="stale"))
                self.entries[serial] = wanted
            else:
                change.remove(serial)
        if what == "remove":
            del self.entries[serial], self.ends[serial]
            self.parts = {key: part for key, part in self.parts.items() if key[0] != serial}

    @rule()
    def is_undone_if_it_fails(self) -> None:
        with contextlib.suppress(ZeroDivisionError), self.ledger.change() as change:
            change.enter(entry("lost"), [("lost", "", 0)])
            raise ZeroDivisionError

    @rule()
    def is_opened_anew(self) -> None:
        self.ledger.close()
        self.ledger = self.opened()

    @invariant()
    def both_tell_the_same(self) -> None:
        ledger = self.ledger
        for cluster in ("toy", "other"):
            mine = [one for _, one in sorted(self.entries.items()) if one.cluster == cluster]
            alive = [one for one in mine if one.open]
            assert ledger.open_entries(cluster) == alive
            ended = [one for one in reversed(mine) if not one.open]
            assert ledger.ended_entries(cluster, 0, 0) == ended
            assert ledger.last(cluster) == (mine[-1] if mine else None)
            parts = {one.serial: self.of(one.serial) for one in alive}
            assert ledger.open_parts(cluster) == {key: each for key, each in parts.items() if each}
            ends = {one.serial: self.ends[one.serial] for one in alive if self.ends[one.serial]}
            assert ledger.open_endings(cluster) == ends
            unsent = [
                part
                for one in mine
                for part in self.of(one.serial)
                if part.state in ("planned", "asking")
            ]
            assert ledger.unsent(cluster) == unsent
            with ledger.change() as change:
                there = [
                    part
                    for each in parts.values()
                    for part in each
                    if part.state == "asking" or (part.state == "known" and not part.over)
                ]
                assert change.there(cluster) == len(there)
            for number in range(1, 6):
                having = [p.serial for p in self.parts.values() if p.site == str(number)]
                latest = max((s for s in having if self.entries[s] in mine), default=None)
                found = ledger.numbered(cluster, number, number)
                assert [one.serial for one in found] == ([] if latest is None else [latest])
        for serial, one in self.entries.items():
            assert ledger.entry(serial) == one
            assert ledger.keyed(one.key) == one
            assert ledger.parts(serial) == self.of(serial)
            assert ledger.endings(serial) == self.ends[serial]

    def of(self, serial: int) -> list[Part]:
        return [part for key, part in sorted(self.parts.items()) if key[0] == serial]


class SharedModel(Model):
    """The same where several machines see the file."""

    shared = True


TestAnyHistory = Model.TestCase
TestAnyHistoryOfASharedFile = SharedModel.TestCase
TestAnyHistory.settings = TestAnyHistoryOfASharedFile.settings = settings(
    max_examples=30, stateful_step_count=30
)


# ---------------------------------------------------------------------------------- several at once


def test_an_entry_is_wanted_until_its_end_is_asked_for_or_it_is_gone(path: Path) -> None:
    ledger = Ledger.open(path)
    kept, given_up, gone = (entered(ledger, key) for key in ("kept", "given-up", "gone"))
    with ledger.change() as change:
        change.rewrite(replace(given_up, cancelled=1.0))
        change.remove(gone.serial)
    assert [ledger.wanted(one.serial) for one in (kept, given_up, gone)] == [True, False, False]
    assert ledger.entry(kept.serial) == kept
    ledger.close()


def _enter_many(path: Path, shared: bool, who: int, count: int) -> None:
    ledger = Ledger.open(path, shared=shared)
    for number in range(count):
        one = entered(ledger, f"k{who}-{number}")
        with ledger.change() as change:
            part = change.claim(ledger.parts(one.serial)[0], 2.0)
            assert part is not None
            assert change.known(part, f"{one.serial}", f"{one.serial}", 3.0)


def test_a_thread_sees_nothing_by_halves(path: Path) -> None:
    ledger = Ledger.open(path)
    found: list[Entry] = []
    reader = threading.Thread(target=lambda: found.extend(ledger.open_entries("toy")))
    with ledger.change() as change:
        one, _ = change.enter(entry("k"), [("k", "", 0)])
        reader.start()
        reader.join(timeout=0.2)
        assert not found
        change.rewrite(replace(one, name="renamed"))
    reader.join()
    assert [each.name for each in found] == ["renamed"]
    ledger.close()


def test_elements_that_are_not_wanted_add_up(path: Path) -> None:
    ledger = Ledger.open(path)
    one = entered(ledger, "k")
    for elements in ([4], [1, 2], [2]):
        with ledger.change() as change:
            change.unwanted(ledger.parts(one.serial)[0], elements)
    assert ledger.parts(one.serial)[0].unwanted == "1-2,4"
    ledger.close()


@pytest.mark.parametrize("shared", [False, True])
def test_processes_that_open_a_new_file_at_once_lose_nothing(path: Path, shared: bool) -> None:
    fork = multiprocessing.get_context("fork")
    several = [fork.Process(target=_enter_many, args=(path, shared, who, 20)) for who in range(4)]
    for each in several:
        each.start()
    for each in several:
        each.join()
    assert [each.exitcode for each in several] == [0] * 4
    ledger = Ledger.open(path, shared=shared)
    entries = ledger.open_entries("toy")
    assert {one.key for one in entries} == {f"k{w}-{n}" for w in range(4) for n in range(20)}
    assert all(one.number == str(one.serial) for one in entries)


@pytest.mark.parametrize("shared", [False, True])
def test_one_part_is_claimed_by_one_of_two(path: Path, shared: bool) -> None:
    one, other = Ledger.open(path, shared=shared), Ledger.open(path, shared=shared)
    part = one.parts(entered(one, "k").serial)[0]
    seen = other.parts(part.serial)[0]
    with one.change() as change:
        assert change.claim(part, 2.0)
    with other.change() as change:
        assert change.claim(seen, 3.0) is None
    assert other.parts(part.serial)[0].since == 2.0


# ------------------------------------------------------------------------------------------ kill -9

KILLED = """
import os, signal, sys
from pathlib import Path
from hpcshell.store.ledger.ledger import Ledger
from tests.store.ledger.test_ledger import entered
ledger = Ledger.open(Path(sys.argv[1]), shared=sys.argv[2] == "1")
steps = int(sys.argv[3])
def count(statement):
    global steps
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), signal.SIGKILL)
ledger._connection.set_trace_callback(count)
for number in range(1000):
    one = entered(ledger, f"k{number}", 2)
    with ledger.change() as change:
        for part in ledger.parts(one.serial):
            change.known(change.claim(part, 2.0), f"{number}", f"{number}", 3.0)
    print(number, flush=True)
"""


@pytest.mark.parametrize("shared", ["0", "1"])
def test_a_kill_in_the_middle_of_a_change_leaves_all_of_it_or_nothing(
    path: Path, shared: str
) -> None:
    known = 0
    for steps in range(30, 46, 5):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(path), shared, str(steps)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        ledger = Ledger.open(path, shared=shared == "1")
        check = ledger._rows("PRAGMA integrity_check")
        assert check == [("ok",)]
        for one in ledger.open_entries("toy"):
            parts = ledger.parts(one.serial)
            assert len(parts) == 2
            assert {part.state for part in parts} in ({"planned"}, {"known"})
            known += one.number is not None
        for number in done.stdout.split():
            assert ledger.keyed(f"k{number}") is not None, "what was acknowledged is there"
        for one in ledger.open_entries("toy"):
            with ledger.change() as change:
                change.remove(one.serial)
        ledger.close()
    assert known


# ------------------------------------------------------------------------------------ what is wrong


@given(at=st.integers(0, 200_000), garbage=st.binary(min_size=1, max_size=600))
def test_damage_is_told_in_words_or_does_no_harm(at: int, garbage: bytes) -> None:
    directory = Path(tempfile.mkdtemp(dir=FAST))
    try:
        path = directory / "clusters.db"
        with _closing(path) as ledger:
            for number in range(20):
                entered(ledger, f"k{number}", 3)
        with open(path, "r+b") as file:
            file.seek(at % path.stat().st_size)
            file.write(garbage)
        told = ("", "")
        try:
            with _closing(path) as ledger:
                ledger.open_entries("toy")
                ledger.open_parts("toy")
                entered(ledger, "new")
        except HpcError as error:
            told = (error.message, error.hint or "")
        assert told == ("", "") or all(told)
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def _closing(path: Path, **how: Any) -> Iterator[Ledger]:
    ledger = Ledger.open(path, **how)
    try:
        yield ledger
    finally:
        ledger.close()


def test_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    Ledger.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Refused, match="newer hpcshell"):
        Ledger.open(path)


def test_another_programs_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    with pytest.raises(Refused, match="no list of jobs"):
        Ledger.open(path)


def test_what_is_no_database_is_called_damaged(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" * 1000)
    with pytest.raises(Broken, match="damaged") as caught:
        Ledger.open(path)
    assert "another name" in (caught.value.hint or "")


def test_a_record_that_is_cut_is_called_damaged(path: Path) -> None:
    with _closing(path) as ledger:
        one = entered(ledger, "k")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE entry SET document = substr(document, 1, 20)")
    connection.close()
    with _closing(path) as ledger, pytest.raises(Broken, match="damaged"):
        ledger.entry(one.serial)


def test_a_lock_of_another_program_is_not_yet(path: Path) -> None:
    with _closing(path, busy=0.05) as ledger:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotYet, match="locked"):
            entered(ledger, "k")
        other.execute("ROLLBACK")
        other.close()
        entered(ledger, "k")


FULL = """
import resource, signal, sys
from pathlib import Path
from hpcshell.core.errors import HpcError
from hpcshell.store.ledger.ledger import Ledger
from tests.store.ledger.test_ledger import entered
ledger = Ledger.open(Path(sys.argv[1]), shared=sys.argv[2] == "1")
entered(ledger, "first")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
count = 0
try:
    for count in range(10_000):
        entered(ledger, f"k{count}")
except HpcError as error:
    print(count, type(error).__name__, error.message, error.hint)
assert ledger.keyed("first") is not None
"""


@pytest.mark.parametrize("shared", ["0", "1"])
def test_a_file_that_cannot_grow_is_said_and_what_was_accepted_is_kept(
    path: Path, shared: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), shared],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr
    count, kind, told = done.stdout.split(" ", 2)
    assert kind in ("NotYet", "Broken")
    assert "nothing was recorded" in told
    with _closing(path, shared=shared == "1") as ledger:
        keys = {one.key for one in ledger.open_entries("toy")}
        assert keys == {"first", *(f"k{number}" for number in range(int(count)))}
