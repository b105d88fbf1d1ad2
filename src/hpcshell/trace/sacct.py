"""Reads what Slurm's `sacct -P` prints: a line that names the fields, and a line for each job.

The fields may be in any order, and more than are needed. Times without a zone are taken as they
are; where `Elapsed` or `ElapsedRaw` is there, a change of the clocks harms only the waits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import nan
from typing import Final

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.units import MINUTE, duration, size
from hpcshell.trace.numbering import coded, numbered
from hpcshell.trace.oddities import SHOWN, Tally
from hpcshell.trace.record import UNKNOWN, Bools, Floats, Ints, Trace, trace_of, unknown_columns

COMMAND: Final = (
    "sacct -P -a -X -S 2026-01-01 -o JobID,Submit,Start,End,ElapsedRaw,ReqCPUS,AllocCPUS,"
    "TimelimitRaw,ReqMem,User,Account,Partition,QOS,State"
)
"""Prints all that is read."""

NEEDED: Final = (
    (("jobidraw",), ("jobid",)),
    (("submit",),),
    (("elapsedraw",), ("elapsed",), ("start", "end")),
    (("reqcpus",), ("alloccpus",), ("ncpus",)),
)
"""Of each row one group of fields has to be there."""

SPELLED: Final = {
    "jobidraw": "JobIDRaw",
    "jobid": "JobID",
    "submit": "Submit",
    "elapsedraw": "ElapsedRaw",
    "elapsed": "Elapsed",
    "start": "Start",
    "end": "End",
    "reqcpus": "ReqCPUS",
    "alloccpus": "AllocCPUS",
    "ncpus": "NCPUS",
}

STATUS: Final = {
    "COMPLETED": 1,
    "CANCELLED": 5,
    "FAILED": 0,
    "TIMEOUT": 0,
    "OUT_OF_MEMORY": 0,
    "NODE_FAIL": 0,
    "BOOT_FAIL": 0,
    "DEADLINE": 0,
    "PREEMPTED": 0,
}
"""Slurm's words for how a job ended, and the format's numbers."""

KIB: Final = 1024


def read_sacct(name: str, text: str) -> Trace:
    """The jobs in the order of the lines; `submit` counts from the first submission.

    Raises `Wrong` for fields that are missing, and when there is no job.
    """
    lines = text.split("\n")
    at = next((at for at, line in enumerate(lines) if line.strip()), None)
    if at is None:
        raise Wrong(f"{name}: is empty", f"say: {COMMAND}")
    fields = _fields(f"{name}:{at + 1}", lines[at].strip())
    table = _Table(name, fields, width=lines[at].count("|") + 1)
    for number, line in enumerate(lines[at + 1 :], at + 2):
        table.add(number, line.rstrip("\r"))
    return table.trace()


def _fields(place: str, line: str) -> dict[str, int]:
    """The place of each field, by its name in small letters."""
    if "|" not in line and re.match(r"(?i)jobid(raw)?\s+\S", line):
        raise Wrong(f"{place}: is sacct's table for people, with cut words", f"say: {COMMAND}")
    fields = {word.strip().lower(): at for at, word in enumerate(line.split("|"))}
    if not fields.keys() & {"jobid", "jobidraw"}:
        raise Wrong(
            f"{place}: the first line does not name sacct's fields, JobID among them",
            f"leave -n away; say: {COMMAND}",
        )
    missing = [
        " or ".join(" and ".join(SPELLED[field] for field in group) for group in groups)
        for groups in NEEDED
        if not any(fields.keys() >= set(group) for group in groups)
    ]
    if missing:
        raise Wrong(f"{place}: sacct's field is missing: {'; '.join(missing)}", f"say: {COMMAND}")
    return fields


class _Table:
    """The rows that are jobs, to be turned into columns."""

    def __init__(self, name: str, fields: dict[str, int], width: int) -> None:
        self._name, self._fields, self._width = name, fields, width
        self._label = fields["jobid"] if "jobid" in fields else fields["jobidraw"]
        self._tally = Tally()
        self._rows: list[list[str]] = []
        self._lines: list[int] = []

    def add(self, number: int, line: str) -> None:
        """The line of that number; a blank one is nothing."""
        words = line.split("|")
        if not line.strip():
            return
        if odd := self._odd(words):
            self._tally.add(odd, [f"{self._name}:{number}"])
        else:
            self._rows.append(words)
            self._lines.append(number)

    def _odd(self, words: list[str]) -> str:
        """Why the line is no job; "" where it is one."""
        if len(words) != self._width:
            return "misfit"  # a name with a | in it: what follows is not where it belongs
        if "." in words[self._label]:
            return "step"
        if "[" in words[self._label]:
            return "never_began"
        return "" if _instant(words[self._fields["submit"]]) > 0 else "no_submit"

    def trace(self) -> Trace:
        if not self._rows:
            raise Wrong(f"{self._name}: has no job in it", f"say: {COMMAND}")
        columns = unknown_columns(len(self._rows))
        submit, start, end = (self._floats(field, _instant) for field in ("submit", "start", "end"))
        columns["submit"][:] = submit - submit.min()
        columns["wait"][:] = np.where(np.isnan(start), UNKNOWN, start - submit)
        going = self._going(end)
        columns["going"][:] = going
        columns["run"][:] = np.where(going, UNKNOWN, self._run(start, end))
        columns["procs"][:] = self._counts("reqcpus")
        columns["used_procs"][:] = self._counts("alloccpus", "ncpus")
        columns["request"][:] = self._request()
        columns["memory"][:] = self._memory(self._counts("reqcpus", "alloccpus", "ncpus"))
        columns["status"][:] = [STATUS.get(state, UNKNOWN) for state in self._states()]
        columns["line"][:] = self._lines
        names: dict[str, tuple[str, ...]] = {}
        for column, fields in _WORDS.items():
            columns[column][:], names[column] = coded(self._words(*fields))
        columns["gang"][:], names["gang"] = coded(self._parts())
        columns["id"], labels = numbered(self._words("jobidraw", "jobid"))
        return trace_of(
            self._name,
            columns,
            self._tally,
            header={"UnixStartTime": str(int(submit.min()))},
            names={column: words for column, words in names.items() if words},
            labels=labels,
        )

    def _words(self, *fields: str) -> list[str]:
        """The column of the first of the fields that is there; "" where none is."""
        for field in fields:
            if field in self._fields:
                at = self._fields[field]
                return [words[at].strip() for words in self._rows]
        return [""] * len(self._rows)

    def _parts(self) -> list[str]:
        """Of which heterogeneous job each is a part: 12 of `12+0`; "": of none."""
        return [label.rpartition("+")[0] for label in self._words("jobid")]

    def _floats(self, field: str, read: Callable[[str], float]) -> Floats:
        """NaN where it is not known."""
        return np.array([read(word) for word in self._words(field)], np.float64)

    def _counts(self, *fields: str) -> Ints:
        words = self._words(*fields)
        return np.array([int(word) if _is_count(word) else UNKNOWN for word in words], np.int64)

    def _states(self) -> list[str]:
        return [(state.split() or [""])[0] for state in self._words("state")]  # "CANCELLED by 0"

    def _going(self, end: Floats) -> Bools:
        """Which have not ended yet; they are counted."""
        going: Bools = np.isin(self._states(), _GOING)
        if "end" in self._fields:
            going |= np.isnan(end)
        self._count("not_ended", going)
        return going

    def _count(self, word: str, odd: Bools) -> None:
        places = (f"{self._name}:{self._lines[row]}" for row in np.flatnonzero(odd)[:SHOWN])
        self._tally.add(word, places, int(odd.sum()))

    def _run(self, start: Floats, end: Floats) -> Floats:
        """Of those that have ended."""
        if "elapsedraw" in self._fields:
            run = self._floats("elapsedraw", lambda word: float(word) if _is_count(word) else nan)
        elif "elapsed" in self._fields:
            run = self._floats("elapsed", _clock)
        else:
            return np.where(np.isnan(end - start), UNKNOWN, end - start)
        self._count("turned_back", (end < start) & ~np.isnan(run))
        return np.where(np.isnan(run), UNKNOWN, run)

    def _request(self) -> Floats:
        raw = "timelimitraw" in self._fields
        words = self._words("timelimitraw", "timelimit")
        unlimited = np.array([word.upper() == "UNLIMITED" for word in words], np.bool_)
        limit = self._counts("timelimitraw") * MINUTE if raw else self._floats("timelimit", _clock)
        return np.select([unlimited, limit > 0], [np.inf, limit], UNKNOWN)

    def _memory(self, procs: Ints) -> Floats:
        """KiB a processor. `4Gc` is a processor's, `4Gn` a node's, `4G` the job's."""
        words = self._words("reqmem")
        nodes = np.maximum(self._counts("reqnodes", "nnodes"), 1)
        procs = np.maximum(procs, 1)
        sizes = np.array([_bytes(word) for word in words], np.float64) / KIB
        shares = np.array([_SHARED.get(word[-1:], 2) for word in words])
        kib = np.select([shares == 0, shares == 1], [sizes, sizes * nodes / procs], sizes / procs)
        return np.where(sizes > 0, kib, UNKNOWN)


_WORDS: Final = {
    "user": ("user",),
    "group": ("account", "group"),
    "queue": ("partition",),
    "qos": ("qos",),
}
_GOING: Final = ("PENDING", "RUNNING", "SUSPENDED", "REQUEUED", "RESIZING", "CONFIGURING")
_SHARED: Final = {"c": 0, "n": 1}


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 15


def _instant(word: str) -> float:
    """Unix time; NaN for `Unknown`, `None` and what else is no time."""
    if _is_count(word):  # SLURM_TIME_FORMAT=%s
        return float(word)
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        return nan
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _clock(word: str) -> float:
    """Seconds; NaN for `UNLIMITED`, `Partition_Limit` and what else is no time."""
    try:
        return duration(word, zero=True) if ":" in word else nan
    except Wrong:
        return nan


def _bytes(word: str) -> float:
    try:
        return float(size(word.rstrip("cn"))) if word else nan
    except Wrong:
        return nan
