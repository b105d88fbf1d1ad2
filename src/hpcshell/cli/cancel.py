"""`hpc cancel`: end jobs, or send them a signal."""

from __future__ import annotations

from typing import Any

import click

from hpcshell.cli.changing import report
from hpcshell.cli.filters import given, names_option, states_option, user_option
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.states import states_of
from hpcshell.core.words import safe


@verb(
    "cancel",
    "hpc cancel 12",
    "hpc cancel 7[3-5] 20-25",
    "hpc cancel --name sweep --state PENDING",
    "hpc cancel 12 --signal USR1",
    changes=True,
    on=True,
)
@ids_argument()
@click.option(
    "--signal", metavar="NAME", help="Send this signal (not to a script's shell) instead."
)
@user_option("All jobs of this user.")
@states_option("Only what is in this state (PENDING, RUNNING; may be repeated).")
@names_option("All jobs of this name.")
@click.option("--all", "every", is_flag=True, help="All your jobs that have not ended.")
def command(talk: Talk, ids: tuple[str, ...], **chosen: Any) -> int:
    """Cancel jobs.

    What waits is cancelled at once. What runs gets SIGTERM, then SIGKILL after the grace time of
    10 seconds; nothing of it is left alive.
    """
    named = selectors(ids)
    if ids and not named:
        talk.say("nothing named on stdin")
        return 0
    filters = given(
        user=chosen["user"],
        states=states_of(chosen["states"]),
        names=list(chosen["names"]),
        all=chosen["every"] or None,
        signal=chosen["signal"],
    )
    if not named and not filters.keys() & {"user", "states", "names", "all"}:
        raise Wrong("which jobs?", "name ids, or choose with --name, --state, --user or --all")
    answer = door().call("cancel", ids=named, dry_run=talk.dry_run, **filters)
    if not named:  # what a filter passed over was not asked for
        answer["unchanged"] = []
    if not answer["jobs"] and not answer["unchanged"]:
        talk.say("nothing to cancel")
    if chosen["signal"]:
        return report(talk, answer, f"sent {safe(chosen['signal'].upper())}", "was")
    return report(talk, answer, "cancelled")
