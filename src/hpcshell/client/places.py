"""What a client has to know about a state directory; `hpcshell.machine.paths` supplies it."""

from __future__ import annotations

from typing import Protocol


class Places(Protocol):
    """Where the daemon of a state directory listens, locks and writes."""

    @property
    def state(self) -> str: ...

    @property
    def daemon_socket(self) -> str: ...

    @property
    def daemon_stderr(self) -> str: ...

    @property
    def daemon_lock(self) -> str: ...
