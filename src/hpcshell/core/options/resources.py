"""Readers of what is counted: nodes, GPUs, resources of the site's own. As in `options.read`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.options.place import Place
from hpcshell.core.records import WHOLE
from hpcshell.core.words import quote

MOST_CARDS: Final = 1023
"""The highest number that a card may have."""
_WORD: Final = r"\A[A-Za-z_][A-Za-z0-9_.@+-]{0,127}\Z"
_GRES_GPU: Final = r"\A(?:gres[/:])?gpus?(?:[:=](.*))?\Z"
_GPU_COUNT: Final = r"(?a)\A(?:(?P<model>[A-Za-z][\w.-]*)[:=])?(?P<count>[0-9.]{1,12})\Z"
_CARDS: Final = r"(?a)\A\d{1,4}-\d{1,4}\Z"


def nodes(text: str, origin: str, place: Place) -> tuple[int, int | None]:
    """The least and, of a range, the most. Here there is one."""
    least, dash, most = text.partition("-")
    number = units.count(least, origin)
    last = units.count(most, origin, least=number) if dash else None
    if number > 1 and not place.site:
        raise Wrong(
            f"{origin}: {number} nodes are asked for, and this is one machine",
            "ask for CPUs instead: --ntasks and --cpus",
        )
    return number, last


def gpus(text: str, origin: str, place: Place) -> int:
    """`2`, `0.5`, `a100:2`, `a100:1,v100:1` in hundredths; for the model see `gpu_model`. Raises
    `Wrong` for a list of bare numbers: elsewhere those are cards, and they do not add up."""
    parts, total = text.split(","), 0
    if len(parts) > 1 or re.match(_CARDS, text.strip()):
        check_models(parts, origin)
    for part in parts:
        found = re.match(_GPU_COUNT, part.strip())
        total += units.gpus(part if found is None else found["count"], origin)
    return _whole_gpus(total, origin, place)


def check_models(parts: Sequence[str], origin: str) -> None:
    """Raises `Wrong` unless each part of a list of GPUs names a model."""
    if not all(part.strip()[:1].isalpha() for part in parts):
        raise Wrong(
            f"{origin}: {quote(','.join(parts))} is a list, and how many GPUs is one number",
            "which cards it may get is said with --gpus-allowed, as 0-3,6; models as a100:1,v100:1",
        )


def _whole_gpus(hundredths: int, origin: str, place: Place) -> int:
    if place.site and hundredths % WHOLE:
        raise Wrong(
            f"{origin}: {units.format_gpus(hundredths)} GPUs: a cluster gives whole ones",
            "write a whole number",
        )
    return hundredths


def cards(text: str, origin: str, place: Place) -> tuple[int, ...]:
    """`0-3,6`: the numbers of cards, each once, in their order."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first or (dash and not last):
            raise Wrong(
                f"{origin}: {quote(part.strip())} names no cards", "write their numbers: 0-3,6"
            )
        low = units.count(first, origin, least=0, most=MOST_CARDS)
        high = units.count(last, origin, least=0, most=MOST_CARDS) if dash else low
        if high < low:
            raise Wrong(f"{origin}: {quote(part)} ends before it begins", f"write {high}-{low}")
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def gpu_model(text: str, origin: str, *, gres: bool = False) -> str:
    """`a100` of `a100:2` or, in `gres`, of `gpu:a100:2`; "" where no model is named."""
    parts = [part.strip() for part in text.split(",")]
    if gres:
        parts = [found[1] or "" for part in parts if (found := re.match(_GRES_GPU, part))]
    models = {re.split("[:=]", part)[0] for part in parts if part[:1].isalpha()}
    if len(models) > 1:
        raise Wrong(
            f"{origin}: {quote(text)} names GPUs of several models",
            "name one; more can be said in the site's own words: --native",
        )
    return models.pop() if models else ""


def resource(text: str, origin: str, place: Place) -> dict[str, int]:
    """`matlab=2`, `matlab:2`, `matlab@server:2`, or `matlab` alone for one. Only clusters tell
    servers apart."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.strip().replace(":", "=").partition("=")
        name = name if place.site else name.partition("@")[0]
        if not re.match(_WORD, name):
            raise Wrong(
                f"{origin}: {quote(part)} names no resource", "write NAME=N, as in matlab=1"
            )
        if name.lower() in ("cpus", "cpu", "memory", "mem", "gpus", "gpu"):
            raise Wrong(f"{origin}: {name} has an option of its own", f"write --{name.lower()}")
        if name in found:
            raise Wrong(f"{origin}: {name} is asked for twice", f"add them up: {name}=N")
        found[name] = units.count(value, f"{origin} {name}") if value else 1
    return found


def gres(text: str, origin: str, place: Place) -> dict[str, int]:
    """`gpu:2`, `gpu:a100:0.5`, `licence:3`: counts by name, the GPUs, in hundredths, under
    `gpu`. Only clusters tell types apart: there `fpga:x2:1` is one of `fpga:x2`."""
    found: dict[str, int] = {}
    if text.strip().lower() == "none":
        return found
    for part in text.split(","):
        words = re.split(r"[:=]", part.strip().removeprefix("gres/").removeprefix("gres:"))
        name = words[0]
        last = words[-1] if len(words) > 1 else "1"
        value = last if last[:1].isdigit() else "1"
        if not re.match(_WORD, name) or len(words) > 3:
            raise Wrong(f"{origin}: {quote(part)} is no resource", "write gpu:2 or gpu:a100:1")
        gpus = name in ("gpu", "gpus")
        typed = place.site and len(words) > 1 and words[1] != value
        key = "gpu" if gpus else f"{name}:{words[1]}" if typed else name
        number = units.gpus(value, origin) if gpus else units.count(value, origin, least=0)
        found[key] = found.get(key, 0) + number
    _whole_gpus(found.get("gpu", 0), origin, place)
    return found
