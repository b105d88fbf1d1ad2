"""The recordings of OpenPBS below tests/backends/pbs/transcripts, as commands and their answers.

Form: `$ command`, then `[stdout]`, `[stderr]` (each only if there was any) and `[exit N]`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "backends" / "pbs" / "transcripts"
_RECORD = re.compile(r"^\$ (.*?)\n((?:.*\n)*?)\[exit (\d+)\]$", re.MULTILINE)
_BODY = re.compile(r"(?:\[stdout\]\n((?:.*\n)*?))?(?:\[stderr\]\n((?:.*\n)*))?\Z")


class Recorded(NamedTuple):
    """One command as it was typed, and what came of it."""

    file: str
    command: str
    out: str
    err: str
    code: int

    @property
    def argv(self) -> list[str]:
        """Its words, where it is one command and not a line of shell."""
        if re.search(r"[|;&<>$`]", self.command):
            return []
        return shlex.split(self.command)


@cache
def recordings(pattern: str = "*.txt") -> tuple[Recorded, ...]:
    return tuple(record for path in sorted(FOLDER.glob(pattern)) for record in _of_file(path))


def _of_file(path: Path) -> Iterator[Recorded]:
    text = path.read_text(encoding="utf-8")
    for found in _RECORD.finditer(text):
        body = _BODY.match(found[2])
        assert body is not None, f"{path.name}: {found[1]}"
        yield Recorded(path.stem, found[1], body[1] or "", body[2] or "", int(found[3]))


def recorded(command: str, file: str = "*", number: int = 0) -> Recorded:
    """The answer to exactly this command; `number`: the which, where it was typed several times."""
    found = [record for record in recordings(f"{file}.txt") if record.command == command]
    assert len(found) > number, f"never recorded: {command}"
    return found[number]


def as_text(title: str, shown: Mapping[str, object]) -> str:
    """What qstat -f prints of something that was recorded as JSON only: the same attributes, in
    the same order, unfolded as with -w."""
    lines = [title]
    for name, value in shown.items():
        if not isinstance(value, dict):
            lines.append(f"    {name} = {value}")
        elif name == "Variable_List":
            listed = ",".join(f"{key}={inner}" for key, inner in value.items())
            lines.append(f"    {name} = {listed}")
        else:
            lines += [f"    {name}.{key} = {inner}" for key, inner in value.items()]
    return "\n".join(lines) + "\n\n"


def of_json(command: str, name: str) -> dict[str, object]:
    """One job or queue out of a recorded JSON answer, cut off or not."""
    text = recorded(command).out
    begin = text.index("{", text.index(f'"{name}":'))
    found, _ = json.JSONDecoder().raw_decode(text[begin:])
    assert isinstance(found, dict), name
    return found
