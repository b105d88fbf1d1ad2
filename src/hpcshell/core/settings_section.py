"""What every section of the configuration is made of."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What all sections share: frozen, named keys."""


def key(kind: str, doc: str, **more: Any) -> Meta:
    """What is known of a key besides its name and default; see `settings.Key`."""
    return Meta(description=doc, extra={"kind": kind, **more})
