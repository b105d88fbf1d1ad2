"""`cli`: a verb run in this process, quick enough to try many; `shared`: a daemon for a module."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hpcshell.cli.main import run
from tests.support.homes import clean_environment, fresh_home


class Said(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


class _Stream(io.TextIOWrapper):
    def __init__(self, content: bytes = b"") -> None:
        self.raw_bytes = io.BytesIO(content)
        super().__init__(self.raw_bytes, encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.raw_bytes.getvalue().decode()


def call(*words: str | int | Path, input: str = "", check: bool = False, name: str = "hpc") -> Said:
    """Run `hpc WORDS` here; `check`: it must end with 0; `name`: that of the command."""
    saved = sys.stdin, sys.stdout, sys.stderr
    out, err = _Stream(), _Stream()
    sys.stdin, sys.stdout, sys.stderr = _Stream(input.encode()), out, err
    try:
        code = run([str(word) for word in words], name)
    finally:
        sys.stdin, sys.stdout, sys.stderr = saved
    said = Said(code, out.text(), err.text())
    if check:
        assert code == 0, said
    return said


@pytest.fixture
def cli(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`hpc` in a home and a directory of the test's own, on a machine of four CPUs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "4")
    monkeypatch.setenv("HPC_RESOURCES__MEMORY", "8G")
    return call


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """`hpc` with one daemon for all tests of a module that do not mind each other's jobs."""
    with fresh_home() as place, pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - clean_environment().keys():
            patch.delenv(name)
        patch.setenv("HPCSHELL_HOME", str(place))
        patch.setenv("HPC_RESOURCES__CPUS", "4")
        patch.setenv("HPC_RESOURCES__MEMORY", "8G")
        patch.chdir(tmp_path_factory.mktemp("work"))
        yield call
