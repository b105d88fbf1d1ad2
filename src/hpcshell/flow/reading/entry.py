"""A place in a document: what is there, read as what is wanted there, or refused by its line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, TypeVar, cast

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.words import nearest, quote, safe, shortened
from hpcshell.flow.reading.tree import Node, Where

Word = TypeVar("Word", bound=str)

_KINDS: Final = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}


class Entry:
    """A node, and the path of keys that leads to it."""

    __slots__ = ("name", "node", "path")

    def __init__(self, node: Node, name: str, path: tuple[str, ...] = ()) -> None:
        self.node = node
        self.name = name
        self.path = path

    @property
    def label(self) -> str:
        """What a message calls it: the path of keys, at most as much as fits a line."""
        return safe(".".join(self.path))[:80] or "the file"

    @property
    def last(self) -> str:
        return self.path[-1] if self.path else ""

    def wrong(self, what: str, hint: str) -> Wrong:
        """The refusal of what is here, for a `raise`. `what` follows the line; or the path, where
        there is no line and it does not begin with it."""
        path = "" if not self.path or what.startswith(self.label) else self.label
        return Where(self.name, self.node.line, path).wrong(what, hint)

    def refused(self, error: HpcError) -> Wrong:
        """The same refusal as `error`, by the line."""
        return self.wrong(error.message, error.hint or "look at the reference of sweeps")

    # ------------------------------------------------------------------------------------ kinds

    def is_mapping(self) -> bool:
        return isinstance(self.node.value, dict)

    def is_list(self) -> bool:
        return isinstance(self.node.value, list)

    def _expected(self, wanted: str, hint: str) -> Wrong:
        return self.wrong(f"{self.label} is {kind(self)}, not {wanted}", hint)

    # --------------------------------------------------------------------------------- children

    @property
    def fields(self) -> list[str]:
        """The keys of a mapping; none of anything else."""
        return list(self.node.value) if self.is_mapping() else []

    def at(self, key: str) -> Entry | None:
        """The entry of this key, if there is one; one that is null is as good as absent."""
        node = self.node.value.get(key) if self.is_mapping() else None
        if node is None or node.value is None:
            return None
        return Entry(node, self.name, (*self.path, key))

    def entries(self, hint: str = "write `name: value` pairs below it") -> Iterator[Entry]:
        """The entries of a mapping, nulls too."""
        if not self.is_mapping():
            raise self._expected("a mapping", hint)
        for key, node in self.node.value.items():
            yield Entry(node, self.name, (*self.path, key))

    def known(self, keys: Collection[str]) -> None:
        """Refuses a key that is not one of these, with the nearest of them."""
        for entry in self.entries():
            if entry.last not in keys:
                near = nearest(entry.last, keys)
                below = f" of {self.label}" if self.path else ""
                raise entry.wrong(
                    f"{quote(entry.last)} is no key{below}",
                    f"did you mean {near}?"
                    if near
                    else shortened(f"known: {', '.join(keys)}", 180),
                )

    def items(self, hint: str = "write [a, b, c]") -> list[Entry]:
        """The items of a list."""
        if not self.is_list():
            raise self._expected("a list", hint)
        return [Entry(node, self.name, self.path) for node in self.node.value]

    # ---------------------------------------------------------------------------------- scalars

    def value(self) -> Any:
        """All that is here, as JSON would say it."""
        return _plain(self.node)

    def text(self, hint: str = "write it in quotes") -> str:
        if not isinstance(self.node.value, str):
            raise self._expected("text", hint)
        return self.node.value

    def word(self, choices: Collection[Word]) -> Word:
        """One of a few words."""
        found = self.node.value
        if not isinstance(found, str) or found not in choices:
            shown = quote(found) if isinstance(found, str) else kind(self)
            near = nearest(found, choices) if isinstance(found, str) else None
            raise self.wrong(
                f"{self.label}: {shown} is none of {', '.join(choices)}",
                f"did you mean {near}?" if near else f"write {' or '.join(choices)}",
            )
        return cast("Word", found)

    def number(self) -> float:
        if isinstance(self.node.value, bool) or not isinstance(self.node.value, int | float):
            raise self._expected("a number", "write a number, without quotes")
        return self.node.value

    def whole(self, least: int, most: int = 1 << 53) -> int:
        """A whole number within bounds."""
        found = self.number()
        if found != int(found) or not least <= found <= most:
            raise self.wrong(
                f"{self.label}: {found:g} is no whole number from {least:,} to {most:,}"
                if most < 1 << 53
                else f"{self.label}: {found:g} is no whole number of at least {least}",
                "write a whole number",
            )
        return int(found)

    def truth(self) -> bool:
        if not isinstance(self.node.value, bool):
            raise self._expected("true or false", "write true or false")
        return self.node.value

    def words(self) -> tuple[str, ...]:
        """A list of texts; one alone is a list of one."""
        if isinstance(self.node.value, str):
            return (self.node.value,)
        return tuple(item.text() for item in self.items("write [a, b] or one word"))


def kind(entry: Entry) -> str:
    """What a message calls it: a mapping, a list, text, a number, ..."""
    return _KINDS[type(entry.node.value)]


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(inner) for key, inner in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(inner) for inner in node.value]
    return node.value
