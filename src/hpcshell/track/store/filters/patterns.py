"""LIKE that heeds the case of letters on both databases.

SQLite's own takes `A` for `a`; its GLOB does not, and has other wild characters.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_GLOB: Final = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


class _Alike(FunctionElement[bool]):
    """Of a text, a pattern of LIKE and the same of GLOB."""

    inherit_cache = True
    name = "alike"
    type = Boolean()


def alike(text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether the text is as the pattern says: `%` any characters, `_` any one."""
    like = pattern.replace("\\", "\\\\")
    return _Alike(text, literal(like, Text()), literal(pattern.translate(_GLOB), Text()))


def alike_in_any_case(text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """The same whatever the case of ASCII's letters."""
    return text.ilike(pattern.replace("\\", "\\\\"), escape="\\")


@compiles(_Alike)
def _like(element: _Alike, compiler: Any, **options: Any) -> str:
    text, like, _ = element.clauses
    said = f"{compiler.process(text, **options)} LIKE {compiler.process(like, **options)}"
    return f"({said} ESCAPE '\\')"


@compiles(_Alike, "sqlite")
def _glob(element: _Alike, compiler: Any, **options: Any) -> str:
    text, _, glob = element.clauses
    return f"({compiler.process(text, **options)} GLOB {compiler.process(glob, **options)})"
