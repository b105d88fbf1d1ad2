"""What `hpc doctor` looks at: what was found and, if that is bad, how to mend it."""

from __future__ import annotations

import os
import pwd
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from hpcshell import __version__
from hpcshell.client.client import Client
from hpcshell.client.connection import Connection
from hpcshell.client.start import daemon_pid
from hpcshell.core.errors import HpcError
from hpcshell.core.units import MIB, format_duration, short_size
from hpcshell.core.words import safe
from hpcshell.machine import host
from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.paths import Places

OK: Final = "ok"
WARNING: Final = "warning"
WRONG: Final = "wrong"

LITTLE_SPACE: Final = 1024 * MIB
NO_SPACE: Final = 64 * MIB
FEW_FILES: Final = 1024
FEW_PROCESSES: Final = 256
EARLIEST: Final = 1_735_689_600.0
"""2025: a clock before it was never set."""


class Finding(NamedTuple):
    """One thing looked at. `mend` says what to do unless it is ok."""

    name: str
    verdict: str
    found: str
    mend: str = ""


def findings(where: Places) -> Iterator[Finding]:
    """All that is looked at, in an order in which causes come before their effects."""
    for check in CHECKS:
        try:
            yield from check(where)
        except HpcError as error:
            yield Finding(_name(check), WRONG, error.message, error.hint or "")
        except OSError as error:
            yield Finding(_name(check), WRONG, f"{error.filename or ''}: {error.strerror}")


def _name(check: Callable[[Places], Iterator[Finding]]) -> str:
    return check.__name__.lstrip("_").replace("_", " ")


# ----------------------------------------------------------------------------------- this program


def _python(where: Places) -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield Finding("python", OK, f"{version} at {sys.executable}, hpcshell {__version__}")


def _kernel(where: Places) -> Iterator[Finding]:
    release = os.uname().release
    if not hasattr(os, "pidfd_open"):
        yield Finding("kernel", WRONG, release, "Linux 5.4 or newer is needed (pidfd)")
        return
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        yield Finding("kernel", WRONG, release, "Linux 5.4 or newer is needed (pidfd)")
        return
    yield Finding("kernel", OK, release)


def _sqlite(where: Places) -> Iterator[Finding]:
    import sqlite3

    from hpcshell.store.opening import OLDEST_SQLITE

    oldest = ".".join(map(str, OLDEST_SQLITE))
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        mend = f"use a Python with SQLite {oldest} or newer"
        yield Finding("sqlite", WRONG, f"{sqlite3.sqlite_version} is too old", mend)
    else:
        yield Finding("sqlite", OK, sqlite3.sqlite_version)


# ------------------------------------------------------------------------------------ directories


def _state_directory(where: Places) -> Iterator[Finding]:
    name, path = "state directory", safe(where.state)
    if not os.path.exists(where.state):
        yield Finding(name, OK, f"{path} (not made yet)")
        return
    found = os.stat(where.state)
    if found.st_uid != os.geteuid():
        mend = "set HPCSHELL_HOME to a directory of your own"
        yield Finding(name, WRONG, f"{path} belongs to user {found.st_uid}", mend)
    elif stat.S_IMODE(found.st_mode) & 0o022:
        yield Finding(name, WRONG, f"{path} can be written by others", f"chmod 700 {path}")
    elif not os.access(where.state, os.W_OK | os.X_OK) or _read_only(where):
        mend = "make it writable, or set HPCSHELL_HOME to a directory that is"
        yield Finding(name, WRONG, f"{path} cannot be written", mend)
    else:
        yield Finding(name, OK, path)


def _read_only(where: Places) -> bool:
    return bool(os.statvfs(where.state).f_flag & os.ST_RDONLY)


def _database(where: Places) -> Iterator[Finding]:
    from pathlib import Path

    from hpcshell.store.opening import examine

    name, path = "database", safe(where.database)
    there = os.path.exists(where.database) and os.path.getsize(where.database) > 0
    if not there and (left := where.left_of_earlier()):
        mend = "put a copy of it back, or begin anew: hpc daemon start --new"
        yield Finding(name, WRONG, f"{path} is lost; there was one: {', '.join(left)}", mend)
    else:
        if there:
            examine(Path(where.database))
        yield Finding(name, OK, path if there else "none yet")


def _file_system(where: Places) -> Iterator[Finding]:
    kind = host.network_file_system(where.state)
    if kind is not None:
        yield Finding(
            "file system",
            WRONG,
            f"the state directory lies on {kind}, where SQLite's locks cannot be trusted",
            "set HPCSHELL_HOME to a directory on a local disk",
        )
    elif os.path.exists(where.state) and os.statvfs(where.state).f_flag & getattr(
        os, "ST_NOEXEC", 8
    ):
        yield Finding(
            "file system",
            WRONG,
            "the state directory is mounted noexec: scripts kept there cannot be run",
            "set HPCSHELL_HOME to a directory where programs may be run",
        )
    else:
        yield Finding("file system", OK, "local")


