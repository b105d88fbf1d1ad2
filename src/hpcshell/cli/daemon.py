"""`hpc daemon`: start, stop and look after the daemon."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.group import NearGroup
from hpcshell.cli.reach import client
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.client.client import Client
from hpcshell.client.connection import Lost
from hpcshell.client.start import daemon_pid
from hpcshell.core.errors import NotFound, Refused, Unreachable
from hpcshell.core.units import format_duration
from hpcshell.core.words import safe, safe_json
from hpcshell.machine.paths import places

RUNNER_WITHIN: Final = 2.0
"""Seconds in which a daemon that has just begun finds its runner."""

GONE_WITHIN: Final = 60.0
"""Seconds a stopping daemon gets to end its jobs and itself."""


@click.group(
    "daemon",
    cls=NearGroup,
    help="Start, stop and look after the daemon.\n\nhpc submit starts it, too.",
)
def command() -> None:
    pass


@verb("start", "hpc daemon start")
@click.option(
    "--new",
    is_flag=True,
    help="Where the database is lost, begin an empty queue, with job 1; what still runs is ended.",
)
def start(talk: Talk, new: bool) -> int:
    """Start the daemon, if it does not run."""
    if new:
        _begin_anew()
    hello = _hello(client())
    if talk.json:
        talk.document({"schema": SCHEMA, "running": True, **hello})
    elif talk.quiet:
        talk.data(str(hello["pid"]))
    else:
        talk.data(f"the daemon runs (process {hello['pid']})")
    return 0


@verb("stop", "hpc daemon stop", "hpc daemon stop --cancel", changes=True)
@click.option("--cancel", is_flag=True, help="Cancel all jobs first; end the runner, too.")
def stop(talk: Talk, cancel: bool) -> int:
    """Stop the daemon.

    Running jobs go on, and the next daemon takes them up again; --cancel ends them.
    """
    stopped = _stop(talk, cancel)
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, "stopped": stopped})
    elif not talk.dry_run:
        talk.say("the daemon has stopped" if stopped else "the daemon does not run")
    return 0


@verb("restart", "hpc daemon restart", changes=True)
def restart(talk: Talk) -> int:
    """Stop the daemon and start it again.

    Running jobs go on. It is how a new version takes the place of an old one. Where the
    configuration is wrong, the daemon that runs is left alone.
    """
    from hpcshell.machine.configfiles import daemon_settings

    daemon_settings(places(os.environ), os.environ)
    _stop(talk, cancel=False)
    return (
        0
        if talk.dry_run
        else start.callback(  # type: ignore[misc]
            json=talk.json, quiet=talk.quiet, color="never", debug=False, new=False
        )
    )


@verb("status", "hpc daemon status", "hpc daemon status --json | jq .pid")
def status(talk: Talk) -> int:
    """Say whether the daemon runs, and how it is."""
    try:
        hello = _hello(client(autostart=False))
    except Unreachable as error:
        if not talk.json:
            raise
        missing = {"running": False, "pid": None, "runner_pid": None, "trouble": error.message}
        talk.document({"schema": SCHEMA, **missing})
        return error.exit_code
    if talk.json:
        talk.document({"schema": SCHEMA, "running": True, **hello})
    elif talk.quiet:
        talk.data(str(hello["pid"]))
    else:
        talk.data(*_status(hello))
    return 0


@verb("reload", "hpc daemon reload")
def reload(talk: Talk) -> int:
    """Make the daemon read its configuration again."""
    answer = client(autostart=False).call("reload")
    if talk.json:
        talk.document({"schema": SCHEMA, **answer})
    else:
        talk.say("the daemon has read its configuration")
    return 0


@verb("logs", "hpc daemon logs", "hpc daemon logs -f --json")
@click.option("-f", "--follow", is_flag=True, help="Go on as it is written.")
@click.option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True)
def logs(talk: Talk, follow: bool, lines: int) -> int:
    """Print the daemon's log, its last lines first."""
    from hpcshell.machine.tails import start_of_last

    path = places(os.environ).daemon_log
    try:
        file = open(path, "rb")  # noqa: SIM115 - opened anew when the log is rotated
    except FileNotFoundError:
        raise NotFound(f"there is no log at {path}", "the daemon has never run here") from None
    with file:
        file.seek(start_of_last(file, lines))
        while True:
            for line in file:
                sys.stdout.write(
                    safe_json(line.decode(errors="replace")) if talk.json else _readable(line)
                )
            sys.stdout.flush()
            if not follow:
                return 0
            time.sleep(0.25)
            if os.path.exists(path) and os.stat(path).st_ino != os.fstat(file.fileno()).st_ino:
                file.close()  # rotated
                file = open(path, "rb")  # noqa: SIM115


for _each in (start, stop, restart, status, reload, logs):
    command.add_command(_each)


