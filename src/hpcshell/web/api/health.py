"""Routes of health: whether the server lives, and whether it can work."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency

from hpcshell import __version__
from hpcshell.client.start import daemon_pid
from hpcshell.core.errors import NotYet
from hpcshell.track.store import readiness
from hpcshell.web.context import READY, Context

PATIENCE: Final = 3.0
"""Seconds after which a store that has not answered is none."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """That the process lives."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """That requests can be answered. Where the store does not answer the status is 503, where there
    is no room left for what is to be stored 507."""

    status: Literal["ok"] = "ok"
    store: str
    """`sqlite` or `postgresql`."""
    daemon: Literal["running", "stopped"]
    """The tracker works without it; it is started when a job is submitted."""


@get("/healthz", opt={"open": True}, summary="Whether the server lives", tags=["server"])
async def healthz() -> Health:
    return Health()


@get(
    "/readyz",
    opt={"open": True},
    summary="Whether the server can work",
    description="That the store answers, and can be written. It is found out at most every "
    f"{READY:.0f} seconds.",
    tags=["server"],
)
async def readyz(context: NamedDependency[Context]) -> Readiness:
    asked = context.ready.answer(lambda: context.work(_look, context))
    try:
        ready: Readiness = await asyncio.wait_for(asked, PATIENCE)
    except TimeoutError:
        raise NotYet("the store does not answer", "try again later") from None
    return ready


def _look(context: Context) -> Readiness:
    readiness.check(context.store)
    pid = daemon_pid(context.places)
    return Readiness(store=context.store.dialect, daemon="stopped" if pid is None else "running")


handlers: Final[list[Any]] = [healthz, readyz]
