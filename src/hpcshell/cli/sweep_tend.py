"""`hpc sweep tend`: the process that stays with a sweep until it has ended."""

from __future__ import annotations

import os

import click

from hpcshell.cli import exits
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import NotYet
from hpcshell.core.words import safe
from hpcshell.sweeps.face import open_sweep
from hpcshell.sweeps.keeping import stay


@verb("tend", "hpc sweep tend sweeps/outputs/lr-study")
@click.argument("folder")
def tend(talk: Talk, folder: str) -> int:
    """Submit what waits here for a place, try again what failed, stop where that is wanted.

    A sweep that needs it starts this in the background; what it said is in keeper.log.
    """
    try:
        stay(open_sweep(os.path.abspath(folder)).folder, tell=lambda said: talk.data(safe(said)))
    except NotYet:
        return exits.OK  # another one stays with it
    return exits.OK
