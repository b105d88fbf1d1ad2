"""Runs of a test's own: a home for them, a directory, scripts that log."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from hpcshell.track.client import current, say
from tests.support.homes import clean_environment


class Script(Protocol):
    """The type of the ``script`` fixture."""

    def __call__(self, text: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program to its end; `env` is added to its environment."""


@pytest.fixture(autouse=True)
def a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home; nothing has been said yet, and no run is left going on."""
    for name in ("HPC_TRACK_URL", "HPC_TRACK_TOKEN", "HPC_TRACK_RUN_ID", "TRACKER_API", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HPC_TRACK_DIR", str(tmp_path / "spool"))
    say._said.clear()
    yield tmp_path
    for run in list(current.going):
        run.patience = 0
        run.end()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def run(text: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text), *words],
            env=clean_environment() | surroundings(tmp_path) | env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def surroundings(tmp_path: Path) -> dict[str, str]:
    """The environment of a script: the test's home and spool directory."""
    return {"HPCSHELL_HOME": str(tmp_path / "home"), "HPC_TRACK_DIR": str(tmp_path / "spool")}


def spooled(directory: Path) -> list[dict[str, Any]]:
    """All whole lines of the files of a directory, file by file."""
    found: list[dict[str, Any]] = []
    for path in sorted(directory.glob("*.jsonl")):
        text = path.read_bytes()
        found += [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    return found


def of_kind(kind: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["k"] == kind]
