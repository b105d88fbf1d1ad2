"""Who stays with what waits here for a cluster, and that it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcshell.cli.talk import Talk
from hpcshell.client.client import Client
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door


def stay_with(talk: Talk, way: Door) -> None:
    """What waits here is not forgotten: somebody is started for it, where nobody is."""
    if isinstance(way, Client):
        return
    from hpcshell.jobs.tending import see_to

    for name in see_to(way):
        talk.say(
            f"a process in the background sees to it until {safe(name)} has it: hpc cluster status"
        )
