"""The daemon as verbs and its upkeep see it: what they may look at and touch, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hpcshell.core.errors import HpcError
from hpcshell.daemon.attachment import Attachment
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.gpus import Gpus
from hpcshell.daemon.notices import Notices
from hpcshell.daemon.server import Peer
from hpcshell.daemon.watchers import Watchers
from hpcshell.machine.logfile import LogFile


class Daemon(Protocol):
    """`engine` is another one after a commit that failed: it is not kept from one request to the
    next. `trouble` keeps changes from being recorded, `leaving` new jobs from being taken;
    `farewells` are the requests to be answered when it leaves. `configure` gives an engine the
    configuration as it is now, or raises `Wrong`."""

    engine: Engine
    watchers: Watchers
    notices: Notices
    log: LogFile
    started: float
    trouble: HpcError | None
    leaving: str
    farewells: list[tuple[Peer, int]]
    runner: Attachment
    gpus: Gpus
    configure: Callable[[Engine], None]

    def leave(self, *, cancel: bool) -> None:
        """Stop after this tick; with `cancel` once everything that runs has ended."""
