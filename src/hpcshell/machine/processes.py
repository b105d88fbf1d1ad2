"""Who a process is, which processes belong to a run, and how to end all of them.

A pid alone is nobody: it is used again. With the start time the kernel gave it and the boot id it
is an identity. A run's processes are found by descent, session, process group, the number they
carry (`tags`) and a mark in their environment, so that double forks, `setsid` and `env -i` do not
hide any. Once there are cgroups, `belonging` is where they decide.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from hpcshell.machine import clock, tags

ZOMBIE: Final = ("Z", "X", "x")
STOPPED: Final = ("T", "t")
DESCRIPTORS_LEFT: Final = 24
FREEZE_ROUNDS: Final = 50
EXEC_PATIENCE: Final = 20
KTHREADD: Final = 2


class Identity(NamedTuple):
    """One process, for ever."""

    pid: int
    ticks: int
    boot: str


class Row(NamedTuple):
    """A process as /proc shows it."""

    pid: int
    comm: str
    state: str
    ppid: int
    pgrp: int
    session: int
    ticks: int
    status: int


class Mark(NamedTuple):
    """How the processes of one run are recognised: its leader, the words all its environments
    hold, and the number they carry.
    """

    leader: int
    ticks: int
    words: tuple[bytes, ...]
    tag: int = tags.NO_TAG


def look(pid: int) -> Row | None:
    """The process with this pid, a zombie too; None when there is none."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _row(pid, os.read(descriptor, 4096))
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)


def _row(pid: int, line: bytes) -> Row:
    # The name may hold anything, brackets and spaces too: it ends at the last bracket.
    start, end = line.index(b"("), line.rindex(b")")
    field = line[end + 2 :].split()
    return Row(
        pid=pid,
        comm=line[start + 1 : end].decode(errors="replace"),
        state=field[0].decode(),
        ppid=int(field[1]),
        pgrp=int(field[2]),
        session=int(field[3]),
        ticks=int(field[19]),
        status=int(field[49]),
    )


def start_ticks(pid: int) -> int | None:
    """When this process, zombie or not, was started; cheaper than `look`."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(descriptor, 1024)
        return int(line[line.rindex(b")") + 2 :].split(None, 20)[19])
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)


def identify(pid: int) -> Identity | None:
    """Who has this pid now."""
    row = look(pid)
    return row and Identity(pid, row.ticks, clock.boot_id())


def alive(identity: Identity) -> bool:
    """Whether this very process still runs (a zombie does not)."""
    row = look(identity.pid)
    return (
        row is not None
        and row.ticks == identity.ticks
        and row.state not in ZOMBIE
        and identity.boot == clock.boot_id()
    )


def open_descriptor(pid: int) -> int:
    """A pidfd, or -1: no such process, or hardly a descriptor left for anything else."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return -1
    if descriptor < resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS_LEFT:
        return descriptor
    os.close(descriptor)
    return -1


