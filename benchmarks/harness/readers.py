"""Many readers of one web server at a time: how long each answer took, seen from outside.

    python -m harness.readers 127.0.0.1:8470 /api/v1/runs --readers 50 --seconds 5 < token

Each reader has a connection and asks again as soon as it has read an answer. One thread and plain
sockets: it must cost little beside the server, which it shares the machine with. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import sys
import time

_CHUNK = 1 << 18


class Reader:
    """A connection that asks one thing over and over."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self.sock = socket.create_connection((host, port))
        self.sock.setblocking(False)
        self._request = request
        self._inbox = b""
        self._begun = 0.0
        self.status = 0
        self.size = 0

    def ask(self) -> None:
        self._begun = time.perf_counter()
        self._inbox = b""
        self.sock.send(self._request)

    def hear(self) -> float | None:
        """Seconds that the answer took, once it is whole."""
        chunk = self.sock.recv(_CHUNK)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self._inbox += chunk
        head, found, body = self._inbox.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return None
        self.status, self.size = int(head[9:12]), len(body)
        return time.perf_counter() - self._begun


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without a length")


def read(address: str, path: str, token: str, readers: int, seconds: float) -> dict[str, object]:
    """`times` in seconds, and `statuses` and the `size` of the last answer in bytes."""
    host, _, port = address.rpartition(":")
    lines = (f"GET {path} HTTP/1.1", f"Host: {address}", f"Authorization: Bearer {token}")
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    chooser = selectors.DefaultSelector()
    for _ in range(readers):
        one = Reader(host, int(port), request)
        chooser.register(one.sock, selectors.EVENT_READ, one)
        one.ask()
    times: list[float] = []
    statuses: set[int] = set()
    size, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for key, _ in chooser.select(1.0):
            reader: Reader = key.data
            took = reader.hear()
            if took is not None:
                times.append(took)
                statuses.add(reader.status)
                size = reader.size
                reader.ask()
    return {"times": times, "statuses": sorted(statuses), "size": size}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("path")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    token = sys.stdin.read().strip()
    found = read(chosen.address, chosen.path, token, chosen.readers, chosen.seconds)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
