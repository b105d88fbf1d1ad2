"""`--cuda 5` in a command: where cards are named there, and the words that name others.

A value names cards as numbers (`5`, `0,3`) or as devices (`cuda:2`). Any other (`-1` for the CPU,
another option, nothing) is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_FLAG: Final = "--cuda"
_JOINED: Final = f"{_FLAG}="
_CARDS: Final = re.compile(r"(?a)\s*(?:cuda:)?\d{1,4}(?:\s*,\s*(?:cuda:)?\d{1,4})*\s*")


def rewritten(argv: Sequence[str], cards: int) -> tuple[str, ...]:
    """The command with `--cuda X` (or `--cuda=X`) naming all the cards that it sees, which it
    counts from 0 whatever they are called elsewhere; without cards, as it was."""
    if not cards:
        return tuple(argv)
    return tuple(
        _counted(word, cards) if _names_cards(before, word) else word
        for before, word in zip(["", *argv], argv, strict=False)
    )


def _names_cards(before: str, word: str) -> bool:
    """Whether a word, or what it gives to `--cuda=`, names cards."""
    if word.startswith(_JOINED):
        return _CARDS.fullmatch(word, len(_JOINED)) is not None
    return before == _FLAG and _CARDS.fullmatch(word) is not None


def _counted(word: str, cards: int) -> str:
    """All cards, in the form of `word`; who names one device can take only one: the first."""
    front = _JOINED if word.startswith(_JOINED) else ""
    device = "cuda:" if "cuda:" in word else ""
    number = 1 if device and "," not in word else cards
    return front + ",".join(f"{device}{card}" for card in range(number))


def nothing_to_rewrite(argv: Sequence[str], gpus: bool) -> str:
    """Why no word of the command will be rewritten; "" where some will. `gpus`: whether it asks for
    any."""
    if not gpus:
        return "--rewrite-cuda rewrites nothing: no GPUs are asked for"
    if not any(map(_names_cards, ["", *argv], argv)):
        return (
            "--rewrite-cuda rewrites nothing: the command has no --cuda with numbers of cards; "
            "what is inside a script, or a line for a shell, is not looked at"
        )
    return ""
