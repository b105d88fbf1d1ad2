"""The runner: `python -m hpcshell.daemon.runner`. Starts, limits, watches and reaps runs; outlives
the daemon.

Two processes, a keeper and its child, the worker, either of which may be killed at any time: the
other forks a replacement and no exit status is lost. All forking is in `live`.
"""

from __future__ import annotations

import fcntl
import gc
import os
import socket
import sys
import traceback

from hpcshell.core.errors import HpcError
from hpcshell.daemon.runner.ground import Ground, Next, leave_run
from hpcshell.daemon.runner.keeper import Keeper, close_all
from hpcshell.daemon.runner.worker import Worker
from hpcshell.machine import tags
from hpcshell.machine.listening import listen
from hpcshell.machine.paths import Places, places

LOCK_DESCRIPTOR = 3
LISTENER_DESCRIPTOR = 4
ALREADY_RUNNING = 75


def main(argv: list[str]) -> int:
    """With `--inherited`, the lock and the listening socket are descriptors 3 and 4."""
    inherited = "--inherited" in argv
    _close_from(LISTENER_DESCRIPTOR + 1 if inherited else LOCK_DESCRIPTOR)
    try:
        where = places(os.environ)
        where.prepare()
        ground = _inherited(where) if inherited else _opened(where)
    except HpcError as error:
        print(f"hpc runner: {error}", file=sys.stderr)
        return error.exit_code
    if ground is None:
        print("hpc runner: another runner has this state directory", file=sys.stderr)
        return ALREADY_RUNNING
    os.chdir("/")
    os.umask(0o077)
    # What is here stays, and is shared by all forks; garbage in cycles is rare.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)
    live(ground)
    return 0


def _close_from(first: int) -> None:
    """Close what whoever started us left open: a pipe of theirs would never end while we live."""
    os.closerange(first, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def _inherited(where: Places) -> Ground:
    listener = socket.socket(fileno=LISTENER_DESCRIPTOR)
    for descriptor in (LOCK_DESCRIPTOR, LISTENER_DESCRIPTOR):
        os.set_inheritable(descriptor, False)
    return _ground(where, LOCK_DESCRIPTOR, listener)


def _opened(where: Places) -> Ground | None:
    lock = take_lock(where)
    return None if lock is None else _ground(where, lock, listen(where.runner_socket))


def _ground(where: Places, lock: int, listener: socket.socket) -> Ground:
    listener.setblocking(False)
    nudge = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    leave_run(where)
    family = tags.home_family(where.state)
    if not tags.can_carry(tags.number(family, 0)):
        family = 0
    return Ground(where, listener, lock, nudge, tags.home_word(where.state), family)


def take_lock(where: Places) -> int | None:
    """The lock that one runner per state directory holds as long as either process lives; None if
    taken.
    """
    lock = os.open(where.runner_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def live(ground: Ground) -> None:
    """Be keeper and worker by turns, in as many processes as it takes."""
    keeper = Keeper(ground)
    while keeper.keep() is Next.FORK:
        parent = os.getpid()
        descriptors = keeper.descriptors()
        child = os.fork()
        if child:
            keeper.forked(child)
            close_all(descriptors.values())
            continue
        keeper.close()
        worker = Worker.recovered(ground, parent, descriptors, keeper.unwritten)
        while True:
            if _serve(worker) is Next.DONE:
                os._exit(0)
            worker.brood.open_descriptors()
            parent = os.getpid()
            child = os.fork()
            if child:
                break
            worker = worker.heir(parent)
        keeper = Keeper(ground, worker.leave_to_heir(), child)


def _serve(worker: Worker) -> Next:
    try:
        return worker.serve()
    except BaseException:
        # A defect of ours: the keeper forks another, which starts again from the journal.
        traceback.print_exc()
        os._exit(70)
