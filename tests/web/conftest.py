"""What every test of the web server may use: see `tests.support.web_fixtures`."""

from __future__ import annotations

from tests.support.web_fixtures import api, context, new_token, server, store

__all__ = ["api", "context", "new_token", "server", "store"]
