"""A task of the server: what was deleted long ago goes for good, with all that it has uploaded."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from hpcshell.core.errors import HpcError
from hpcshell.machine import clock
from hpcshell.track.store import retention
from hpcshell.web.context import Context

PAUSE: Final = 3600.0
"""Seconds between two looks."""

_log: Final = logging.getLogger("hpcshell.web")


async def purging(context: Context) -> None:
    """Remove what is due, now and then, until cancelled."""
    while True:
        try:
            await purged(context)
        except HpcError as error:
            _log.warning("what was deleted is not removed: %s", error.message)
        await asyncio.sleep(PAUSE)


async def purged(context: Context) -> int:
    """Remove all that is due, in slices; how many runs that were. Raises `HpcError`."""
    now, count, more = clock.now(), 0, True
    before = now - context.settings.track.keep_deleted
    while more:
        gone = await context.change(lambda connection: retention.purge(connection, before))
        for owner in gone.owners:
            await context.work(context.artifacts.forget, owner)
        count, more = count + len(gone.runs), gone.more
    known = now - retention.REMEMBERED
    while await context.change(lambda connection: retention.forget(connection, known)):
        pass
    return count
