"""The policies that are compared: each once, and no two called the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import call
from tests.trace.made import jobs

ROWS = ((0, 100, 6, 100), (10, 50, 6, 200), (20, 30, 2, 60), (30, 10, 8, 600))
NONE, EASY = '[scheduler]\nbackfill = "none"\n', '[scheduler]\nbackfill = "easy"\n'


@pytest.fixture(autouse=True)
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.swf").write_bytes(jobs(*ROWS))
    for path, text in (("a/p", NONE), ("b/p", EASY), ("a/easy", NONE), ("hybrid-2", NONE)):
        file = Path(f"{path}.toml")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


def names(*words: str) -> list[str]:
    found = call("simulate", "t.swf", *words, "--json", check=True).json
    return [one["policy"] for one in (found if isinstance(found, list) else [found])]


def test_files_of_one_name_are_told_apart_by_their_paths_wherever_they_are_named() -> None:
    words = ("simulate", "t.swf", "-p", "a/p.toml", "-p", "b/p.toml", "--quiet")
    said = call(*words, "--csv", "t.csv", "--jobs-out", "jobs.csv", check=True)
    rows = [line.split() for line in said.out.splitlines()[1:3]]
    assert [row[0] for row in rows] == ["a/p", "b/p"]
    assert [row[-2] for row in rows] == ["0.0%", "25.0%"]
    assert [row["policy"] for row in csv.DictReader(Path("t.csv").read_text().splitlines())] == [
        "a/p",
        "b/p",
    ]
    assert Path("jobs-a--p.csv").read_text() != Path("jobs-b--p.csv").read_text()


def test_a_file_is_told_apart_from_a_policy_of_its_name() -> None:
    assert names("-p", "easy", "-p", "a/easy.toml") == ["easy", "a/easy"]
    assert names("-p", "a/easy.toml", "-c", "easy,fcfs") == ["a/easy", "easy", "fcfs"]


def test_no_two_write_their_jobs_into_one_file(tmp_path: Path) -> None:
    assert names("-p", "hybrid:2", "-p", "hybrid-2.toml") == [
        "hybrid:2",
        f"{tmp_path.name}/hybrid-2",
    ]


def test_what_is_named_twice_is_simulated_once() -> None:
    assert names("-p", "easy", "-c", "easy, fcfs") == ["easy", "fcfs"]
    assert names("-p", "a/p.toml", "-p", "b/../a/p.toml") == ["p"]


def test_a_policy_file_that_is_not_there_is_not_found() -> None:
    said = call("simulate", "t.swf", "-p", "nosuch.toml")
    assert said.code == 3
    assert "nosuch.toml: there is no such file" in said.err
