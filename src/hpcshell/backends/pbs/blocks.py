"""The jobs in the text of `qstat -f`, each with those of its attributes that mean something here.

    Job Id: 12[3].host
        Job_Name = x
        Variable_List = A=1,
    <tab>B=2

Lines are folded with a newline and a tab; values hold newlines of their own, and then anything may
stand at the beginning of a line. So an attribute that is there twice with two values is not
believed.

Reading an attribute at a time takes long where there are thousands of jobs. But most of them show
their attributes in the same order, though not each of them shows all: that is a `_Shape`, and one
regular expression takes such a job apart, line by line and with nothing left over. It finds what
the exact reading would find, or it does not match: then the job is read exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Final, TypeAlias

from msgspec.structs import astuple, replace

from hpcshell.backends.pbs.ids import PARTS
from hpcshell.core.records import Record


class Job(Record, frozen=True, kw_only=False, gc=False):
    """A job, an element (`element`), or a whole array (`element` is ""): its attributes as they are
    shown, "" for those that are not. `twice`: what is there twice, if anything."""

    native: str
    number: str
    element: str | None
    name: str = ""
    owner: str = ""
    state: str = ""
    queue: str = ""
    substate: str = ""
    status: str = ""
    torque_status: str = ""
    comment: str = ""
    holds: str = ""
    depend: str = ""
    account: str = ""
    priority: str = ""
    ctime: str = ""
    qtime: str = ""
    mtime: str = ""
    stime: str = ""
    torque_start: str = ""
    obittime: str = ""
    torque_end: str = ""
    estimated: str = ""
    hosts: str = ""
    runs: str = ""
    variables: str = ""
    output: str = ""
    error: str = ""
    ncpus: str = ""
    memory: str = ""
    gpus: str = ""
    walltime: str = ""
    nodes: str = ""
    used_memory: str = ""
    used_cpu: str = ""
    used_walltime: str = ""
    counts: str = ""
    submitted: str = ""
    remaining: str = ""
    twice: str = ""

    def shown(self) -> dict[str, str]:
        """By PBS's names."""
        return {
            name: text for name, text in zip(_ATTRIBUTES, astuple(self)[3:], strict=False) if text
        }


_ATTRIBUTES: Final = [
    "Job_Name",
    "Job_Owner",
    "job_state",
    "queue",
    "substate",
    "Exit_status",
    "exit_status",
    "comment",
    "Hold_Types",
    "depend",
    "Account_Name",
    "Priority",
    "ctime",
    "qtime",
    "mtime",
    "stime",
    "start_time",
    "obittime",
    "comp_time",
    "estimated.start_time",
    "exec_host",
    "run_count",
    "Variable_List",
    "Output_Path",
    "Error_Path",
    "Resource_List.ncpus",
    "Resource_List.mem",
    "Resource_List.ngpus",
    "Resource_List.walltime",
    "Resource_List.nodes",
    "resources_used.mem",
    "resources_used.cput",
    "resources_used.walltime",
    "array_state_count",
    "array_indices_submitted",
    "array_indices_remaining",
]
"""In the order of the fields of `Job`, from the fourth on."""
_ATTRIBUTE: Final = re.compile(
    rf"^    ({'|'.join(map(re.escape, _ATTRIBUTES))}) = (.*)", re.MULTILINE
)
_LINE: Final = re.compile(r"\n    ([\w.-]+) = .*+(\n\t)?")
_ID: Final = re.compile(rf"({PARTS})[ \t]*(?:\n|\Z)")
_OFTEN: Final = 4
"""So many jobs that are read exactly make a shape worth while; then twice as many, and so on."""
_MOST: Final = 32
"""Different jobs that shapes are made of."""
_FRONT: Final = "Job Id: "
_BREAK: Final = "\n\nJob Id: "
_VALUE: Final = r".*+"
_FOLDED: Final = r".*+(?:\n\t.*+)*+"

_Lines: TypeAlias = tuple[tuple[str, str], ...]
"""Names, and whether they are folded ("" if not)."""
_Parts: TypeAlias = tuple[tuple[bool, _Lines], ...]
"""Lines that are shown together or not at all, and whether all jobs show them."""


class _Shape:
    """What attributes jobs show, in their order, which not all of them show, and which may be
    folded. No line can be taken for another one."""

    def __init__(self, parts: _Parts) -> None:
        lines = [line for _, some in parts for line in some]
        ours = [(name, fold) for name, fold in lines if name in _ATTRIBUTES]
        places = {name: 3 + place for place, (name, _) in enumerate(ours)}
        self._folded = tuple(places[name] for name, fold in ours if fold)
        absent = 3 + len(ours)
        self._in_order = itemgetter(
            0, 1, 2, *(places.get(name, absent) for name in _ATTRIBUTES), absent
        )
        names = {*_ATTRIBUTES, *(name for name, _ in lines)}
        text = "".join(_part(every, some, names) for every, some in parts)
        self._match = re.compile(rf"({PARTS})[ \t]*{text}(?:\n\n+Job Id: |\n*\Z)").match

    def read(self, text: str, begin: int) -> tuple[Job, int] | None:
        """The job there, and where the next one begins; None if it has another shape."""
        found = self._match(text, begin)
        if found is None:
            return None
        values: list[Any] = [*found.groups(""), ""]
        if "[" not in values[0]:  # no element, nor an array
            values[2] = None
        for place in self._folded:
            values[place] = values[place].replace("\n\t", "")
        return _made(*self._in_order(values)), found.end()


