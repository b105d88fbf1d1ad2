"""What a real Grid Engine 8.1.9 was asked and answered: the files beside, as text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hpcshell.backends.contract import Answer

TRANSCRIPTS = Path(__file__).with_name("transcripts")


class Recording(NamedTuple):
    """One command as it was typed, and its answer."""

    file: str
    command: str
    answer: Answer


@cache
def recordings(file: str = "") -> tuple[Recording, ...]:
    """Those of one file (by its number), or all."""
    paths = sorted(TRANSCRIPTS.glob(f"{file}*.txt"))
    return tuple(found for path in paths for found in _read(path))


def _read(path: Path) -> Iterator[Recording]:
    command, part = "", ""
    texts: dict[str, list[str]] = {}
    for line in path.read_text().splitlines(keepends=True):
        word = line.strip()
        if line.startswith("$ ") and not part:
            command, texts = line[2:].strip(), {}
        elif command and word in ("[stdout]", "[stderr]"):
            part = word
            texts[part] = []
        elif command and word.startswith("[exit "):
            out, err = ("".join(texts.get(name, ())) for name in ("[stdout]", "[stderr]"))
            yield Recording(path.name, command, Answer(code=int(word[6:-1]), out=out, err=err))
            command, part = "", ""
        elif part:
            texts[part].append(line)


def answer_to(command: str, file: str = "") -> Answer:
    """The answer to exactly this command, the first time it was asked."""
    found = [one.answer for one in recordings(file) if one.command == command]
    assert found, f"nobody asked: {command}"
    return found[0]


def asked(*programs: str) -> list[Recording]:
    """All that was asked of some programs, pipes and several commands on a line left out."""
    return [
        one
        for one in recordings()
        if one.command.split()[0] in programs and not set(";|&") & set(one.command)
    ]
