"""Models sized by what is known of the cards where a job is to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from hpcshell.core.options.place import Sized, Sizer
from hpcshell.core.records import ModelAsk
from hpcshell.core.words import safe
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
    from hpcshell.predict.models.sizing import Cards

    told: dict[str, Any] = door.call("gpus")
    memory = tuple(card["memory"] for card in told["cards"] if card["memory"])
    number = len(told["cards"]) + told["uncounted"]
    return Cards(memory=memory, number=number, site=site_table())


def site_table() -> SiteTable:
    """What the site gives to models, by `box.llm_config`; nothing where there is no such file.
    Raises `Wrong` for a table that cannot be read."""
    from hpcshell.predict.models.site import SiteTable, read_table

    path = configured(working_directory()).settings.box.llm_config
    text = content_of(os.path.expanduser(path)) if path else None
    return SiteTable() if text is None else read_table(text, safe(path))


def sizer_by(cards: KnownCards) -> Sizer:
    """What sizes models for a `core.options.place.Place`. The tables are loaded when one is."""

    def sizer(ask: ModelAsk, whole: bool) -> Sized:
        from hpcshell.predict.models.sizing import size

        return size(ask, cards(), whole=whole)

    return sizer
