"""The small things in Slurm's tables: sizes, times, lists of nodes, and what was handed out."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.units import MIB, duration, size

MOST_NODES: Final = 20_000
NOT_TOLD: Final = frozenset({"", "N/A", "None", "Unknown", "(null)", "INVALID", "None assigned"})
_BRACKETS: Final = r"\[([^\[\]]*)\]"


class Resources(Record, frozen=True, kw_only=True):
    """What Slurm calls TRES; memory in bytes."""

    cpus: int | None = None
    memory: int | None = None
    gpus: int | None = None


def told(word: str) -> str:
    """The word, or "" where it says that there is none."""
    return "" if word in NOT_TOLD else word


def number(word: str) -> int | None:
    """A count; None for what is none, or is beyond all measure."""
    return int(word) if word.isdecimal() and len(word) < 19 else None


def moment(word: str) -> float | None:
    """Unix seconds, as SLURM_TIME_FORMAT=%s makes Slurm say them."""
    return float(word) if word.isdecimal() else None


@lru_cache(4096)
def length(word: str) -> float | None:
    """Seconds of `30:00`, `7-00:00:00` or `00:00.123`; None for UNLIMITED and what is no time."""
    whole, _, rest = word.partition(".")
    try:
        seconds = duration(whole, zero=True) if ":" in whole else None
    except Wrong:
        return None
    if seconds is None or not rest.isdecimal():
        return seconds
    return seconds + float(f"0.{rest}")


@lru_cache(4096)
def amount(word: str) -> int | None:
    """Bytes of `128M`, `1.50G`, `1290240` (a bare number is bytes)."""
    try:
        return size(word, zero=True, bare=1) if word else None
    except Wrong:
        return None


@lru_cache(4096)
def resources(word: str) -> Resources:
    """`cpu=4,mem=512M,node=1,gres/gpu=2`: GPUs are counted without regard to their type."""
    found = dict(part.split("=", 1) for part in word.split(",") if "=" in part)
    typed = [value for name, value in found.items() if name.startswith("gres/gpu:")]
    gpus = [found["gres/gpu"]] if "gres/gpu" in found else typed
    counts = [number(value) or 0 for value in gpus]
    memory = found.get("mem", "")
    return Resources(
        cpus=number(found.get("cpu", "")),
        memory=amount(memory + "M" if memory.isdecimal() else memory),
        gpus=sum(counts) if counts else 0 if found else None,
    )


@lru_cache(4096)
def nodes(word: str) -> tuple[str, ...]:
    """The names in `node[1-3,7],gpu01`; a list that makes too many, or is none, stands as it is."""
    if not told(word):
        return ()
    try:
        return tuple(name for part in _parts(word) for name in _expanded(part))
    except ValueError:
        return (word,)


def _parts(word: str) -> list[str]:
    """The list at its commas, those inside brackets left alone."""
    return [part for part in re.split(r",(?![^\[]*\])", word) if part]


def _expanded(part: str) -> list[str]:
    found = re.search(_BRACKETS, part)
    if found is None:
        return [part]
    names = [
        part[: found.start()] + number + rest
        for number in _numbers(found[1])
        for rest in _expanded(part[found.end() :])
    ]
    if len(names) > MOST_NODES:
        raise ValueError("too many nodes")
    return names


def _numbers(text: str) -> list[str]:
    numbers: list[str] = []
    for piece in text.split(","):
        first, dash, last = piece.partition("-")
        if not dash:
            numbers.append(piece)
            continue
        begin, end = int(first[:18]), int(last[:18])
        if not 0 <= end - begin < MOST_NODES:
            raise ValueError("too many nodes")
        numbers += [str(number).zfill(len(first)) for number in range(begin, end + 1)]
    return numbers


def gpu_counts(word: str) -> tuple[int, tuple[str, ...]]:
    """How many GPUs a node has, and their types: of `gpu:a100:4(S:0-1),tmp:1`."""
    count, types = 0, []
    for part in re.split(r",(?![^(]*\))", word):
        words = re.sub(r"\(.*", "", part).split(":")
        if words[0] == "gpu" and (each := number(words[-1])):
            count += each
            types += words[1:-1]
    return count, tuple(types)


def mebibytes(word: str) -> int | None:
    """Bytes of sinfo's memory: a number of MiB, with a + behind it where nodes differ."""
    size = number(word.rstrip("+"))
    return None if size is None else size * MIB
