"""A document as a tree that knows its lines: from YAML or JSON text, or from Python's objects.

Scalars are read as people mean them, after the core schema of YAML 1.2: only `true` and `false`
are booleans (`no` is a word), `1e-3` is a number, `8:00:00` and `007` are text. No tags, no key
twice; aliases and merge keys are followed, within bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from json import loads
from typing import Any, Final, NamedTuple, NoReturn

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

DEEPEST: Final = 40
"""Levels of a document."""
LARGEST: Final = 2_000_000
"""Values in a document, those behind aliases counted each time."""
LONGEST: Final = 32 << 20
"""Characters of a document."""
SMALLEST_INT: Final = -(1 << 63)
LARGEST_INT: Final = (1 << 64) - 1

_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_OTHER_BASE: Final = re.compile(r"0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]+\Z")
_NO_NUMBER: Final = re.compile(r"(?:[-+]?\.?inf(?:inity)?|\.?nan)\Z", re.IGNORECASE)
_PAIR: Final = re.compile(r"\\\\|\\u(d[89ab]..)\\u(d[c-f]..)", re.IGNORECASE)
"""A surrogate pair as JSON escapes it; or a backslash that is escaped, which begins none."""
_DATE: Final = re.compile(r"\d{4}-\d\d?-\d\d?(?:[Tt ].*)?\Z")
_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Node(NamedTuple):
    """A value and the line of it (of its key, if it has one; 0 for none). Mappings and sequences
    hold nodes. `size`: how many values it stands for, itself among them."""

    value: Any
    line: int
    size: int = 1


class Where(NamedTuple):
    """What is blamed: a file by its line, a document of Python's by a path of keys."""

    name: str
    line: int = 0
    path: str = ""

    def wrong(self, what: str, hint: str) -> Wrong:
        """The error, for a `raise`."""
        if self.line:
            return Wrong(f"{self.name}:{self.line}: {what}", hint)
        return Wrong(f"{self.name}: {self.path + ': ' if self.path else ''}{what}", hint)


# ----------------------------------------------------------------------------------------- text


def from_text(text: str, name: str) -> Node:
    """The tree of a YAML or JSON text."""
    import yaml

    if len(text) > LONGEST:
        raise Wrong(
            f"{name}: {len(text):,} characters are too many", f"the limit is {LONGEST:,} characters"
        )
    text = _yaml_of(text.removeprefix("\ufeff"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), name).document()
    except yaml.YAMLError as error:
        raise _no_yaml(error, text, name) from None
    except UnicodeError:
        raise Wrong(f"{name}: some characters are no text", "store the file as UTF-8") from None


def _yaml_of(text: str) -> str:
    """JSON as the YAML that means the same: blanks for tabs, which are only between its values,
    and whole characters for pairs of surrogates. Other texts as they are."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        loads(text)
    except (ValueError, RecursionError):
        return text
    text = text.replace("\t", " ").replace("\x7f", "\\x7f")
    return _PAIR.sub(lambda found: loads(f'"{found[0]}"') if found[1] else found[0], text)


def _no_yaml(error: Exception, text: str, name: str) -> Wrong:
    """What is wrong with a text that is no YAML."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", 0) or 0
        line = text.count("\n", 0, position) + 1
        return Where(name, line).wrong(
            "a character that is no text", "remove it; in quotes it can be written as \\x07"
        )
    where = Where(name, mark.line + 1)
    line = (text.splitlines() or [""])[min(mark.line, len(text.splitlines()) - 1)]
    if "\t" in line:
        return where.wrong("a tab; YAML is indented with blanks", "replace the tab by blanks")
    problem = str(getattr(error, "problem", "") or "not understood")[:120]
    return where.wrong(f"no YAML: {problem}", "look at the indentation, colons and quotes here")


