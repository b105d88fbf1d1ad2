"""Words with placeholders: `--lr={lr:.3g}`, `{epochs * 2}`, `{{` and `}}` for braces.

Template("--lr={lr}", names).fill(params)       "--lr=0.1", or None: a parameter is not set
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from json import dumps
from typing import Any, Final, NamedTuple

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.flow.expressions import Evaluated, compiled, used

WIDEST: Final = 100
"""Characters that a value can be padded to."""
_FORMAT: Final = re.compile(
    r"(?:[^{}]?[<>=^])?[-+ ]?#?0?(?P<width>\d{0,30})[,_]?"
    r"(?:\.(?P<precision>\d{1,30}))?[bdeEfFgGosxX%]?"
)


def shown(value: Any) -> str:
    """A value as a word: text as it is, all else as JSON has it."""
    if isinstance(value, str):
        return value
    return dumps(value, ensure_ascii=False, separators=(",", ":"))


class Part(NamedTuple):
    """Text as it is, or a placeholder: what it says, its expression, and its format."""

    text: str
    placeholder: bool = False
    spec: str = ""


class Template:
    """A word, taken apart. Raises `Wrong` for what is no expression, no format, or no parameter."""

    __slots__ = ("parts", "text", "used")

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.text = text
        self.used: frozenset[str] = frozenset()
        self.parts: list[tuple[str, Evaluated | None, str]] = []
        for part in parts(text):
            if not part.placeholder:
                self.parts.append((part.text, None, ""))
                continue
            self.parts.append((part.text, compiled(part.text, names), part.spec))
            self.used |= used(part.text, names)

    def fill(self, params: Mapping[str, Any]) -> str | None:
        """The word; None where it names a parameter that this point does not have."""
        if not self.used <= params.keys():
            return None
        return "".join(
            text if evaluate is None else _formatted(evaluate(params), spec, self.text)
            for text, evaluate, spec in self.parts
        )


def has_placeholders(text: str) -> bool:
    """Whether there is an opening brace that stands for more than itself."""
    return "{" in text.replace("{{", "")


def parts(text: str) -> Iterator[Part]:
    """The text, taken apart at its braces."""
    at = 0
    plain: list[str] = []
    while at < len(text):
        sign = text[at]
        if text[at : at + 2] in ("{{", "}}"):
            plain.append(sign)
            at += 2
        elif sign == "{":
            if plain:
                yield Part("".join(plain))
                plain = []
            end = placeholder_end(text, at)
            yield _placeholder(text[at + 1 : end - 1], text)
            at = end
        else:
            plain.append(sign)
            at += 1
    if plain:
        yield Part("".join(plain))


def placeholder_end(text: str, at: int) -> int:
    """Just after the brace that closes the one at `at`; quotes within hide theirs."""
    hidden = ""
    for index in range(at + 1, len(text)):
        sign = text[index]
        if hidden:
            hidden = "" if sign == hidden else hidden
        elif sign in "'\"":
            hidden = sign
        elif sign == "}":
            return index + 1
        elif sign == "{":
            break
    raise Wrong(
        f"{quote(text)}: a brace is not closed", "write {name}; for a brace itself {{ or }}"
    )


def _placeholder(inside: str, text: str) -> Part:
    expression, spec = _split(inside)
    if not expression.strip():
        raise Wrong(f"{quote(text)}: nothing between braces", "write the name of a parameter")
    found = _FORMAT.fullmatch(spec)
    if found is None:
        raise Wrong(f"{quote(text)}: {quote(spec)} is no format", "write one such as .3g or 04d")
    if max(int(found["width"] or 0), int(found["precision"] or 0)) > WIDEST:
        raise Wrong(f"{quote(text)}: too wide", f"at most {WIDEST} characters")
    return Part(expression.strip(), placeholder=True, spec=spec)


def _split(inside: str) -> tuple[str, str]:
    """The expression, and the format after the first colon that is in no quotes or brackets."""
    depth = 0
    hidden = ""
    for index, sign in enumerate(inside):
        if hidden:
            hidden = "" if sign == hidden else hidden
        elif sign in "'\"":
            hidden = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == ":" and depth == 0:
            return inside[:index], inside[index + 1 :]
    return inside, ""


def _formatted(value: Any, spec: str, text: str) -> str:
    if not spec:
        return shown(value)
    try:
        return format(value, spec)
    except (TypeError, ValueError) as error:
        raise Wrong(
            f"{quote(text)}: {quote(shown(value))} cannot be written as {quote(spec)} "
            f"({str(error)[:60]})",
            "write a format that fits, such as .3g for numbers",
        ) from None
