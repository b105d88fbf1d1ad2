"""What keeper and worker share by fork, and the signals they read."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from hpcshell.machine import kernel, tags
from hpcshell.machine.paths import Places

KEEPER_NAME: Final = "hpc-keeper"
WORKER_NAME: Final = "hpc-worker"
PARENT_DIED: Final = signal.SIGUSR2
WATCHED: Final = (
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    PARENT_DIED,
)


class Next(Enum):
    """Why a role ended: all is done, or the partner died and has to be replaced by a fork."""

    DONE = auto()
    FORK = auto()


@dataclass
class Ground:
    """Opened once, before the first fork; every later keeper and worker goes on with it."""

    places: Places
    listener: socket.socket
    lock: int
    nudge: int
    runner_id: str
    family: int
    """Whose numbers our runs carry; 0 where a hard limit forbids to carry any."""

    def tag(self, run: int) -> int:
        """The number every process of a run carries."""
        return tags.number(self.family, run)

    def words(self, run: int | None) -> tuple[bytes, ...]:
        """What the environment of every process of a run holds. Run ids repeat from one state
        directory to another, so the directory is named too.
        """
        ours = f"HPC_RUNNER_ID={self.runner_id}".encode()
        if run is None:
            return (ours,)
        return (f"HPC_RUN_ID={run}".encode(), ours)

    def sign(self, daemon: int) -> None:
        """Write into the lock file who the worker is and who the daemon was last: the one is asked
        to listen again through it, the other is never taken for a stray.
        """
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, b"%d %d\n" % (os.getpid(), daemon), 0)

    def signed_daemon(self) -> int:
        """The daemon that was last connected, 0 if none was."""
        words = os.pread(self.lock, 64, 0).split()
        return int(words[1]) if len(words) == 2 and words[1].isdigit() else 0


def leave_run(places: Places) -> None:
    """Be part of no run of this state directory, though one of them may have started us."""
    if tags.akin(tags.carried_by(os.getpid()), tags.number(tags.home_family(places.state), 0)):
        tags.drop()


def take_role(name: str) -> int:
    """Be called `name` in /proc, inherit orphans, and read signals from the descriptor returned."""
    kernel.become_subreaper()
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name)
    return kernel.signal_descriptor(WATCHED)
