"""The log stays within its bounds and never stops who writes it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from hpcshell.machine.logfile import LogFile


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_has_time_level_message_and_fields(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    log.write("info", "ready", pid=7, where=tmp_path)
    (line,) = lines(tmp_path / "log")
    assert str(line.pop("time")).endswith("+00:00")
    assert line == {"level": "info", "message": "ready", "pid": 7, "where": str(tmp_path)}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_it_is_bounded_in_size_and_number(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", size=1000, files=3)
    for number in range(200):
        log.write("info", "x" * 50, number=number)
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1", "log.2"]
    assert all((tmp_path / name).stat().st_size <= 1000 for name in os.listdir(tmp_path))
    names = ("log.2", "log.1", "log")
    numbers = [line["number"] for name in names for line in lines(tmp_path / name)]
    assert numbers == list(range(200 - len(numbers), 200))


def test_one_file_is_emptied_when_full(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", size=300, files=1)
    for number in range(50):
        log.write("info", "x" * 50, number=number)
    assert os.listdir(tmp_path) == ["log"]
    assert lines(tmp_path / "log")[-1]["number"] == 49


def test_a_full_disk_drops_lines_and_says_so_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(tmp_path / "log")
    real = os.write

    def full(descriptor: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    log.write("info", "one")
    log.write("info", "two")
    monkeypatch.setattr(os, "write", real)
    log.write("info", "three")
    assert [(line["message"], line["dropped"]) for line in lines(tmp_path / "log")] == [
        ("three", 2)
    ]


def test_a_line_cut_short_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(tmp_path / "log")
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, text: real(descriptor, text[:9]))
    log.write("info", "one")
    monkeypatch.setattr(os, "write", real)
    log.write("info", "two")
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert json.loads(last)["message"] == "two"


def test_names_that_are_not_utf8_and_missing_directories_do_no_harm(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "gone" / "log")
    log.write("info", "lost")
    (tmp_path / "gone").mkdir()
    log.write("info", "odd", name="\udcff\x1b[31m")
    (line,) = lines(tmp_path / "gone" / "log")
    assert "\\udcff" in str(line["name"])
