"""What filters mean, said in Python: what their SQL is measured by.

What is not there (`None`) fits no comparison. A metric that is NaN is there, and a parameter is
compared as a number where the filter says a number.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from hpcshell.track.records import Run
from hpcshell.track.store.configs import value_of
from hpcshell.track.store.filters.tree import (
    Comparison,
    Missing,
    Name,
    Node,
    Number,
    Several,
    Value,
)

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def fits(run: Run, node: Node) -> bool:
    """Whether the run is one of those that are asked for."""
    if isinstance(node, Several):
        return (all if node.word == "AND" else any)(fits(run, part) for part in node.parts)
    there = _value(run, node.name)
    if isinstance(node, Missing):
        return (there is None) == node.missing
    return there is not None and _compared(there, node.operator, node.values, node.name.space)


def _value(run: Run, name: Name) -> Any:
    if name.space == "metrics":
        summary = run.metrics.get(name.key)
        return None if summary is None else float(summary.last)
    if name.space in ("params", "tags"):
        return getattr(run, name.space).get(name.key)
    whose = run.job if name.space == "job" else run
    return None if whose is None else getattr(whose, name.key)


def _compared(there: Any, sign: str, values: tuple[Value, ...], space: str) -> bool:
    if sign in ("IN", "NOT IN"):
        found = any(_compared(there, "=", (value,), space) for value in values)
        return found == (sign == "IN")
    wanted = values[0]
    if sign.removeprefix("NOT ") in ("LIKE", "ILIKE"):
        assert isinstance(wanted, str)
        return alike(there, wanted, any_case="ILIKE" in sign) != sign.startswith("NOT")
    if isinstance(wanted, str):
        return COMPARE[sign](there.encode(), wanted.encode())
    number: float | int | None = wanted.value
    if isinstance(there, str):
        if space != "params":
            return COMPARE[sign](there, wanted.written)
        there = value_of(there)
    there = math.nan if there is None else there
    if space == "metrics" and isinstance(number, float) and math.isnan(number):
        return {"=": math.isnan(there), "!=": not math.isnan(there)}.get(sign, False)
    return COMPARE[sign](there, number)


def alike(text: str, pattern: str, *, any_case: bool) -> bool:
    """Whether a text is as a pattern of LIKE says."""
    form = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern)
    flags = re.DOTALL | re.ASCII | (re.IGNORECASE if any_case else 0)
    return re.fullmatch(form, text, flags) is not None


# ------------------------------------------------------------------------------ what is asked

KEYS = ("a", "b", "a.b", "odd key", "`x`")
WORDS = (
    "",
    "a",
    "A",
    "ab",
    "aB",
    "b%",
    "a_",
    "0.5",
    "1",
    "é",
    "a'b",
    "[a]",
    "x*",
    "a?",
    "\\",
    "z" * 120,
)
_numbers = st.one_of(
    st.sampled_from(["0", "1", "-1", "0.5", "1e400", "-1e400", "2", "3.25", "1e-3", "+1"]),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
).map(Number)
_words = st.sampled_from(WORDS)
_patterns = st.text(st.sampled_from("ab%_[]*?\\A'é"), max_size=6)
_signs = st.sampled_from(sorted(COMPARE))
_likes = st.sampled_from(["LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"])
_ins = st.sampled_from(["IN", "NOT IN"])


def _numeric(names: st.SearchStrategy[Name]) -> st.SearchStrategy[Node]:
    many = st.lists(_numbers, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Comparison, names, _signs, st.tuples(_numbers)),
        st.builds(Comparison, names, _ins, many),
        st.builds(Missing, names, st.booleans()),
    )


def _textual(names: st.SearchStrategy[Name]) -> st.SearchStrategy[Node]:
    many = st.lists(_words, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Comparison, names, _signs, st.tuples(_words)),
        st.builds(Comparison, names, _likes, st.tuples(_patterns)),
        st.builds(Comparison, names, _ins, many),
        st.builds(Missing, names, st.booleans()),
    )


def _named(space: str, keys: tuple[str, ...]) -> st.SearchStrategy[Name]:
    return st.builds(Name, st.just(space), st.sampled_from(keys))


_mixed = st.builds(
    Comparison,
    _named("params", KEYS),
    _ins,
    st.lists(st.one_of(_words, _numbers), min_size=1, max_size=4).map(tuple),
)
leaves: st.SearchStrategy[Node] = st.one_of(
    _numeric(_named("metrics", KEYS)),
    _numeric(_named("params", KEYS)),
    _textual(_named("params", KEYS)),
    _textual(_named("tags", KEYS)),
    _textual(_named("attributes", ("name", "user", "note", "experiment"))),
    _numeric(_named("attributes", ("seed", "started_at", "ended_at", "exit_code"))),
    _textual(_named("job", ("user", "state", "reason", "id"))),
    _numeric(_named("job", ("cpus", "gpus", "exit_code", "attempt"))),
    _mixed,
)


def _joined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Several, st.just("AND"), several), st.builds(Several, st.just("OR"), several)
    )


filters: st.SearchStrategy[Node] = st.recursive(leaves, _joined, max_leaves=6)
