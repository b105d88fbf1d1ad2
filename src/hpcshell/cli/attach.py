"""`hpc attach`: join the session of a running job."""

from __future__ import annotations

import os
import shlex
import sys
import time
from typing import Any, Final

import click

from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import NotYet, Refused, Wrong
from hpcshell.core.words import safe
from hpcshell.machine.paths import places

OPENING: Final = 10.0
"""Seconds that a session which has just begun gets to open."""
_LOOK: Final = 0.05


@verb("attach", "hpc attach 12", "hpc attach 7_3", "hpc attach @", "hpc attach 12 --print", on=True)
@ids_argument()
@click.option("--print", "only_print", is_flag=True, help="Print the command that joins it.")
def command(talk: Talk, ids: tuple[str, ...], only_print: bool) -> int:
    """Join the session of a running job.

    The job was submitted with --screen. Without an ID, your last job. Detach with Ctrl-A D from
    screen and with Ctrl-B D from tmux: the job goes on.
    """
    named = selectors(ids, "@")
    if not named:
        return 0
    view = _open_session(named)
    words = view["session"]["join"]
    if talk.json:
        talk.document({"schema": view["schema"], "id": view["id"], **view["session"]})
    elif only_print or talk.quiet:
        talk.data(safe(shlex.join(words)))
    else:
        _check_terminal(view)
        _join(words)
    return 0


def _open_session(named: list[str]) -> dict[str, Any]:
    """The document of the one job whose session is open. Raises `Refused` for any other."""
    daemon = door()
    until = time.monotonic() + OPENING
    while True:
        views = daemon.call("show", ids=named)["jobs"]
        if len(views) != 1:
            raise Wrong(
                f"{len(views)} jobs are named", "name the one whose session is to be joined"
            )
        view: dict[str, Any] = views[0]
        _check(view)
        if view["session"]["join"]:
            return view
        if time.monotonic() > until:
            raise _unopened(view)
        time.sleep(_LOOK)


def _unopened(view: dict[str, Any]) -> NotYet:
    from hpcshell.machine.session.words import Session, complaint

    directory = places(os.environ).session(view["run"])
    told = complaint(Session(view["session"]["program"], view["session"]["name"], directory))
    label = view["label"]
    why = f": {safe(told.rstrip('.'))}" if told else ""
    return NotYet(
        f"the session of job {label} does not open{why}",
        f"the job runs all the same: hpc logs -f {label} shows what it prints",
    )


def _check(view: dict[str, Any]) -> None:
    """Refuse what cannot be joined."""
    label, state = view["label"], view["state"]
    if view.get("cluster"):
        raise Refused(f"job {label} is on {view['cluster']}, where there are no sessions", None)
    if elements := view.get("elements"):
        running = elements["running"] or [0]
        hint = f"name an element: hpc attach {label}_{running[0]}"
        raise Refused(f"job {label} is an array", hint)
    if not view.get("session"):
        raise Refused(
            f"job {label} runs in no session"
            if state == "RUNNING"
            else f"job {label} was submitted without a session",
            "submit it with --screen; hpc logs -f shows what it prints",
        )
    if state == "PENDING":
        raise Refused(f"job {label} has not begun", f"see: hpc explain {label}")
    if state == "SUSPENDED":
        raise Refused(
            f"job {label} is suspended, and its session stands still with it",
            f"let it go on: hpc resume {label}",
        )
    if state not in ("RUNNING", "COMPLETING"):
        raise Refused(f"job {label} has ended", f"see what it printed: hpc logs {label}")
    if os.environ.get("HPC_RUN_ID") == str(view["run"]):
        raise Refused(f"this is the session of job {label}", "leave it first, and attach then")


def _check_terminal(view: dict[str, Any]) -> None:
    logs = f"hpc logs -f {view['label']} shows what it prints"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("a session is joined from a terminal, and this is none", logs)
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise Refused("TERM names no terminal that can be drawn on", f"set TERM=xterm; {logs}")


def _join(words: list[str]) -> None:
    """Become the program that joins it."""
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)
    except OSError as error:
        raise Refused(
            f"{safe(words[0])} cannot be run: {error.strerror}", "is it in your PATH?"
        ) from None
