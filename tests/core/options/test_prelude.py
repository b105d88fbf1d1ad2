"""What is done in the shell before a job starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.options.prelude import Prelude

LINE = Prelude(setup=("A=1",))


def test_everything_is_done_in_order_and_quoted():
    found = Prelude(modules=("gcc/12.2", "a b"), conda="x;y", venv="my env", setup=("ulimit -c 0",))
    assert found.lines() == [
        "module load gcc/12.2 'a b'",
        'eval "$(conda shell.bash hook)"',
        "conda activate 'x;y'",
        ". 'my env/bin/activate'",
        "ulimit -c 0",
    ]
    assert Prelude().lines() == []


@pytest.mark.parametrize(
    "first",
    [
        *(b"#!/bin/sh", b"#! /bin/bash -l", b"#!/usr/bin/env bash", b"#!/usr/bin/env -S bash -e"),
        *(b"#!/usr/local/bin/zsh", b"#!/bin/dash", b"#!/bin/ksh -x"),
    ],
)
def test_the_lines_come_right_after_the_first_of_a_shells_script(first: bytes):
    assert LINE.before(("x",), first + b"\necho\n") == (("x",), first + b"\nA=1\necho\n")
    assert LINE.before(("x",), first) == (("x",), first + b"\nA=1\n")


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
        ("/bin/bash", "-c", 'A=1\nexec "$@"'),
        tuple(words),
        None,
    )
