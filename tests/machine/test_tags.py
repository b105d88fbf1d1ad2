"""A number stays with a process and all it makes, and says whose it is."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.machine import tags

DEVICES = st.integers(0, 2**64 - 1)
INODES = st.integers(0, 2**32 - 1)
RUNS = st.integers(1, 2**40)


@pytest.fixture
def mine() -> Iterator[int]:
    before = resource.getrlimit(10)
    yield tags.number(tags.family(1, 2), 4711)
    resource.setrlimit(10, before)


@given(DEVICES, INODES, INODES, RUNS, RUNS)
def test_two_directories_of_a_file_system_never_mean_the_same(device, one, other, run, another):
    first, second = tags.family(device, one), tags.family(device, other)
    if one != other and 0 not in (one, other):
        assert first != second
        assert not tags.akin(tags.number(first, run), tags.number(second, another))


@given(DEVICES, INODES, RUNS, st.integers(1, 2**31 - 1))
def test_runs_of_a_family_are_told_apart(device, inode, run, further):
    one, other = (tags.number(tags.family(device, inode), each) for each in (run, run + further))
    assert tags.akin(one, other)
    assert one != other


@given(DEVICES, INODES, RUNS, st.integers(0, 2**31 - 1))
def test_a_limit_somebody_set_for_its_own_sake_is_akin_to_no_number(device, inode, run, limit):
    assert not tags.akin(limit, tags.number(tags.family(device, inode), run))
    assert not tags.akin(limit, limit)


@given(DEVICES, INODES, RUNS)
def test_every_number_is_a_limit_the_kernel_takes(device, inode, run):
    assert 2**31 <= tags.number(tags.family(device, inode), run) < 2**63


def test_a_number_stays_through_exec_and_death(mine: int) -> None:
    assert tags.carry(mine)
    child = subprocess.Popen(["env", "-i", "/bin/true"])
    # Looked at before it is reaped: a zombie still says whose it was.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert tags.carried_by(child.pid) == mine
    child.wait()
    assert tags.carried_by(child.pid) == tags.NO_TAG


def test_to_ask_whether_one_could_changes_nothing(mine: int) -> None:
    before = tags.carried_by(os.getpid())
    assert tags.can_carry(mine)
    assert tags.carried_by(os.getpid()) == before
    tags.carry(mine)
    assert tags.can_carry(mine + 1)
    assert tags.carried_by(os.getpid()) == mine
    tags.drop()
    assert tags.carried_by(os.getpid()) == tags.NO_TAG


def test_a_hard_limit_forbids_it(mine: int) -> None:
    pid = os.fork()
    if not pid:
        resource.setrlimit(10, (5, 5))
        if not os.geteuid():
            os.setuid(65534)  # root may raise every limit
        os._exit(int(tags.can_carry(mine) or tags.carry(mine)))
    assert os.waitpid(pid, 0)[1] == 0
