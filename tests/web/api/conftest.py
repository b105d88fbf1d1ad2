"""What every test of the tracker's routes may use: see `tests.support.track_fixtures`."""

from __future__ import annotations

from tests.support.track_fixtures import as_, experiment, run

__all__ = ["as_", "experiment", "run"]
