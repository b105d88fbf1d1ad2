"""Routes of health: whether the server lives, and whether it can work."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from sqlalchemy import text

from hpcshell import __version__
from hpcshell.client.start import daemon_pid
from hpcshell.web.context import Context


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """That the process lives."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """That requests can be answered. Where the store does not answer, the status is 503."""

    status: Literal["ok"] = "ok"
    store: str
    """`sqlite` or `postgresql`."""
    daemon: Literal["running", "stopped"]
    """The tracker works without it; it is started when a job is submitted."""


@get("/healthz", opt={"open": True}, summary="Whether the server lives", tags=["server"])
async def healthz() -> Health:
    return Health()


@get("/readyz", opt={"open": True}, summary="Whether the server can work", tags=["server"])
async def readyz(context: NamedDependency[Context]) -> Readiness:
    await context.read(lambda connection: connection.execute(text("SELECT 1")).one())
    pid = await context.work(daemon_pid, context.places)
    return Readiness(store=context.store.dialect, daemon="stopped" if pid is None else "running")


handlers: Final[list[Any]] = [healthz, readyz]
