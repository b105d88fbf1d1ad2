"""A task of the server: what runs log into spool files is taken in."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from hpcshell.core.errors import HpcError
from hpcshell.machine import clock
from hpcshell.track.points.spools import Sweep, Swept, Trouble, sweep_spools
from hpcshell.web.context import Context

SOON: Final = 1.0
"""Seconds until the next look, where there was something."""
LATER: Final = 15.0
"""The longest that is waited where there is nothing, and after errors."""
REST: Final = 4
"""How many times as long as a look took is waited at least: directories may be large and far."""

_log: Final = logging.getLogger("hpcshell.web")


async def spools(context: Context) -> None:
    """Take in the spool files of this machine and of [track] spools, until cancelled."""
    directories = [context.places.track.spool, *context.settings.track.spools]
    how = Sweep(clock=clock.now, remove=True)
    told: frozenset[Trouble] = frozenset()
    pause = SOON
    while True:
        begun = clock.monotonic()
        try:
            swept = await context.work(sweep_spools, context.store, directories, how)
        except (HpcError, OSError) as error:
            _log.warning("spool files are not taken in: %s", error)
            swept = Swept()
        for trouble in swept.troubles:
            if trouble not in told:
                _log.warning("a spool file is not taken in: %s: %s", trouble.path, trouble.message)
        told = frozenset(swept.troubles)
        pause = SOON if swept.files else min(LATER, pause * 2)
        await asyncio.sleep(max(pause, REST * (clock.monotonic() - begun)))
