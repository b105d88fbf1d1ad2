"""Whose a process is, is found out once, and by its own mark alone."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcshell.core.gpus import Tenant
from hpcshell.machine import clock, tags
from hpcshell.machine.gpus.tenants import Who

TAGGED = """
import os, sys
from hpcshell.machine import tags
tags.carry(int(sys.argv[1]))
os.execve("/bin/sh", ["sh", "-c", "echo; read line"], {})
"""


@contextmanager
def running(*words: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has begun, and ends when its input does."""
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=env, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def told(who: Who, pid: int, memory: int | None = 5) -> Tenant:
    who.begin()
    [tenant] = who.tell([Tenant(pid=pid, memory=memory)])
    return tenant


def marked(state: Path, run: object) -> dict[str, str]:
    return {"HPC_RUN_ID": str(run), "HPC_RUNNER_ID": tags.home_word(str(state))}


def test_a_stranger_is_told_with_name_command_and_age(tmp_path: Path) -> None:
    with running("sh", "-c", "echo; read line") as process:
        tenant = told(Who(str(tmp_path)), process.pid)
    assert (tenant.user, tenant.command) == (getpass.getuser(), "sh -c echo; read line")
    assert tenant.since is not None
    assert abs(clock.now() - tenant.since) < 60
    assert (tenant.memory, tenant.run) == (5, 0)


def test_a_process_of_a_run_is_known_by_its_environment(tmp_path: Path) -> None:
    env = os.environ | marked(tmp_path, 41)
    with running("sh", "-c", "echo; read line", env=env) as process:
        assert told(Who(str(tmp_path)), process.pid).run == 41


def test_a_process_of_a_run_is_known_by_its_number_without_any_environment(tmp_path: Path) -> None:
    tag = tags.number(tags.home_family(str(tmp_path)), 42)
    with running(sys.executable, "-c", TAGGED, str(tag)) as process:
        assert told(Who(str(tmp_path)), process.pid).run == 42


def test_a_run_of_another_home_is_a_stranger(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    tag = tags.number(tags.home_family(str(other)), 42)
    with running("sh", "-c", "echo; read line", env=os.environ | marked(other, 41)) as process:
        assert told(Who(str(tmp_path)), process.pid).run == 0
    with running(sys.executable, "-c", TAGGED, str(tag)) as process:
        assert told(Who(str(tmp_path)), process.pid).run == 0


@pytest.mark.parametrize("run", ["", "-3", "many"])
def test_a_run_that_is_no_number_is_a_stranger(tmp_path: Path, run: str) -> None:
    env = os.environ | marked(tmp_path, run)
    with running("sh", "-c", "echo; read line", env=env) as process:
        assert told(Who(str(tmp_path)), process.pid).run == 0


def test_without_a_state_directory_all_are_strangers(tmp_path: Path) -> None:
    env = os.environ | marked(tmp_path, 41)
    with running("sh", "-c", "echo; read line", env=env) as process:
        assert told(Who(str(tmp_path / "none")), process.pid).run == 0


def test_a_dead_process_is_told_as_it_was_said(tmp_path: Path) -> None:
    who = Who(str(tmp_path))
    with running("sh", "-c", "echo; read line") as process:
        assert told(who, process.pid).user
    assert told(who, process.pid) == Tenant(pid=process.pid, memory=5)


def test_a_process_is_looked_at_once_but_its_memory_is_that_of_now(tmp_path: Path) -> None:
    who = Who(str(tmp_path))
    with running("sh", "-c", "echo; read line; exec sh -c 'echo; read again'") as process:
        before = told(who, process.pid, 5)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        again = told(who, process.pid, 6)
        assert (again.command, again.since, again.memory) == (before.command, before.since, 6)
        who.begin()
        who.begin()  # a survey without it
        assert told(who, process.pid).command == "sh -c echo; read again"


def test_a_command_is_short_and_obeyed_by_no_terminal(tmp_path: Path) -> None:
    with running("sh", "-c", "echo; read line", "\x1b[31m" + "x" * 200) as process:
        command = told(Who(str(tmp_path)), process.pid).command
    assert command.startswith("sh -c echo; read line ?[31mx")
    assert command.endswith("x...")
    assert len(command) == 80


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2**32 - 1), unique=True))
def test_whatever_pids_are_named_each_is_told_once(tmp_path: Path, pids: list[int]) -> None:
    named = [Tenant(pid=pid, memory=pid) for pid in pids]
    who = Who(str(tmp_path))
    who.begin()
    found = who.tell(named)
    assert [(tenant.pid, tenant.memory) for tenant in found] == [(pid, pid) for pid in pids]
