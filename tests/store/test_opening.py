"""Opening: new, current, older, newer, damaged, or no database at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken, HpcError, Refused
from hpcshell.store import opening
from hpcshell.store.rows import Wanted
from hpcshell.store.store import Store
from tests.store import made


@pytest.fixture
def filled(path: Path) -> Path:
    """A database with some jobs, closed."""
    with Store.open(path) as store, store.change() as change:
        for number in range(300):
            made.whole_life(change, name=f"job{number}", time=float(number))
        made.submit(change, array="0-9")
    return path


def _files(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def _says(error: HpcError, *words: str) -> None:
    assert error.hint
    for word in words:
        assert word in str(error)
    assert "Traceback" not in str(error)


def test_a_new_database_is_private(path: Path) -> None:
    with Store.open(path):
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_is_as_safe_as_promised(store: Store) -> None:
    def setting(name: str) -> object:
        return store._connection.execute(f"PRAGMA {name}").fetchone()[0]

    assert setting("journal_mode") == "wal"
    assert setting("synchronous") == 2, "FULL"
    assert setting("application_id") == opening.APPLICATION_ID
    assert setting("user_version") == opening.SCHEMA == store.schema


def test_a_kill_while_the_log_is_moved_into_the_file_harms_nothing(path: Path) -> None:
    """The first page is the new one, and the pages it speaks of are in the log alone."""
    with Store.open(path) as store:
        store._connection.execute("PRAGMA wal_autocheckpoint = 0")
        with store.change() as change:
            for number in range(300):
                made.whole_life(change, name=f"job{number}", time=float(number))
        log = opening.wal_of(path).read_bytes()
    whole = path.read_bytes()
    path.write_bytes(whole[: 4 * 4096])
    opening.wal_of(path).write_bytes(log)
    assert not opening.holds_nothing(path)
    opening.examine(path)
    with Store.open(path) as store:
        assert store.job(300) is not None


def test_a_newer_schema_is_refused_and_not_a_byte_changes(filled: Path) -> None:
    with sqlite3.connect(filled) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    before = _files(filled.parent)
    with pytest.raises(Broken) as caught:
        Store.open(filled)
    _says(caught.value, str(filled), "schema 99", "newer", "nothing in it was changed", "upgrade")
    assert _files(filled.parent) == before


def test_a_newer_schema_is_refused_when_only_the_log_tells(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as store:
        store._connection.execute("PRAGMA user_version = 99")
        copied = tmp_path / "copied"
        copied.mkdir()
        for file in (path, opening.wal_of(path)):
            (copied / file.name).write_bytes(file.read_bytes())
    before = _files(copied)
    with pytest.raises(Broken, match="schema 99"):
        Store.open(copied / path.name)
    after = _files(copied)
    assert after[path.name] == before[path.name]
    assert after[f"{path.name}-wal"] == before[f"{path.name}-wal"]


def test_another_programs_database_is_refused_untouched(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = _files(path.parent)
    with pytest.raises(Broken) as caught:
        Store.open(path)
    _says(caught.value, "another program", str(path), "HPCSHELL_HOME")
    assert _files(path.parent) == before


def test_what_is_no_database_is_refused_untouched(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\necho this is a script and no database\n" * 100)
    before = _files(path.parent)
    with pytest.raises(Broken) as caught:
        Store.open(path)
    _says(caught.value, "not a database", str(path))
    assert _files(path.parent) == before


def test_an_empty_file_is_a_new_database_unless_something_was_there(path: Path) -> None:
    path.touch()
    Store.open(path).close()
    path.write_bytes(b"")
    path.with_name(f"{path.name}.schema-0.backup").touch()
    with pytest.raises(Broken, match="the file is empty") as caught:
        Store.open(path)
    _says(caught.value, ".backup")


@pytest.mark.parametrize("there", [None, b""], ids=["missing", "empty"])
def test_a_database_that_was_lost_is_not_begun_anew(path: Path, there: bytes | None) -> None:
    if there is not None:
        path.write_bytes(there)
    before = _files(path.parent)
    with pytest.raises(Broken, match="there was one") as caught:
        Store.open(path, signs=lambda: ["hpcd.log", "process 7 (running)"])
    _says(caught.value, str(path), "hpcd.log, process 7 (running)", "hpc daemon start --new")
    assert _files(path.parent) == before


def test_a_database_whose_whole_content_was_in_the_log_that_was_deleted_is_lost_too(
    path: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copied.db"
    with Store.open(path) as store, store.change() as change:
        made.submit(change)
        copied.write_bytes(path.read_bytes())
    with pytest.raises(Broken, match="holds nothing, and there was one"):
        Store.open(copied, signs=lambda: ["hpcd.log"])
    Store.open(path, signs=lambda: ["hpcd.log"]).close()


def test_what_is_left_of_a_lost_database_is_set_aside(path: Path) -> None:
    left = (path, opening.wal_of(path), path.with_name(f"{path.name}.schema-0.backup"))
    for turn in (1, 2):
        for file in left:
            file.write_bytes(b"" if file == path else b"left")
        opening.set_aside(path)
        Store.open(path).close()
        names = {file.name for file in path.parent.iterdir()}
        assert names >= {f"{file.name}.{turn}.lost" for file in left}
        path.unlink()


def test_a_database_that_is_there_is_not_set_aside(filled: Path) -> None:
    before = _files(filled.parent)
    with pytest.raises(Refused, match="is there"):
        opening.set_aside(filled)
    assert _files(filled.parent) == before


def test_an_interrupted_creation_is_begun_again(path: Path) -> None:
    half = sqlite3.connect(path)
    half.execute("PRAGMA journal_mode = WAL")
    half.close()
    with Store.open(path) as store, store.change() as change:
        made.submit(change)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(Broken) as caught:
        Store.open(tmp_path / "no" / "such" / "hpcshell.db")
    _says(caught.value, "there is no directory", "mkdir -p")


def test_a_directory_in_the_place_of_the_file_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(Broken, match="is not a file"):
        Store.open(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_named(path: Path) -> None:
    path.parent.chmod(0o500)
    try:
        with pytest.raises(Broken) as caught:
            Store.open(path)
    finally:
        path.parent.chmod(0o700)
    _says(caught.value, "cannot be made", "read-only")


def test_a_path_with_strange_characters_is_only_a_path(tmp_path: Path) -> None:
    place = tmp_path / "a?mode=ro&b#c%20d é"
    place.mkdir()
    with Store.open(place / "hpcshell.db") as store, store.change() as change:
        made.submit(change)
    with Store.open(place / "hpcshell.db") as store:
        assert store.job(1) is not None


# ----------------------------------------------------------------------------------------- damage


def _use_all(path: Path) -> None:
    with Store.open(path) as store:
        problems = store.check()
        if problems:
            raise Broken(problems[0], "found by check()")
        list(store.live_jobs())
        store.history(Wanted())
        store.events()
        with store.change() as change:
            made.whole_life(change)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _cut_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 2048)


def _wipe_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)


def _wipe_the_schema(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 2000)


def _spoil_records(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{"id":3,', b'{"id":"3'))


@pytest.mark.parametrize(
    "harm", [_truncate, _cut_a_page, _wipe_a_page, _wipe_the_schema, _spoil_records]
)
def test_damage_is_named_with_the_file_and_the_backup(
    filled: Path, harm: Callable[[Path], None]
) -> None:
    with Store.open(filled) as store:
        store.backup(filled.with_name(f"{filled.name}.daily.backup"))
    harm(filled)
    with pytest.raises(Broken) as caught:
        _use_all(filled)
    if caught.value.hint != "found by check()":
        _says(caught.value, "damaged", str(filled), "daily.backup")
    filled.with_name(f"{filled.name}.daily.backup").replace(filled)
    _use_all(filled)


def test_damage_without_a_backup_says_so(filled: Path) -> None:
    _truncate(filled)
    with pytest.raises(Broken, match="no backup"):
        _use_all(filled)


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_never_ends_in_a_traceback(filled: Path, seed: int) -> None:
    content = bytearray(filled.read_bytes())
    place = (seed * 7919 * 131) % len(content)
    content[place] ^= 1 << (seed % 8)
    filled.write_bytes(content)
    with contextlib.suppress(HpcError):
        _use_all(filled)


def test_a_log_deleted_under_the_daemon_costs_nothing(path: Path) -> None:
    with Store.open(path) as store:
        with store.change() as change:
            made.submit(change)
        opening.wal_of(path).unlink()
        with store.change() as change:
            made.submit(change)
    with Store.open(path) as store:
        assert [found.job.id for found in store.live_jobs()] == [1, 2]


def test_a_database_deleted_under_the_daemon_is_noticed_before_anything_is_promised(
    path: Path,
) -> None:
    with Store.open(path) as store:
        with store.change() as change:
            made.submit(change)
        kept = path.with_name("kept")
        path.rename(kept)
        for _ in range(2):
            with pytest.raises(Broken, match="deleted or replaced"), store.change() as change:
                made.submit(change)
        assert not path.exists()
        assert store.job(1) is not None, "what it had can still be read"


def test_a_log_lost_after_a_crash_leaves_a_whole_older_state(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as store:
        with store.change() as change:
            made.submit(change)
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with store.change() as change:
            made.submit(change)
        copied = tmp_path / "copied"
        copied.mkdir()
        (copied / path.name).write_bytes(path.read_bytes())
    with Store.open(copied / path.name) as store:
        assert store.check() == []
        assert [found.job.id for found in store.live_jobs()] == [1]


# -------------------------------------------------------------------------------------- migrations


NOW = opening.SCHEMA


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A later version of the package, two schemas on; a test may change its migrations."""
    here = tmp_path / "package"
    (here / "migrations").mkdir(parents=True)
    (here / "migrations" / f"{NOW + 1:04}_colour.sql").write_text(
        "ALTER TABLE job ADD COLUMN colour TEXT;\n"
        "CREATE TRIGGER coloured BEFORE UPDATE OF colour ON job WHEN NEW.colour = 'grey'\n"
        "BEGIN\n    SELECT RAISE(ABORT, 'no grey');\nEND;\n"
    )
    (here / "migrations" / f"{NOW + 2:04}_shape.sql").write_text("CREATE TABLE shape (name TEXT);")
    monkeypatch.setattr(opening, "_HERE", here)
    monkeypatch.setattr(opening, "SCHEMA", NOW + 2)
    return here


