"""What the fields of a document mean, by the sentences below them in the code."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache

import msgspec


def meanings(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Sentences by names of fields, also of those that it has from others; none where there is no
    source."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        found |= _written(each.__module__).get(each.__qualname__, {})
    return {name: text for name, text in found.items() if name in kind.__struct_fields__}


@cache
def _written(module: str) -> Mapping[str, Mapping[str, str]]:
    """Of all classes of a module."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError):
        return {}
    return {each.name: dict(_pairs(each)) for each in tree.body if isinstance(each, ast.ClassDef)}


def _pairs(made: ast.ClassDef) -> list[tuple[str, str]]:
    found = []
    for field, below in zip(made.body, made.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                found.append((name, inspect.cleandoc(text)))
    return found
