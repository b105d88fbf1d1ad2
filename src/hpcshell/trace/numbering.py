"""Numbers for the words of a log: the columns of a trace are numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from hpcshell.trace.record import UNKNOWN, Ints

LONGEST: Final = 18
"""Digits of an id that fits in a column."""


def coded(words: Iterable[str]) -> tuple[Ints, tuple[str, ...]]:
    """The place of each word in the tuple of distinct words (in order of appearance); -1 for "":
    not known."""
    places: dict[str, int] = {"": UNKNOWN}
    codes = [places.setdefault(word, len(places) - 1) for word in words]
    del places[""]
    return np.array(codes, np.int64), tuple(places)


def numbered(labels: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Ids, and the labels where the ids are not just these: an array's element `12_3` is no number,
    so that all are counted from 1."""
    if all(label.isascii() and label.isdigit() and len(label) <= LONGEST for label in labels):
        return np.array([int(label) for label in labels], np.int64), ()
    return np.arange(1, len(labels) + 1, dtype=np.int64), tuple(labels)
