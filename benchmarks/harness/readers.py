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
from collections import Counter

_CHUNK = 1 << 18
FEWEST = 26
"""Rows that the first reader wants, where each wants another number of them."""


class Reader:
    """A connection that asks one thing over and over."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self._request = request
        self._inbox = bytearray()
        self._whole = 0
        self._begun = 0.0
        self.status = 0
        self.size = 0

    def ask(self) -> None:
        self._inbox.clear()
        self._whole = 0
        self._begun = time.perf_counter()
        self.sock.send(self._request)

    def hear(self) -> float | None:
        """Seconds that the answer took, once it is whole."""
        chunk = self.sock.recv(_CHUNK)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self._inbox += chunk
        if not self._whole and (end := self._inbox.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._inbox[:end])
            self.status, self.size = int(head[9:12]), _length(head)
            self._whole = end + 4 + self.size
        if not self._whole or len(self._inbox) < self._whole:
            return None
        return time.perf_counter() - self._begun


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without a length")


def _request(address: str, path: str, token: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"Host: {address}", f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _paths(path: str, readers: int, *, apart: bool) -> list[str]:
    """What each of them asks for."""
    joint = "&" if "?" in path else "?"
    more = [f"{joint}limit={FEWEST + at}" if apart else "" for at in range(readers)]
    return [path + each for each in more]


def read(address: str, paths: list[str], token: str, seconds: float) -> dict[str, object]:
    """`times` in seconds, how many answers of each of the `statuses`, and the `size` of the last
    in bytes. What was asked in time is waited for."""
    host, _, port = address.rpartition(":")
    chooser = selectors.DefaultSelector()
    for path in paths:
        one = Reader(host, int(port), _request(address, path, token))
        chooser.register(one.sock, selectors.EVENT_READ, one)
        one.ask()
    times: list[float] = []
    statuses: Counter[int] = Counter()
    size, asking, end = 0, len(paths), time.perf_counter() + seconds
    while asking:
        for key, _ in chooser.select(1.0):
            reader: Reader = key.data
            took = reader.hear()
            if took is None:
                continue
            times.append(took)
            statuses[reader.status] += 1
            size = reader.size
            if time.perf_counter() < end:
                reader.ask()
            else:
                asking -= 1
                chooser.unregister(reader.sock)
    return {"times": times, "statuses": statuses, "size": size}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("path")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--apart", action="store_true", help="each wants another number of rows")
    chosen = parser.parse_args()
    paths = _paths(chosen.path, chosen.readers, apart=chosen.apart)
    json.dump(read(chosen.address, paths, sys.stdin.read().strip(), chosen.seconds), sys.stdout)


if __name__ == "__main__":
    main()
