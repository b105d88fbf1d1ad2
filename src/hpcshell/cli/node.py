"""`hpc node`: whether the machine takes new work."""

from __future__ import annotations

import click

from hpcshell.cli import describe
from hpcshell.cli.group import NearGroup
from hpcshell.cli.reach import client
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe


@click.group("node", cls=NearGroup)
def command() -> None:
    """Say whether the machine takes new work.

    Its state, in the words of Slurm's sinfo: IDLE, MIXED, ALLOCATED; DRAINING and DRAINED, when
    nothing new starts; DOWN, when nothing is to run; MAINT and RESERVED, while all of it is set
    apart for nobody or for some.
    """


@verb("status", "hpc node status", "hpc node status --json | jq -r .state")
def status(talk: Talk) -> int:
    """Show the state of the machine, why it is so, and what is set apart."""
    found = client().call("node")
    if talk.json:
        talk.document({"schema": SCHEMA, **found})
    elif talk.quiet:
        talk.data(found["state"])
    else:
        talk.data(
            f"{safe(found['hostname'])}: {describe.state_line(found)}", *describe.set_apart(found)
        )
    return 0


@verb("drain", "hpc node drain", "hpc node drain new disk", changes=True)
@click.argument("reason", nargs=-1, metavar="[REASON]...")
def drain(talk: Talk, reason: tuple[str, ...]) -> int:
    """Start nothing new; what runs runs on. Jobs can be submitted, and wait."""
    return _set(talk, "drain", " ".join(reason))


@verb("down", "hpc node down power works at noon", changes=True)
@click.argument("reason", nargs=-1, required=True, metavar="REASON...")
def down(talk: Talk, reason: tuple[str, ...]) -> int:
    """Start nothing new, and let what runs make room.

    It gets its checkpoint signal, if it asked for one, then SIGTERM, then SIGKILL after its grace
    time, and goes back into the queue; with --no-requeue it ends as PREEMPTED.
    """
    return _set(talk, "down", " ".join(reason))


@verb("resume", "hpc node resume", changes=True)
def resume(talk: Talk) -> int:
    """Take new work again."""
    return _set(talk, "up", "")


def _set(talk: Talk, state: str, reason: str) -> int:
    answer = client().call("set_node", state=state, reason=reason, dry_run=talk.dry_run)
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **answer})
    elif talk.quiet:
        talk.data(answer["state"])
    elif talk.dry_run:
        talk.data(f"{safe(answer['hostname'])} would change; it is {answer['was']}")
    else:
        name = safe(answer["hostname"])
        talk.data(f"{name}: {describe.state_line(answer)} (it was {answer['was']})")
        if answer["stopped"]:
            jobs = ", ".join(map(str, answer["stopped"]))
            talk.say(f"make room: job{'s' * (len(answer['stopped']) > 1)} {jobs}")
    return 0


for _each in (status, drain, resume, down):
    command.add_command(_each)
