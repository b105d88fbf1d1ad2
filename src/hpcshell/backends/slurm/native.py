"""Words of the user's own for sbatch, and those of them that would lose the job from sight."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

_ANOTHER: Final = ("it would run as another user, whose jobs are not looked at", "submit as that")
_NOTHING: Final = ("nothing would be submitted", "ask sbatch itself, or hpc submit --test-only")
_LOSING: Final = {
    "array": ("its elements would not be known", "say --array without --native"),
    "clusters": ("it would go where nobody looks for it", "name that cluster: hpc cluster add"),
    "gid": _ANOTHER,
    "help": _NOTHING,
    "parsable": ("what sbatch answers is asked for already", "leave it out; --quiet prints the id"),
    "test-only": _NOTHING,
    "uid": _ANOTHER,
    "usage": _NOTHING,
    "version": _NOTHING,
    "wait": ("sbatch would wait for the job", "wait with: hpc submit --wait"),
    "wrap": ("it would submit another script", "name the command itself: hpc submit -- COMMAND"),
}
"""Long options, each with what would come of it and what to do."""
_LETTERS: Final = {"a": "array", "M": "clusters", "h": "help", "V": "version", "W": "wait"}
_BUNDLE: Final = rf"-[HIkOQsv]*([{''.join(_LETTERS)}])"
"""A letter of these, perhaps after others that take no value."""


def check(native: Sequence[str]) -> None:
    """Raises `Wrong` for words with which sbatch submits nothing, something else, or what is not
    found again. A long option may be cut short, as long as sbatch knows which is meant."""
    if native and not native[0].startswith("-"):
        raise Wrong(f"--native: {quote(native[0])} is no option of sbatch", "write --switches=1")
    for word in native:
        if (losing := _losing(word)) is not None:
            why, hint = _LOSING[losing]
            raise Wrong(f"--native: {quote(word)} cannot be handed on: {why}", hint)


def _losing(word: str) -> str | None:
    if found := re.match(_BUNDLE, word):
        return _LETTERS[found[1]]
    name = word.removeprefix("--").partition("=")[0]
    if not word.startswith("--") or not name:
        return None
    return next((each for each in _LOSING if each.startswith(name)), None)
