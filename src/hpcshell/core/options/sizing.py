"""From the model that a job runs to the GPUs that it asks for.

What models need is not known here: `Place.sizer` does. Who asks for GPUs gets those, whatever is
said of a model; who does not gets what the model needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.options.gather import Gathered
from hpcshell.core.options.place import Sized
from hpcshell.core.options.table import BY_NAME
from hpcshell.core.records import WHOLE, ModelAsk

LLM: Final = "--llm"
"""The option of people's own programs that names a model: `train.py --llm qwen2.5-7b-inst`."""
_HOW: Final[tuple[str, ...]] = ("mode", "dtype", "ctx", "batch")
_GPUS: Final = ("gpus", "gpus_per_node", "gpus_per_task", "gpu_mem")
"""Rows that ask for GPUs."""


def size_by_model(found: Gathered, argv: Sequence[str]) -> tuple[ModelAsk | None, tuple[str, ...]]:
    """What is kept of the model, and the arithmetic: a sentence, then its lines. What follows is
    added to the values and notes. Raises `Wrong` for a model that nothing is known of."""
    ask = _ask(found, argv)
    sizer = found.place.sizer
    if ask is None or sizer is None:
        return ask, ()
    sized = sizer(ask, bool(found.place.site))
    found.notes += sized.notes
    if any(name in found.values for name in _GPUS) or found.stands_for("gpus"):
        return _standing(found, sized)
    if sized.gpus:
        found.values["gpus"] = sized.gpus
    if sized.gpu_mem:
        found.values["gpu_mem"] = sized.gpu_mem
    return _kept(sized.ask), (sized.told, *sized.lines) if sized.told else ()


def _standing(found: Gathered, sized: Sized) -> tuple[ModelAsk | None, tuple[str, ...]]:
    """GPUs are asked for: they stand, and what the model needs is only told."""
    if sized.told:
        found.notes.append(f"GPUs are asked for, and that stands; by its model, {sized.told}")
    asked = found.values.get("gpus", 0)
    ask = replace(sized.ask, cards=-(-asked // WHOLE) or sized.ask.cards)
    return _kept(ask), ()


def _kept(ask: ModelAsk) -> ModelAsk | None:
    """A model that was only seen, and that nothing is known of, is none."""
    return None if ask.seen and not ask.cards else ask


def _ask(found: Gathered, argv: Sequence[str]) -> ModelAsk | None:
    name = found.values.get("model", "")
    seen = "" if name or found.place.sizer is None else named_in(argv)
    asked = any(row in found.values for row in _GPUS)
    if not name and not seen and not asked and found.place.sizer and _names_none(argv):
        found.notes.append(f"{LLM} names no model, so no GPUs are asked for by one")
    if name or seen:
        how = {row: found.values[row] for row in _HOW if row in found.values}
        return ModelAsk(name=name or seen, seen=bool(seen), **how)
    for row in _HOW:
        if row in found.values:
            flag = BY_NAME[row].flag
            found.notes.append(f"{flag} says how a model is used, and --model names none")
    return None


def names_a_model(argv: Sequence[str]) -> bool:
    """Whether the command may name one; cheaper than to look which."""
    return any(LLM in word for word in argv)


def named_in(argv: Sequence[str]) -> str:
    """The model that a command's own arguments name with `--llm NAME` or `--llm=NAME`; "" where
    they name none. Of several the last counts. An argument that is a line for a shell is split as
    a shell would."""
    found = ""
    for word, after in zip(argv, [*argv[1:], ""], strict=False):
        if word == LLM and after and not after.startswith("-"):
            found = after
        elif word.startswith(f"{LLM}="):
            found = word.removeprefix(f"{LLM}=")
        elif LLM in word and any(letter.isspace() for letter in word):
            found = named_in(_split(word)) or found
    return found


def _names_none(argv: Sequence[str]) -> bool:
    """Whether there is a `--llm` that nothing follows."""
    return any(word in (LLM, f"{LLM}=") for word in argv) and not named_in(argv)


def _split(line: str) -> list[str]:
    from hpcshell.core.options.parse import words

    try:
        return words(line, LLM)
    except Wrong:  # a quote that is not closed: the shell will say so
        return []
