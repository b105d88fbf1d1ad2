"""`hpc simulate` overwrites nothing that it reads, and writes no file twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import call
from tests.trace.made import jobs

READ = {
    "t.swf": jobs((0, 100, 6, 100), (10, 50, 6, 200)),
    "p.toml": b"[scheduler]\npromises = 2\n",
    "m.toml": b"cpus = 8\n",
    "g.csv": b"job,gang\n1,a\n2,a\n",
}
WORDS = ("simulate", "t.swf", "-p", "p.toml", "--machine", "m.toml", "--gangs", "g.csv")
OPTIONS = ("--csv", "--jobs-out", "--report")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in READ.items():
        Path(name).write_bytes(content)
    return tmp_path


def as_it_is(name: str) -> str:
    return name


def absolute(name: str) -> str:
    return os.path.abspath(name)


def linked(name: str) -> str:
    os.symlink(name, "soft")
    return "soft"


def of_two_names(name: str) -> str:
    os.link(name, "hard")
    return "hard"


def roundabout(name: str) -> str:
    os.mkdir("aside")
    return f"aside/../{name}"


NAMES = (as_it_is, absolute, linked, of_two_names, roundabout)


@pytest.mark.parametrize("named", NAMES)
@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("option", OPTIONS)
def test_nothing_that_is_read_is_written(
    option: str, read: str, named: Callable[[str], str]
) -> None:
    path = named(read)
    said = call(*WORDS, option, path)
    assert said.code == 2, said
    assert said.out == ""
    assert f"{option}: {path} is the " in said.err
    assert {name: Path(name).read_bytes() for name in READ} == READ


def test_the_policies_that_are_compared_are_read_too() -> None:
    said = call("simulate", "t.swf", "-c", "easy,./p.toml", "--csv", "p.toml")
    assert said.code == 2
    assert "--csv: p.toml is the policy file itself" in said.err
    assert Path("p.toml").read_bytes() == READ["p.toml"]


def test_a_picture_is_drawn_over_nothing_that_is_read() -> None:
    os.rename("g.csv", "g.png")
    said = call("simulate", "t.swf", "--gangs", "g.png", "--plot", "g.png")
    assert said.code == 2
    assert "--plot: g.png is the gangs file itself" in said.err
    within = call("simulate", "t.swf", "--gangs", "g.png", "--plot", ".")
    assert within.code == 2
    assert "--plot: in . is the gangs file itself" in within.err
    assert Path("g.png").read_bytes() == READ["g.csv"]


def test_nor_by_a_name_that_a_policy_is_given() -> None:
    os.rename("t.swf", "t-easy.swf")
    said = call("simulate", "t-easy.swf", "-c", "fcfs,easy", "--jobs-out", "t.swf")
    assert said.code == 2
    assert "--jobs-out: t-easy.swf is the trace itself" in said.err
    assert Path("t-easy.swf").read_bytes() == READ["t.swf"]
    assert not Path("t-fcfs.swf").exists()


def test_a_workload_that_is_made_is_written_over_nothing_that_is_read() -> None:
    said = call("simulate", "--generate", "lublin", "--machine", "m.toml", "--out", "m.toml")
    assert said.code == 2
    assert "--out: m.toml is the machine file itself" in said.err
    assert Path("m.toml").read_bytes() == READ["m.toml"]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("path", ["one.txt", "./one.txt", "-"])
def test_no_two_are_written_to_one_file(path: str, there: bool) -> None:
    if there:
        Path("one.txt").write_text("kept")
    said = call("simulate", "t.swf", "--csv", "one.txt" if path != "-" else path, "--report", path)
    assert said.code == 2
    assert f"--report: {path} is what --csv writes already" in said.err
    assert Path("one.txt").exists() == there
    assert not there or Path("one.txt").read_text() == "kept"


def test_nor_one_of_them_among_the_pictures() -> None:
    said = call("simulate", "t.swf", "--csv", "drawn/waits.png", "--plot", "drawn")
    assert said.code == 2, said
    os.mkdir("drawn")
    said = call("simulate", "t.swf", "--csv", "drawn/waits.png", "--plot", "drawn")
    assert "--plot: in drawn is what --csv writes already" in said.err


def test_a_device_keeps_nothing_and_may_be_written_by_several() -> None:
    call("simulate", "t.swf", "--csv", os.devnull, "--report", os.devnull, check=True)


def test_a_pipe_that_nobody_reads_is_not_waited_for() -> None:
    os.mkfifo("pipe")
    said = call("simulate", "t.swf", "--csv", "pipe")
    assert said.code == 2
    assert "--csv: pipe is a pipe that nobody reads" in said.err


def test_the_jobs_of_several_policies_are_not_mixed_on_stdout() -> None:
    said = call("simulate", "t.swf", "-c", "easy,fcfs", "--jobs-out", "-")
    assert (said.code, said.out) == (2, "")
    assert "--jobs-out: of several policies each has its own file" in said.err
