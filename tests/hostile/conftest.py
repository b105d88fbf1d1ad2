"""What tests against a hostile web may use: see `tests.support.web_fixtures`."""

from __future__ import annotations

from tests.support.web_fixtures import new_token, server, store

__all__ = ["new_token", "server", "store"]
