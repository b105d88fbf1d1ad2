"""Parameters' names and values: lists, and what makes lists (range, linspace, logspace, ...)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, TypeVar

from hpcshell.core.words import nearest, quote
from hpcshell.flow.chance import rounded, settled
from hpcshell.flow.identity import canonical
from hpcshell.flow.reading.entry import Entry

Value = TypeVar("Value")

MOST_VALUES: Final = 1_000_000
"""Of one parameter."""
DISTRIBUTIONS: Final = (
    "uniform",
    "loguniform",
    "quniform",
    "int",
    "normal",
    "lognormal",
    "choice",
)
_NAME: Final = re.compile(r"[^\W\d][\w/-]*(?:\.[\w/-]+)*|\d[\w/-]*(?:\.[\w/-]+)*|[+~]{1,2}[\w./-]+")


def check_parameter(entry: Entry, name: str) -> str:
    """The name, if a parameter can be called that: `lr`, `model.depth`, `db/engine`, `+new.key`."""
    if len(name) > 200:
        raise entry.wrong("a parameter's name of more than 200 characters", "shorten it")
    if ".." in name or not _NAME.fullmatch(name) or not name.isprintable():
        raise entry.wrong(
            f"{quote(name)} is no name of a parameter",
            "use letters, digits, _ and -, with dots or slashes between: model.depth, db/engine",
        )
    return name


def flattened(
    entry: Entry, leaf: Callable[[Entry], bool], words: Collection[str] = ()
) -> Iterator[tuple[str, Entry]]:
    """Nested parameters by their dotted names. `leaf`: whether a mapping is a value. `words`: what
    says values, of which a mapping may hold a misspelt one."""
    for name, found in _flattened(entry, leaf, ""):
        parameter, _, last = check_parameter(found, name).rpartition(".")
        near = nearest(last, words) if parameter and found.last == last else None
        if near is not None and _numbers_alone(found):
            raise found.wrong(
                f"{quote(last)} does not say the values of {quote(parameter)}",
                f"did you mean {near}? (a parameter of that name: {name[:60]}: [...])",
            )
        yield name, found


def _numbers_alone(entry: Entry) -> bool:
    return entry.is_list() and all(type(item.node.value) in (int, float) for item in entry.items())


def _flattened(
    entry: Entry, leaf: Callable[[Entry], bool], prefix: str
) -> Iterator[tuple[str, Entry]]:
    for inner in entry.entries():
        name = f"{prefix}{inner.last}"
        if inner.is_mapping() and inner.fields and not leaf(inner):
            yield from _flattened(inner, leaf, f"{name}.")
        else:
            yield name, inner


def unique(found: Iterator[tuple[str, Entry]]) -> dict[str, Entry]:
    """By name; `model.depth` and `model: {depth: …}` are one parameter."""
    known: dict[str, Entry] = {}
    for name, entry in found:
        if name in known:
            raise entry.wrong(f"the parameter {quote(name)} is given twice", "remove one of them")
        known[name] = entry
    return known


def constants(entry: Entry | None) -> dict[str, Any]:
    """Parameters that are the same in all points."""
    if entry is None:
        return {}
    found = unique(flattened(entry, is_generated))
    for name, inner in found.items():
        if is_generated(inner):
            raise inner.wrong(
                f"{quote(name)} has several values, where constants stand", "move it below grid:"
            )
    return {name: inner.value() for name, inner in found.items()}


# ---------------------------------------------------------------------------------------- values


def is_generator(entry: Entry) -> bool:
    """Whether a mapping says the values of a parameter, rather than being nested ones."""
    return not set(entry.fields).isdisjoint(WAYS)


def is_distribution(entry: Entry) -> bool:
    return bool(set(DISTRIBUTIONS) & set(entry.fields))


def is_generated(entry: Entry) -> bool:
    return is_generator(entry) or (is_distribution(entry) and len(entry.fields) == 1)


def values(entry: Entry, notes: list[str]) -> tuple[Any, ...]:
    """All values of a parameter, each once. A value alone is a list of one."""
    found = _given(entry, notes)
    if not found:
        raise entry.wrong(
            f"{entry.label} has no values", "write at least one, or remove the parameter"
        )
    return each_once(entry, found, notes)


def each_once(entry: Entry, found: Sequence[Value], notes: list[str]) -> tuple[Value, ...]:
    """Without what came before, as JSON has it: 1 and 1.0 are two."""
    seen: dict[bytes, Value] = {}
    for value in found:
        seen.setdefault(canonical(value), value)
    if len(seen) < len(found):
        notes.append(f"{entry.label}: what is given twice runs once")
    return tuple(seen.values())


def _given(entry: Entry, notes: list[str]) -> list[Any]:
    if entry.is_list():
        return [item.value() for item in entry.items()]
    if not entry.is_mapping():
        return [entry.value()]
    if not is_generator(entry):
        raise entry.wrong(
            f"{entry.label}: a mapping that says no values",
            f"write values: [...] or one of {', '.join(GENERATORS)}",
        )
    entry.known([*WAYS, "when"])
    (*more, key) = [key for key in entry.fields if key != "when"]
    if more:
        raise entry.wrong(f"{entry.label} has both {more[0]} and {key}", "keep one of them")
    inner = entry.at(key)
    if inner is None:
        raise entry.wrong(f"{entry.label}: {key} is empty", "write its values")
    if key == "values":
        return _given(inner, notes) if inner.is_list() else [inner.value()]
    return GENERATORS[key](inner, notes)


# ------------------------------------------------------------------------------------- generators


def _arguments(entry: Entry, names: tuple[str, ...], least: int) -> list[float]:
    """The numbers of `[a, b, c]` or `{start: a, stop: b, ...}`."""
    if entry.is_mapping():
        entry.known(names)
        found = [entry.at(name) for name in names]
        while found and found[-1] is None:
            found.pop()
        given = [item.number() for item in found if item is not None]
        complete = len(given) == len(found)
    else:
        given = [item.number() for item in entry.items(f"write [{', '.join(names)}]")]
        complete = True
    if not complete or not least <= len(given) <= len(names):
        raise entry.wrong(
            f"{entry.label} takes {' and '.join(names[:least])}", f"write [{', '.join(names)}]"
        )
    return given


def _range(entry: Entry, notes: list[str]) -> list[Any]:
    """As numpy's arange: the stop is not among them."""
    given = _arguments(entry, ("start", "stop", "step"), 1)
    start, stop = (0, given[0]) if len(given) == 1 else given[:2]
    step = given[2] if len(given) > 2 else 1
    if step == 0:
        raise entry.wrong(f"{entry.label}: a step of 0", "write a step such as 1 or 0.5")
    whole = all(isinstance(number, int) for number in (start, stop, step))
    share = (stop - start) / step
    count = max(math.ceil(rounded(share)) if abs(share) < 1e15 else MOST_VALUES + 1, 0)
    if whole:
        count = len(range(int(start), int(stop), int(step))) if count <= MOST_VALUES else count
    _countable(entry, count)
    if count == 0:
        raise entry.wrong(
            f"{entry.label}: no value from {start:g} up to (not with) {stop:g} by {step:g}",
            "write [start, stop, step]; the stop is not among the values",
        )
    found = [start + index * step for index in range(count)]
    scale = max(abs(start), abs(stop))
    return found if whole else [_kept(entry, value, scale) for value in found]


