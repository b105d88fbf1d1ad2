"""Where everything lies: `$HPCSHELL_HOME` if set, else the XDG directories.

Paths are text here: every command asks for them, and to load `pathlib` would cost it as much as all
that it loads of ours.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping

from hpcshell.core.errors import Broken, Wrong
from hpcshell.core.records import Record

SITE_FILE = "/etc/hpcshell/hpcshell.toml"
"""The configuration of the whole machine."""

LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path, without the closing NUL."""


class TrackPlaces(Record, frozen=True):
    """Where the tracker of this installation has its own."""

    state: str
    config: str

    @property
    def database(self) -> str:
        return f"{self.state}/track.db"

    @property
    def artifacts(self) -> str:
        """What was uploaded, by run."""
        return f"{self.state}/artifacts"

    @property
    def spool(self) -> str:
        """What runs on this machine have logged, a file each."""
        return f"{self.state}/spool"

    @property
    def token(self) -> str:
        """The token by which runs on this machine are known to a tracker, on its first line."""
        return f"{self.config}/track.token"

    @property
    def webhook_key(self) -> str:
        """What epilogs sign with."""
        return f"{self.state}/webhook.key"

    def prepare_spool(self) -> None:
        """Make the directory of what is logged, readable by its owner alone. Raises `HpcError`."""
        _make(self.spool)


class Places(Record, frozen=True):
    """The four directories of one installation, and the names in them."""

    state: str
    config: str
    runtime: str
    cache: str

    @property
    def database(self) -> str:
        return f"{self.state}/hpcshell.db"

    @property
    def daemon_lock(self) -> str:
        return f"{self.state}/hpcd.lock"

    @property
    def daemon_log(self) -> str:
        return f"{self.state}/hpcd.log"

    @property
    def daemon_stderr(self) -> str:
        return f"{self.state}/hpcd.stderr"

    @property
    def runner_lock(self) -> str:
        return f"{self.state}/runner.lock"

    @property
    def runner_log(self) -> str:
        return f"{self.state}/runner.log"

    @property
    def runs_journal(self) -> str:
        return f"{self.state}/runs.journal"

    @property
    def scripts(self) -> str:
        return f"{self.state}/scripts"

    @property
    def checkpoints(self) -> str:
        return f"{self.state}/checkpoints"

    @property
    def track(self) -> TrackPlaces:
        return TrackPlaces(self.state, self.config)

    @property
    def web_address(self) -> str:
        """Where the web server of this user answers, while it does: a URL."""
        return f"{self.runtime}/web.url"

    def session(self, run: int) -> str:
        """The directory of a run's session of screen or tmux. Sockets in it have names of one
        letter, and so paths no longer than those of our own."""
        return f"{self.runtime}/s/{run}"

    @property
    def config_file(self) -> str:
        return f"{self.config}/hpcshell.toml"

    @property
    def box_file(self) -> str:
        return f"{self.config}/gpu.json"

    @property
    def daemon_socket(self) -> str:
        return f"{self.runtime}/hpcd.sock"

    @property
    def runner_socket(self) -> str:
        return f"{self.runtime}/runner.sock"

    def left_of_earlier(self) -> list[str]:
        """What a daemon at work leaves in the state directory besides its database, by name."""
        left = [path for path in (self.daemon_log, self.runs_journal) if os.path.isfile(path)]
        with contextlib.suppress(OSError):
            if os.listdir(self.scripts):
                left.append(self.scripts)
        return [os.path.basename(path) for path in left]

    def prepare(self) -> None:
        """Make the directories, readable by their owner alone whatever the umask; refuse unsafe
        ones.
        """
        self.check_sockets()
        within = (self.scripts, self.checkpoints)
        for directory in (self.state, self.config, self.runtime, self.cache, *within):
            _make(directory)
        for directory in (self.state, self.runtime):
            _check(directory)

    def check_sockets(self) -> None:
        """Wrong when a socket's path would be longer than the kernel takes."""
        for path in (self.daemon_socket, self.runner_socket):
            length = len(os.fsencode(path))
            if length > LONGEST_SOCKET:
                raise Wrong(
                    f"The socket path {path} has {length} bytes; {LONGEST_SOCKET} are possible.",
                    hint="Set HPCSHELL_HOME to a shorter directory.",
                )


