"""What every test of the web server may use; a conftest names what it takes.

- ``database``: an empty database: SQLite's in the test's ``home``; PostgreSQL's, which is then that
  of the test's whole environment, where the test is parametrised so.
- ``context``: what routes work with, over a store in it.
- ``api``: an `httpx.Client` that speaks to the application in this process, as an admin.
- ``server``: a real ``hpc web --port 0``: its ``url``, an admin's ``token``, and ``client()``.
- ``new_token``: makes a token of a role in that store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.paths import places
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.track.store.store import Store
from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from tests.support.postgres import Server as Postgres
from tests.support.stores import new_database
from tests.support.web import Server, make_token, serving
from tests.track.store.made import psycopg_url

NewToken = Callable[..., str]
SQLITE = "sqlite"
DATABASES = (SQLITE, "postgresql")


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A database of PostgreSQL with the tables in it, to be copied."""
    url = postgres.database()
    open_store(psycopg_url(url)).close()
    return url


@pytest.fixture
def database(
    home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """What [track] url says; see the module."""
    if getattr(request, "param", SQLITE) == SQLITE:
        yield ""
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.database(request.getfixturevalue("template"))
    monkeypatch.setenv("HPC_TRACK__URL", url)
    yield url
    server.drop(url)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    where = places(os.environ)
    where.prepare()
    url = new_database(where.track.database) if not database else url_of(database, where)
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def new_token(store: Store) -> NewToken:
    """`new_token(role, scopes=(), expires_at=None, user="tester")` is the text of a token."""

    def make(role: str = "admin", **named: Any) -> str:
        return make_token(store, role, **named)

    return make


@pytest.fixture
def context(home: Path, store: Store) -> Iterator[Context]:
    where = places(os.environ)
    made = Context(daemon_settings(where, os.environ), where, store)
    yield made
    made.close()


@pytest.fixture
def api(context: Context, new_token: NewToken) -> Iterator[httpx.Client]:
    with TestClient(make_app(context), "http://127.0.0.1", raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {new_token()}"
        yield client


@pytest.fixture
def server(home: Path, new_token: NewToken) -> Iterator[Server]:
    with serving(token=new_token()) as running:
        yield running