_made: Final[Callable[..., Job]] = Job


def _part(every: bool, lines: _Lines, names: Collection[str]) -> str:
    text = "".join(_line(name, _FOLDED if fold else _VALUE, names) for name, fold in lines)
    return text if every else f"(?:{text}|)"  # found sooner than with a ?


def _line(name: str, value: str, names: Collection[str]) -> str:
    """One that means nothing here is known by as much of its name as no other begins with."""
    if name in _ATTRIBUTES:
        return rf"\n    {re.escape(name)} = ({value})"
    others = [one for one in names if one != name]
    parts = (name[:most] for most in range(1, len(name) + 1))
    alone = (part for part in parts if not any(one.startswith(part) for one in others))
    return rf"\n    {re.escape(next(alone, f'{name} = '))}{value}"


_shape: Final = lru_cache(maxsize=128)(_Shape)


class _Shapes:
    """Those of an answer: one, if all of its jobs show their attributes in the same order."""

    def __init__(self) -> None:
        self.known: list[_Shape] = []
        self._met: list[list[_Lines]] = []
        self._new: dict[_Lines, None] = {}
        self._missed = 0
        self._due = _OFTEN

    def learn(self, text: str, begin: int, end: int) -> None:
        """From a job that has none of the shapes. What shows an attribute twice never has one."""
        lines = tuple(_LINE.findall(text, begin, end))
        if len({name for name, _ in lines}) == len(lines):
            self._new[lines] = None
        self._missed += 1
        if self._missed >= self._due:
            self._due *= 2
            for lines in self._new:
                self._add(lines)
            self._new.clear()
            self.known = [_shape(_parts(met)) for met in self._met]

    def _add(self, lines: _Lines) -> None:
        if sum(map(len, self._met)) >= _MOST or any(lines in met for met in self._met):
            return
        for met in self._met:
            if _order([*met, lines]) is not None:
                met.append(lines)
                return
        self._met.append([lines])


def _order(met: Sequence[_Lines]) -> list[str] | None:
    """In which all of them show their attributes, if there is one."""
    before: TopologicalSorter[str] = TopologicalSorter()
    for lines in met:
        names = [name for name, _ in lines]
        for first, second in pairwise(names):
            before.add(second, first)
        for name in names[:1]:
            before.add(name)
    try:
        return list(before.static_order())
    except CycleError:
        return None


def _parts(met: Sequence[_Lines]) -> _Parts:
    shown: dict[str, list[int]] = {}
    folded: dict[str, str] = {}
    for place, lines in enumerate(met):
        for name, fold in lines:
            shown.setdefault(name, []).append(place)
            folded[name] = folded.get(name, "") or fold
    return tuple(
        (len(where) == len(met), tuple((name, folded[name]) for name in names))
        for where, names in groupby(_order(met) or (), shown.__getitem__)
    )


def read_blocks(text: str) -> Iterator[Job]:
    """All jobs of a text that begins with `Job Id: `, but the last if it was cut off."""
    last: Job | None = None
    for job in _jobs(text):
        if job is None:
            last = last and replace(last, twice="an id")
            continue
        if last:
            yield last
        last = job
    if last and text.endswith("\n\n"):
        yield last


def _jobs(text: str) -> Iterator[Job | None]:
    """None where there is no id."""
    shapes = _Shapes()
    begin = len(_FRONT)
    while begin < len(text):
        for shape in shapes.known:
            found = shape.read(text, begin)
            if found:
                job, begin = found
                yield job
                break
        else:
            end = text.find(_BREAK, begin)
            end = len(text) if end < 0 else end
            shapes.learn(text, begin, end)
            yield from read_exactly(text[begin:end])
            begin = end + len(_BREAK)


def read_exactly(text: str) -> Iterator[Job | None]:
    """The jobs of a text without its first `Job Id: `, whatever is in it; None where there is no
    id."""
    for block in text.replace("\n\t", "").split("\nJob Id: "):
        native = _ID.match(block)
        if native is None:
            yield None
            continue
        pairs = _ATTRIBUTE.findall(block)
        shown = dict(pairs)
        doubled = len(shown) < len(pairs) and any(shown[name] != text for name, text in pairs)
        values = (shown.get(name, "") for name in _ATTRIBUTES)
        odd = "an attribute" if doubled else ""
        yield _made(*native.groups(), *values, odd)