def _begin_anew() -> None:
    from hpcshell.client.start import start as launch

    where = places(os.environ)
    if (pid := daemon_pid(where)) is not None:
        raise Refused(
            f"the daemon (process {pid}) runs: nothing is begun anew", "hpc daemon status"
        )
    launch(where, "--new").close()


def _hello(daemon: Client) -> dict[str, Any]:
    """What the daemon says of itself, once it has found its runner (it listens a little before)."""
    deadline = time.monotonic() + RUNNER_WITHIN
    while True:
        hello: dict[str, Any] = daemon.call("hello")
        if hello["runner_pid"] or time.monotonic() >= deadline:
            return hello
        time.sleep(0.01)


def _status(hello: dict[str, Any]) -> list[str]:
    jobs = ", ".join(f"{count:,} {state}" for state, count in hello["jobs"].items() if count)
    ran = format_duration(max(0, round(time.time() - hello["started"])))
    lines = [
        f"the daemon runs: process {hello['pid']}, version {hello['version']}, for {ran}",
        f"  runner: process {hello['runner_pid'] or 'none'}",
        f"  state:  {safe(hello['state_dir'])}",
        f"  jobs:   {jobs or 'none'}",
    ]
    if (node := hello.get("node")) and not (node["accepts"] and not node["reservations"]):
        lines += [f"  node:   {describe.state_line(node)}", *describe.set_apart(node)]
    if hello.get("trouble"):
        lines.append(f"  trouble: {safe(hello['trouble'])}")
    return lines


def _stop(talk: Talk, cancel: bool) -> bool:
    """Whether there was a daemon to stop."""
    where = places(os.environ)
    # jobs may run on without a daemon: to cancel them there must be one
    orphans = cancel and (os.path.exists(where.database) or bool(where.left_of_earlier()))
    daemon = client(autostart=orphans)
    try:
        hello = daemon.call("hello")
    except Refused:  # of another version: its signal is all we have in common
        return _terminate(daemon_pid(where))
    except Unreachable:
        if orphans:  # none could be started: whatever still runs goes on
            raise
        return _terminate(daemon_pid(where))
    try:
        answer = daemon.call("stop", cancel=cancel, dry_run=talk.dry_run)
    except Lost:
        raise _overdue(hello["pid"]) from None
    if talk.dry_run:
        jobs = ", ".join(f"{count} {state}" for state, count in answer["jobs"].items() if count)
        talk.data(f"would stop the daemon (process {hello['pid']}); jobs: {jobs or 'none'}")
        return False
    pids = [hello["pid"]]
    if cancel:
        pids += [] if answer["running"] else [hello["runner_pid"], hello["keeper_pid"]]
    _await_exit([pid for pid in pids if pid])
    if cancel and answer["running"]:
        raise _left(answer)
    return True


def _left(answer: dict[str, Any]) -> Unreachable:
    jobs = answer["running"]
    which = f"job {jobs[0]} has" if len(jobs) == 1 else f"jobs {', '.join(map(str, jobs))} have"
    if answer["runner"]:
        return Unreachable(
            f"the daemon has stopped, but {which} not ended",
            "the runner goes on to end them; hpc daemon stop --cancel waits for it",
        )
    return Unreachable(
        f"the daemon has stopped, but {which} not ended: there is no runner to end them",
        "what was started may still run; hpc daemon logs says what keeps the runner away; "
        "mend it, then once more: hpc daemon stop --cancel",
    )


def _terminate(pid: int | None) -> bool:
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # one that was stopped (SIGSTOP) hears nothing else
    _await_exit([pid])
    return True


def _await_exit(pids: Iterable[int]) -> None:
    deadline = time.monotonic() + GONE_WITHIN
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except (ProcessLookupError, OSError):
            continue
        try:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([descriptor], [], [], left)[0]:
                raise _overdue(pid)
        finally:
            os.close(descriptor)


def _overdue(pid: int) -> Unreachable:
    return Unreachable(
        f"process {pid} has not ended after {GONE_WITHIN:g} s",
        f"see what it does: hpc daemon logs; kill -9 {pid} is safe, running jobs go on",
    )


def _readable(line: bytes) -> str:
    """A line of the log for people; as it stands if it is no JSON."""
    import msgspec

    try:
        entry = msgspec.json.decode(line)
        stamp, level, text = entry.pop("time"), entry.pop("level"), entry.pop("message")
    except (msgspec.DecodeError, KeyError, AttributeError):
        return safe(line.decode(errors="replace").rstrip("\n")) + "\n"
    rest = " ".join(f"{name}={value}" for name, value in entry.items())
    when = describe.instant(stamp) if isinstance(stamp, int | float) else str(stamp)
    return safe(f"{when} {level} {text} {rest}".rstrip()) + "\n"
