"""A real ``hpc web`` for all tests of a file: ``place`` has its `url`, and a user's ``token``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hpcshell.machine.paths import places
from hpcshell.track.store.opening import open_store, url_of
from tests.support.homes import clean_environment, fresh_home
from tests.support.web import Server, make_token, serving


@pytest.fixture(scope="module")
def place() -> Iterator[Server]:
    with fresh_home() as home:
        environment = {**clean_environment(), "HPCSHELL_HOME": str(home)}
        where = places(environment)
        where.prepare()
        with open_store(url_of("", where)) as store:
            token = make_token(store, "user", user="ann")
        with serving(token=token, env={"HPCSHELL_HOME": str(home)}) as running:
            yield running
