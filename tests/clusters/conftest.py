"""A world of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.world import World


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Makes the world of a test; takes what `World` does."""
    made: list[World] = []

    def make(**how: Any) -> World:
        made.append(World(tmp_path, monkeypatch, **how))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A site without limits, asked as often as one looks."""
    return make_world()
