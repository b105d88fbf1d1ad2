"""Start a program in a session of its own, with output files opened safely.

The caller has one thread: the working directory and the umask are those of the whole process, and
are set before each start. Nothing here waits: a named pipe that nobody reads is refused, not waited
for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from hpcshell.core.errors import Broken
from hpcshell.machine import inputs

NOT_FOUND: Final = 127
CANNOT_RUN: Final = 126
TRY_LATER: Final = 75
DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"

_SCARCE: Final = {
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the machine has too many files open",
    errno.ENOMEM: "the machine has no memory left",
    errno.EAGAIN: "no more processes are allowed",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ETXTBSY: "the program is being written",
}
# Exec itself puts back what is caught; what is ignored (Python ignores SIGPIPE) would stay so.
_IGNORED: Final = [
    each for each in signal.valid_signals() if signal.getsignal(each) == signal.SIG_IGN
]
_SAFELY: Final = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | _SAFELY
_READ: Final = os.O_RDONLY | _SAFELY


class CannotStart(Exception):
    """Nothing was started: why, in a sentence, and the exit code a shell would give.

    `transient`: the machine lacks something it may have again; the same request may succeed later.
    """

    def __init__(self, message: str, exit_code: int = CANNOT_RUN, transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = TRY_LATER if transient else exit_code
        self.transient = transient


class Streams(NamedTuple):
    """Paths of the three streams. None: /dev/null; for errors: where output goes."""

    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    append: bool = False


def spawn(argv: list[str], env: dict[str, str], cwd: str, streams: Streams, umask: int) -> int:
    """Start `argv` and return its pid: leader of a new session, default signal dispositions,
    nothing inherited but the three streams. CannotStart says why not.
    """
    os.umask(umask)
    enter(cwd)
    program = program_of(argv, env)
    opened: list[int] = []
    try:
        return _start(program, argv, env, _stream_actions(streams, opened))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def spawn_on(
    terminal: str, argv: list[str], env: dict[str, str], *, keep_input: bool, keep_errors: bool
) -> int:
    """Start `argv` in this working directory and return its pid: leader of a new session whose
    terminal that is. It reads from there and prints there, but for what it keeps of our streams.
    """
    actions: list[tuple[object, ...]] = [(os.POSIX_SPAWN_OPEN, 1, terminal, os.O_RDWR, 0)]
    actions += [] if keep_input else [(os.POSIX_SPAWN_DUP2, 1, 0)]
    actions += [] if keep_errors else [(os.POSIX_SPAWN_DUP2, 1, 2)]
    return _start(program_of(argv, env), argv, env, actions)


def program_of(argv: list[str], env: dict[str, str]) -> str:
    """The file to execute for a command."""
    try:
        return find_program(argv[0] if argv else "", env)
    except ValueError as error:
        raise _not_passed_on(error) from error


def _start(
    program: str, argv: list[str], env: dict[str, str], actions: Sequence[tuple[object, ...]]
) -> int:
    try:
        return os.posix_spawn(
            program,
            argv,
            env,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_IGNORED,
        )
    except OSError as error:
        raise _exec_failure(program, error) from error
    except ValueError as error:
        raise _not_passed_on(error) from error


def _not_passed_on(error: ValueError) -> CannotStart:
    return CannotStart(f"The command or its environment cannot be passed on: {error}.")


def spawn_own(words: list[str], actions: list[tuple[int, int, int]]) -> int:
    """Start a module of ours with these words in a session of its own, part of no run, and return
    its pid. `actions` are those of `posix_spawn`. Raises `Broken`.
    """
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in ("", "HPC_RUN_ID", "HPC_RUNNER_ID")  # posix_spawn refuses an empty one
    }
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", *words],
            environ,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
    except OSError as error:
        hint = "see what is short on this machine, memory or processes: hpc doctor"
        raise Broken(f"{words[0]} cannot be started: {error.strerror}", hint) from error


@contextlib.contextmanager
def pinned(cores: Collection[int]) -> Iterator[None]:
    """What is started meanwhile may run on these CPUs alone, and all that it starts; on any, where
    there are none, or where they cannot be had any more.
    """
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tell(failure: CannotStart, streams: Streams, cwd: str) -> None:
    """Write why nothing was started where people look first: into the file for errors, as a shell
    would. The files are made as for a start, but for those in a working directory that is gone.
    """
    opened: list[int] = []
    for path in dict.fromkeys(path for path in (streams.stdout, streams.stderr) if path):
        if os.path.isdir(cwd) or os.path.isdir(os.path.dirname(path)):
            with contextlib.suppress(CannotStart, OSError):
                opened.append(open_output(path, streams.append))
    if opened:
        with contextlib.suppress(OSError):
            os.set_blocking(opened[-1], False)  # it may be a terminal that somebody has stopped
        say(opened[-1], failure)
    for descriptor in opened:
        os.close(descriptor)


def say(descriptor: int, failure: CannotStart) -> None:
    """Write why nothing was started, as a line."""
    sentence = failure.message[:1].lower() + failure.message[1:].rstrip(".")
    with contextlib.suppress(OSError):
        os.write(descriptor, f"hpc: {sentence}\n".encode(errors="backslashreplace"))


def shown(text: str) -> str:
    """A path fit to be printed: quoted, nothing in it that a terminal would obey."""
    return f"'{text}'" if text.isprintable() else ascii(text)


def enter(cwd: str) -> None:
    """Make it the working directory."""
    try:
        os.chdir(cwd)
    except OSError as error:
        _raise_if_scarce(error)
        what = {
            errno.ENOENT: "does not exist",
            errno.ENOTDIR: "is not a directory",
            errno.EACCES: "may not be entered",
            errno.ELOOP: "is a loop of symbolic links",
            errno.ENAMETOOLONG: "has too long a name",
        }.get(error.errno or 0, f"cannot be entered: {error.strerror}")
        raise CannotStart(f"The working directory {shown(cwd)} {what}.") from error
    except ValueError as error:
        raise CannotStart(
            f"The working directory {shown(cwd)} has a NUL byte in its name."
        ) from error


def _stream_actions(streams: Streams, opened: list[int]) -> list[tuple[int, int, int]]:
    opened.append(open_input(streams.stdin or os.devnull))
    opened.append(open_output(streams.stdout or os.devnull, streams.append))
    error = opened[1]
    if streams.stderr is not None and streams.stderr != streams.stdout:
        error = open_output(streams.stderr, streams.append)
        opened.append(error)
    return [
        (os.POSIX_SPAWN_DUP2, opened[0], 0),
        (os.POSIX_SPAWN_DUP2, opened[1], 1),
        (os.POSIX_SPAWN_DUP2, error, 2),
    ]


def open_input(path: str) -> int:
    """A descriptor to read a regular file, a character device or a pipe that a process holds (see
    `inputs`).
    """
    try:
        held = inputs.opened(path, _READ)
    except OSError as error:
        _raise_if_scarce(error)
        raise CannotStart(
            f"The input {shown(path)} is gone: the process that had it has ended."
        ) from error
    if held is not None:
        os.set_blocking(held, True)
        return held
    try:
        descriptor = os.open(path, _READ)
    except (OSError, ValueError) as error:
        raise _file_failure("input", path, error) from error
    _check(descriptor, "input", path)
    return descriptor


def open_output(path: str, append: bool) -> int:
    """A descriptor to append to a regular file or a character device.

    Missing directories are made. A symbolic link as the last part, a directory, a named pipe and
    the like are refused, and nothing is truncated before that is known. Writes always go to the
    end, so that several writers of one file do not overwrite each other; without `append` the file
    is emptied first.
    """
    try:
        descriptor = _open_making_parents(path)
    except (OSError, ValueError) as error:
        raise _file_failure("output", path, error) from error
    size = _check(descriptor, "output", path)
    if size and not append:
        try:
            os.ftruncate(descriptor, 0)
        except OSError as error:
            os.close(descriptor)
            raise _file_failure("output", path, error) from error
    return descriptor


def _open_making_parents(path: str) -> int:
    try:
        return os.open(path, _WRITE, 0o666)
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if not parent or path.endswith("/"):
            raise
        os.makedirs(parent, exist_ok=True)
        return os.open(path, _WRITE, 0o666)


def _check(descriptor: int, role: str, path: str) -> int:
    """Refuse (and close) what is neither file nor character device; returns the size."""
    found = os.fstat(descriptor)
    mode = found.st_mode
    if stat.S_ISREG(mode) or stat.S_ISCHR(mode):
        os.set_blocking(descriptor, True)
        return found.st_size
    os.close(descriptor)
    kind = (
        "a directory"
        if stat.S_ISDIR(mode)
        else "a named pipe"
        if stat.S_ISFIFO(mode)
        else "not a plain file"
    )
    raise CannotStart(f"The {role} file {shown(path)} is {kind}.")


def _file_failure(role: str, path: str, error: OSError | ValueError) -> CannotStart:
    if isinstance(error, ValueError):
        return CannotStart(f"The {role} file {shown(path)} has a NUL byte in its name.")
    _raise_if_scarce(error)
    what = {
        errno.ENOENT: "does not exist" if role == "input" else "cannot be made: no such directory",
        errno.EISDIR: "is a directory",
        errno.ENOTDIR: "lies below something that is not a directory",
        errno.ENXIO: "is a named pipe that nobody reads, a socket or a device without a driver",
        errno.EACCES: "may not be opened: permission denied",
        errno.EPERM: "may not be opened: permission denied",
        errno.EROFS: "lies on a read-only file system",
        errno.ENAMETOOLONG: "has too long a name",
    }.get(error.errno or 0, f"cannot be opened: {error.strerror}")
    if error.errno == errno.ELOOP:
        what = (
            "is a symbolic link, which is not followed"
            if os.path.islink(path)
            else "is a loop of links"
        )
    return CannotStart(f"The {role} file {shown(path)} {what}.")


def _raise_if_scarce(error: OSError) -> None:
    lack = _SCARCE.get(error.errno or 0)
    if lack is not None:
        raise CannotStart(f"Not now: {lack}.", transient=True) from error


def find_program(name: str, env: dict[str, str]) -> str:
    """The file to execute: `name` itself if it has a slash, else the first executable in `env`'s
    PATH.
    """
    if not name:
        raise CannotStart("The command is empty.", NOT_FOUND)
    if "/" in name:
        return _checked_program(name, name)
    refused = ""
    for directory in env.get("PATH", DEFAULT_PATH).split(":"):
        candidate = f"{directory or '.'}/{name}"
        # `access` first: it misses without the price of an exception.
        if os.access(candidate, os.X_OK) and stat.S_ISREG(os.stat(candidate).st_mode):
            return candidate
        if not refused and os.access(candidate, os.F_OK):
            refused = candidate
    if refused:
        return _checked_program(refused, name)
    raise CannotStart(f"The command {shown(name)} was not found in PATH.", NOT_FOUND)


def _checked_program(path: str, name: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except PermissionError as error:
        raise CannotStart(
            f"The command {shown(name)} may not be reached: permission denied."
        ) from error
    except (OSError, ValueError) as error:
        raise CannotStart(f"The command {shown(name)} was not found.", NOT_FOUND) from error
    if stat.S_ISDIR(mode):
        raise CannotStart(f"The command {shown(name)} is a directory.")
    if not stat.S_ISREG(mode):
        raise CannotStart(f"The command {shown(name)} is not a plain file.")
    if not os.access(path, os.X_OK):
        raise CannotStart(f"The command {shown(path)} is not executable (chmod +x).")
    return path


def _exec_failure(program: str, error: OSError) -> CannotStart:
    if error.errno == errno.ENOEXEC:
        return CannotStart(
            f"The command {shown(program)} is no program for this machine: "
            "neither a #! line nor a binary it can run."
        )
    if error.errno == errno.ENOENT:
        return CannotStart(
            f"The interpreter of the command {shown(program)} does not exist{_bang(program)}."
        )
    if error.errno == errno.E2BIG:
        return CannotStart(
            "The command and its environment together are longer than the system takes."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CannotStart(
            f"The command {shown(program)} may not be executed: permission denied{_bang(program)}."
        )
    lack = _SCARCE.get(error.errno or 0)
    if lack is not None:
        return CannotStart(f"Not now: {lack}.", transient=True)
    return CannotStart(f"The command {shown(program)} cannot be executed: {error.strerror}.")


def _bang(program: str) -> str:
    """What the #! line names, for the sentence; '' when there is none."""
    try:
        descriptor = os.open(program, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        first = os.read(descriptor, 256).split(b"\n", 1)[0]
    finally:
        os.close(descriptor)
    if not first.startswith(b"#!"):
        return ""
    name = first[2:].strip(b" \t").decode(errors="replace")
    if name.endswith("\r"):
        return f" ({shown(name.rstrip())}; the line ends in a carriage return, as Windows writes)"
    return f" ({shown(name)})"
