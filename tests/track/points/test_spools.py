"""Spool files in directories: taken in as they grow; what is no spool file is left alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hpcshell.track.client.settled import SETTLED
from hpcshell.track.points import spools
from hpcshell.track.points.ingest import take_in
from hpcshell.track.points.reading import raw
from hpcshell.track.points.spools import Sweep, Swept, speaks_for, sweep_spools
from hpcshell.track.store import runs
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import runs as runs_table
from tests.track.points.spooled import END, RUN, SOURCE, WHOLE, first, metric


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


def swept(store: Store, *directories: Path) -> Swept:
    return sweep_spools(store, map(str, directories), Sweep(clock=lambda: 5.0))


def steps(store: Store) -> list[int]:
    with store.reading() as connection:
        return [int(step) for step in raw(connection, RUN, "loss").points.steps]


def test_files_are_taken_in_as_they_grow(store: Store, spool: Path) -> None:
    file = spool / f"{SOURCE}.jsonl"
    file.write_bytes(first() + metric(1, loss=1.0)[:-5])
    assert swept(store, spool).lines == 1
    with file.open("ab") as more:
        more.write(metric(1, loss=1.0)[-5:] + metric(2, loss=1.0))
    found = swept(store, spool)
    assert (found.files, found.lines, found.troubles) == (1, 2, [])
    assert swept(store, spool).files == 0
    assert steps(store) == [1, 2]


def test_what_came_by_another_way_meanwhile_is_not_counted_twice(store: Store, spool: Path) -> None:
    (spool / f"{SOURCE}.jsonl").write_bytes(WHOLE)
    begin = WHOLE[: WHOLE.index(b"\n", 400) + 1]
    store.change(lambda c: take_in(c, SOURCE, 0, begin, 5.0))
    swept(store, spool)
    assert store.change(lambda c: take_in(c, SOURCE, 0, WHOLE, 5.0)).offset == len(WHOLE)
    assert steps(store) == [1, 2]


GOING = WHOLE.removesuffix(END)
ENDED = GOING + b'{"k":"end","t":9.0,"status":"COMPLETED"}\n'
SENT = b'{"k":"run","to":"http://127.0.0.1:9",' + ENDED.removeprefix(b'{"k": "run",')


def removing(store: Store, *directories: Path, now: float = 5.0) -> Swept:
    return sweep_spools(store, map(str, directories), Sweep(clock=lambda: now, remove=True))


def test_what_has_ended_and_is_taken_in_whole_is_removed(store: Store, spool: Path) -> None:
    """Not what goes on, what waits for the end of a line, or what is sent to another server."""
    (spool / f"{SOURCE}.jsonl").write_bytes(ENDED)
    (spool / f"{RUN}-on.jsonl").write_bytes(GOING)
    (spool / f"{RUN}-torn.jsonl").write_bytes(ENDED[:-1])
    (spool / f"{RUN}-sent.jsonl").write_bytes(SENT)
    later = max(path.stat().st_mtime for path in spool.iterdir()) + 60
    assert swept(store, spool).troubles == []
    assert len(list(spool.iterdir())) == 4, "only who is told to removes anything"
    assert removing(store, spool, now=later).troubles == []
    assert sorted(path.name for path in spool.iterdir()) == [
        f"{RUN}-{word}.jsonl" for word in ("on", "sent", "torn")
    ]


def test_what_has_said_nothing_for_a_week_is_removed(store: Store, spool: Path) -> None:
    file = spool / f"{SOURCE}.jsonl"
    file.write_bytes(WHOLE)
    written = file.stat().st_mtime
    removing(store, spool, now=written + SETTLED - 60)
    assert file.exists()
    removing(store, spool, now=written + SETTLED + 60)
    assert not file.exists()
    assert steps(store) == [1, 2]


def test_what_cannot_be_removed_stays_and_counts_once(
    store: Store, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spool / f"{SOURCE}.jsonl"
    file.write_bytes(ENDED)

    def refuse(*words: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "it is another's directory")

    monkeypatch.setattr(os, "unlink", refuse)
    for _ in range(2):
        assert removing(store, spool).troubles == []
    assert file.exists()
    assert steps(store) == [1, 2]


def test_it_ends_when_there_is_no_more_time(store: Store, spool: Path) -> None:
    for word in ("a", "b"):
        (spool / f"{RUN}-{word}.jsonl").write_bytes(WHOLE)
    moments = iter([1.0, 1.0, 1.0])
    how = Sweep(clock=lambda: next(moments, 3.0), until=2.0)
    assert sweep_spools(store, [str(spool)], how).files == 1
    assert swept(store, spool).files == 1


def test_a_large_file_is_taken_in_by_blocks(
    store: Store, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "BLOCK", 100)
    long = first(name="x" * 200)
    points = b"".join(metric(step, loss=1.0) for step in range(50))
    (spool / f"{SOURCE}.jsonl").write_bytes(long + points)
    assert swept(store, spool).lines == 51
    assert steps(store) == list(range(50))


def test_a_line_without_end_is_left_and_told(
    store: Store, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "BLOCK", 100)
    monkeypatch.setattr(spools, "LONGEST", 1000)
    (spool / f"{SOURCE}.jsonl").write_bytes(first() + b"x" * 5000)
    (trouble,) = swept(store, spool).troubles
    assert "longer" in trouble.message


@pytest.mark.parametrize("change", ["cut", "replaced"])
def test_a_file_that_was_cut_or_replaced_is_told_and_not_taken(
    store: Store, spool: Path, change: str
) -> None:
    file = spool / f"{SOURCE}.jsonl"
    file.write_bytes(WHOLE)
    swept(store, spool)
    file.write_bytes(WHOLE[:100] if change == "cut" else b"x" * 2000 + b"\n")
    (trouble,) = swept(store, spool).troubles
    assert trouble.path == str(file)
    assert trouble.hint
    assert steps(store) == [1, 2]


def test_only_plain_files_are_read(store: Store, spool: Path, tmp_path: Path) -> None:
    other = tmp_path / "secret.jsonl"
    other.write_bytes(WHOLE)
    (spool / f"{RUN}-link.jsonl").symlink_to(other)
    (spool / f"{RUN}-dir.jsonl").mkdir()
    os.mkfifo(spool / f"{RUN}-pipe.jsonl")
    (spool / "notes.txt").write_text("not ours")
    (spool / "..data.jsonl").write_bytes(WHOLE)
    found = swept(store, spool)
    assert len(found.troubles) == 4
    assert found.lines == 0
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(runs_table)) == 0


def test_a_directory_that_is_not_there_has_no_files(store: Store, tmp_path: Path) -> None:
    assert swept(store, tmp_path / "none") == Swept()


def test_what_is_no_directory_is_told_and_the_others_are_read(
    store: Store, spool: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (spool / f"{SOURCE}.jsonl").write_bytes(WHOLE)
    found = swept(store, tmp_path / "file", spool)
    assert [trouble.path for trouble in found.troubles] == [str(tmp_path / "file")]
    assert found.files == 1


def test_a_bad_file_does_not_keep_the_others_back(store: Store, spool: Path) -> None:
    (spool / f"{'0' * 32}-a.jsonl").write_bytes(b"\x00\xff\n" * 10)
    (spool / f"{SOURCE}.jsonl").write_bytes(WHOLE)
    found = swept(store, spool)
    assert (found.files, found.passed) == (2, 10)
    assert steps(store) == [1, 2]


def test_a_file_of_somebody_else_speaks_for_that_user(
    store: Store, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "speaks_for", lambda owner: "eve")
    (spool / f"{RUN}-a.jsonl").write_bytes(first(user="root") + metric(1, loss=1.0))
    swept(store, spool)
    with store.reading() as connection:
        assert runs.show(connection, RUN).user == "eve"
    monkeypatch.setattr(spools, "speaks_for", lambda owner: "ann")
    (spool / f"{RUN}-b.jsonl").write_bytes(first(user="root") + metric(2, loss=1.0))
    (trouble,) = swept(store, spool).troubles
    assert "eve" in trouble.message
    assert steps(store) == [1]


def test_our_own_files_and_those_of_root_may_speak_for_anybody() -> None:
    assert speaks_for(0) is None
    assert speaks_for(os.geteuid()) is None
    assert speaks_for(4_000_000_000) == "4000000000"
