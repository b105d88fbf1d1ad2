"""What a study runs: its words, and how they learn a point's parameters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final, get_args

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.flow.arguments import OWN, check_variables, templates
from hpcshell.flow.reading.entry import Entry
from hpcshell.flow.spec import Passing
from hpcshell.flow.templates import has_placeholders, placeholder_end

PASSINGS: Final[tuple[Passing, ...]] = get_args(Passing)
_INTERPRETERS: Final = {".py": "python3", ".sh": "sh", ".R": "Rscript", ".jl": "julia"}
_OPERATOR: Final = re.compile(r"[|&;]+|[0-9&]?(?:>>?|<<?)\S*|\S*;")
_SHELL_ONLY: Final = frozenset(
    {".", "alias", "cd", "eval", "exec", "exit", "export", "set", "source", "trap", "ulimit"}
    | {"umask", "unset"}
)
_QUOTED: Final = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)


def command(entry: Entry) -> tuple[str, ...]:
    """The words of `command:` (text or a list), or of `script:`."""
    whole, script = entry.at("command"), entry.at("script")
    if whole is not None and script is not None:
        raise script.wrong("both command and script are given", "keep one of them")
    if script is not None:
        return _of_script(script)
    if whole is None:
        raise entry.wrong("nothing says what runs", "write command: python3 train.py")
    words = tuple(item.text() for item in whole.items()) if whole.is_list() else _split(whole)
    if not words or not words[0].strip():
        raise whole.wrong("the command is empty", "write command: python3 train.py")
    _check_no_shell(whole, words)
    return words


def _check_no_shell(entry: Entry, words: tuple[str, ...]) -> None:
    """No shell reads the command: what only a shell understands would be handed to the program."""
    if words[0] in _SHELL_ONLY:
        raise entry.wrong(f"no shell runs the command, and only a shell has {words[0]}", _IN_SHELL)
    said = words if entry.is_list() else _bare(entry.text())
    found = next((word for word in said if _OPERATOR.fullmatch(word)), None)
    if found is not None:
        raise entry.wrong(f"no shell runs the command: {quote(found)} does nothing", _IN_SHELL)


_IN_SHELL: Final = "write command: sh -c '...', or put what the program is to read in quotes"


def _bare(text: str) -> list[str]:
    """The words, with a sign for each piece in quotes, as for each placeholder."""
    return _QUOTED.sub("q", "".join(_marked(text, []))).split()


def _of_script(entry: Entry) -> tuple[str, ...]:
    path = entry.text("write the path of one script")
    if not path.strip():
        raise entry.wrong("script is empty", "write script: train.py")
    known = (words for ending, words in _INTERPRETERS.items() if path.endswith(ending))
    return (*((found,) if (found := next(known, "")) else ()), path)


def _split(entry: Entry) -> tuple[str, ...]:
    """Words as a shell parts them; what is in braces stays whole: `{epochs * 2}`."""
    text = entry.text("write the command as text, or as a list of words")
    kept: list[str] = []
    try:
        marked = "".join(_marked(text, kept))
        words = shlex.split(marked)
    except ValueError as error:
        raise entry.wrong(
            f"{quote(text)} is no command: {str(error).lower()}", "close the quotes"
        ) from None
    return tuple(_unmarked(word, kept) for word in words)


def _marked(text: str, kept: list[str]) -> Iterator[str]:
    """The text, with a sign (NUL, which it cannot hold) and no blank for each placeholder."""
    at = 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            yield text[at : at + 2]
            at += 2
        elif text[at] == "{" and (end := _end(text, at)):
            kept.append(text[at:end])
            yield "\0"
            at = end
        else:
            yield text[at]
            at += 1


def _end(text: str, at: int) -> int:
    """Where the placeholder ends; 0 where none does: then it is no template, or refused as one."""
    try:
        return placeholder_end(text, at)
    except Wrong:
        return 0


def _unmarked(word: str, kept: list[str]) -> str:
    while "\0" in word:
        word = word.replace("\0", kept.pop(0), 1)
    return word


def passing(entry: Entry, words: tuple[str, ...]) -> Passing:
    """As it is said; else a template where the command has placeholders."""
    said = entry.at("passing")
    if said is not None:
        return said.word(PASSINGS)
    return "template" if any(map(has_placeholders, words)) else "arguments"


def check_passing(
    entry: Entry, words: tuple[str, ...], how: Passing, names: tuple[str, ...], notes: list[str]
) -> None:
    """Refuses a template that names what is no parameter, and variables that collide."""
    blamed = entry.at("command") or entry
    try:
        if how == "environment":
            check_variables(names)
        if how == "template":
            _check_template(blamed, words, names, notes)
    except Wrong as error:
        raise blamed.refused(error) from None


def _check_template(
    entry: Entry, words: tuple[str, ...], names: tuple[str, ...], notes: list[str]
) -> None:
    hidden = next((name for name in names if name in OWN), None)
    if hidden is not None:
        raise entry.wrong(
            f"the parameter {quote(hidden)} is called as a placeholder of ours is",
            "rename it, or pass the parameters as arguments",
        )
    used = frozenset[str]().union(*(word.used for word in templates(words, names)))
    unused = [name for name in names if name not in used]
    if unused and "params" not in used:
        told = ", ".join(unused[:5]) + (", …" if len(unused) > 5 else "")
        notes.append(f"the command does not mention {told[:150]}")
