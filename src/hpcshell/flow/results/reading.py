"""What a program wrote of its metrics, from the bytes it wrote.

    document(b'{"loss": 0.5, "val": {"acc": 0.9}}')   loss 0.5, val.acc 0.9
    records(b'{"step": 1, "loss": 2}\\n...')           each line's
    printed(b"epoch 3: lr=0.1 loss=0.25\\n")           [{lr: 0.1, loss: 0.25}]

Nothing is raised, whatever the bytes are: what could not be used is told in `trouble`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.flow.results.points import Metric, number

MOST: Final = 1000
"""Metrics of one point; more of them are left out."""
LONGEST: Final = 1000
"""Characters of a name, or of a value that is text."""
DEEPEST: Final = 20
STEPS: Final = ("step", "epoch")
"""What tells the place of a value on a curve, the first that there is."""
_WHOLE: Final = 1 << 63
_ESCAPE: Final = re.compile(rb"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)?|[@-Z])")
_PRINTED: Final = re.compile(
    rb"(?<![^\s,;])([A-Za-z_][A-Za-z0-9_./@-]{0,99})="
    rb"([+-]?(?:[0-9]++(?:\.[0-9]*+)?+(?:[eE][+-]?[0-9]++)?+|\.[0-9]++(?:[eE][+-]?[0-9]++)?+"
    rb"|(?i:nan|inf(?:inity)?)))(?=\.?(?:[\s,;)\]]|\Z))"
)
_LINE: Final = re.compile(rb"[\r\n]+")


class Read(Record, frozen=True, kw_only=True):
    """Metrics by their dotted names, and what is wrong with what they were read from."""

    metrics: Mapping[str, Metric] = {}
    trouble: str = ""


class Lines(Record, frozen=True, kw_only=True):
    """The metrics of each line, and what is wrong with others."""

    rows: tuple[Mapping[str, Metric], ...] = ()
    trouble: str = ""


def document(content: bytes) -> Read:
    """The metrics of a JSON object, those of nested ones with dots."""
    try:
        found = _decoded(content)
    except (ValueError, RecursionError):
        return Read(trouble="is not JSON")
    if not isinstance(found, dict):
        return Read(trouble="is not a JSON object")
    return _flat(found)


def records(content: bytes) -> Lines:
    """The metrics of each line that is a JSON object. A last line without its end may be half
    written: nothing is said of it."""
    rows, bad, trouble = [], 0, ""
    lines = content.split(b"\n")
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        read = document(line)
        if read.metrics or not read.trouble:
            rows.append(read.metrics)
            trouble = trouble or read.trouble
        elif at < len(lines) - 1:
            bad += 1
    if bad:
        trouble = f"has {bad} {'line that is' if bad == 1 else 'lines that are'} no JSON object"
    return Lines(rows=tuple(rows), trouble=trouble)


def printed(content: bytes) -> list[dict[str, Metric]]:
    """What each printed line says as `name=value`; lines that say nothing so are left out."""
    found = []
    for line in _LINE.split(_ESCAPE.sub(b"", content)):
        if b"=" in line and (values := dict(_PRINTED.findall(line))):
            found.append({name.decode("ascii"): _said(value) for name, value in values.items()})
    return found


def last(rows: Iterable[Mapping[str, Metric]]) -> dict[str, Metric]:
    """The last value of each name."""
    found: dict[str, Metric] = {}
    for row in rows:
        found.update(row)
    return dict(list(found.items())[:MOST])


def curve(
    rows: Iterable[Mapping[str, Metric]], metric: str, step_name: str = ""
) -> list[tuple[float, float]]:
    """The values of a metric in the order of their steps; where a step is told twice, its last
    value. Without steps they are counted. `step_name`: what a step is called, besides the usual."""
    found: dict[float, float] = {}
    having = (row for row in rows if metric in row)
    steps = [name for name in (step_name, *STEPS) if name != metric]
    for count, row in enumerate(having):
        value = number(row[metric])
        told = next((row[name] for name in steps if name in row), count)
        step = number(told)
        if value is not None and step is not None and math.isfinite(step):
            found[step] = value
    return sorted(found.items())


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:  # Python writes NaN and Infinity, which are no JSON
        return json.loads(content)


def _flat(found: Mapping[str, Any]) -> Read:
    """Depth first, in the order of the document; without recursion, as it may be deep."""
    metrics: dict[str, Metric] = {}
    left_out: list[str] = []
    waiting: list[tuple[str, Any, int]] = [("", found, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, dict) and depth < DEEPEST:
            inner = [(f"{name}.{key}" if name else key, one) for key, one in value.items()]
            waiting += [(key, one, depth + 1) for key, one in reversed(inner)]
        elif isinstance(value, dict | list) or len(name) > LONGEST or len(metrics) >= MOST:
            left_out.append(name)
        elif value is not None:
            metrics[_clean(name)] = _kept(value)
    return Read(metrics=metrics, trouble=_left_out(left_out))


def _left_out(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"has {quote(names[0], 40)}{more}, which no cell of a table holds: left out"


def _kept(value: Any) -> Metric:
    """A value as a table keeps it: what 64 bits do not hold is a float."""
    if isinstance(value, str):
        return _clean(value[:LONGEST])
    if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
        wide = number(value)
        return math.nan if wide is None else wide
    kept: Metric = value
    return kept


def _said(value: bytes) -> Metric:
    if value.lstrip(b"+-").isdigit() and len(value) < 19:
        return int(value)
    return float(value)


def _clean(text: str) -> str:
    """Without lone surrogates, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
