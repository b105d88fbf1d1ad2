"""A real ``hpc web`` for all tests of a file: ``place`` has its `url`, and a user's ``token``.

There is one over SQLite and one over PostgreSQL, and each test is of both.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hpcshell.machine.paths import places
from hpcshell.track.store.opening import open_store, url_of
from tests.support.homes import clean_environment, fresh_home
from tests.support.postgres import Server as Postgres
from tests.support.web import Server, make_token, serving
from tests.support.web_fixtures import DATABASES, SQLITE


@pytest.fixture(scope="module", params=DATABASES)
def place(request: pytest.FixtureRequest) -> Iterator[Server]:
    url = ""
    if request.param != SQLITE:
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.database()
    with fresh_home() as home:
        environment = {"HPCSHELL_HOME": str(home), **({"HPC_TRACK__URL": url} if url else {})}
        where = places({**clean_environment(), **environment})
        where.prepare()
        with open_store(url_of(url, where)) as store:
            token = make_token(store, "user", user="ann")
        with serving(token=token, env=environment) as running:
            yield running
