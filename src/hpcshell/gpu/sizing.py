"""How much of the cards a job of the box gets: what is said, else by its model, else by default."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from hpcshell.core import units
from hpcshell.core.options.row import Setting
from hpcshell.core.records import WHOLE
from hpcshell.core.settings import Settings
from hpcshell.jobs.prepare import Prepared, prepare

if TYPE_CHECKING:
    from hpcshell.predict.models.sizing import Cards


def sized(
    argv: Sequence[str], options: Sequence[Setting], said: Setting, settings: Settings, cards: Cards
) -> Prepared:
    """The submission of a command, with its share: what is `said`, or (no text) that of the model
    its arguments name (`--llm NAME`), or the default of the site's table, or one card.

    Shares are rounded up to the precision that is configured; whole cards stay whole.
    """
    if said.text:
        wanted = units.gpus(said.text, said.origin)
        return _with(argv, options, wanted, settings, cards, said.origin)
    prepared = prepare(argv, None, options, cards=lambda: cards)
    request = prepared.submission.request
    if request.gpu_mem:
        return prepared
    wanted = request.gpu_hundredths or cards.site.default or WHOLE
    if wanted == request.gpu_hundredths == _rounded(wanted, settings):
        return prepared
    return _with(argv, options, wanted, settings, cards)


def _with(
    argv: Sequence[str],
    options: Sequence[Setting],
    hundredths: int,
    settings: Settings,
    cards: Cards,
    origin: str = "the share of its model",
) -> Prepared:
    text = units.format_gpus(_rounded(hundredths, settings))
    share = Setting(option="gpus", text=text, origin=origin)
    return prepare(argv, None, [*options, share], cards=lambda: cards)


def _rounded(hundredths: int, settings: Settings) -> int:
    step = max(1, round(settings.box.precision * WHOLE))
    whole, part = divmod(hundredths, WHOLE)
    return whole * WHOLE + min(WHOLE, ceil(part / step) * step)
