"""How many requests there were and how long they took, by route; for `/metrics`.

The names of routes are their templates (`/jobs/{job_id}`), so that nobody makes more of them by
asking for more jobs.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Any, Final

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the upper bounds of the histogram's buckets."""
UNKNOWN: Final = "other"
"""The route of what leads nowhere."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MOST: Final = 500
"""Routes that are told apart."""


class Latencies:
    """A histogram: how many took how long, and their sum."""

    __slots__ = ("buckets", "sum")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        """Not added up: each holds what is in it and in none before it."""
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds


class Counts:
    """Requests by method, route and class of the status (`2xx`), latencies by route."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, str], int] = {}
        self.latencies: dict[str, Latencies] = {}
        self.running = 0

    def add(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One request is over. `seconds` None: it was a stream, whose length means nothing."""
        if route not in self.latencies and len(self.latencies) >= MOST:
            route = UNKNOWN
        key = (method if method in METHODS else UNKNOWN, route, f"{status // 100}xx")
        self.requests[key] = self.requests.get(key, 0) + 1
        latencies = self.latencies.setdefault(route, Latencies())
        if seconds is not None:
            latencies.add(seconds)


class Counting:
    """ASGI around the app that counts what goes through it."""

    def __init__(self, app: Any, counts: Counts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, stream, begun = 500, False, time.perf_counter()

        async def heard(message: Any) -> None:
            nonlocal status, stream
            if message["type"] == "http.response.start":
                status = message["status"]
                stream = any(
                    name == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message["headers"]
                )
            await send(message)

        self._counts.running += 1
        try:
            await self._app(scope, receive, heard)
        finally:
            self._counts.running -= 1
            route = str(scope.get("path_template") or UNKNOWN)
            took = None if stream else time.perf_counter() - begun
            self._counts.add(scope["method"], route, status, took)
