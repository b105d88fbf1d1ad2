"""What the tests of the tracker's store may use.

- ``url``: a new database, empty but for its tables; each test that takes it runs twice, over SQLite
  and over PostgreSQL.
- ``store``: the same, open.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from hpcshell.track.store.opening import open_store
from hpcshell.track.store.store import Store
from tests.support.postgres import Server, postgres
from tests.support.stores import new_database
from tests.track.store.made import emptied, psycopg_url

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def database(postgres: Server) -> URL:
    """A database of PostgreSQL with the tables in it, which one test after the other uses."""
    url = psycopg_url(postgres.database())
    open_store(url).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """See the module."""
    if request.param == "sqlite":
        return new_database(tmp_path / "track.db")
    url: URL = request.getfixturevalue("database")
    emptied(url)
    return url


@pytest.fixture
def store(url: URL) -> Iterator[Store]:
    """See the module."""
    with open_store(url) as opened:
        yield opened
