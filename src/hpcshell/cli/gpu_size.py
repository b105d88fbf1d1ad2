"""`hpc gpu size`: how much memory of GPUs a model needs, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core import units
from hpcshell.core.models import check_dtype, check_mode
from hpcshell.core.records import ModelAsk
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from hpcshell.predict.models.fitting import Fit
    from hpcshell.predict.models.formula import Estimate


@verb(
    "size",
    "hpc gpu size qwen2.5-7b-instruct",
    "hpc gpu size meta-llama/Llama-3.1-70B --mode lora --dtype nf4 --card 48G",
    "hpc gpu size llama-3-8b --ctx 8192 --batch 16 --json | jq .share",
)
@click.option(
    "--mode",
    default="infer",
    metavar="infer|lora|full",
    help="What is done with it: infer, lora (train adapters), full (train all of it).",
)
@click.option("--dtype", default="", metavar="TYPE", help="Type of its weights, as nf4.")
@click.option("--ctx", metavar="N", help="Tokens of context; else 4096, or as many as it takes.")
@click.option("--batch", metavar="N", help="Texts (or images) at once; else one.")
@click.option("--card", metavar="SIZE", help="Memory of a card: 24G; else 80G.")
@click.argument("model")
def size(talk: Talk, model: str, card: str | None, **how: Any) -> int:
    """Say how much memory of GPUs a MODEL needs, with the arithmetic.

    It is the sum that `--model` of `hpc submit` asks by, where no earlier run has told better:
    which part of a card of that memory, or how many whole ones. A model is known by its usual
    name, or reckoned by the size in it.
    """
    from hpcshell.predict.models.fitting import fit
    from hpcshell.predict.models.names import match
    from hpcshell.predict.models.sizing import notes_on, reckoned
    from hpcshell.predict.models.words import asked, lines

    known = match(model, "MODEL")
    estimate = reckoned(_ask(model, **how), known)
    placed = fit(estimate, units.size(card, "--card") if card else 0)
    talk.say(*(f"note: {safe(note)}" for note in notes_on(known, estimate)))
    if talk.json:
        talk.document(_document(estimate, placed))
    elif talk.quiet:
        talk.data(str(estimate.needed))
    else:
        talk.data(safe(asked(estimate)), *(f"  {line}" for line in lines(estimate, placed)))
    return 0


def _ask(name: str, mode: str, dtype: str, ctx: str | None, batch: str | None) -> ModelAsk:
    return ModelAsk(
        name=name,
        mode=check_mode(mode),
        dtype=check_dtype(dtype) if dtype else "",
        ctx=units.count(ctx, "--ctx") if ctx is not None else 0,
        batch=units.count(batch, "--batch") if batch is not None else 0,
    )


def _document(estimate: Estimate, placed: Fit) -> dict[str, Any]:
    from hpcshell.predict.models.words import lines

    terms = ("weights", "state", "adapters", "cache", "activations", "overhead")
    return {
        "schema": SCHEMA,
        "model": estimate.model.name,
        "family": estimate.model.family,
        "parameters": estimate.model.parameters,
        "guessed": estimate.model.guessed,
        **{name: getattr(estimate, name) for name in ("mode", "dtype", "ctx", "batch")},
        "terms": {name: getattr(estimate, name) for name in terms},
        "needed": estimate.needed,
        "card": placed.memory,
        "assumed": placed.assumed,
        "cards": placed.cards,
        "each": placed.each,
        "share": units.number_of_gpus(placed.share),
        "lines": lines(estimate, placed),
    }
