"""From what a submission says of its model to the GPUs that it needs.

    size(ModelAsk(name="qwen2.5-7b"), Cards(memory=(24 << 30,)))      Sized(gpu_mem=..., told=...)

The site's table comes first, then the formula for a model that is known, by its name or by the size
in it, and last what the site's table gives to all others.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.options.place import Sized
from hpcshell.core.records import WHOLE, ModelAsk, Record
from hpcshell.core.units import format_gpus
from hpcshell.core.words import quote, safe
from hpcshell.predict.models.fitting import Fit, fit
from hpcshell.predict.models.formula import Estimate, estimate
from hpcshell.predict.models.measured import Measured, corrected
from hpcshell.predict.models.names import Match, match
from hpcshell.predict.models.site import SiteTable
from hpcshell.predict.models.words import lines, sentence


class Cards(Record, frozen=True, kw_only=True):
    """What is known where a job is to run: the memory of each card (bytes, as far as it is known),
    how many there are (None: not known), the site's table, what earlier runs used, oldest first,
    and what there is to note about all that."""

    memory: tuple[int, ...] = ()
    number: int | None = None
    site: SiteTable = SiteTable()
    measured: tuple[Measured, ...] = ()
    note: str = ""


def size(ask: ModelAsk, cards: Cards, *, whole: bool = False) -> Sized:
    """What the model needs; with `whole` in whole GPUs alone. Raises `Wrong` for a model that
    nothing is known of, unless it was only `seen`: that asks for nothing."""
    if ask.seen and cards.number == 0:
        return Sized(ask=ask, notes=("no GPUs are asked for by --llm: this machine has none",))
    given = cards.site.of(ask.name)
    if given:
        return _by_table(ask, given, whole)
    try:
        known = match(ask.name)
    except Wrong as unknown:
        if cards.site.default:
            return _by_table(ask, cards.site.default, whole, unknown)
        if ask.seen:
            return Sized(ask=ask, notes=(_not_followed(unknown),))
        raise
    found = corrected(reckoned(ask, known), cards.measured)
    placed = fitted(found, cards.memory)
    part = placed.share if placed.assumed else 0
    return Sized(
        ask=filled(ask, found, placed),
        gpus=placed.cards * WHOLE if whole or placed.cards > 1 else part,
        gpu_mem=0 if whole or placed.assumed else placed.each,
        told=sentence(found, placed),
        lines=tuple(lines(found, placed)),
        notes=notes_on(known, found),
    )


def fitted(found: Estimate, memory: Collection[int]) -> Fit:
    """The fewest cards of these that hold it; where all of them do not, as many as it takes of the
    smallest."""
    for size in sorted(set(memory), reverse=True):
        placed = fit(found, size)
        if placed.cards <= sum(each >= size for each in memory):
            return placed
    return fit(found, min(memory, default=0))


def reckoned(ask: ModelAsk, known: Match) -> Estimate:
    """What it needs by the formula; a type in its name counts where none is said."""
    return estimate(known.model, ask.mode, ask.dtype or known.dtype, ctx=ask.ctx, batch=ask.batch)


def notes_on(known: Match, found: Estimate) -> tuple[str, ...]:
    """What is worth a note: a model that is only guessed, a context longer than it has."""
    notes = [known.note] if known.note else []
    if found.ctx > known.model.longest:
        longest = f"the longest context of {known.model.name} is {known.model.longest:,} tokens"
        notes.append(f"--ctx {found.ctx:,}: {longest}")
    return tuple(notes)


def filled(ask: ModelAsk, found: Estimate, placed: Fit) -> ModelAsk:
    """What is kept of it, for later runs to be compared with."""
    return replace(
        ask,
        dtype=found.dtype,
        ctx=found.ctx,
        batch=found.batch,
        family=found.model.family,
        predicted=found.computed + found.overhead * (placed.cards - 1),
        cards=placed.cards,
    )


def _not_followed(unknown: Wrong) -> str:
    why = unknown.message.removeprefix("--model: ")
    return f"no GPUs are asked for by --llm: {why}"


def _by_table(ask: ModelAsk, given: int, whole: bool, unknown: Wrong | None = None) -> Sized:
    """So many hundredths, by the site's table; those of all others for an `unknown` model."""
    gpus = -(-given // WHOLE) * WHOLE if whole else given
    why = "as for every model that is not known here" if unknown else "for this model"
    many = "GPU" if gpus == WHOLE else "GPUs"
    told = f"{safe(ask.name)} gets {format_gpus(gpus)} {many} by the site's table, {why}"
    notes = (f"{quote(ask.name)} is not known: {unknown.hint}",) if unknown else ()
    return Sized(ask=replace(ask, cards=-(-gpus // WHOLE)), gpus=gpus, told=told, notes=notes)
