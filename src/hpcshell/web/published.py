"""Where a server answers, for clients on this machine: a file with its URL.

Each server has a file of its own besides, locked while it serves. When one ends, the URL of another
that still serves takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import logging
import os
from collections.abc import Iterator
from typing import Final

from hpcshell.core.words import safe

_log: Final = logging.getLogger("hpcshell.web")


@contextlib.contextmanager
def published(path: str, url: str) -> Iterator[None]:
    """The URL stands in this file meanwhile, or that of another server that has begun since.
    Where there is no room for it, clients have to be told where the server is."""
    own = f"{path}.{os.getpid()}"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_locked(own, url))
            _put(path, url)
        except OSError as error:
            _log.warning(
                "%s cannot be written: %s; programs find the server by HPC_TRACK_URL=%s",
                *(safe(path), error.strerror, url),
            )
        yield
    with contextlib.suppress(OSError):
        if _read(path) == url:
            _hand_over(path)


@contextlib.contextmanager
def _locked(own: str, url: str) -> Iterator[None]:
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, url.encode() + b"\n")
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(own)
        os.close(descriptor)


def _hand_over(path: str) -> None:
    """Say where the youngest of the others is that still serve, or that there is none."""
    if others := sorted(_others(path)):
        _put(path, others[-1][1])
    else:
        os.unlink(path)


def _others(path: str) -> Iterator[tuple[float, str]]:
    """When those began that serve, and their URLs. What the dead have left is removed."""
    for each in glob.glob(glob.escape(path) + ".*"):
        with contextlib.suppress(OSError), open(each) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield os.fstat(file.fileno()).st_mtime, file.read().strip()
            else:
                os.unlink(each)


def _put(path: str, url: str) -> None:
    draft = f"{path}~{os.getpid()}"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(url + "\n")
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _read(path: str) -> str:
    with open(path) as file:
        return file.read().strip()
