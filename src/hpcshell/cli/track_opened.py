"""The tracker's store as a verb opens it that needs nothing else of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcshell.cli import tracked

if TYPE_CHECKING:
    from hpcshell.track.store.store import Store


def opened() -> Store:
    """The store, to be closed: `with opened() as store`. Raises `HpcError`."""
    return tracked.opened().store
