"""Small expressions over the parameters of a point: `opt == 'sgd' and model.depth > 2`.

    compiled("lr > 0.05", names)({"lr": 0.1})       True

Python's own grammar, of which a white list is understood: comparisons, and/or/not, arithmetic,
`in`, `a if b else c`, literals, parameters by their (dotted) names or as `params["db/engine"]`,
items of them, and a few functions. Nothing else can be reached, and whatever is computed is
bounded in size. A parameter that a point does not have is None, and None is neither less nor more
than anything.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final, TypeAlias
from warnings import catch_warnings, simplefilter

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote, safe

Params: TypeAlias = Mapping[str, Any]
Evaluated: TypeAlias = Callable[[Params], Any]

LONGEST: Final = 1000
"""Characters of an expression."""
DEEPEST: Final = 30
"""Levels of one; Python's parser is not asked about more brackets than that."""
LARGEST: Final = 10**30
"""Of whole numbers that are computed."""
LONGEST_RESULT: Final = 10_000
"""Characters or items of what is computed."""


def _round(number: Any, digits: int = 0) -> Any:
    if abs(digits) > 30:
        raise ValueError("more than 30 digits")
    return round(number, digits) if digits else round(number)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs,
    "float": float,
    "int": int,
    "len": len,
    "max": max,
    "min": min,
    "round": _round,
    "str": str,
}
_ALL: Final = "params"


def compiled(text: str, names: Collection[str]) -> Evaluated:
    """The expression as a function of a point's parameters. Raises `Wrong` for what is not
    understood or names no parameter of `names`; so does the function for what cannot be computed,
    such as a text and a number added."""
    evaluate = _Compiler(text, frozenset(names)).whole()

    def guarded(params: Params) -> Any:
        try:
            return evaluate(params)
        except Wrong:
            raise
        except Exception as error:
            raise Wrong(
                f"{quote(text)} cannot be computed: {safe(str(error)[:80])}",
                "compare and add what is of one kind",
            ) from None

    return guarded


def used(text: str, names: Collection[str]) -> frozenset[str]:
    """The parameters that an expression asks for."""
    compiler = _Compiler(text, frozenset(names))
    compiler.whole()
    return frozenset(compiler.used)


class _Compiler:
    """Turns a syntax tree into nested functions, node by node."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self.text = text
        self.names = names
        self.used: set[str] = set()

    def whole(self) -> Evaluated:
        if self.text in self.names:
            return self._parameter(self.text)
        self._bounded()
        try:
            with catch_warnings():
                simplefilter("ignore")
                tree = ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Wrong(
                f"{quote(self.text)} is no expression",
                "write one such as: lr > 0.1 and depth in [2, 4]",
            ) from None
        return self._node(tree.body, 0)

    def _bounded(self) -> None:
        """Refused before it is parsed: what is long, or nested so deep that the parser itself
        would give up."""
        brackets = sum(self.text.count(sign) for sign in "([{")
        if len(self.text) > LONGEST or brackets > DEEPEST:
            raise Wrong(
                f"the expression {quote(self.text)} is too long",
                f"at most {LONGEST:,} characters and {DEEPEST} brackets",
            )

    def _refused(self, what: str) -> Wrong:
        return Wrong(
            f"{quote(self.text)}: {what}",
            "use comparisons, and, or, not, in, + - * / // % **, numbers, texts, parameters and "
            + ", ".join(FUNCTIONS),
        )

    def _node(self, node: ast.AST, depth: int) -> Evaluated:
        if depth > DEEPEST:
            raise self._refused(f"nested in more than {DEEPEST} levels")
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._parameter(self._dotted(node))
        make = _MAKERS.get(type(node))
        if make is None:
            raise self._refused(f"{_SAID.get(type(node), 'this')} is not understood here")
        return make(self, node, depth + 1)

    # ---------------------------------------------------------------------------------- leaves

    def _constant(self, node: ast.Constant) -> Evaluated:
        value = node.value
        if isinstance(value, str | bool | None) or (
            isinstance(value, int | float) and abs(value) <= LARGEST
        ):
            return lambda params: value
        raise self._refused("a value of this kind is not understood here")

    def _dotted(self, node: ast.Name | ast.Attribute) -> str:
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise self._refused("attributes are not understood here, only names of parameters")
        return ".".join([inner.id, *reversed(parts)])

    def _parameter(self, name: str) -> Evaluated:
        if name not in self.names:
            raise self._unknown(name)
        self.used.add(name)
        return lambda params: params.get(name)

    def _unknown(self, name: str) -> Wrong:
        near = nearest(name, self.names)
        shown = ", ".join(sorted(self.names)[:10])[:150]
        return Wrong(
            f"{quote(self.text)}: no parameter is called {quote(name)}",
            f"did you mean {near}?" if near else f"the parameters are {shown or 'none yet'}",
        )

    # ------------------------------------------------------------------------------- operations

    def _either(self, node: ast.BoolOp, depth: int) -> Evaluated:
        parts = [self._node(part, depth) for part in node.values]
        stop = isinstance(node.op, ast.Or)

        def evaluate(params: Params) -> Any:
            for part in parts:
                found = part(params)
                if bool(found) is stop:
                    break
            return found

        return evaluate

    def _unary(self, node: ast.UnaryOp, depth: int) -> Evaluated:
        of = self._node(node.operand, depth)
        apply = _UNARY.get(type(node.op))
        if apply is None:
            raise self._refused("~ is not understood here")
        return lambda params: apply(of(params))

    def _binary(self, node: ast.BinOp, depth: int) -> Evaluated:
        left, right = self._node(node.left, depth), self._node(node.right, depth)
        apply = _BINARY.get(type(node.op))
        if apply is None:
            raise self._refused("bits and matrices are not understood here")
        return lambda params: apply(left(params), right(params))

    def _compare(self, node: ast.Compare, depth: int) -> Evaluated:
        first = self._node(node.left, depth)
        rest = [
            (_COMPARISONS[type(op)], self._node(of, depth))
            for op, of in zip(node.ops, node.comparators, strict=True)
        ]
        if len(rest) == 1:
            compare, second = rest[0]
            return lambda params: compare(first(params), second(params))

        def evaluate(params: Params) -> bool:
            left = first(params)
            for compare, of in rest:
                right = of(params)
                if not compare(left, right):
                    return False
                left = right
            return True

        return evaluate

    def _choice(self, node: ast.IfExp, depth: int) -> Evaluated:
        test, yes, no = (self._node(part, depth) for part in (node.test, node.body, node.orelse))
        return lambda params: yes(params) if test(params) else no(params)

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> Evaluated:
        items = [self._node(item, depth) for item in node.elts]
        return lambda params: [item(params) for item in items]

    def _item(self, node: ast.Subscript, depth: int) -> Evaluated:
        if isinstance(node.value, ast.Name) and node.value.id == _ALL not in self.names:
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                return self._parameter(node.slice.value)
            raise self._refused('params is followed by a name in quotes: params["name"]')
        of, index = self._node(node.value, depth), self._node(node.slice, depth)
        return lambda params: of(params)[index(params)]

    def _call(self, node: ast.Call, depth: int) -> Evaluated:
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            raise self._refused(f"no functions are known but {', '.join(FUNCTIONS)}")
        if node.keywords or any(isinstance(item, ast.Starred) for item in node.args):
            raise self._refused("functions take plain values here")
        items = [self._node(item, depth) for item in node.args]
        call = FUNCTIONS[node.func.id]
        return lambda params: _bounded(call(*(_short(item(params)) for item in items)))


# ----------------------------------------------------------------------------- bounded arithmetic


def _bounded(value: Any) -> Any:
    """The value, if it is of a reasonable size."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError("a whole number of more than 30 digits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number that is infinite, or none")
    elif isinstance(value, str | list):
        _short(value)
    elif isinstance(value, complex):
        raise ValueError("a complex number")
    return value


