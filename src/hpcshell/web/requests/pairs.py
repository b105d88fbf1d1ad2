"""Names and values as requests say them, for parameters and tags."""

from __future__ import annotations

from typing import Any

from hpcshell.track.store import configs


def texts_of(given: dict[str, Any] | None) -> dict[str, str]:
    """Values as texts; what is nested becomes `a.b`. Raises `Wrong`."""
    return configs.flat(configs.plain(given or {}))


def parted(tags: dict[str, Any]) -> tuple[dict[str, str], set[str]]:
    """The tags that are to be written, and the names of those to be taken away: they are `None`.
    Raises `Wrong`."""
    written = {key: value for key, value in tags.items() if value is not None}
    return texts_of(written), tags.keys() - written.keys()
