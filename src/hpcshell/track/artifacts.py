"""What is uploaded: a file on disk for each artifact, at `<root>/<run_id>/<path>`.

    upload = artifacts.begin(run_id, "model/best.pt")
    upload.write(block)                     as often as there is one
    stored = upload.seal()                  on disk, under no name yet
    with artifacts.placing: upload.place()  from now on it is what the path names

Nothing is ever unpacked, run or read for what it says: a zip with `../` in it is bytes like others.
Whoever keeps a row about a file changes both while holding `placing`, so that they tell the same.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from hpcshell.core.errors import Broken, HpcError, NotFound, Refused
from hpcshell.core.units import format_size
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.machine.beneath import directory, directory_beneath, open_beneath, parts_of
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.trouble import Full

_INCOMING: Final = "incoming"
"""Beneath the root, besides the runs: what has not all arrived yet."""
_STALE: Final = 86400.0
"""Seconds after which what has not all arrived never will."""
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class TooLarge(Refused):
    """More bytes than are taken."""


class Stored(msgspec.Struct, frozen=True):
    """What was uploaded: bytes, and their SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


class Artifacts:
    """The directory of uploads. Any number of threads may use it."""

    def __init__(self, root: str, limit: int) -> None:
        self.root = root
        self.limit = limit
        self.placing = threading.Lock()
        with contextlib.suppress(
            OSError, HpcError
        ):  # then no upload begins either, and that is said
            os.makedirs(root, mode=0o700, exist_ok=True)
            self._sweep()

    def begin(self, run_id: str, path: str, size: int | None = None) -> Upload:
        """Make room for a file of this many bytes, if that is known. Raises `TooLarge`, `Wrong`."""
        parts = (*parts_of(run_id), *parts_of(path))
        if size is not None:
            self.check(size, path)
        return Upload(self, parts)

    def check(self, size: int, path: str) -> None:
        """Raises `TooLarge` for a file of more bytes than one may have."""
        if size > self.limit:
            raise TooLarge(
                f"{quote(path)} is larger than {format_size(self.limit)}",
                "keep it on shared storage and name its path, or raise web.upload_limit",
            )

    def open(self, run_id: str, path: str) -> int:
        """A descriptor for reading. Raises `NotFound`, `Refused`, `Wrong`."""
        return open_beneath(os.path.join(self.root, *parts_of(run_id)), path)

    def remove(self, run_id: str, path: str) -> None:
        """Remove a file and the directories that are empty then, while one holds `placing`."""
        parts = (*parts_of(run_id), *parts_of(path))
        with contextlib.suppress(NotFound), directory(self.root) as top:
            with directory_beneath(top, parts[:-1]) as below, contextlib.suppress(OSError):
                os.unlink(parts[-1], dir_fd=below)
            _prune(top, parts[:-1])

    def forget(self, run_id: str) -> None:
        """Remove all files of a run."""
        parts_of(run_id)
        with contextlib.suppress(NotFound), directory(self.root) as top:
            shutil.rmtree(run_id, ignore_errors=True, dir_fd=top)  # which follows no links

    @contextlib.contextmanager
    def incoming(self) -> Iterator[int]:
        """The directory of what has not all arrived yet."""
        with directory(self.root) as top, directory_beneath(top, (_INCOMING,), make=True) as found:
            yield found

    def _sweep(self) -> None:
        before = clock.now() - _STALE
        with self.incoming() as incoming:
            for name in os.listdir(incoming):
                if os.stat(name, dir_fd=incoming, follow_symlinks=False).st_mtime < before:
                    os.unlink(name, dir_fd=incoming)


class Upload:
    """A file that is arriving. Ends with `place` or `abandon`."""

    def __init__(self, home: Artifacts, parts: tuple[str, ...]) -> None:
        self._home = home
        self._parts = parts
        self._name = secrets.token_hex(16)
        self._digest = hashlib.sha256()
        self._size = 0
        with _room(home.root), home.incoming() as incoming:
            self._descriptor = os.open(self._name, _NEW, 0o600, dir_fd=incoming)

    def write(self, block: bytes) -> None:
        """Add bytes. Raises `TooLarge`, `Full`."""
        self._size += len(block)
        self._home.check(self._size, self._parts[-1])
        self._digest.update(block)
        left = memoryview(block)
        with _room(self._home.root):
            while left:
                left = left[os.write(self._descriptor, left) :]

    def seal(self) -> Stored:
        """All has arrived: on disk when this returns. Raises `Full`."""
        with _room(self._home.root):
            os.fsync(self._descriptor)
        return Stored(self._size, self._digest.hexdigest())

    def place(self) -> None:
        """Give it its name, in place of the one that has it. Raises `Exists`."""
        *above, last = self._parts
        with _room(self._home.root), directory(self._home.root) as top:
            try:
                with (
                    self._home.incoming() as incoming,
                    directory_beneath(top, above, make=True) as below,
                ):
                    os.rename(self._name, last, src_dir_fd=incoming, dst_dir_fd=below)
                    os.fsync(below)
            except (NotFound, Refused, IsADirectoryError):
                raise Exists(
                    f"{quote('/'.join(self._parts[1:]))} cannot be a file: another file's name "
                    "goes through it, or it through another's",
                    "choose another path, or delete the other file",
                ) from None
        self._close()

    def abandon(self) -> None:
        """It will not all arrive."""
        with contextlib.suppress(OSError, HpcError), self._home.incoming() as incoming:
            os.unlink(self._name, dir_fd=incoming)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _prune(top: int, parts: tuple[str, ...]) -> None:
    for count in range(len(parts), 0, -1):
        with directory_beneath(top, parts[: count - 1]) as above:
            try:
                os.rmdir(parts[count - 1], dir_fd=above)
            except OSError:
                return  # something else is in it


@contextlib.contextmanager
def _room(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Full(f"the disk of {quote(root)} is full", "make room, then try again") from None
        raise Broken(
            f"{quote(root)} cannot be written: {error.strerror}", "is track.artifacts right?"
        ) from None