def _disk_space(where: Places) -> Iterator[Finding]:
    path = where.state
    while not os.path.exists(path):
        path = os.path.dirname(path)
    free, nodes = host.free_space(path), os.statvfs(path)
    found = f"{short_size(free)} free"
    mend = f"free some space on the disk of {safe(path)}"
    if free < NO_SPACE:
        yield Finding("disk space", WRONG, f"{found}: new work will be refused", mend)
    elif nodes.f_files and nodes.f_favail < 1000:
        yield Finding("disk space", WRONG, "almost no inodes are left", mend)
    elif free < LITTLE_SPACE:
        yield Finding("disk space", WARNING, found, mend)
    else:
        yield Finding("disk space", OK, found)


def _socket_path(where: Places) -> Iterator[Finding]:
    where.check_sockets()
    length = len(os.fsencode(where.daemon_socket))
    yield Finding("socket path", OK, f"{safe(where.daemon_socket)} ({length} bytes)")


def _configuration(where: Places) -> Iterator[Finding]:
    settings = daemon_settings(where, os.environ)
    name, asked = "configuration", settings.resources
    if asked.cpus is not None and asked.cpus > host.cpus():
        found = f"resources.cpus is {asked.cpus}, and there are {host.cpus()}"
        yield Finding(name, WARNING, found, "jobs will share CPUs; leave the key out to stop that")
    elif asked.memory is not None and asked.memory > host.memory():
        found = f"resources.memory is more than the {short_size(host.memory())} there are"
        yield Finding(name, WARNING, found, "jobs may run out of memory; leave the key out")
    else:
        there = os.path.exists(where.config_file)
        yield Finding(name, OK, safe(where.config_file) if there else "none: defaults")


# -------------------------------------------------------------------------------------- the daemon


def _daemon(where: Places) -> Iterator[Finding]:
    pid = daemon_pid(where)
    try:
        Connection.to(where.daemon_socket).close()
    except FileNotFoundError:
        if pid is None:
            yield _absent(where)
        else:
            mend = f"any command brings it back (kill -HUP {pid} does, too)"
            yield Finding("daemon", WARNING, f"process {pid} has lost its socket file", mend)
        return
    except OSError as error:
        if pid is None:
            mend = f"nothing to do: the next hpc submit replaces it (or rm {where.daemon_socket})"
            yield Finding("daemon", WARNING, "stale socket: no daemon listens at it", mend)
        else:
            mend = "hpc daemon restart; running jobs go on"
            yield Finding("daemon", WRONG, f"process {pid} does not listen: {error}", mend)
        return
    yield from _answering(where)


def _absent(where: Places) -> Finding:
    from hpcshell.client.start import last_words

    if told := last_words(where):
        mend = f"try: hpc daemon start; all that it said: {where.daemon_stderr}"
        return Finding("daemon", WARNING, f"does not run; the last one died: {safe(told)}", mend)
    return Finding("daemon", OK, "does not run (hpc submit starts it)")


def _answering(where: Places) -> Iterator[Finding]:
    before = time.monotonic()
    hello = Client(where, autostart=False).call("hello")
    took = time.monotonic() - before
    found = f"process {hello['pid']}, version {hello['version']}"
    restart = "hpc daemon restart; running jobs go on"
    if hello["version"] != __version__:
        yield Finding("daemon", WARNING, f"{found}; this command is {__version__}", restart)
    elif hello.get("trouble"):
        mend = "mend what it says; the daemon tries again by itself"
        yield Finding("daemon", WRONG, f"{found}: {safe(hello['trouble'])}", mend)
    elif took > 1.0:
        yield Finding("daemon", WARNING, f"{found} took {took:.1f} s to answer", "hpc daemon logs")
    else:
        yield Finding("daemon", OK, found)
    runner = hello.get("runner_pid")
    if runner and os.path.exists(f"/proc/{runner}"):
        yield Finding("runner", OK, f"process {runner}")
    else:
        mend = "the daemon starts it again; if it does not: hpc daemon restart"
        yield Finding("runner", WRONG, f"process {runner or 'unknown'} is not there", mend)


# ------------------------------------------------------------------------------------- the machine


def _clock(where: Places) -> Iterator[Finding]:
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now))
    mend = "set the clock (timedatectl set-ntp true); jobs are safe, their times are not"
    if now < EARLIEST:
        yield Finding("clock", WRONG, f"{shown} cannot be right", mend)
        return
    newest = max(
        map(os.path.getmtime, filter(os.path.exists, (where.database, where.daemon_log))),
        default=0.0,
    )
    if newest > now + 60:
        behind = format_duration(round(newest - now))
        yield Finding("clock", WRONG, f"{shown} is {behind} before the queue's last change", mend)
    else:
        yield Finding("clock", OK, shown)


