"""Tests of points run twice, over SQLite and over PostgreSQL."""

from __future__ import annotations

from tests.track.store.conftest import database, postgres, store, url

__all__ = ["database", "postgres", "store", "url"]