class _Composer:
    """Builds the tree from YAML's events."""

    def __init__(self, events: Iterator[Any], name: str) -> None:
        self.events = events
        self.name = name
        self.anchors: dict[str, Node | None] = {}
        self.count = 0

    def document(self) -> Node:
        import yaml

        found: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if found is not None:
                    raise self._at(event).wrong(
                        "a second document", "a file holds one sweep: remove the `---`"
                    )
                found = self._node(next(self.events), 0)
        return found or Node(None, 1)

    def _at(self, event: Any) -> Where:
        return Where(self.name, event.start_mark.line + 1)

    def _node(self, event: Any, depth: int) -> Node:
        import yaml

        where = self._at(event)
        if depth > DEEPEST:
            raise where.wrong(f"more than {DEEPEST} levels", "a sweep needs a few")
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event, where)
        else:
            node = self._new(event, depth, where)
        return node

    def _counted(self, more: int, where: Where) -> None:
        self.count += more
        if self.count > LARGEST:
            raise where.wrong(
                f"more than {LARGEST:,} values, those behind aliases counted",
                "use range, linspace or random instead of long lists",
            )

    def _alias(self, event: Any, where: Where) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            raise where.wrong(
                f"{quote('*' + event.anchor)} names nothing above",
                f"write &{event.anchor[:40]} before the value that is meant",
            )
        self._counted(node.size, where)
        return Node(node.value, where.line, node.size)

    def _new(self, event: Any, depth: int, where: Where) -> Node:
        import yaml

        if event.tag is not None:
            raise where.wrong(
                f"the tag {quote(event.tag)} is not allowed: values are plain here",
                "remove it; for text, write the value in quotes",
            )
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self._counted(1, where)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(depth, where)
        elif isinstance(event, yaml.SequenceStartEvent):
            items = [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
            node = Node(items, where.line, 1 + sum(item.size for item in items))
        else:
            node = Node(scalar(event.value, not event.implicit[0], where), where.line)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _until(self, end: type) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield event

    def _mapping(self, depth: int, where: Where) -> Node:
        import yaml

        found: dict[str, Node] = {}
        merged: list[Node] = []
        for event in self._until(yaml.MappingEndEvent):
            at = self._at(event)
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                raise at.wrong("a key that is no word", "write `name: value`")
            key = _text(event.value, at)
            node = self._node(next(self.events), depth + 1)
            if key == "<<" and event.implicit[0]:
                merged.append(node._replace(line=at.line))
                continue
            if key in found:
                raise at.wrong(
                    f"the key {quote(key)} is given twice (first in line {found[key].line})",
                    "remove one of the two",
                )
            found[key] = node._replace(line=at.line)
        for node in merged:
            for key, value in self._merged(node):
                found.setdefault(key, value)
        return Node(found, where.line, 1 + sum(1 + node.size for node in found.values()))

    def _merged(self, node: Node) -> Iterator[tuple[str, Node]]:
        """What a merge key brings in: a mapping's entries, or those of several."""
        for source in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(source.value, dict):
                raise Where(self.name, node.line).wrong(
                    "<<: takes in mappings", "write `<<: *name` with the anchor of a mapping"
                )
            self._counted(source.size, Where(self.name, node.line))
            yield from source.value.items()


def scalar(text: str, quoted: bool, where: Where) -> Any:
    """What a word of YAML means."""
    if quoted:
        return _text(text, where)
    if text in _WORDS:
        return _WORDS[text]
    if _LEADING_ZERO.match(text):
        return text
    if _INT.match(text) or _OTHER_BASE.match(text):
        return _whole(text, where)
    if _FLOAT.match(text):
        return _finite(float(text.replace("_", "")), where)
    if _NO_NUMBER.match(text):
        raise where.wrong(
            f"{text} is no number that a parameter can be",
            "write it in quotes if the word is meant",
        )
    if _DATE.match(text):
        raise where.wrong(
            f"{quote(text)} is a date, which JSON does not know", f'quote it: "{text[:40]}"'
        )
    return _text(text, where)


def _whole(text: str, where: Where) -> int:
    digits = text.replace("_", "")
    number = int(digits, 0) if len(digits) < 100 else LARGEST_INT + 1
    return _within(number, where)


def _within(number: int, where: Where) -> int:
    if not SMALLEST_INT <= number <= LARGEST_INT:
        raise where.wrong("a whole number of more than 64 bits", "write it in quotes, as text")
    return number


def _finite(number: float, where: Where) -> float:
    if not math.isfinite(number):
        raise where.wrong(
            "a number that is infinite or none at all (inf, nan)",
            "write a finite number, or a word in quotes",
        )
    return number


def _text(text: str, where: Where) -> str:
    """Text that can be handed to a program: whole characters, no NUL."""
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise where.wrong("half a character (a lone surrogate)", "write it whole")
    if "\0" in text:
        raise where.wrong("a NUL character, which no program can be handed", "remove it")
    return text


# -------------------------------------------------------------------------------------- objects


def from_objects(value: Any, name: str) -> Node:
    """The tree of Python's objects: mappings, sequences, what numpy makes, and plain values."""
    return _Objects(name).node(value, "", 0)


class _Objects:
    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0

    def node(self, value: Any, path: str, depth: int) -> Node:
        where = Where(self.name, 0, path)
        self.count += 1
        if depth > DEEPEST or self.count > LARGEST:
            raise where.wrong(
                "too deep or too large", f"at most {DEEPEST} levels and {LARGEST:,} values"
            )
        if not isinstance(value, str | Mapping) and hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, Mapping):
            return Node(dict(self._entries(value, path, depth)), 0)
        if isinstance(value, list | tuple | range):
            return Node([self.node(item, path, depth + 1) for item in value], 0)
        return Node(_plain(value, where), 0)

    def _entries(
        self, value: Mapping[Any, Any], path: str, depth: int
    ) -> Iterable[tuple[str, Node]]:
        for key, item in value.items():
            if not isinstance(key, str):
                raise Where(self.name, 0, path).wrong(
                    f"the key {quote(repr(key))} is no text", "keys are the names of parameters"
                )
            inner = f"{path}.{key}" if path else key
            key = _text(key, Where(self.name, 0, path))
            yield key, self.node(item, inner, depth + 1)


def _plain(value: Any, where: Where) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str(value), where)
    if isinstance(value, int):
        return _within(int(value), where)
    if isinstance(value, float):
        return _finite(float(value), where)
    _refuse(value, where)


def _refuse(value: Any, where: Where) -> NoReturn:
    kind = type(value).__name__
    raise where.wrong(
        f"a {kind[:40]} is nothing that JSON can say",
        "use numbers, text, true, false, null, lists and mappings (a date or path: as text)",
    )
