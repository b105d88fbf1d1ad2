"""Models sized by what is known of the cards where a job is to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from hpcshell.core.options.place import Sized, Sizer
from hpcshell.core.records import ModelAsk
from hpcshell.core.words import quote, safe
from hpcshell.jobs.doors import Door
from hpcshell.jobs.surroundings import configured, working_directory
from hpcshell.machine.configfiles import content_of

if TYPE_CHECKING:
    from hpcshell.predict.models.site import SiteTable
    from hpcshell.predict.models.sizing import Cards

KnownCards: TypeAlias = "Callable[[], Cards]"
"""Asked only when there is a model to be sized: the answer may come from far."""


def unknown_cards() -> Cards:
    """Nothing is known of them."""
    from hpcshell.predict.models.sizing import Cards

    return Cards()


def cards_behind(door: Door) -> KnownCards:
    """What the daemon behind the door knows of them, and the site's table (`box.llm_config`)."""
    return partial(_told, door)


def _told(door: Door) -> Cards:
    import msgspec

    from hpcshell.predict.models.measured import Measured
    from hpcshell.predict.models.sizing import Cards

    told: dict[str, Any] = door.call("gpus")
    runs = msgspec.convert(door.call("measured")["runs"], tuple[Measured, ...])
    memory = tuple(card["memory"] for card in told["cards"] if card["memory"])
    number = len(told["cards"]) + told["uncounted"]
    site, note = site_table()
    return Cards(memory=memory, number=number, site=site, measured=runs, note=note)


def site_table() -> tuple[SiteTable, str]:
    """What the site gives to models, by `box.llm_config`, and a note where there is no such file.
    Raises `Wrong` for a table that cannot be read."""
    from hpcshell.predict.models.site import SiteTable, read_table

    path = configured(working_directory()).settings.box.llm_config
    text = content_of(os.path.expanduser(path)) if path else None
    if text is not None:
        return read_table(text, safe(path)), ""
    missing = f"box.llm_config: there is no file {quote(path)}: no model is in the site's table"
    return SiteTable(), missing if path else ""


def sizer_by(cards: KnownCards) -> Sizer:
    """What sizes models for a `core.options.place.Place`. The tables are loaded when one is."""

    def sizer(ask: ModelAsk, whole: bool) -> Sized:
        from hpcshell.predict.models.sizing import size

        known = cards()
        sized = size(ask, known, whole=whole)
        return replace(sized, notes=(known.note, *sized.notes)) if known.note else sized

    return sizer
