"""Sees which runs have fallen silent, and which speak again."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from hpcshell.core.errors import HpcError
from hpcshell.machine import clock
from hpcshell.track.store.silence import lose
from hpcshell.web.context import Context

OFTEN: Final = 10
"""Looks in the time after which a run is lost."""
SOONEST: Final = 1.0
LATEST: Final = 60.0

_log: Final = logging.getLogger("hpcshell.web")


async def losing(context: Context) -> None:
    """Look again and again, until this is cancelled."""
    after = context.settings.track.lost_after
    pause = min(LATEST, max(SOONEST, after / OFTEN))
    while True:
        await asyncio.sleep(pause)  # first: whoever was away may speak now that we are back
        try:
            await context.change(lambda connection: lose(connection, after, clock.now()))
        except HpcError as error:
            _log.warning("lost runs are not looked for: %s", error.message)
