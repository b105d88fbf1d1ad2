"""A library with NVML's symbols, built once, and a driver that plays what a test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nvml.play import LIBRARY, Driver, build, driver


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a driver that knows the second version of its functions, not the third."""
    return build(tmp_path_factory.mktemp("nvml-old"), "-DOLD")


@pytest.fixture
def nvml(tmp_path: Path, library: Path) -> Iterator[Driver]:
    with driver(tmp_path, library) as one:
        yield one


@pytest.fixture
def old_nvml(tmp_path: Path, old_library: Path) -> Iterator[Driver]:
    with driver(tmp_path, old_library) as one:
        yield one


@pytest.fixture
def no_nvml(tmp_path: Path) -> Iterator[Driver]:
    """A library that cannot be loaded, in the way of any that this machine may have."""
    (tmp_path / LIBRARY).touch()
    with driver(tmp_path, tmp_path) as one:
        yield one
