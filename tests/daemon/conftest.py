"""What tests of a daemon without processes share: its clock, and the bench of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.benches import Bench, Clock, Make, configuration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    """Makes the bench of a configuration; one in a test."""
    made: list[Bench] = []

    def bench(**tables: Any) -> Bench:
        made.append(Bench(tmp_path, settings=configuration(**tables)))
        return made[0]

    yield bench
    for one in made:
        one.close()
        assert not one.complaints()
