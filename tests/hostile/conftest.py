"""What tests against a hostile web may use: see `tests.support.web_fixtures`."""

from __future__ import annotations

from tests.support.track_fixtures import as_, experiment, run
from tests.support.web_fixtures import api, context, database, new_token, server, store

__all__ = [
    "api",
    "as_",
    "context",
    "database",
    "experiment",
    "new_token",
    "run",
    "server",
    "store",
]
