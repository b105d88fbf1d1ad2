"""What a program died of, from the end of what it said.

    last_frame(text).label     "train.py:12 in step: ValueError: shapes # and # differ"

Two errors are the same where they have the same label: numbers, addresses and temporary names in a
message are masked. Known are Python (also chained and behind a prefix for each rank), Java, R,
Julia, MATLAB, Rust, Go, C and C++, the shell, and the GPU that was out of memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hpcshell.core.records import Record
from hpcshell.flow.tongues import DEATHS, GPU_FULL, SIGNS, TONGUES, Tongue

LONGEST: Final = 400
"""Characters of a line that are looked at."""
LINES: Final = 250
"""Lines, from the last one back, that are looked at."""
SHOWN: Final = 30
NEAR: Final = 6
"""Lines between an error and the death it led to, at most."""
_START: Final = "Traceback (most recent call last):"
_PLACE: Final = re.compile(r'File "(?P<file>[^"]*)", line (?P<line>[0-9]+)(?:, in (?P<in>.*))?')
_EXCEPTION: Final = re.compile(r"(?P<kind>[A-Za-z_][\w.]*)(?::(?: (?P<message>.*))?)?\Z")
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|[@-Z\\-_])")
_MASKED: Final = re.compile(
    r"0x[0-9A-Fa-f]++"  # addresses
    r"|(?<![A-Za-z0-9_])(?:"
    r"(?=[a-f]*+[0-9])(?=[0-9]*+[a-f])[0-9a-f]{8,}+(?:-[0-9a-f]{4,}+)*+(?![A-Za-z0-9_])"  # hashes
    r"|[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
)


class Frame(Record, frozen=True, kw_only=True):
    """Where it died, of what, and what was said of it, masked; `lines` are the text's own."""

    where: str = ""
    kind: str = ""
    message: str = ""
    lines: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What tells one error from another."""
        return ": ".join(part for part in (self.where, self.kind, self.message) if part)


def last_frame(text: str) -> Frame | None:
    """The last error in the text that is of a known form; None: there is none. What a shell says
    of a death counts only where nothing just before it says why."""
    lines = _lines(text)
    start = next((at for at in reversed(range(len(lines))) if _START in lines[at]), None)
    python, end = _python(lines, start) if start is not None else (None, 0)
    said = _last(lines, TONGUES, end)
    death = _last(lines, DEATHS, end)
    at, found = said or (end, python)
    if death and (found is None or death[0] - at > NEAR):
        return death[1]
    return found


def last_line(text: str) -> Frame | None:
    """The last line that is not blank; None: all are."""
    lines = _lines(text)
    return Frame(message=masked(lines[-1].strip()), lines=tuple(lines[-SHOWN:])) if lines else None


def masked(message: str) -> str:
    """The message without what differs from one run to the next."""
    return _MASKED.sub("#", message)


def _lines(text: str) -> list[str]:
    """The last lines that are not blank, without what colours them; of what was written over on a
    terminal the last state."""
    plain = _ESCAPE.sub("", text).split("\n")[-LINES:]
    shown = (line.rstrip("\r").rpartition("\r")[2][:LONGEST].rstrip() for line in plain)
    return [line for line in shown if line]


def _python(lines: Sequence[str], start: int) -> tuple[Frame | None, int]:
    """The traceback that begins there, and the line after it."""
    prefix = lines[start].partition(_START)[0].replace("+ Exception Group ", "| ")
    where, at = "", start + 1
    while at < len(lines):
        line = lines[at].removeprefix(prefix)
        if not line.startswith((" ", "\t")):
            break
        if found := _PLACE.search(line):
            where = _place(found["file"], found["line"], found["in"] or "")
        at += 1
    if at == len(lines):
        return Frame(where=where, lines=tuple(lines[start:][-SHOWN:])), at
    return _raised(where, lines[at].removeprefix(prefix), lines[start : at + 1]), at + 1


def _raised(where: str, line: str, lines: Sequence[str]) -> Frame:
    found = _EXCEPTION.match(line)
    kind, message = (found["kind"], found["message"] or "") if found else ("", line)
    if re.search(GPU_FULL, line):
        kind, message = "CUDA out of memory", ""
    return Frame(where=where, kind=kind, message=masked(message), lines=tuple(lines[-SHOWN:]))


def _place(file: str, line: str, function: str) -> str:
    """Only the file's own name: copies of a project lie in different folders."""
    name = re.split(r"[/\\]", file)[-1]
    return f"{name}:{line} in {function}" if function else f"{name}:{line}"


def _last(lines: Sequence[str], tongues: Sequence[Tongue], end: int) -> tuple[int, Frame] | None:
    """The last line from `end` on that an error of one of the tongues begins with."""
    for at in reversed(range(end, len(lines))):
        for tongue in tongues if SIGNS.search(lines[at]) else ():
            if said := tongue(lines, at):
                where, kind, message = said
                shown = tuple(lines[max(0, at - 2) : at + SHOWN - 2])
                return at, Frame(where=where, kind=kind, message=masked(message), lines=shown)
    return None
