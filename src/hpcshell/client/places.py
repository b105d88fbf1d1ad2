"""What a client has to know about a state directory; `hpcshell.machine.paths` supplies it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Places(Protocol):
    """Where the daemon of a state directory listens, locks and writes."""

    @property
    def state(self) -> Path: ...

    @property
    def daemon_socket(self) -> Path: ...

    @property
    def daemon_lock(self) -> Path: ...
