"""The control socket: who is connected, what they said, what is still to be sent to them.

JSON lines both ways. Nothing here decides anything; the loop takes requests and hands back replies.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hpcshell.core.errors import HpcError, Wrong

LINE_LIMIT: Final = 64 * 1024 * 1024
OUTBOX_LIMIT: Final = 64 * 1024 * 1024
CHUNK: Final = 1 << 18
_encode = msgspec.json.Encoder().encode


class Ask(msgspec.Struct):
    """One line from a client."""

    verb: str
    id: int = 0
    args: dict[str, Any] = {}


_decode = msgspec.json.Decoder(Ask).decode


class Peer:
    """One connection, with the identity the kernel vouches for."""

    __slots__ = ("closed", "gone", "inbox", "outbox", "pid", "sock", "uid")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.pid, self.uid, _ = struct.unpack("3i", credentials)
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.closed = False
        self.gone: list[Any] = []

    def receive(self) -> list[bytes]:
        """The complete lines that have arrived. Marks the peer closed at the end of its stream."""
        while True:
            try:
                chunk = self.sock.recv(CHUNK)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                self.closed = True
                break
            self.inbox += chunk
            if len(chunk) < CHUNK:
                break
        if b"\n" not in self.inbox:
            return self._refuse_endless()
        *lines, rest = bytes(self.inbox).split(b"\n")
        self.inbox = bytearray(rest)
        return lines

    def _refuse_endless(self) -> list[bytes]:
        if len(self.inbox) > LINE_LIMIT:
            self.inbox.clear()
            self.fail(0, Wrong(f"a request over {LINE_LIMIT >> 20} MiB is not read"))
            self.flush()
            self.closed = True
        return []

    def answer(self, ask: int, ok: Any) -> None:
        self._say({"id": ask, "ok": ok})

    def tell(self, ask: int, event: Any) -> None:
        self._say({"id": ask, "event": event})

    def fail(self, ask: int, error: HpcError) -> None:
        self._say(
            {
                "id": ask,
                "error": {
                    "kind": error.kind,
                    "message": error.message,
                    "hint": error.hint,
                    "exit_code": error.exit_code,
                },
            }
        )

    def _say(self, message: dict[str, Any]) -> None:
        self.outbox += _encode(message)
        self.outbox += b"\n"
        if len(self.outbox) > OUTBOX_LIMIT:  # a reader that sleeps must not eat our memory
            self.closed = True

    def flush(self) -> None:
        """Send what the socket takes now."""
        while self.outbox:
            try:
                sent = self.sock.send(self.outbox)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            del self.outbox[:sent]


def read_ask(line: bytes) -> Ask:
    """Raises `Wrong` for anything that is not a request."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Wrong(
            f"not a request: {error}", "one JSON object a line, with verb and args"
        ) from None


class Server:
    """The listening socket and its peers, registered with the loop's selector."""

    def __init__(self, selector: selectors.BaseSelector, path: str) -> None:
        self.selector = selector
        self.path = path
        self.peers: set[Peer] = set()
        self.listener: socket.socket | None = None

    def listen(self) -> None:
        """(Re)create the socket file. The caller holds the state lock, so whatever lies there is
        stale."""
        self.close_listener()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind(self.path)
        os.chmod(self.path, 0o600)
        listener.listen(512)
        self.listener = listener
        self.selector.register(listener, selectors.EVENT_READ, self)

    def accept(self) -> None:
        """Take in all who knock; foreign users are turned away by closing."""
        assert self.listener is not None
        while True:
            try:
                sock, _ = self.listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # out of file descriptors: those who knock wait in the backlog
                return
            sock.setblocking(False)
            peer = Peer(sock)
            if peer.uid not in (0, os.geteuid()):
                sock.close()
                continue
            self.peers.add(peer)
            self.selector.register(sock, selectors.EVENT_READ, peer)

    def requests(self, peer: Peer) -> Iterator[Ask]:
        """What the peer asks; nonsense is answered here."""
        for line in peer.receive():
            if not line.strip():
                continue
            try:
                yield read_ask(line)
            except Wrong as error:
                peer.fail(0, error)

    def flush(self) -> None:
        """Send what is waiting and forget peers that have left."""
        for peer in [peer for peer in self.peers if peer.outbox or peer.closed]:
            peer.flush()
            if peer.closed:
                self.drop(peer)
            else:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outbox else 0)
                if self.selector.get_key(peer.sock).events != wanted:
                    self.selector.modify(peer.sock, wanted, peer)

    def drop(self, peer: Peer) -> None:
        self.peers.discard(peer)
        with contextlib.suppress(KeyError):
            self.selector.unregister(peer.sock)
        peer.sock.close()
        for leave in peer.gone:
            leave()

    def close_listener(self) -> None:
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def close(self) -> None:
        """Stop listening, send the last words, remove the socket file."""
        self.close_listener()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        for peer in list(self.peers):
            peer.flush()
            self.drop(peer)
