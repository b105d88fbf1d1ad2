"""Places for work that takes long: so many, and one of them for each caller."""

from __future__ import annotations

import threading


class Slots:
    """Any number of threads may use them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def take(self, user: str) -> str | None:
        """Take a place; why there is none, or `None`: it is taken."""
        with self._lock:
            if user in self._taken:
                return "an export of yours is being made already"
            if len(self._taken) >= self._most:
                return f"{self._most} exports are being made already"
            self._taken.add(user)
            return None

    def leave(self, user: str) -> None:
        """Let go of it; again, too."""
        with self._lock:
            self._taken.discard(user)
