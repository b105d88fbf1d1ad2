"""The tracker's store as a verb opens it: that of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpcshell.track.store.store import Store


def opened() -> Store:
    """The store, to be closed: `with opened() as store`. Raises `HpcError`."""
    from hpcshell.jobs.surroundings import configured, here, working_directory
    from hpcshell.track.store.opening import open_store, url_of

    settings = configured(working_directory()).settings
    return open_store(url_of(settings.track.url, here()))
