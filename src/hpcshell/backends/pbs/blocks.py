"""The jobs in the text of `qstat -f`, each with those of its attributes that mean something here.

    Job Id: 12[3].host
        Job_Name = x
        Variable_List = A=1,
    <tab>B=2

Lines are folded with a newline and a tab; values hold newlines of their own, and then anything may
stand at the beginning of a line. So an attribute that is there twice with two values is not
believed (`TWICE`).

Reading an attribute at a time takes long where there are thousands of jobs. But most of them show
the same attributes in the same order: that is a `_Shape`, and one regular expression takes such a
job apart, line by line and with nothing left over. It finds what the exact reading would find, or
it does not match: then the job is read exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from hpcshell.backends.pbs.ids import PARTS

_SHORT: Final = (
    "job_state queue substate Exit_status exit_status Hold_Types Priority ctime qtime stime"
    " start_time obittime comp_time mtime estimated.start_time run_count"
    " Resource_List.ncpus Resource_List.mem Resource_List.ngpus Resource_List.walltime"
    " resources_used.mem resources_used.cput resources_used.walltime"
).split()
_LONG: Final = (
    "Job_Name Job_Owner comment depend Account_Name exec_host Variable_List Output_Path Error_Path"
    " Resource_List.nodes array_state_count array_indices_submitted array_indices_remaining"
).split()
"""Those that are often folded."""
_ATTRIBUTES: Final = frozenset((*_SHORT, *_LONG))
_ATTRIBUTE: Final = re.compile(
    rf"^    ({'|'.join(map(re.escape, sorted(_ATTRIBUTES)))}) = (.*)", re.MULTILINE
)
_ANY_ATTRIBUTE: Final = re.compile(r"\n    ([\w.-]+) = ")
_ID: Final = re.compile(rf"({PARTS})[ \t]*(?:\n|\Z)")
_BREAK: Final = "\n\nJob Id: "
_OFTEN: Final = 3
"""So many jobs make a shape worth while."""
_MOST: Final = 4
"""Shapes with the same number of lines."""
_VALUE: Final = r".*+"
_FOLDED: Final = r".*+(?:\n\t.*+)*+"

TWICE: Final = "?"
"""Stands among the attributes of a job that shows something twice, with what."""

Shown = dict[str, str]
Job = tuple[str, str, str | None, Shown]
"""Its id; the number and the index in it ("": a whole array); and its attributes."""


class _Shape:
    """What attributes a job shows, in their order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(name for name in names if name in _ATTRIBUTES)
        self.long = tuple(name for name in self.names if name in _LONG)
        lines = "".join(map(_line, names))
        self._match = re.compile(rf"({PARTS})[ \t]*{lines}\n*\Z").match

    def read(self, block: str) -> Job | None:
        """None if it has another shape."""
        found = self._match(block)
        if found is None:
            return None
        native, number, index, *values = found.groups()
        shown = dict(zip(self.names, values, strict=True))
        for name in self.long:
            if "\n" in shown[name]:
                shown[name] = shown[name].replace("\n\t", "")
        return native, number, index, shown


def _line(name: str) -> str:
    """One that means nothing here is known by as much of its name as no other begins with."""
    if name in _ATTRIBUTES:
        return rf"\n    {re.escape(name)} = ({_FOLDED if name in _LONG else _VALUE})"
    parts = (name[:most] for most in range(1, len(name) + 1))
    alone = (part for part in parts if not any(a.startswith(part) for a in _ATTRIBUTES))
    return rf"\n    {re.escape(next(alone, f'{name} = '))}{_FOLDED}"


_shape: Final = lru_cache(maxsize=128)(_Shape)


class _Shapes:
    """Those that were met in an answer, by their number of lines."""

    def __init__(self) -> None:
        self._known: dict[int, list[_Shape]] = {}
        self._met: dict[tuple[str, ...], int] = {}

    def read(self, block: str) -> Job | None:
        lines = block.count("\n")
        for shape in self._known.get(lines, ()):
            job = shape.read(block)
            if job is not None:
                return job
        return self._learn(block, lines)

    def _learn(self, block: str, lines: int) -> Job | None:
        """What shows an attribute twice has no shape."""
        names = tuple(_ANY_ATTRIBUTE.findall(block))
        self._met[names] = times = self._met.get(names, 0) + 1
        known = self._known.setdefault(lines, [])
        if times < _OFTEN or len(known) >= _MOST or len(set(names)) < len(names):
            return None
        shape = _shape(names)
        job = shape.read(block)
        if job is not None:
            known.append(shape)
        return job


def read_blocks(text: str) -> list[Job]:
    """All jobs of a text that begins with `Job Id: `."""
    jobs: list[Job] = []
    shapes = _Shapes()
    for block in text.removeprefix("Job Id: ").split(_BREAK) if text else ():
        job = shapes.read(block)
        if job is not None:
            jobs.append(job)
            continue
        for found in read_exactly(block):
            if isinstance(found, tuple):
                jobs.append(found)
            elif jobs:
                jobs[-1][3][TWICE] = "an id"
    return jobs


def read_exactly(text: str) -> Iterator[Job | None]:
    """The jobs of a text without its first `Job Id: `, whatever is in it; None where there is no
    id."""
    for block in text.replace("\n\t", "").split("\nJob Id: "):
        pairs = _ATTRIBUTE.findall(block)
        shown = dict(pairs)
        if len(shown) < len(pairs) and any(shown[name] != value for name, value in pairs):
            shown[TWICE] = "an attribute"
        native = _ID.match(block)
        yield (native[1], native[2], native[3], shown) if native else None


def unlike(jobs: Iterable[Job]) -> dict[str, Job]:
    """By id; one that is there twice, with something else, is marked."""
    known: dict[str, Job] = {}
    for job in jobs:
        first = known.setdefault(job[0], job)
        if first is not job and first != job:
            known[job[0]] = (*job[:3], {TWICE: "a job", **job[3]})
    return known