def all_pids() -> list[int]:
    """Every process there is now."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def snapshot() -> dict[int, Row]:
    """Every process there is now, by pid."""
    rows = (look(pid) for pid in all_pids())
    return {row.pid: row for row in rows if row is not None}


def children_of(pid: int) -> list[int]:
    """The children (zombies too) of a process whose only thread is its first. Empty when it is
    gone.

    Of ourselves the list is exact: children leave it only when we reap them.
    """
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", buffering=0) as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


def environment(pid: int) -> bytes:
    """The NAME=VALUE words this process was started with, each between two NULs; none of a process
    that may not be asked."""
    found = b""
    for _ in range(EXEC_PATIENCE):
        found = _file(pid, "environ")
        if found or _file(pid, "cmdline"):
            break
        # Neither environment nor arguments: it is in the middle of an exec, or a kernel thread.
        row = look(pid)
        if row is None or row.state in ZOMBIE or KTHREADD in (pid, row.ppid):
            return b""
        time.sleep(0.0005)
    return b"\0" + found + b"\0"


def environment_has(pid: int, words: Iterable[bytes]) -> bool:
    """Whether the environment this process was started with holds all these NAME=VALUE words."""
    whole = environment(pid)
    return all(b"\0" + word + b"\0" in whole for word in words)


def command_line(pid: int) -> tuple[str, ...]:
    """The words this process was started with; none of a kernel thread, a zombie or nobody."""
    text = _file(pid, "cmdline").decode(errors="replace")
    return tuple(text.rstrip("\0").split("\0")) if text else ()


def environment_names(pid: int, name: str) -> bool:
    """Whether the environment this process was started with has a variable of that name."""
    return b"\0" + name.encode() + b"=" in b"\0" + _file(pid, "environ")


def carries(pid: int, mark: Mark) -> bool:
    """Whether a process of our user says that it is of this run: by its number, else by its
    environment. (Anybody may give his own processes any number and any environment.)
    """
    if not is_ours(pid):
        return False
    tag = tags.carried_by(pid)
    if tags.akin(tag, mark.tag):
        return tag == mark.tag
    return environment_has(pid, mark.words)


def is_ours(pid: int) -> bool:
    """Whether this is a process of our user."""
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def _file(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            return file.read() or b""
    except OSError:
        return b""


def belonging(mark: Mark, table: dict[int, Row], apart: Collection[int] = ()) -> list[Row]:
    """The one decision which processes belong to a run; zombies are left out.

    Members are the leader, its session and group, whoever carries the run's mark, and all their
    descendants; `apart` are processes that never belong (the runner's own, the daemon, other
    leaders).
    """
    leader = table.get(mark.leader)
    own_number = leader is None or leader.ticks == mark.ticks
    seeds = [
        row.pid
        for row in table.values()
        if row.pid not in apart
        and row.ticks >= mark.ticks
        and (
            (own_number and mark.leader in (row.pid, row.session, row.pgrp))
            or (row.state not in ZOMBIE and carries(row.pid, mark))
        )
    ]
    members = with_descendants(seeds, table, apart)
    return [table[pid] for pid in members if table[pid].state not in ZOMBIE]


def with_descendants(
    seeds: Iterable[int], table: dict[int, Row], apart: Collection[int] = ()
) -> set[int]:
    """These pids and everything below them, not looking below those set apart."""
    below: dict[int, list[int]] = {}
    for row in table.values():
        below.setdefault(row.ppid, []).append(row.pid)
    found: set[int] = set()
    todo = list(seeds)
    while todo:
        pid = todo.pop()
        if pid not in found and pid not in apart:
            found.add(pid)
            todo.extend(below.get(pid, ()))
    return found


def send(row: Row, number: int) -> bool:
    """Signal this very process; False when it is gone or not ours to signal. Never hits a reused
    pid.
    """
    try:
        descriptor = os.pidfd_open(row.pid)
    except OSError:
        return False
    try:
        now = look(row.pid)
        if now is None or now.ticks != row.ticks:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def signal_tree(members: Iterable[Row], number: int) -> int:
    """Signal all of them; says how many it reached."""
    return sum(send(row, number) for row in members)


def kill_tree(find: Callable[[], list[Row]], apart: Collection[int] = ()) -> tuple[int, int]:
    """One attempt at ending everything `find` finds: how many there were, and how many it could
    signal.

    All are stopped first, again and again until no new one turns up: what is stopped forks no more
    and keeps its children in sight. Only then are they killed. Whole process groups are signalled,
    for the kernel does that at one stroke, forks in progress included; groups with one of `apart`
    in them are not. Does not wait for anything to be gone.
    """
    spared = _groups_of(apart)
    members, _ = _stop_all(find, spared)
    return len(members), _signal_groups(members, signal.SIGKILL, spared)


def stop_tree(find: Callable[[], list[Row]], apart: Collection[int] = ()) -> bool:
    """One attempt at stopping everything `find` finds, in the way of `kill_tree`; False: new ones
    kept coming, so some may still run."""
    _, settled = _stop_all(find, _groups_of(apart))
    return settled


def continue_tree(find: Callable[[], list[Row]], apart: Collection[int] = ()) -> None:
    """Let everything go on that `find` finds stopped, also what is found only after that."""
    spared = _groups_of(apart)
    continued: set[_Addressed] = set()
    for _ in range(FREEZE_ROUNDS):
        # What has been sent SIGSTOP and hangs in the kernel is not shown as stopped yet.
        fresh = [row for row in find() if _addressed(row) not in continued]
        _signal_groups(fresh, signal.SIGCONT, spared)
        continued.update(map(_addressed, fresh))
        if not any(row.state in STOPPED for row in fresh):
            return


_Addressed = tuple[int, int, int]
"""A process, and the group by which it was signalled."""


def _addressed(row: Row) -> _Addressed:
    """Who has left its group since it was looked at was not reached, and is to be signalled
    again."""
    return row.pid, row.ticks, row.pgrp


def _groups_of(apart: Collection[int]) -> set[int]:
    """Our own process group and those of others that are not to be signalled as a whole."""
    return {row.pgrp for row in map(look, {os.getpid(), *apart}) if row is not None}


def _stop_all(find: Callable[[], list[Row]], spared: Collection[int]) -> tuple[list[Row], bool]:
    """Stop again and again until no new one turns up; all there are, and whether that was so."""
    stopped: set[_Addressed] = set()
    members = find()
    for _ in range(FREEZE_ROUNDS):
        fresh = [row for row in members if _addressed(row) not in stopped]
        if not fresh:
            return members, True
        _signal_groups(fresh, signal.SIGSTOP, spared)
        stopped.update(map(_addressed, fresh))
        members = find()
    return members, False


def _signal_groups(rows: list[Row], number: int, spared: Collection[int]) -> int:
    """Signal the groups of these processes, and those in spared groups one by one."""
    reached = signal_tree([row for row in rows if row.pgrp in spared], number)
    for group in {row.pgrp for row in rows if row.pgrp > 1} - set(spared):
        with contextlib.suppress(OSError):
            os.killpg(group, number)
            reached += 1
    return reached


def signal_number(name: int | str) -> int:
    """USR1, SIGUSR1, usr1 or 10; ValueError for anything that is no signal."""
    if isinstance(name, str):
        word = name.strip().upper()
        if not word.isdigit():
            word = word if word.startswith("SIG") else f"SIG{word}"
            if not hasattr(signal, word) or "_" in word:
                raise ValueError(f"no signal is called {name!r}")
            return int(getattr(signal, word))
        name = int(word)
    if not 1 <= name < signal.NSIG:
        raise ValueError(f"{name} is no signal number")
    return name


def await_ends(pids: Iterable[int], timeout: float) -> bool:
    """Wait until none of these processes is alive; False if `timeout` seconds were not enough."""
    until = clock.monotonic() + timeout
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid) if pid > 0 else -1
        except ProcessLookupError:
            continue
        if descriptor < 0:
            continue
        with contextlib.closing(select.epoll()) as gone:
            gone.register(descriptor, select.EPOLLIN)
            ended = bool(gone.poll(max(0.0, until - clock.monotonic())))
        os.close(descriptor)
        if not ended:
            return False
    return True