def test_an_older_schema_is_brought_up_after_a_copy_was_made(filled: Path, later: Path) -> None:
    before = filled.read_bytes()
    with Store.open(filled) as store:
        assert store._connection.execute("PRAGMA user_version").fetchone() == (NOW + 2,)
        assert store.history(Wanted())[1] == 300
        store._connection.execute("SELECT colour FROM job, shape")
        assert filled.read_bytes()[60:64] == (NOW + 2).to_bytes(4, "big"), "the file alone tells"
    copied = filled.with_name(f"{filled.name}.schema-{NOW}.backup")
    with sqlite3.connect(copied) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (NOW,)
        assert other.execute("SELECT count(*) FROM job").fetchone() == (301,)
    assert len(before) > 0


def test_a_migration_that_fails_leaves_the_version_before_it(filled: Path, later: Path) -> None:
    (later / "migrations" / f"{NOW + 2:04}_shape.sql").write_text(
        "CREATE TABLE shape (a); NONSENSE;"
    )
    with pytest.raises(Broken):
        Store.open(filled)
    with sqlite3.connect(filled) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (NOW + 1,)
        assert other.execute("SELECT count(*) FROM job").fetchone() == (301,)
        with pytest.raises(sqlite3.OperationalError):
            other.execute("SELECT * FROM shape")
    (later / "migrations" / f"{NOW + 2:04}_shape.sql").write_text("CREATE TABLE shape (a);")
    Store.open(filled).close()


def test_a_copy_is_whole_or_not_there(filled: Path) -> None:
    target = filled.with_name("copy.db")
    with Store.open(filled) as store:
        store.backup(target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        with pytest.raises(Broken, match="cannot be written"):
            store.backup(filled.parent / "no" / "copy.db")
    assert sorted(file.name for file in filled.parent.iterdir()) == ["copy.db", filled.name]
    with Store.open(target) as store:
        assert store.history(Wanted())[1] == 300
