"""Names of files that go along with a job to another machine, and of those that come back.

What goes along keeps its name relative to where the job was submitted; what does not lie below that
has only its last part. What comes back is named relative to the job's working directory, by names
or by patterns with *, ? and [abc] that never lead out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

_WILD: Final = r"(?a)\*|\?|\[[\w-]+\]"
"""What every shell takes for a pattern; a bracket around anything else stands for itself."""


def target(path: str) -> str:
    """The name that a file or directory has in the job's working directory."""
    parts = _parts(path)
    if path.startswith("/") or ".." in parts:
        parts = [part for part in parts if part != ".."][-1:]
    return "/".join(parts)


def check_staged(text: str, origin: str) -> str:
    """The path of something that goes along. Raises `Wrong`."""
    _check_text(text, origin)
    if not target(text) or _parts(text)[-1] == "..":
        raise Wrong(f"{origin}: {quote(text)} has no name of its own", "name files or directories")
    return text


def check_result(text: str, origin: str) -> str:
    """A name or pattern below the working directory, without what is idle in it. Raises `Wrong`."""
    _check_text(text, origin)
    parts = _parts(text)
    if text.startswith("/") or ".." in parts or not parts:
        raise Wrong(
            f"{origin}: {quote(text)} is not below the job's working directory",
            "name it relative to that: out.csv, results, 'log/*.txt'",
        )
    return "/".join(parts)


def _check_text(text: str, origin: str) -> None:
    try:
        whole = "\0" not in text and bool(text.encode())
    except UnicodeEncodeError:
        whole = False
    if not whole:
        raise Wrong(f"{origin}: {text!a} is no name that can be kept", "give the file another name")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def shell_words(pattern: str) -> str:
    """The pattern as a word of `sh`: only what is wild in it is left to the shell."""
    from shlex import quote as plainly_quoted  # not every submission has to pay for it

    pieces = [text if wild else plainly_quoted(text) for text, wild in _pieces(pattern) if text]
    return "./" + "".join(pieces)


def means(pattern: str, name: str) -> bool:
    """Whether a pattern names a file, or a directory that it is in."""
    wilds = {"*": "[^/]*", "?": "[^/]"}
    regex = "".join(
        wilds.get(text, text) if wild else re.escape(text) for text, wild in _pieces(pattern)
    )
    return re.match(rf"(?s){regex}(?:/|\Z)", name) is not None


def _pieces(pattern: str) -> Iterator[tuple[str, bool]]:
    """The pattern in pieces, each with whether it is wild."""
    last = 0
    for found in re.finditer(_WILD, pattern):
        yield pattern[last : found.start()], False
        yield found[0], True
        last = found.end()
    yield pattern[last:], False
