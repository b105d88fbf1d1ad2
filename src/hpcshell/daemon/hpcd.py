"""The daemon's start: take the lock, open the store, find the runner, say "ready", and go round.

    python -m hpcshell.daemon.hpcd [--new] [--ready-fd N]

On descriptor N one line tells the starter how it went: `ok`, `running` when another daemon holds
the lock, or `kind|message|hint`. `--new` begins with an empty queue where the database is lost.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import os
import resource
import selectors
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hpcshell.core.errors import Broken, HpcError, NotYet
from hpcshell.daemon.earlier import learn_runs, signs_of_earlier
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.faults import fault_point
from hpcshell.daemon.gpus import Gpus
from hpcshell.daemon.host import this_host
from hpcshell.daemon.loop import Loop
from hpcshell.daemon.regimes import set_up
from hpcshell.daemon.runner.ground import leave_run
from hpcshell.daemon.runner.link import RunnerLink
from hpcshell.daemon.server import Server
from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.logfile import LogFile
from hpcshell.machine.paths import Places, places
from hpcshell.store.opening import no_signs, set_aside
from hpcshell.store.store import Store


class AlreadyRunning(NotYet):
    """Another daemon serves this state directory."""

    kind = "running"


def take_lock(where: Places) -> int:
    """The lock of the state directory, held until this process ends. Raises `AlreadyRunning`."""
    lock = os.open(where.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise AlreadyRunning(
            f"a daemon (pid {holder or 'unknown'}) already serves {where.state}",
            "use it, or end it with: hpc daemon stop",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def make_loop(where: Places, *, new: bool = False) -> Loop:
    """Everything the daemon needs, opened; the socket listens but nothing is answered yet."""
    settings, database = daemon_settings(where, os.environ), Path(where.database)
    if new:
        set_aside(database)
    store = Store.open(
        database,
        on_write=fault_point(os.environ),
        signs=no_signs if new else partial(signs_of_earlier, where),
    )

    gpus = Gpus(store, where.state)

    def configure(engine: Engine) -> None:
        fresh = daemon_settings(where, os.environ)
        gpus.renew(fresh.gpus)
        set_up(engine, this_host(where, fresh, store, gpus.watch))

    own = settings.daemon
    log = LogFile(where.daemon_log, own.log_size, own.log_files, own.log_level)
    server = Server(selectors.DefaultSelector(), where.daemon_socket)
    met = learn_runs(where, store)
    loop = Loop(store, server, RunnerLink(where), log, configure, gpus)
    loop.engine.met = met
    try:
        server.listen()
    except OSError as error:
        raise Broken(
            f"the control socket {server.path} cannot be made: {error.strerror}",
            "see what lies there, and whether its directory can be written",
        ) from error
    log.write("info", "ready", pid=os.getpid(), live=len(loop.engine.live))
    return loop


def _quiet_collector() -> None:
    """Long-lived records are not looked through again and again for garbage."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 100)


def _more_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell(descriptor: int | None, line: str) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.write(descriptor, line.encode() + b"\n")
            os.close(descriptor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon in this process until it is stopped. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="hpcd", description="The HPCShell scheduler daemon.")
    parser.add_argument("--new", action="store_true", help="begin anew where a database is lost")
    parser.add_argument("--ready-fd", type=int, metavar="N", help="write one line here when ready")
    options = parser.parse_args(argv)
    os.umask(0o077)
    try:
        loop = _prepare(new=options.new)
    except HpcError as error:
        _tell(options.ready_fd, "|".join((error.kind, error.message, error.hint or "")))
        print(f"hpcd: {error}", file=sys.stderr)
        return error.exit_code
    _quiet_collector()
    _tell(options.ready_fd, "ok")
    return _run(loop)


def _prepare(*, new: bool) -> Loop:
    """All that can go wrong before the daemon is ready."""
    where = places(os.environ)
    where.prepare()
    leave_run(where)
    os.chdir("/")
    _more_descriptors()
    try:
        take_lock(where)
        gc.disable()
        return make_loop(where, new=new)
    except OSError as error:
        name = error.filename or where.state
        raise Broken(f"{name}: {error.strerror}", "hpc doctor looks for the cause") from error
    except (HpcError, MemoryError):
        raise
    except Exception as error:
        traceback.print_exc()
        raise Broken(
            f"the queue in {where.state} cannot be loaded: {error!r}",
            "nothing in it was changed; the file hpcd.stderr in it shows where it happened",
        ) from error


def _run(loop: Loop) -> int:
    """Go round until told to stop; what ends the daemon otherwise leaves a trace in its log."""
    try:
        loop.run()
    except Exception as error:
        loop.log.write("error", "the daemon died", error=str(error), trace=traceback.format_exc())
        print(f"hpcd: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