def _limits(where: Places) -> Iterator[Finding]:
    limits = host.limits()
    files, processes = limits["open files"], limits["processes"]
    mend = "raise it in /etc/security/limits.conf, then log in again"
    if files.hard is not None and files.hard < FEW_FILES:
        yield Finding("limits", WARNING, f"only {files.hard} open files are allowed", mend)
    elif processes.soft is not None and processes.soft < FEW_PROCESSES:
        yield Finding("limits", WARNING, f"only {processes.soft} processes are allowed", mend)
    elif limits["file size"].soft is not None:
        size = short_size(limits["file size"].soft)
        yield Finding("limits", WARNING, f"files may not grow over {size}", "ulimit -f unlimited")
    else:
        count = "unlimited" if files.hard is None else f"{files.hard:,}"
        yield Finding("limits", OK, f"{count} open files")


def _lingering(where: Places) -> Iterator[Finding]:
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        mend = "have an administrator add you to /etc/passwd"
        yield Finding("user", WARNING, f"user {os.geteuid()} has no name here", mend)
        return
    lingers = host.lingering(user)
    if lingers is False and os.geteuid() != 0:
        mend = f"loginctl enable-linger {user}"
        yield Finding("lingering", WARNING, "jobs may be killed when you log out", mend)
    else:
        yield Finding("lingering", OK, "on" if lingers else "not needed here")


def _resources(where: Places) -> Iterator[Finding]:
    available = host.memory_available()
    found = f"{host.cpus()} CPUs, {short_size(host.memory())} memory"
    if available < 128 * MIB:
        mend = "end something that uses much memory"
        yield Finding("resources", WARNING, f"{short_size(available)} memory available", mend)
    else:
        yield Finding("resources", OK, found)


def _gpus(where: Places) -> Iterator[Finding]:
    """Whether the cards are well, and what keeps shares of them apart."""
    from hpcshell.machine.gpus.choosing import NO_DRIVER, chosen

    provider = daemon_settings(where, os.environ).gpus.provider
    asked = chosen(provider)
    if not asked:
        yield Finding("gpus", OK, f"none: {NO_DRIVER}")
        return
    if not os.path.exists(where.daemon_socket):
        yield Finding("gpus", OK, f"provider {asked}; the daemon asks it once it runs")
        return
    found = Client(where, autostart=False).call("gpus")
    told = f"{len(found['cards'])} cards (provider {safe(found['provider'])})"
    for cause in found["health"]["causes"]:
        yield Finding("gpus", WARNING, safe(cause), "see: hpc gpu status --detailed")
    if not found["health"]["causes"]:
        yield Finding("gpus", OK, told)
    yield Finding("gpu shares", OK, safe(found["enforcement"]))


def _sessions(where: Places) -> Iterator[Finding]:
    """What --screen has to choose from; nobody needs any."""
    from hpcshell.machine.session.words import PROGRAMS, installed

    there = [program for program in PROGRAMS if installed(program, os.environ)]
    none = "neither screen nor tmux is installed, so --screen is refused"
    yield Finding("sessions", OK, " and ".join(there) or none)


# ---------------------------------------------------------------------------------------- clusters


def _clusters(where: Places) -> Iterator[Finding]:
    """How each answered of late, and how often it is asked; nothing is asked of it now."""
    from hpcshell.clusters.desks import open_cluster
    from hpcshell.clusters.survey import known_clusters, status
    from hpcshell.machine.configfiles import user_settings

    settings = user_settings(where, os.environ, os.getcwd()).settings
    for name in known_clusters(settings, where):
        told = status(open_cluster(name, settings, where), ask=False)
        found = f"{told['questions']:.0f} questions in the last hour, circuit {told['circuit']}"
        if told["waiting_here"]:
            found += f", {told['waiting_here']} to be sent"
        if told["circuit"] == "closed" and not told["trouble"]:
            yield Finding(f"cluster {safe(name)}", OK, found)
        else:
            found += f": {safe(told['trouble'] or 'it does not answer')}"
            yield Finding(f"cluster {safe(name)}", WARNING, found, f"hpc cluster status {name}")


CHECKS: Final = (
    _python,
    _kernel,
    _sqlite,
    _state_directory,
    _database,
    _file_system,
    _disk_space,
    _socket_path,
    _configuration,
    _clock,
    _limits,
    _lingering,
    _resources,
    _sessions,
    _daemon,
    _gpus,
    _clusters,
)
