"""The tables of a database: made, of an old version, of a newer one, of somebody else."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, NullPool, create_engine, inspect, make_url, text

from hpcshell.core.errors import Wrong
from hpcshell.track.store import experiments
from hpcshell.track.store.migrating import FOLDER, NEWEST
from hpcshell.track.store.opening import open_store, version_of
from hpcshell.track.store.tables import metadata
from tests.support.postgres import Server
from tests.track.store.made import NOW, experiment, psycopg_url, run

SCHEMAS = Path(__file__).parent / "schemas"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of a database that has no tables."""
    if request.param == "sqlite":
        return make_url(f"sqlite:///{tmp_path}/new.db")
    server: Server = request.getfixturevalue("postgres")
    return psycopg_url(server.database())


def told(url: URL, statement: str) -> list[str]:
    """The first column of what a statement finds."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        done = connection.execute(text(statement))
        return [str(row[0]) for row in done] if done.returns_rows else []


def test_the_newest_version_is_the_last_migration() -> None:
    assert ScriptDirectory(FOLDER).get_current_head() == NEWEST


def test_the_migrations_make_the_tables_that_the_code_knows(empty: URL) -> None:
    open_store(empty).close()

    engine = create_engine(empty, poolclass=NullPool)
    with engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLite does not tell what an index of expressions is of
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_migrations_make_the_indices_that_the_code_knows(empty: URL) -> None:
    open_store(empty).close()
    kind = "sqlite_master" if empty.get_backend_name() == "sqlite" else "pg_indexes"
    name = "name" if kind == "sqlite_master" else "indexname"

    found = set(told(empty, f"SELECT {name} FROM {kind}"))

    known = {str(index.name) for table in metadata.sorted_tables for index in table.indexes}
    assert known <= found
    assert {"params_value", "tags_value"} <= known


def test_a_database_is_made_once_and_keeps_its_key(empty: URL) -> None:
    open_store(empty).close()
    before = told(empty, "SELECT value FROM secrets")
    with open_store(empty) as store:
        experiment(store)

    assert told(empty, "SELECT value FROM secrets") == before
    assert version_of(empty) == NEWEST


OPEN = """
import sys
from sqlalchemy import make_url
from hpcshell.track.store.opening import open_store
print("ready", flush=True)
sys.stdin.readline()
open_store(make_url(sys.argv[1])).close()
print("open", flush=True)
"""


def test_several_processes_may_make_it_at_once(empty: URL) -> None:
    command = [sys.executable, "-c", OPEN, empty.render_as_string(hide_password=False)]
    pipe = subprocess.PIPE
    several = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)
    ]
    try:
        for process in several:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in several:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60) for process in several]
    finally:
        for process in several:
            process.kill()
            process.wait()

    assert [out for out, _ in said] == ["open\n"] * 3, said
    assert told(empty, "SELECT version_num FROM alembic_version") == [NEWEST]
    assert len(told(empty, "SELECT name FROM secrets")) == 1


def test_a_database_of_a_newer_version_is_left_alone(empty: URL) -> None:
    open_store(empty).close()
    told(empty, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Wrong, match="'9999'") as error:
        open_store(empty)
    assert "upgrade" in str(error.value.hint)
    assert told(empty, "SELECT version_num FROM alembic_version") == ["9999"]


def test_a_database_of_another_program_is_left_alone(empty: URL) -> None:
    told(empty, "CREATE TABLE runs (run_uuid VARCHAR(32))")

    with pytest.raises(Wrong, match="'runs' that is not the tracker's"):
        open_store(empty)
    engine = create_engine(empty, poolclass=NullPool)
    assert inspect(engine).get_table_names() == ["runs"]


def test_nothing_is_made_where_only_the_version_is_asked(empty: URL) -> None:
    assert version_of(empty) is None


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_database_of_every_version_is_brought_to_the_newest(path: Path, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(path.read_text("utf-8"))
    connection.close()

    with open_store(make_url(f"sqlite:///{tmp_path}/old.db")) as store:
        with store.reading() as reading:
            kept = experiments.named(reading, "kept")
        assert kept is not None
        assert kept.runs == 1
        run(store, kept.id, NOW)
    assert version_of(make_url(f"sqlite:///{tmp_path}/old.db")) == NEWEST


def test_every_version_is_among_those_that_are_tried() -> None:
    versions = {path.stem for path in SCHEMAS.glob("*.sql")}

    assert {each.revision for each in ScriptDirectory(FOLDER).walk_revisions()} == versions