def _short(value: Any) -> Any:
    if isinstance(value, str | list) and len(value) > LONGEST_RESULT:
        raise ValueError(f"a result of more than {LONGEST_RESULT:,} characters")
    return value


def _times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list) and (
            not isinstance(other, int) or len(one) * max(other, 0) > LONGEST_RESULT
        ):
            raise ValueError(f"a result of more than {LONGEST_RESULT:,} characters")
    return _bounded(left * right)


def _power(left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and right > 0 and max(abs(left), 2).bit_length() * right > 200:
        raise ValueError("a power that is too large")
    return _bounded(left**right)


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise ValueError("% is for numbers")
    return _bounded(left % right)


def _plain(apply: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    return _bounded(apply(left, right))


def _ordered(apply: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    return left is not None and right is not None and apply(left, right)


def _within(left: Any, right: Any) -> bool:
    return right is not None and left in right


_BINARY: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Add: partial(_plain, operator.add),
    ast.Sub: partial(_plain, operator.sub),
    ast.Mult: _times,
    ast.Div: partial(_plain, operator.truediv),
    ast.FloorDiv: partial(_plain, operator.floordiv),
    ast.Mod: _modulo,
    ast.Pow: _power,
}
_UNARY: Final[Mapping[type, Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_COMPARISONS: Final[Mapping[type, Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: partial(_ordered, operator.lt),
    ast.LtE: partial(_ordered, operator.le),
    ast.Gt: partial(_ordered, operator.gt),
    ast.GtE: partial(_ordered, operator.ge),
    ast.In: _within,
    ast.NotIn: lambda left, right: not _within(left, right),
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}
_MAKERS: Final[Mapping[type, Callable[[_Compiler, Any, int], Evaluated]]] = {
    ast.BoolOp: _Compiler._either,
    ast.UnaryOp: _Compiler._unary,
    ast.BinOp: _Compiler._binary,
    ast.Compare: _Compiler._compare,
    ast.IfExp: _Compiler._choice,
    ast.List: _Compiler._list,
    ast.Tuple: _Compiler._list,
    ast.Subscript: _Compiler._item,
    ast.Call: _Compiler._call,
}
_SAID: Final[Mapping[type, str]] = {
    ast.JoinedStr: "an f-string",
    ast.Lambda: "lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.NamedExpr: ":=",
    ast.Slice: "a slice",
    ast.Dict: "a mapping",
    ast.Set: "a set",
    ast.Await: "await",
    ast.Starred: "*",
}
