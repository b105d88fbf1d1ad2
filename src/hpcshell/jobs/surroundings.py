"""Where a submission is made: environment, directory, umask, configuration.

Each is read again only when it has changed: they may be asked for thousands of times a second, by
many threads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.settings import Settings
from hpcshell.core.settings_read import default_options
from hpcshell.machine.configfiles import project_files, user_settings
from hpcshell.machine.paths import SITE_FILE, Places, places

_snapshot: tuple[object, dict[str, str]] = (None, {})


class Configured(Record, frozen=True):
    """The configuration as a submission needs it, and notes about files that were passed over."""

    settings: Settings
    defaults: Mapping[str, str]
    notes: tuple[str, ...]


class _Read(Record, frozen=True):
    """What the configuration was last read from."""

    cwd: str
    env: Mapping[str, str]
    files: tuple[str, ...]
    stamps: tuple[object, ...]
    configured: Configured


_read: _Read | None = None
_places: tuple[Mapping[str, str] | None, Places | None] = (None, None)


def here() -> Places:
    """The places this environment means."""
    global _places
    env = environment()
    known, found = _places
    if found is None or known is not env:
        _places = (env, found := places(env))
    return found


def configured(cwd: str) -> Configured:
    """The configuration that counts in a directory; read again when a file of it has changed."""
    global _read
    env, last = environment(), _read
    if last is not None and last.env is env and last.cwd == cwd:
        stamps = _stamps(last.files)
        if stamps == last.stamps:
            return last.configured
    files = (SITE_FILE, here().config_file, here().box_file, *project_files(cwd))
    stamps = _stamps(files)
    loaded = user_settings(here(), env, cwd)
    found = Configured(loaded.settings, default_options(loaded.settings), loaded.notes)
    _read = _Read(cwd, env, files, stamps, found)
    return found


def _stamps(files: tuple[str, ...]) -> tuple[object, ...]:
    return tuple([_stamp(path) for path in files])


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)


def environment() -> Mapping[str, str]:
    """The environment. While nothing in it changes it is the same object, not to be changed."""
    global _snapshot
    raw = getattr(os.environ, "_data", None)  # bytes, compared a hundred times faster than decoded
    if raw is None:
        return dict(os.environ)
    known, decoded = _snapshot
    if known != raw:
        _snapshot = (dict(raw), decoded := dict(os.environ))
    return decoded


def working_directory() -> str:
    """The caller's directory. Raises `Wrong` if it is gone."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise Wrong("the directory you are in has been deleted", "cd to another one") from None
    except OSError as error:
        raise Wrong(f"the directory you are in: {error.strerror}", "cd to another one") from None


def umask() -> int:
    """The file mode mask of this process, without the race of setting it to learn it."""
    try:
        status = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        return 0o022
    try:
        _, found, rest = os.read(status, 512).partition(b"Umask:")
    finally:
        os.close(status)
    return int(rest.split(None, 1)[0], 8) if found else 0o022
