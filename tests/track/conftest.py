"""A store of the tracker for a test, and what to put in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.track.store.opening import open_store
from hpcshell.track.store.store import Store
from tests.support.stores import new_database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in SQLite."""
    with open_store(new_database(tmp_path / "track.db")) as opened:
        yield opened
