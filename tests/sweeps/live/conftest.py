"""Studies on real schedulers, ended with their tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

pytest.register_assert_rewrite("tests.sweeps.live.study")

from tests.sweeps.live.study import Study  # noqa: E402


class Made(Protocol):
    """The type of the ``made`` fixture."""

    def __call__(self, points: int, body: str = "", **spec: Any) -> Study:
        """The study of a test; see `Study`."""


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Made]:
    if "mycluster" in request.fixturenames:
        request.getfixturevalue("mycluster")  # its link is closed once no study asks it any more
    studies: list[Study] = []

    def make(points: int, body: str = "", **spec: Any) -> Study:
        studies.append(Study(tmp_path / "project", points, body, **spec))
        return studies[-1]

    yield make
    for each in studies:
        each.end()
