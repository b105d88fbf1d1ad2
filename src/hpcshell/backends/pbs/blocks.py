"""The jobs in the text of `qstat -f`, each with those of its attributes that mean something here.

    Job Id: 12[3].host
        Job_Name = x
        Variable_List = A=1,
    <tab>B=2

Lines are folded with a newline and a tab; values hold newlines of their own, and then anything may
stand at the beginning of a line. So an attribute that is there twice with two values is not
believed.

Reading an attribute at a time takes long where there are thousands of jobs. But most of them show
the same attributes in the same order: that is a `_Shape`, and one regular expression takes such a
job apart, line by line and with nothing left over. It finds what the exact reading would find, or
it does not match: then the job is read exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Final

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
_OFTEN: Final = 3
"""So many jobs make a shape worth while."""
_MOST: Final = 8
"""Shapes with the same number of lines."""
_FRONT: Final = "Job Id: "
_BREAK: Final = "\n\nJob Id: "
_VALUE: Final = r".*+"
_FOLDED: Final = r".*+(?:\n\t.*+)++"


class _Shape:
    """What attributes a job shows, in their order, and which of them are folded."""

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        ours = [(name, fold) for name, fold in lines if name in _ATTRIBUTES]
        places = {name: 3 + place for place, (name, _) in enumerate(ours)}
        self._folded = tuple(places[name] for name, fold in ours if fold)
        absent = 3 + len(ours)
        self._in_order = itemgetter(
            0, 1, 2, *(places.get(name, absent) for name in _ATTRIBUTES), absent
        )
        text = "".join(_line(name, _FOLDED if fold else _VALUE) for name, fold in lines)
        self._match = re.compile(rf"({PARTS})[ \t]*{text}\n*\Z").match

    def read(self, text: str, begin: int, end: int) -> Job | None:
        """The job there; None if it has another shape."""
        found = self._match(text, begin, end)
        if found is None:
            return None
        values = [*found.groups(), ""]
        for place in self._folded:
            values[place] = values[place].replace("\n\t", "")
        return _made(*self._in_order(values))


_made: Final[Callable[..., Job]] = Job


def _line(name: str, value: str) -> str:
    """One that means nothing here is known by as much of its name as no other begins with."""
    if name in _ATTRIBUTES:
        return rf"\n    {re.escape(name)} = ({value})"
    parts = (name[:most] for most in range(1, len(name) + 1))
    alone = (part for part in parts if not any(one.startswith(part) for one in _ATTRIBUTES))
    return rf"\n    {re.escape(next(alone, f'{name} = '))}{value}"


_shape: Final = lru_cache(maxsize=128)(_Shape)


class _Shapes:
    """Those that were met in an answer, by their number of lines."""

    def __init__(self) -> None:
        self._known: dict[int, list[Callable[[str, int, int], Job | None]]] = {}
        self._met: dict[tuple[tuple[str, str], ...], int] = {}

    def read(self, text: str, begin: int, end: int) -> Job | None:
        lines = text.count("\n", begin, end)
        for read in self._known.get(lines, ()):
            job = read(text, begin, end)
            if job:
                return job
        return self._learn(text, begin, end, lines)

    def _learn(self, text: str, begin: int, end: int, lines: int) -> Job | None:
        """What shows an attribute twice has no shape."""
        met = tuple(_LINE.findall(text, begin, end))
        self._met[met] = times = self._met.get(met, 0) + 1
        known = self._known.setdefault(lines, [])
        twice = len({name for name, _ in met}) < len(met)
        if times < _OFTEN or len(known) >= _MOST or twice:
            return None
        shape = _shape(met)
        job = shape.read(text, begin, end)
        if job is not None:
            known.append(shape.read)
        return job


def read_blocks(text: str) -> Iterator[Job]:
    """All jobs of a text that begins with `Job Id: `, but the last if it was cut off."""
    shapes = _Shapes()
    last: Job | None = None
    begin = len(_FRONT)
    while begin < len(text):
        end = text.find(_BREAK, begin)
        end = len(text) if end < 0 else end
        found = shapes.read(text, begin, end)
        for job in (found,) if found else read_exactly(text[begin:end]):
            if job is None:
                last = last and replace(last, twice="an id")
                continue
            if last:
                yield last
            last = job
        begin = end + len(_BREAK)
    if last and text.endswith("\n\n"):
        yield last


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
