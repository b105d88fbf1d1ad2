"""Takes in the events that epilogs could not send, from the spool directories."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from hpcshell.core.errors import HpcError
from hpcshell.track.joining.signing import webhook_key
from hpcshell.track.joining.spooled import Outcome, take_in
from hpcshell.web.context import Context
from hpcshell.web.tasks.polling import nudge

PAUSE: Final = 10.0
"""Seconds between two looks."""

_log: Final = logging.getLogger("hpcshell.web")


async def collecting(context: Context) -> None:
    """Look again and again, until this is cancelled."""
    while True:
        for directory in (context.places.track.spool, *context.settings.track.spools):
            try:
                outcome: Outcome = await context.work(_take_in, context, directory)
            except HpcError as error:
                _log.warning("events in %s are not taken in: %s", directory, error.message)
                continue
            for path in outcome.bad:
                _log.warning("%s is no event of an epilog of ours", path)
            if outcome.taken:
                nudge(context)
        await asyncio.sleep(PAUSE)


def _take_in(context: Context, directory: str) -> Outcome:
    return take_in(context.store, directory, webhook_key(context.places))
