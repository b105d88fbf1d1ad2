"""What a filter says, as a tree; `shown` writes the text that is read as the same tree."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

PLAIN_KEY: Final = re.compile(r"\A\w(?:[\w./-]*[\w/-])?\Z")
"""A key that needs no quotes after the dot."""


class Name(msgspec.Struct, frozen=True):
    """What is compared: `space.key`, a `key` alone being of the row itself."""

    space: str
    key: str


class Number(msgspec.Struct, frozen=True):
    """A number, as it was written."""

    written: str

    @property
    def value(self) -> int | float:
        """It as a whole one where it is, of 64 bits."""
        try:
            whole = int(self.written)
        except ValueError:
            return float(self.written)
        return whole if -(2**63) <= whole < 2**63 else float(self.written)


Value = str | Number
Operator = Literal[
    "=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE", "IN", "NOT IN"
]


class Comparison(msgspec.Struct, frozen=True):
    """A name, and the value or (for IN) values that it is compared with."""

    name: Name
    operator: Operator
    values: tuple[Value, ...]


class Missing(msgspec.Struct, frozen=True):
    """Whether there is no value at all (`IS NULL`), or there is (`IS NOT NULL`)."""

    name: Name
    missing: bool


class Several(msgspec.Struct, frozen=True):
    """Two or more, joined by the same word."""

    word: Literal["AND", "OR"]
    parts: tuple[Any, ...]


Node = Comparison | Missing | Several


def shown(node: Node) -> str:
    """The text of a tree."""
    if isinstance(node, Several):
        return f" {node.word} ".join(
            f"({shown(part)})" if isinstance(part, Several) else shown(part) for part in node.parts
        )
    name = _name(node.name)
    if isinstance(node, Missing):
        return f"{name} IS NULL" if node.missing else f"{name} IS NOT NULL"
    values = [_value(value) for value in node.values]
    if node.operator in ("IN", "NOT IN"):
        return f"{name} {node.operator} ({', '.join(values)})"
    return f"{name} {node.operator} {values[0]}"


def _name(name: Name) -> str:
    if PLAIN_KEY.match(name.key):
        return f"{name.space}.{name.key}"
    escaped = name.key.replace("`", "``")
    return f"{name.space}.`{escaped}`"


def _value(value: Value) -> str:
    if isinstance(value, Number):
        return value.written
    return "'" + value.replace("'", "''") + "'"
