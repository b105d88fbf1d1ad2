"""The journal tells the same after any interruption."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpcshell.daemon.runner.journal import (
    Acked,
    Clean,
    Exited,
    Gone,
    Head,
    Journal,
    Limited,
    Note,
    Spawned,
    Spawning,
    Stopping,
    Table,
    Unable,
    Unborn,
    Warned,
    as_line,
)
from hpcshell.daemon.runner.wire import Warn
from hpcshell.machine import clock, kernel


def spawning(run: int) -> Spawning:
    return Spawning(run, 5, "sh", 60.0, 30.0, Warn("USR1", 5.0, "all"), "tag")


LIFE: list[Note] = [
    spawning(1),
    Spawned(1, 100, 6, 1.5, 1e9),
    Warned(1),
    Limited(1, None),
    Stopping(1, "cancel", 9.5),
    Exited(1, 256, 1e9, 0.1, 0.2, 4096),
    Clean(1),
    spawning(2),
    Unable(2, 127, "The command 'x' was not found.", 1e9),
    spawning(3),
    Unborn(3),
    spawning(4),
    Spawned(4, 101, 7, 1.5, 1e9),
    Gone(4, "why", 1e9, True),
    spawning(5),
    Spawned(5, 102, 8, 1.5, 1e9),
    spawning(6),
    Acked([2]),
]


def table_of(notes: list[Note]) -> Table:
    table = Table()
    for note in notes:
        table.apply(note)
    return table


def said(table: Table) -> dict[int, list[Note]]:
    return {run: list(entry.notes()) for run, entry in table.items()}


@pytest.fixture
def file(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "runs.journal")
    made.load()
    made.rewrite(Table())
    return made


def loaded(file: Journal) -> tuple[str, Table]:
    other = Journal(file.path)
    found = other.load()
    other.close()
    return found


def test_what_was_written_is_read(file: Journal) -> None:
    for note in LIFE:
        assert file.append(note)
    boot, table = loaded(file)
    assert boot == clock.boot_id()
    assert said(table) == said(table_of(LIFE))
    assert set(table) == {1, 4, 5, 6}


@pytest.mark.parametrize("length", range(len(LIFE) + 1))
def test_the_short_form_says_the_same_at_every_point_of_a_life(file: Journal, length: int) -> None:
    table = table_of(LIFE[:length])
    file.rewrite(table)
    assert said(loaded(file)[1]) == said(table)
    entries = loaded(file)[1]
    assert [entries[run].over for run in table] == [table[run].over for run in table]


def test_a_journal_cut_anywhere_tells_its_whole_lines(file: Journal) -> None:
    lines = [as_line(Head(clock.boot_id())), *map(as_line, LIFE)]
    text = b"".join(lines)
    for cut in range(len(text)):
        file.path.write_bytes(text[:cut])
        whole = max(0, text[:cut].count(b"\n") - 1)
        # A line that lacks nothing but its end is as good as whole.
        assert said(loaded(file)[1]) in [said(table_of(LIFE[:n])) for n in (whole, whole + 1)]


def test_a_line_after_a_torn_one_is_whole(file: Journal) -> None:
    file.append(spawning(1))
    with file.path.open("ab") as raw:
        raw.write(as_line(spawning(2))[:-9])
    other = Journal(file.path)
    other.load()
    other.append(spawning(3))
    assert set(loaded(file)[1]) == {1, 3}


def test_keepers_write_beside_the_worker_and_over_a_torn_line(file: Journal) -> None:
    file.append(spawning(1))
    file.append(Spawned(1, 100, 6, 1.5, 1e9))
    with file.path.open("ab") as raw:
        raw.write(b'["spawn')
    assert Journal(file.path).append_as_keeper([Exited(1, 0, 1e9, 0, 0, 0)])
    assert [note for note in file.catch_up() if isinstance(note, Exited)]
    assert loaded(file)[1][1].exited


def test_what_a_keeper_wrote_survives_a_rewrite(file: Journal) -> None:
    table = Table()
    for note in (spawning(1), Spawned(1, 100, 6, 1.5, 1e9)):
        file.append(note)
        table.apply(note)
    Journal(file.path).append_as_keeper([Exited(1, 512, 1e9, 0, 0, 0)])
    news = file.rewrite(table)
    assert [note.status for note in news] == [512]
    assert loaded(file)[1][1].exited == table[1].exited == news[0]


def test_a_full_disk_refuses_what_is_new_and_keeps_what_is_owed(
    file: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.append(spawning(1))
    full = True

    def write(descriptor: int, text: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, text)

    def reserve(descriptor: int, offset: int, length: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "full")

    real = os.write
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(kernel, "reserve", reserve)
    assert not file.append_if_room(spawning(2))
    assert not file.append(Spawned(1, 100, 6, 1.5, 1e9))
    assert not file.append(Exited(1, 0, 1e9, 0, 0, 0, True))
    full = False
    assert file.append_if_room(spawning(3))
    assert not file.waiting
    table = loaded(file)[1]
    assert set(table) == {1, 3}
    assert table[1].over


def test_a_write_cut_short_is_written_again(file: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, text: real(descriptor, text[:7]))
    assert not file.append(spawning(1))
    monkeypatch.setattr(os, "write", real)
    assert file.append(spawning(2))
    assert set(loaded(file)[1]) == {1, 2}


def test_notes_about_unknown_runs_and_second_ends_change_nothing() -> None:
    first, second = Exited(1, 0, 1e9, 0, 0, 0, True), Exited(1, 9, 1e9, 0, 0, 0, True)
    table = table_of([Exited(7, 0, 1e9, 0, 0, 0), spawning(1), first, second, Gone(1, "x", 1.0)])
    assert set(table) == {1}
    assert table[1].exited == first
    assert table[1].gone is None