def places(environ: Mapping[str, str]) -> Places:
    """The places this environment names; nothing is created. Relative names count from here."""
    found = _named(environ)
    for path in (found.state, found.config, found.runtime, found.cache):
        try:
            path.encode()
        except UnicodeEncodeError:
            raise Wrong(
                f"The name of the directory {path!a} is not UTF-8.",
                hint="Set HPCSHELL_HOME to a directory whose name is.",
            ) from None
    return found


def _named(environ: Mapping[str, str]) -> Places:
    home = environ.get("HPCSHELL_HOME", "")
    if home:
        root = os.path.abspath(os.path.expanduser(home))
        names = (os.path.join(root, name) for name in ("state", "config", "run", "cache"))
        return Places(*names)
    user = environ.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(user):
        raise Wrong(
            "HOME is not set to a directory.", hint="Set HPCSHELL_HOME to a directory of yours."
        )
    state = _xdg(environ, "XDG_STATE_HOME", os.path.join(user, ".local/state"))
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return Places(
        state=state,
        config=_xdg(environ, "XDG_CONFIG_HOME", os.path.join(user, ".config")),
        runtime=_within(runtime) if os.path.isabs(runtime) else f"{state}/run",
        cache=_xdg(environ, "XDG_CACHE_HOME", os.path.join(user, ".cache")),
    )


def _xdg(environ: Mapping[str, str], name: str, default: str) -> str:
    # The XDG specification says that relative values are to be ignored.
    given = environ.get(name, "")
    return _within(given if os.path.isabs(given) else default)


def _within(directory: str) -> str:
    return os.path.normpath(os.path.join(directory, "hpcshell"))


def _make(directory: str) -> None:
    missing = []
    step = directory
    while not os.path.exists(step):
        if os.path.islink(step):
            raise Wrong(
                f"{step} is a symbolic link to nowhere.", hint="Remove it or make its target."
            )
        missing.append(step)
        step = os.path.dirname(step)
    try:
        for each in reversed(missing):
            try:
                os.mkdir(each, 0o700)
            except FileExistsError:
                continue
            os.chmod(each, 0o700)
        if not os.path.isdir(directory):
            raise Wrong(
                f"{directory} is not a directory.", hint="Move that file away or set HPCSHELL_HOME."
            )
    except OSError as error:
        raise Broken(
            f"The directory {directory} cannot be made: {error.strerror}.",
            hint="Set HPCSHELL_HOME to a directory you can write to.",
        ) from error


def _check(directory: str) -> None:
    """Refuse a directory that others could put things into, or that we cannot write to."""
    found = os.stat(directory)
    _check_owner(directory, found)
    _check_mode(directory, found)
    if not _writable(directory):
        raise Broken(
            f"{directory} cannot be written.",
            hint="Is the file system read-only? Set HPCSHELL_HOME to a directory you can write to.",
        )


def check_within(state: str, *names: str) -> None:
    """Refuse a directory some steps below that of the state that leads elsewhere, is another's, or
    has something in it that does or is. One that is not there yet is as good as any."""
    with contextlib.suppress(OSError):  # then it cannot be used either, and that is said
        found = os.stat(state)
        _check_owner(state, found)
        _check_mode(state, found)
        step = state
        for name in names:
            step = os.path.join(step, name)
            found = _check_place(step)
            if not stat.S_ISDIR(found.st_mode):
                raise Wrong(f"{step} is not a directory.", hint="Move that file away.")
            _check_mode(step, found)
        with os.scandir(step) as inside:
            for each in inside:
                _check_place(each.path)


def _check_place(path: str) -> os.stat_result:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        raise Wrong(f"{path} is a symbolic link: it is not followed.", hint="Remove it.")
    _check_owner(path, found)
    return found


def _check_owner(path: str, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise Wrong(
            f"{path} belongs to user {found.st_uid}, not to you ({os.geteuid()}).",
            hint="Set HPCSHELL_HOME to a directory of your own.",
        )


def _check_mode(directory: str, found: os.stat_result) -> None:
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise Wrong(
            f"{directory} can be written by others (mode {stat.S_IMODE(found.st_mode):04o}).",
            hint=f"chmod 700 {directory}",
        )


def _writable(directory: str) -> bool:
    if not os.access(directory, os.W_OK | os.X_OK):
        return False
    # Root passes access() everywhere but on a read-only file system, which statvfs knows.
    return not os.statvfs(directory).f_flag & os.ST_RDONLY
