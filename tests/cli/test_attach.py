"""hpc attach: who may join what, from where, and what is said to those who may not."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hpcshell.cli import attach
from hpcshell.client.client import Client
from hpcshell.jobs.sessions import sessions
from hpcshell.machine.paths import places
from tests.cli.conftest import Cli
from tests.support.homes import HPC
from tests.support.runners import eventually
from tests.support.terminals import programs_needed, terminal

ASKS = "echo ask; read x; echo got $x; exit 7"
PROGRAMS = ["screen", "tmux"]
LEAVE = {"screen": "\x01", "tmux": "\x02"}


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    programs_needed()


@pytest.fixture(scope="module")
def hpc(shared: Cli) -> Cli:
    """One daemon for all: none minds the jobs of another."""
    return shared


def submit(hpc: Cli, *words: str) -> str:
    return hpc("submit", "--quiet", *words, check=True).out.strip()


def asking(hpc: Cli, *options: str) -> str:
    return submit(hpc, *(options or ("--screen",)), "--", "sh", "-c", ASKS)


def code(hpc: Cli, job: str) -> int:
    return hpc("wait", "--propagate", job).code


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_person_joins_types_leaves_and_comes_back(hpc: Cli, program: str) -> None:
    job = asking(hpc, f"--screen={program}")
    with terminal([HPC, "attach", job]) as person:
        person.sees("ask")
        person.types(LEAVE[program], "d")
        assert person.leaves() == 0
    with terminal([HPC, "attach", "@"]) as person:
        person.sees("ask")
        person.types("it\r")
        person.leaves()
    assert code(hpc, job) == 7
    assert Path(f"hpc-{job}.out").read_text() == "ask\nit\ngot it\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_joined_from_within_another(hpc: Cli, program: str) -> None:
    job = asking(hpc, f"--screen={program}")
    within = {"TMUX": "/tmp/other,1,0", "STY": "1.other"}
    with terminal([HPC, "attach", job], within) as person:
        person.sees("ask")
        person.types("x\r")
        person.leaves()
    assert code(hpc, job) == 7


def test_an_element_has_a_session_of_its_own(hpc: Cli) -> None:
    job = submit(hpc, "--screen", "--array", "3-4", "--", "sh", "-c", ASKS)
    for index in (3, 4):
        with terminal([HPC, "attach", f"{job}_{index}"]) as person:
            person.sees("ask")
            person.types("x\r")
            person.leaves()
    assert code(hpc, job) == 7


def test_an_array_is_not_joined_as_a_whole(hpc: Cli) -> None:
    job = submit(hpc, "--screen", "--array", "3-4", "--", "sh", "-c", ASKS)
    said = hpc("attach", job)
    assert said.code == 4
    assert said.err.startswith(f"hpc: job {job} is an array\n  hint: name an element: hpc attach ")
    hpc("cancel", job, check=True)


def test_screen_lists_it(hpc: Cli) -> None:
    job = asking(hpc, "--screen=screen")
    hpc("attach", job, "--print", check=True)
    listed = subprocess.run(["screen", "-ls"], capture_output=True, text=True).stdout
    assert f".hpc-{job}\t" in listed
    hpc("cancel", job, check=True)


def test_the_document_tells_how_to_join(hpc: Cli) -> None:
    job = asking(hpc, "--screen=tmux", "--name", "odd")
    words = hpc("attach", "odd", "--print", check=True).out.split()
    document = hpc("show", job, "--json", check=True).json["session"]
    assert document == {"program": "tmux", "name": f"hpc-{job}", "join": words}
    assert f"hpc-{job} (tmux); hpc attach {job} joins it" in hpc("show", job).out
    (found,) = [one for one in sessions(Client(places(os.environ))) if one.job == job]
    assert (found.job_name, found.program, found.name) == ("odd", "tmux", f"hpc-{job}")
    assert found.join == tuple(words)
    assert found.since == hpc("show", job, "--json").json["start_time"]
    hpc("cancel", job, check=True)
    hpc("wait", job)
    assert hpc("show", job, "--json").json["session"]["join"] is None
    assert job not in [one.job for one in sessions(Client(places(os.environ)))]


def test_a_hostile_name_names_no_session(hpc: Cli) -> None:
    job = asking(hpc, "--screen", "--name", "a:b.c;$(touch x) '\"=")
    assert f"hpc-{job}" in hpc("attach", job, "--print", check=True).out
    hpc("cancel", job, check=True)
    assert not Path("x").exists()


def test_what_waits_has_ended_or_has_none_is_refused_in_a_sentence(hpc: Cli) -> None:
    held = asking(hpc, "--screen", "--hold")
    ended = submit(hpc, "--screen", "--", "true")
    plain = submit(hpc, "--", "sleep", "60")
    hpc("wait", ended)
    for job, why in (
        (held, f"hpc: job {held} has not begun\n  hint: see: hpc explain {held}\n"),
        (ended, f"hpc: job {ended} has ended\n  hint: see what it printed: hpc logs {ended}\n"),
        (plain, f"hpc: job {plain} runs in no session\n  hint: submit it with --screen; "),
    ):
        said = hpc("attach", job)
        assert said.code == 4
        assert said.err.startswith(why)
    assert hpc("attach", "99999").code == 3
    assert hpc("attach", held, plain).code == 2
    hpc("cancel", held, plain, check=True)


def test_what_stands_still_cannot_be_joined_until_it_goes_on(hpc: Cli) -> None:
    job = asking(hpc)
    hpc("attach", job, "--print", check=True)
    hpc("suspend", job, check=True)
    eventually(lambda: hpc("show", job, "--json").json["state"] == "SUSPENDED")
    said = hpc("attach", job)
    assert (said.code, said.err.splitlines()[1]) == (4, f"  hint: let it go on: hpc resume {job}")
    hpc("resume", job, check=True)
    with terminal([HPC, "attach", job]) as person:
        person.sees("ask")
        person.types("x\r")
        person.leaves()
    assert code(hpc, job) == 7


def test_it_takes_a_terminal(hpc: Cli) -> None:
    job = asking(hpc)
    said = hpc("attach", job)
    assert said.code == 4
    assert said.err.startswith("hpc: a session is joined from a terminal, and this is none\n")
    for term in ("dumb", ""):
        with terminal([HPC, "attach", job], {"TERM": term}) as person:
            assert person.leaves() == 4
            assert b"TERM names no terminal" in person.seen
    hpc("cancel", job, check=True)


def test_a_job_does_not_join_itself(hpc: Cli) -> None:
    job = submit(hpc, "--screen", "--", HPC, "attach", "@")
    assert code(hpc, job) == 4
    assert f"this is the session of job {job}" in Path(f"hpc-{job}.out").read_text()


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--screen", "neither GNU screen nor tmux is installed"),
        ("--screen=tmux", "tmux is not installed"),
    ],
)
def test_where_neither_is_installed_it_is_refused_with_what_to_install(
    hpc: Cli, option: str, why: str
) -> None:
    said = hpc("submit", option, "--env", "PATH=/nowhere", "--", "/bin/true")
    assert said.code == 4
    assert f"hpc: {why}" in said.err
    assert "apt-get install" in said.err


def test_what_could_not_be_opened_says_why(
    hpc: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "tmux"
    broken.write_text("#!/bin/sh\necho 'tmux: no luck today.' >&2; exit 1\n")
    broken.chmod(0o755)
    path = f"PATH={tmp_path}:{os.environ['PATH']}"
    job = submit(hpc, "--screen=tmux", "--env", path, "--", "sleep", "60")
    monkeypatch.setattr(attach, "OPENING", 0.0)
    unopened = f"hpc: the session of job {job} does not open"
    while (said := hpc("attach", job)).err.splitlines()[0] == unopened:
        pass  # tmux is tried again and again, and has not said why yet
    assert said.code == 75
    assert said.err.splitlines()[0] == f"{unopened}: tmux: no luck today"
    hpc("cancel", job, check=True)


def test_the_script_after_a_bare_option_is_no_value(hpc: Cli) -> None:
    Path("job.sh").write_text("#!/bin/sh\n#HPC --screen\necho $1 --screen; exit 5\n")
    job = submit(hpc, "--name", "n", "--screen", "job.sh", "--screen")
    assert code(hpc, job) == 5
    assert Path(f"hpc-{job}.out").read_text() == "--screen --screen\n"


def test_a_program_that_shows_no_sessions_is_refused(hpc: Cli) -> None:
    said = hpc("submit", "--screen=zellij", "--", "true")
    assert said.code == 2
    assert "write --screen=screen or --screen=tmux" in said.err


def test_no_is_no(hpc: Cli) -> None:
    Path("job.sh").write_text("#!/bin/sh\n#HPC --screen\ntest -t 1\n")
    assert code(hpc, submit(hpc, "--screen=no", "job.sh")) == 1


def test_what_is_cancelled_ends_by_its_signal(hpc: Cli) -> None:
    job = asking(hpc)
    hpc("attach", job, "--print", check=True)
    hpc("cancel", job, check=True)
    hpc("wait", job)
    assert hpc("show", job, "--json").json["signal"] == signal.SIGTERM


def test_what_is_put_back_has_a_session_again_and_adds_to_its_output(hpc: Cli) -> None:
    job = asking(hpc)
    first = hpc("attach", job, "--print", check=True).out
    hpc("requeue", job, check=True)
    eventually(lambda: hpc("show", job, "--json").json["attempt"] == 2)
    with terminal([HPC, "attach", job]) as person:
        person.sees("ask")
        assert hpc("attach", job, "--print", check=True).out != first
        person.types("x\r")
        person.leaves()
    assert code(hpc, job) == 7
    assert Path(f"hpc-{job}.out").read_text() == "ask\nask\nx\ngot x\n"
