"""Processes are known by more than their pid, and none of a run's escapes."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from hpcshell.machine import clock, kernel, processes
from hpcshell.machine.processes import Mark


@pytest.fixture
def leader() -> Iterator[Callable[[str], Mark]]:
    """Starts a shell script as a run; whatever it left is killed at the end."""
    word = f"HPC_RUN_ID=test{os.getpid()}"
    marks: list[Mark] = []

    def start(script: str) -> Mark:
        env = {"PATH": os.environ["PATH"], "HPC_RUN_ID": word.partition("=")[2]}
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", script], env, setsid=True)
        ticks = processes.start_ticks(pid)
        assert ticks is not None
        marks.append(Mark(pid, ticks, (word.encode(),)))
        return marks[-1]

    yield start
    for mark in marks:
        while processes.kill_tree(lambda mark=mark: find(mark))[0]:  # type: ignore[misc]
            pass
        os.waitpid(mark.leader, 0)


def find(mark: Mark) -> list[processes.Row]:
    return processes.belonging(mark, processes.snapshot(), {os.getpid()})


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_pid_alone_is_nobody() -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    assert processes.alive(me)
    assert not processes.alive(me._replace(ticks=me.ticks + 1))
    assert not processes.alive(me._replace(boot="another"))
    assert processes.identify(2**22 + 1) is None


def test_a_zombie_is_not_alive_but_can_be_looked_at() -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 9"], {})
    who = processes.identify(pid)
    until(lambda: kernel.peek_child(pid))
    assert who is not None
    assert not processes.alive(who)
    row = processes.look(pid)
    assert row is not None
    assert (row.state, os.waitstatus_to_exitcode(row.status)) == ("Z", 9)
    os.waitpid(pid, 0)


def test_names_with_brackets_and_blanks_are_read(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "a) R 1 (b")
    os.symlink("/bin/sleep", path)
    child = subprocess.Popen([path, "60"])
    row = processes.look(child.pid)
    assert row is not None
    assert (row.comm, row.ppid) == ("a) R 1 (b", os.getpid())
    child.kill()
    child.wait()


def test_peeking_tells_how_a_child_ended_and_leaves_it() -> None:
    for script, status in (("exit 3", 3 << 8), ("kill -KILL $$", 9)):
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", script], {})
        until(functools.partial(kernel.peek_child, pid))
        peeked = kernel.peek_child(pid)
        again = kernel.peek_child(pid)
        reaped, truth, usage = os.wait4(pid, 0)
        assert peeked == again
        assert peeked is not None
        assert (peeked.pid, peeked.status) == (reaped, truth)
        assert peeked.cpu_user == pytest.approx(usage.ru_utime)
        assert peeked.cpu_system == pytest.approx(usage.ru_stime)
        assert peeked.max_rss == usage.ru_maxrss * 1024
        assert truth == status


def test_the_kernel_tells_how_a_strangers_child_ended_where_it_can() -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], {})
    descriptor = processes.open_descriptor(pid)
    until(lambda: kernel.peek_child(pid))
    assert kernel.exit_status_of(descriptor) is None
    os.waitpid(pid, 0)
    assert kernel.exit_status_of(descriptor) in (6 << 8, None)
    os.close(descriptor)
    assert processes.open_descriptor(pid) == -1


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("sleep 60; :", 2),
        ("(sleep 60 &); sleep 60; :", 3),
        ("(setsid sleep 60 &); sleep 60; :", 3),
        ("env -i setsid sleep 60 & wait", 2),
        ("setsid sh -c 'env -i setsid sleep 60 & wait' & wait", 3),
    ],
)
def test_descent_session_and_mark_find_them_all(
    leader: Callable[[str], Mark], script: str, count: int
) -> None:
    mark = leader(script)
    until(lambda: sum(row.comm == "sleep" for row in find(mark)) and len(find(mark)) == count)
    until(lambda: not processes.kill_tree(lambda: find(mark))[0])
    assert find(mark) == []


def test_others_are_left_alone(leader: Callable[[str], Mark]) -> None:
    mine, other = leader("sleep 60; :"), leader("sleep 60; :")
    stranger = other._replace(words=(b"HPC_RUN_ID=other",))
    mine = mine._replace(words=(b"HPC_RUN_ID=mine",))
    until(lambda: len(find(mine)) == len(find(stranger)) == 2)
    processes.kill_tree(lambda: find(mine))
    until(lambda: not find(mine))
    assert len(find(stranger)) == 2


def test_a_reused_pid_is_not_signalled() -> None:
    child = subprocess.Popen(["sleep", "60"])
    row = processes.look(child.pid)
    assert row is not None
    assert not processes.send(row._replace(ticks=row.ticks - 1), signal.SIGKILL)
    assert child.poll() is None
    assert processes.send(row, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def test_what_forks_all_the_time_is_killed(leader: Callable[[str], Mark]) -> None:
    # Bounded, should the killing fail: 2^9 shells, 200 sleepers.
    tree = "f() { [ $1 = 0 ] && exec sleep 60; sleep 0.02; f $(($1 - 1)) & f $(($1 - 1)) & wait; }"
    chain = "for i in $(seq 200); do (setsid sleep 60 &); done"
    mark = leader(f"{tree}; ({chain}) & f 8")
    until(lambda: len(find(mark)) > 30)
    until(lambda: not processes.kill_tree(lambda: find(mark))[0])
    assert find(mark) == []


def test_who_leaves_its_group_while_that_is_stopped_is_stopped_too(
    leader: Callable[[str], Mark],
) -> None:
    left, gone = leader("exec sleep 60"), leader("exec sleep 60")
    rows = [processes.look(left.leader), processes.look(gone.leader)]
    before = [[row._replace(pgrp=gone.leader) for row in rows if row is not None]]
    assert processes.stop_tree(lambda: before.pop() if before else find(left))
    until(lambda: {row.state for row in find(left)} == {"T"})


def test_signals_have_names_and_numbers() -> None:
    same: list[str | int] = ["USR1", "SIGUSR1", "usr1", "10", 10]
    assert {processes.signal_number(each) for each in same} == {signal.SIGUSR1}
    wrong: list[str | int] = ["", "NOPE", "SIG_IGN", 0, -1, 1000, "99999"]
    for bad in wrong:
        with pytest.raises(ValueError, match="signal"):
            processes.signal_number(bad)


def test_start_times_and_the_clock_agree() -> None:
    before = clock.boot_ticks()
    child = subprocess.Popen(["true"])
    ticks = processes.start_ticks(child.pid)
    child.wait()
    assert ticks is not None
    assert before - 1 <= ticks <= clock.boot_ticks()
