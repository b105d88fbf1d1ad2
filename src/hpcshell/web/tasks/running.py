"""What the server does besides answering: each task runs until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from hpcshell.web.context import Context
from hpcshell.web.tasks.collecting import collecting
from hpcshell.web.tasks.following import following
from hpcshell.web.tasks.losing import losing
from hpcshell.web.tasks.polling import polling
from hpcshell.web.tasks.purging import purging
from hpcshell.web.tasks.spooling import spools

Task = Callable[[Context], Awaitable[None]]
TASKS: Final[tuple[Task, ...]] = (following, polling, losing, collecting, purging, spools)
AGAIN: Final = 5.0
"""Seconds until a task that has failed is begun again."""
_log: Final = logging.getLogger("hpcshell.web")


@contextlib.asynccontextmanager
async def at_work(context: Context) -> AsyncIterator[None]:
    """All tasks run meanwhile."""
    running = [asyncio.create_task(_kept(task, context)) for task in TASKS]
    try:
        yield
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _kept(task: Task, context: Context) -> None:
    while True:
        try:
            await task(context)
            return
        except Exception as error:  # a defect of one must not end it for good
            _log.error("a task of the server has failed, and is begun again", exc_info=error)
            await asyncio.sleep(AGAIN)
