"""The control socket: who is connected, what they said, what is still to be sent to them.

JSON lines both ways. Nothing here decides anything; the loop takes requests and hands back replies.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

import msgspec

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.machine.listening import listen

LINE_LIMIT: Final = 64 * 1024 * 1024
OUTBOX_LIMIT: Final = 64 * 1024 * 1024
OUTBOX_FULL: Final = 1 << 20
"""With so much unsent, nothing more is done for a peer."""
LINES_FULL: Final = 1000
"""With so many requests to be dealt with, no more are read from a peer."""
TURN: Final = 100
"""Requests of one peer that are dealt with in one tick."""
CHUNK: Final = 1 << 18
_encode = msgspec.json.Encoder().encode


class Ask(msgspec.Struct):
    """One line from a client."""

    verb: str
    id: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    args: dict[str, Any] = {}


_decode = msgspec.json.Decoder(Ask).decode


class Peer:
    """One connection, with the identity the kernel vouches for."""

    __slots__ = (
        "closed",
        "gone",
        "inbox",
        "kept",
        "lines",
        "outbox",
        "pid",
        "skipping",
        "sock",
        "stirred",
        "uid",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.pid, self.uid, _ = struct.unpack("3i", credentials)
        self.inbox = bytearray()
        self.lines: deque[bytes] = deque()
        self.skipping = False
        """Whether the rest of an endless line is being thrown away."""
        self.outbox = bytearray()
        self.closed = False
        self.gone: dict[int, Callable[[], None]] = {}
        """What is to be done when it leaves, by the request that asked for it."""
        self.kept: Any = None
        """What a verb keeps for the next request of this peer."""
        self.stirred: set[Peer] = set()
        """Where peers are noted that have something to send, or have left."""

    def receive(self) -> None:
        """Take in what has arrived. Marks the peer closed at the end of its stream."""
        try:
            chunk = self.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        if self.skipping:
            _, end, chunk = chunk.partition(b"\n")
            self.skipping = not end
        self.inbox += chunk
        if b"\n" not in chunk:
            self._refuse_endless()
            return
        *lines, rest = bytes(self.inbox).split(b"\n")
        self.lines.extend(line for line in lines if line.strip())
        self.inbox = bytearray(rest)

    def close(self) -> None:
        """It has left, or is to leave."""
        self.closed = True
        self.stirred.add(self)

    def _refuse_endless(self) -> None:
        if len(self.inbox) > LINE_LIMIT:
            self.inbox = bytearray()
            self.skipping = True
            hint = "one JSON object a line; submit fewer jobs at once"
            self.fail(0, Wrong(f"a request over {LINE_LIMIT >> 20} MiB is not read", hint))

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
        self.stirred.add(self)
        if len(self.outbox) > OUTBOX_LIMIT:  # a reader that sleeps must not eat our memory
            self.outbox.clear()
            self.close()

    def flush(self) -> None:
        """Send what the socket takes now."""
        while self.outbox:
            try:
                sent = self.sock.send(self.outbox)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            del self.outbox[:sent]

    @property
    def full(self) -> bool:
        """Whether it is not listening to what it is told."""
        return len(self.outbox) > OUTBOX_FULL

    @property
    def wanted(self) -> int:
        """What to watch for: nothing is read from a peer that does not read what it is told."""
        hears = selectors.EVENT_READ if not self.full and len(self.lines) < LINES_FULL else 0
        return hears | (selectors.EVENT_WRITE if self.outbox else 0)


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
        self.stirred: set[Peer] = set()
        self.asking: dict[Peer, None] = {}
        """Peers with requests that wait, in the order of their turns."""
        self.listener: socket.socket | None = None
        self._spare = _spare_descriptor()

    def listen(self) -> None:
        """(Re)create the socket file. The caller holds the state lock, so whatever lies there is
        stale."""
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        listener = listen(self.path, 512)
        self.close_listener()
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
            except OSError:
                self._turn_away()
                return
            sock.setblocking(False)
            peer = Peer(sock)
            if peer.uid in (0, os.geteuid()):
                self.welcome(peer)
            else:
                sock.close()

    def welcome(self, peer: Peer) -> None:
        """Listen to a peer from now on."""
        self.peers.add(peer)
        peer.stirred = self.stirred
        self.selector.register(peer.sock, selectors.EVENT_READ, peer)

    def _turn_away(self) -> None:
        """Out of file descriptors: one kept for this case lets us hang up on whoever knocks, who
        would otherwise keep us awake."""
        assert self.listener is not None
        os.close(self._spare)
        with contextlib.suppress(OSError):
            self.listener.accept()[0].close()
        self._spare = _spare_descriptor()

    def attend(self, peer: Peer, mask: int) -> None:
        """The peer has said something, or can be told something again."""
        if mask & selectors.EVENT_READ:
            peer.receive()
        if peer.lines:
            self.asking[peer] = None
        if mask & selectors.EVENT_WRITE or peer.wanted != selectors.EVENT_READ:
            self.stirred.add(peer)

    @property
    def eager(self) -> bool:
        """Whether a request waits that can be dealt with now."""
        return any(not peer.full for peer in self.asking)

    def requests(self, most: int) -> Iterator[tuple[Peer, Ask]]:
        """Up to so many requests, peer by peer; nonsense is answered here."""
        for peer in list(self.asking):
            turn = 0 if peer.full else min(TURN, most, len(peer.lines))
            most -= turn
            for _ in range(turn):
                try:
                    yield peer, read_ask(peer.lines.popleft())
                except Wrong as error:
                    peer.fail(0, error)
            if turn:
                del self.asking[peer]  # to the end of the row
                if peer.lines:
                    self.asking[peer] = None
                self.stirred.add(peer)

    def flush(self) -> None:
        """Send what is waiting and forget peers that have left."""
        while self.stirred:
            peer = self.stirred.pop()
            peer.flush()
            if peer.closed:
                self.drop(peer)
                continue
            wanted = peer.wanted
            if self.selector.get_key(peer.sock).events != wanted:
                self.selector.modify(peer.sock, wanted, peer)

    def drop(self, peer: Peer) -> None:
        self.peers.discard(peer)
        self.stirred.discard(peer)
        self.asking.pop(peer, None)
        with contextlib.suppress(KeyError):
            self.selector.unregister(peer.sock)
        peer.sock.close()
        for leave in list(peer.gone.values()):
            leave()

    def close_listener(self) -> None:
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def close(self) -> None:
        """Remove the socket file, stop listening, send the last words.

        In this order: a file at which nobody listens is a sign of a daemon that was killed.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.close_listener()
        for peer in list(self.peers):
            peer.flush()
            self.drop(peer)
        os.close(self._spare)


def _spare_descriptor() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
