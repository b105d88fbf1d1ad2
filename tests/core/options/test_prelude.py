"""What is done in the shell before a job starts."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.options.prelude import Prelude

LINE = Prelude(setup=("A=1",))
DONE = b"A=1\n"


def check(line: str) -> str:
    """What comes after a step."""
    said = shlex.quote(f"hpc: this failed, so the job is not run: {line}")
    return f"[ $? -eq 0 ] || {{ printf '%s\\n' {said} >&2; exit 1; }}"


def test_everything_is_done_in_order_and_quoted():
    found = Prelude(modules=("gcc/12.2", "a b"), conda="x;y", venv="my env", setup=("ulimit -c 0",))
    steps = (
        "module load gcc/12.2 'a b'",
        "conda activate 'x;y'",
        ". 'my env/bin/activate'",
        "ulimit -c 0",
    )
    lines = [line for step in steps for line in (step, check(step))][:-1]
    assert found.lines() == [*lines[:2], 'eval "$(conda shell.bash hook)"', *lines[2:]]
    assert Prelude().lines() == []


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    "failing",
    [
        Prelude(modules=("no/such",)),
        Prelude(conda="nowhere"),
        Prelude(venv="/nonexistent/venv"),
    ],
)
def test_nothing_is_run_after_a_step_that_failed(shell: str, failing: Prelude):
    _, script = failing.before(("x",), b"#!/bin/sh\necho ran\n") or ((), b"")
    done = subprocess.run([shell], input=script, capture_output=True, check=False)
    assert done.returncode != 0
    assert done.stdout == b""
    assert done.stderr


def test_what_failed_is_named_on_the_last_line():
    argv, _ = Prelude(venv="no 'such' $(dir)").before(("echo", "ran"), None) or ((), None)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    step = ". 'no '\"'\"'such'\"'\"' $(dir)/bin/activate'"
    assert done.stderr.endswith(f"hpc: this failed, so the job is not run: {step}\n")


@pytest.mark.parametrize(
    "lines",
    [
        ("A=1 # & why", "sleep 0 &"),
        ("[ -f /nonexistent ] && . /nonexistent",),
        ("if false; then", "exit 3", "fi"),
    ],
)
def test_lines_of_the_users_own_stand_as_they_are(lines: tuple[str, ...]):
    argv, _ = Prelude(setup=lines).before(("echo", "ran"), None) or ((), None)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")


@pytest.mark.parametrize(
    "first",
    [
        *(b"#!/bin/sh", b"#! /bin/bash -l", b"#!/usr/bin/env bash", b"#!/usr/bin/env -S bash -e"),
        *(b"#!/usr/local/bin/zsh", b"#!/bin/dash", b"#!/bin/ksh -x"),
    ],
)
def test_the_lines_come_right_after_the_first_of_a_shells_script(first: bytes):
    assert LINE.before(("x",), first + b"\necho\n") == (("x",), first + b"\n" + DONE + b"echo\n")
    assert LINE.before(("x",), first) == (("x",), first + b"\n" + DONE)


@pytest.mark.parametrize(
    "first",
    [b"#!/usr/bin/python3", b"#!/usr/bin/python3 /bin/sh", b"#!/bin/tcsh", b"#!/bin/fish", b"true"],
)
def test_another_interpreter_is_left_alone(first: bytes):
    assert LINE.before(("x",), first + b"\n") is None


@given(st.lists(st.text(max_size=5), min_size=1))
def test_a_command_keeps_its_words(words: list[str]):
    found = LINE.before(tuple(words), None)
    assert found is not None
    argv, script = found
    assert (argv[:3], argv[4:], script) == (
        ("/bin/bash", "-c", DONE.decode() + 'exec "$@"'),
        tuple(words),
        None,
    )
