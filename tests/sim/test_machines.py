"""Machine files: what it takes to read one grows as the file does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.sim.bookings import reservations_of
from hpcshell.sim.machines import machine_of

NODES = '[[node]]\ncpus = 2\nmemory = "1G"\n'
APART = 'start = "{0}m"\nduration = "1m"\nidle = "9m"\ncpus = 1\nusers = ["ann"]\n'


def many(count: int) -> str:
    return "".join(f"[[reservation]]\n{APART.format(at)}" for at in range(count))


def calls(work: Callable[[], Any]) -> int:
    """How many functions are called by it."""
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


def read(nodes: int) -> int:
    return calls(lambda: machine_of("m", (NODES * nodes).encode()))


def test_many_kinds_of_nodes_are_read_in_linear_time() -> None:
    read(1)
    assert read(400) < 3 * read(200)


def book(count: int) -> int:
    file = machine_of("m", f"cpus = 4\n{many(count)}".encode())
    return calls(lambda: reservations_of(file, 4, None))


def test_times_of_reservations_are_read_without_looking_for_their_lines() -> None:
    book(1)
    assert book(40) < 40 * 400


def refusal(text: str) -> str:
    with pytest.raises(Wrong) as refused:
        reservations_of(machine_of("m", text.encode()), 4, None)
    return refused.value.message


def test_what_is_wrong_still_has_its_line() -> None:
    assert refusal(NODES * 2 + '[[node]]\ncpus = 1\nmemory = "x"').startswith(
        "m line 9: node[2].memory: 'x'"
    )
    text = f"cpus = 4\n{many(2)}[[reservation]]\n{APART.format('-')}"
    assert refusal(text).startswith("m line 15: reservation[2].start: '-m'")
