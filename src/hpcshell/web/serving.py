"""The process of `hpc web`: it listens, answers, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import uvicorn
import uvloop

from hpcshell.core.errors import Broken, Refused, Wrong
from hpcshell.core.settings import Settings
from hpcshell.core.settings_web import WebSettings
from hpcshell.core.words import safe
from hpcshell.machine import clock
from hpcshell.machine.paths import Places
from hpcshell.track.store import tokens
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from hpcshell.web.protocol import Protocol
from hpcshell.web.published import published
from hpcshell.web.tasks.running import at_work

IDLE: Final = 75
"""Seconds for which a connection without requests is kept."""
GRACE: Final = 4
"""Seconds that requests get to be answered when the server ends."""
REFUSING: Final = 0.5
"""Seconds that are left to those which were not."""
BACKLOG: Final = 2048
HEAPS: Final = 2
"""Heaps of the C library for all threads: each keeps for good what was needed once."""
_ARENA_MAX: Final = -8
"""M_ARENA_MAX of malloc.h."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Where(msgspec.Struct, frozen=True):
    """What to listen on. `socket`: a path; it is taken before host and port."""

    host: str
    port: int
    socket: str = ""
    remote: bool = False
    """Whether others than this machine may be let in."""


Say = Callable[[str, bool], None]
"""Is given the URL, and whether there is anybody who would be let in."""


def serve(settings: Settings, places: Places, where: Where, say: Say) -> None:
    """Serve until a signal ends it (`SIGNALS`). `say` is called once it answers. Raises
    `HpcError`."""
    listener, url = listen(where)
    with contextlib.closing(listener), _unlinked(where.socket):
        places.prepare()
        _raise_limits()
        _share_heaps()
        context = Context(settings, places, open_store(url_of(settings.track.url, places)))
        try:
            app = make_app(context)
            if listener.family == socket.AF_UNIX and app.authentication.proxies.uids:
                # The kernel tells us who comes, and so may proxies.
                os.chmod(listener.getsockname(), 0o666)
            server = server_of(app, settings.web)
            reachable = bool(where.socket or settings.web.proxies) or _has_tokens(context)
            server.ready = lambda: say(url, reachable)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(server, context, listener, url))
        finally:
            context.close()


def _has_tokens(context: Context) -> bool:
    with context.store.reading() as connection:
        return any(token.valid(clock.now()) for token in tokens.listed(connection))


async def _run(server: Server, context: Context, listener: socket.socket, url: str) -> None:
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, server.end)
    gc.collect()
    gc.freeze()  # what stays for good is not looked through again while somebody waits
    with published(context.places.web_address, url):
        async with at_work(context):
            await server.serve(sockets=[listener])


def server_of(application: Any, web: WebSettings) -> Server:
    """What serves an application."""
    protocol = type("Protocol", (Protocol,), {"patience": web.request_timeout})
    return Server(
        uvicorn.Config(
            application,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=True,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=GRACE,
            backlog=BACKLOG,
        )
    )


class Server(uvicorn.Server):
    """uvicorn's, but that its signals are ours. `ready`: called once it answers."""

    ready: Callable[[], None] = staticmethod(lambda: None)

    def end(self) -> None:
        """Answer what has been asked, and stop; told again, stop at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what is cut off is told why
        await super().shutdown(sockets)
        cut_off = list(self.server_state.tasks)
        if cut_off:
            await asyncio.wait(cut_off, timeout=REFUSING)


# ------------------------------------------------------------------------------------ listening


def listen(where: Where) -> tuple[socket.socket, str]:
    """A socket that listens, and its URL. Raises `Refused`, `Wrong` and `Broken`."""
    return _listen_at(where.socket) if where.socket else _listen_on(where)


def _listen_on(where: Where) -> tuple[socket.socket, str]:
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Wrong(
            f"{safe(where.host)} is no address of this machine", "try --host 127.0.0.1"
        ) from None
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    if not where.remote and not ipaddress.ip_address(str(address[0])).is_loopback:
        raise Refused(
            f"{safe(where.host)} lets in other machines, and what is sent is not encrypted",
            "serve on 127.0.0.1 behind a proxy with TLS, or say --allow-remote",
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _not_listening(error, f"{where.host} port {where.port}") from None
    listener.setblocking(False)
    port = listener.getsockname()[1]
    host = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
    return listener, f"http://{host}:{port}"


def _not_listening(error: OSError, what: str) -> Refused | Wrong:
    if error.errno == errno.EADDRINUSE:
        return Refused(
            f"{safe(what)} is in use: a server runs there already", "--port 0 takes a free one"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused(f"{safe(what)} is not yours to listen on", "take a port above 1023")
    return Wrong(f"{safe(what)}: {error.strerror}", "try --host 127.0.0.1")


def _listen_at(path: str) -> tuple[socket.socket, str]:
    path = os.path.abspath(path)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # there is no moment at which others could connect
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Broken(
            f"{safe(path)}: {error.strerror}", "name a path in a directory of yours"
        ) from None
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener, "http+unix://" + path.replace("%", "%25").replace("/", "%2F")


def _remove_stale(path: str) -> None:
    """Remove a socket to which nobody listens any more. Raises `Refused`."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise Refused(f"{safe(path)} is there already", "name another path, or remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(path) == 0:
            raise Refused(
                f"{safe(path)} is in use: a server runs there already", "name another path"
            )
    os.unlink(path)


@contextlib.contextmanager
def _unlinked(path: str) -> Iterator[None]:
    try:
        yield
    finally:
        if path:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _raise_limits() -> None:
    """As many open files as the system lets us have: each stream of events is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _share_heaps() -> None:
    """Threads share a few heaps; the C library of another kind does as it likes."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, HEAPS)
