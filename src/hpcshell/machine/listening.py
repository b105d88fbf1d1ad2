"""A socket that others find by its name."""

from __future__ import annotations

import contextlib
import os
import socket


def listen(path: str, backlog: int = 16) -> socket.socket:
    """A listening socket under this name, in place of whatever was there.

    Whoever finds the name is let in: it is given only once there is somebody who listens.
    """
    fresh = os.path.join(os.path.dirname(path), f".{os.getpid()}")  # shorter than any of our names
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        listener.bind(fresh)
        os.chmod(fresh, 0o600)
        listener.listen(backlog)
        os.rename(fresh, path)
    except OSError:
        listener.close()
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    return listener
