"""Expressions over parameters: what they mean, and that nothing else can be reached."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.expressions import LARGEST, compiled, used
from tests.support.refusals import refusal

PARAMS: dict[str, Any] = {
    "lr": 0.1,
    "opt": "sgd",
    "n": 5,
    "layers": [1, 2],
    "model.depth": 3,
    "db/engine": "x",
    "unset": None,
}


def value(text: str) -> Any:
    return compiled(text, PARAMS)(PARAMS)


def said(text: str) -> str:
    """What a text is refused with."""
    error = refusal(value, text)
    assert error is not None, f"{text[:80]} was computed"
    return str(error)


# ---------------------------------------------------------------------------------------- laws

_PIECES = (
    "and or not in if else lambda for import __class__ str max len ** 10**9 'a' ( ) [ ] { } + - * /"
    " % < > = ! . , : ' \" ~ @ 0 1 9 é"
)
_signs = st.sampled_from([*PARAMS, *_PIECES.split(), " ", "\n", "\0"])


@given(st.lists(_signs, max_size=20).map("".join) | st.text(max_size=40))
def test_whatever_is_written_is_computed_small_or_refused(text: str):
    try:
        found = value(text)
    except Wrong:
        return
    assert isinstance(found, str | int | float | bool | list | None)
    if isinstance(found, int | float):
        assert abs(found) <= max(LARGEST, 1e308)
    if isinstance(found, str | list):
        assert len(found) <= 10_000


@given(
    st.integers(-100, 100), st.integers(1, 100), st.sampled_from(["+", "-", "*", "//", "%", "/"])
)
def test_arithmetic_is_pythons(left: int, right: int, sign: str):
    assert value(f"{left} {sign} {right}") == eval(f"{left} {sign} {right}")


# --------------------------------------------------------------------------------------- cases


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("lr > 0.05 and opt == 'sgd'", True),
        ("not (lr > 0.05 or n == 1)", False),
        ("opt in ['adam', 'sgd'] and n not in (1, 2)", True),
        ("1 < n <= 5", True),
        ("model.depth * 2 - 1", 5),
        ("params['db/engine'] == 'x'", True),
        ("db/engine", "x"),
        ("layers[-1] + layers[0]", 3),
        ("n if opt == 'adam' else -n", -5),
        ("max(n, 3) + len(opt) + abs(-1) + round(2.6)", 12),
        ("round(lr * 3, 2)", 0.3),
        ("min(layers) ** 2", 1),
        ("unset < 1 or unset > 1", False),
        ("unset == None and unset is None", True),
        ("'a' in unset", False),
        ("str(n) + opt", "5sgd"),
    ],
)
def test_expressions_mean_what_they_mean_in_python(text: str, meant: Any):
    assert value(text) == meant


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("lr.__class__", "no parameter is called 'lr.__class__'"),
        ("().__class__", "attributes are not understood"),
        ("opt.upper()", "no functions are known but"),
        ("__import__('os')", "no functions are known but"),
        ("open('x')", "no functions are known but"),
        ("f'{lr}'", "an f-string is not understood"),
        ("[x for x in layers]", "a comprehension is not understood"),
        ("lambda: 1", "lambda is not understood"),
        ("layers[0:1]", "a slice is not understood"),
        ("max(layers, key=len)", "plain values"),
        ("n << 9999999", "bits"),
        ("9**9**9", "power that is too large"),
        ("'a' * 10**9", "more than 10,000 characters"),
        ("layers * 10**9", "more than 10,000 characters"),
        ("'%1000000000d' % n", "% is for numbers"),
        ("round(n, -10**9)", "more than 30 digits"),
        ("(-8) ** 0.5", "a complex number"),
        ("1e999", "not understood"),
        ("0x" + "f" * 900, "not understood"),
        ("(" * 10_000 + ")" * 10_000, "is too long"),
        ("not " * 200 + "n", "more than 30 levels"),
        ("opt < n", "cannot be computed"),
        ("layers[7]", "out of range"),
        ("n and", "is no expression"),
        ("", "is no expression"),
        ("momentun > 1", "no parameter is called 'momentun'"),
    ],
)
def test_what_is_more_than_an_expression_is_refused(text: str, what: str):
    assert what in said(text)


def test_the_nearest_parameter_is_named():
    assert "did you mean model.depth?" in said("model.dept > 1")


def test_what_an_expression_asks_for_is_known():
    assert used("lr > 1 and model.depth in layers", PARAMS) == {"lr", "model.depth", "layers"}