def _kept(entry: Entry, value: float, scale: float = 0.0) -> float:
    """A computed number as a person means it. `scale`: of what was added up."""
    if not math.isfinite(value):
        raise entry.wrong(f"{entry.label}: the values grow too large", "use a smaller range")
    return settled(value, scale) if scale else rounded(value)


def _countable(entry: Entry, count: float) -> None:
    if count > MOST_VALUES:
        raise entry.wrong(
            f"{entry.label}: more than {MOST_VALUES:,} values",
            "use a larger step, or draw by chance below random:",
        )


def _spaced(entry: Entry, names: tuple[str, ...]) -> tuple[list[float], list[float]]:
    """The arguments, and as many shares from 0 to 1 as were asked for."""
    given = _arguments(entry, names, 3)
    number = given[2]
    if number != int(number) or number < 1:
        raise entry.wrong(f"{entry.label}: {number:g} is no number of values", "write 1 or more")
    _countable(entry, number)
    count = int(number)
    return given, [index / (count - 1) if count > 1 else 0.0 for index in range(count)]


def _between(low: float, high: float, share: float) -> float:
    return low * (1 - share) + high * share


def _linspace(entry: Entry, notes: list[str]) -> list[Any]:
    (low, high, *_), shares = _spaced(entry, ("start", "stop", "num"))
    scale = max(abs(low), abs(high))
    found = [_kept(entry, float(_between(low, high, share)), scale) for share in shares]
    return _with_ends(found, low, high)


def _logspace(entry: Entry, notes: list[str]) -> list[Any]:
    (low, high, _, *base), shares = _spaced(entry, ("start", "stop", "num", "base"))
    if 0 < low <= 1 and 0 < high <= 1 and low != high:
        notes.append(
            f"{entry.label}: logspace takes exponents, as numpy's does; geomspace takes the ends"
        )
    return [_power(entry, base[0] if base else 10, _between(low, high, share)) for share in shares]


def _power(entry: Entry, base: float, exponent: float) -> Any:
    if base <= 0 or abs(exponent * math.log10(base)) > 300:
        raise entry.wrong(
            f"{entry.label}: {base:g} to the power of {exponent:g} is no number",
            "logspace takes exponents: [-5, -1, 5] goes from 1e-5 to 0.1",
        )
    return _kept(entry, base**exponent)


def _geomspace(entry: Entry, notes: list[str]) -> list[Any]:
    (low, high, *_), shares = _spaced(entry, ("start", "stop", "num"))
    if low == 0 or high == 0 or (low < 0) is not (high < 0):
        raise entry.wrong(
            f"{entry.label}: geomspace goes from one number to another of its sign, not 0",
            "write ends such as [1e-5, 1e-1, 5]",
        )
    sign = -1 if low < 0 else 1
    first, last = math.log(abs(low)), math.log(abs(high))
    found = [_kept(entry, sign * math.exp(_between(first, last, share))) for share in shares]
    return _with_ends(found, low, high)


def _with_ends(found: list[float], low: float, high: float) -> list[float]:
    """The values, the first and the last as they were written."""
    if len(found) == 1 or low == high:
        return [float(low)] * len(found)
    return [float(low), *found[1:-1], float(high)]


GENERATORS: Final[dict[str, Callable[[Entry, list[str]], list[Any]]]] = {
    "range": _range,
    "linspace": _linspace,
    "logspace": _logspace,
    "geomspace": _geomspace,
}
WAYS: Final = ("values", *GENERATORS)
"""What says the values of a parameter of a grid."""
