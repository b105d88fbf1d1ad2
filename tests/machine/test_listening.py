"""Whoever finds the name of a socket finds somebody who listens."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hpcshell.machine.listening import listen
from hpcshell.machine.paths import LONGEST_SOCKET


def call(path: str | Path) -> None:
    """Raises `OSError` when nobody listens there."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))


def test_the_name_is_given_once_somebody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rename = tmp_path / "door", os.rename

    def renamed(old: str, new: str) -> None:
        call(old)
        assert not path.exists()
        rename(old, new)

    monkeypatch.setattr(os, "rename", renamed)
    with listen(str(path)):
        assert os.listdir(tmp_path) == ["door"]
        assert path.stat().st_mode & 0o777 == 0o600
        call(path)


def test_the_last_who_listens_is_found(tmp_path: Path) -> None:
    path = str(tmp_path / "door")
    with listen(path) as first, listen(path) as second:
        call(path)
        second.accept()[0].close()
        with pytest.raises(BlockingIOError):
            first.accept()


def test_what_cannot_have_the_name_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "door").mkdir()
    with pytest.raises(OSError):
        listen(str(tmp_path / "door"))
    assert os.listdir(tmp_path) == ["door"]


@pytest.mark.parametrize("name", ["hpcd.sock", "runner.sock"])
def test_the_longest_name_that_is_possible_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = "x" * (LONGEST_SOCKET - len(name) - 1)
    Path(folder).mkdir()
    with listen(f"{folder}/{name}"):
        call(f"{folder}/{name}")
