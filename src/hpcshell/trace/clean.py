"""What a simulation takes from a trace: jobs that can be run, in the order they were submitted.

Every job that is left out and every figure that is changed is counted, so that the report can say
so.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.trace.oddities import SHOWN, Tally, sentences
from hpcshell.trace.record import UNKNOWN, Bools, Floats, Ints, Trace

KIB: Final = 1024


class Filter(Record, frozen=True, kw_only=True):
    """How a trace is made fit to be simulated.

    `size`: the processors of a job are those it requested, or else was allocated; or the larger of
    both. `over_machine`: what becomes of a job that is larger than the machine. `no_request`: one
    that asked for no time has asked for its run time, or is left out. `overrun`: one that ran
    longer than it asked for is cut, as a scheduler that enforces limits does, or kept.
    `unknown_run`: the seconds that a job of unknown run time is taken to have run; 0: left out.
    """

    size: Literal["requested", "larger"] = "requested"
    over_machine: Literal["drop", "clip"] = "drop"
    no_request: Literal["run", "drop"] = "run"
    overrun: Literal["cut", "keep"] = "cut"
    unknown_run: float = 0.0


DEFAULT: Final = Filter()
SC15: Final = Filter(no_request="drop")
"""That of Gaussier, Glesser, Reis, Trystram, "Improving Backfilling by using Machine Learning to
Predict Running Times", SC 2015."""
DIRLAB: Final = Filter(size="larger", overrun="keep", unknown_run=10.0)
"""That of Zhang, Dai, He, Bao, Xie, "RLScheduler", SC 2020."""
FILTERS: Final = {"default": DEFAULT, "sc15": SC15, "dirlab": DIRLAB}


AGES: Final = 1e11
"""Seconds, some three thousand years: what is beyond is no time of a job, and sums of it would not
be exact any more."""


class Workload(Record, frozen=True, kw_only=True, eq=False):
    """Jobs that can be simulated: columns of equal length by submit time, ties in the order of the
    log, read-only. For all of them 0 < run, 0 < request, 0 < procs <= machine and 0 <= submit.

    Seconds; `memory` is what the whole job asked for, bytes, 0 unknown. `row` is the place of the
    job in the trace it came from, and so in `labels`, the log's own ids where these are no numbers
    (else empty). The numbers of `user group queue partition qos gang` stand for
    `names`, where the log has words; -1: not known. `saves`: every so many seconds of its run a job
    saves what it has done; 0: never. `oddities` and `examples` are those of the trace, and what was
    left out or changed since.
    """

    name: str
    machine: int
    id: Ints
    submit: Floats
    run: Floats
    procs: Ints
    request: Floats
    user: Ints
    group: Ints
    queue: Ints
    partition: Ints
    qos: Ints
    gang: Ints
    memory: Floats
    row: Ints
    names: dict[str, tuple[str, ...]]
    oddities: dict[str, int]
    examples: dict[str, tuple[str, ...]]
    labels: tuple[str, ...] = ()
    saves: float = 0.0

    def __len__(self) -> int:
        return len(self.id)

    def called(self, chosen: Ints | slice) -> list[str]:
        """The log's own ids of the jobs of these rows."""
        if not self.labels:
            return [str(number) for number in self.id[chosen].tolist()]
        return [self.labels[row] for row in self.row[chosen].tolist()]

    def words(self, column: str) -> list[str]:
        """What the log calls the user, group, ... of each job: its word, or else its number; "":
        not known."""
        codes: list[int] = getattr(self, column).tolist()
        known = self.names.get(column)
        if known is None:
            return ["" if code < 0 else str(code) for code in codes]
        return ["" if code < 0 else known[code] for code in codes]


CODED: Final = ("user", "group", "queue", "partition", "qos", "gang")
"""The columns whose numbers stand for words, or for themselves."""


def clean(
    trace: Trace, machine: int | None = None, chosen: Filter = DEFAULT, *, guessed: bool = False
) -> Workload:
    """The jobs of `trace` for a machine of so many processors; None: as its log says, or else its
    largest job. `guessed`: the machine is that of the largest job, of a whole of which this is a
    part.

    Raises `Wrong` when no job is left, saying what became of them.
    """
    if machine is not None and machine < 1:
        raise Wrong(f"a machine of {machine} processors runs nothing", "give at least one")
    return _Cleaning(trace, chosen).workload(machine, guessed)


class _Cleaning:
    """The columns as they change; `_kept` marks the jobs that stay."""

    def __init__(self, trace: Trace, chosen: Filter) -> None:
        self._trace, self._chosen = trace, chosen
        self._tally = Tally(trace.oddities, trace.examples)
        self._kept: Bools = np.ones(len(trace), np.bool_)
        self._run, self._request = trace.run.copy(), trace.request.copy()
        self._procs = self._sizes()

    def workload(self, machine: int | None, guessed: bool) -> Workload:
        self._drop_what_never_ran()
        self._ask()
        size = self._fit(machine, guessed)
        self._end()
        return self._sorted(size)

    def _sizes(self) -> Ints:
        asked, had = self._trace.procs, self._trace.used_procs
        if self._chosen.size == "larger":
            return np.maximum(asked, had)
        self._note("allocated", (asked <= 0) & (had > 0))
        return np.where(asked > 0, asked, had)

    def _drop_what_never_ran(self) -> None:
        run = self._run
        self._drop("negative_submit", self._trace.submit < 0)
        unknown = run == UNKNOWN
        going = unknown & (self._trace.going == 1)  # who read the log has counted these
        if self._chosen.unknown_run > 0:
            self._note("run_assumed", unknown)
            run[unknown] = self._chosen.unknown_run
        else:
            self._kept &= ~going
            self._drop("unknown_run", unknown)
        self._drop("negative_run", run < 0)
        self._drop("zero_run", run == 0)
        self._drop("ages", (run > AGES) | (self._trace.submit > AGES))
        self._drop("no_procs", self._procs <= 0)

    def _ask(self) -> None:
        missing = self._request <= 0
        if self._chosen.no_request == "drop":
            self._drop("no_request", missing)
        else:
            self._note("request_is_run", missing)
            self._request[missing] = self._run[missing]
        self._note("unlimited", np.isinf(self._request))
        self._note("asked_ages", (self._request > AGES) & np.isfinite(self._request))
        np.minimum(self._request, AGES, out=self._request)

    def _fit(self, machine: int | None, guessed: bool) -> int:
        """The size of the machine; no job that stays is larger."""
        size = machine or self._trace.machine
        if not size and self._kept.any():
            size, guessed = int(self._procs[self._kept].max()), True
        if guessed:
            self._tally.add("machine_unknown", [f"{size:,} processor{'s' * (size != 1)}"])
        over = self._procs > size
        if self._chosen.over_machine == "drop":
            self._drop("over_machine", over)
        else:
            self._note("clipped", over)
            np.minimum(self._procs, size, out=self._procs)
        return size

    def _end(self) -> None:
        over = self._run > self._request
        if self._chosen.overrun == "keep":
            self._note("overrun", over)
        else:
            self._note("run_over_request", over)
            np.minimum(self._run, self._request, out=self._run)

    def _sorted(self, size: int) -> Workload:
        trace = self._trace
        row = np.flatnonzero(self._kept)
        if not len(row):
            became = "; ".join(sentences(self._tally.counts))
            raise Wrong(f"{trace.name}: none of its {len(trace):,} jobs can be simulated", became)
        self._look_at_order(row)
        row = row[np.argsort(trace.submit[row], kind="stable")]
        columns = {field: getattr(trace, field)[row] for field in ("id", "submit", *CODED)}
        columns |= {"run": self._run[row], "request": self._request[row]}
        columns |= {"procs": self._procs[row], "row": row}
        columns["memory"] = np.maximum(trace.memory[row], 0.0) * KIB * columns["procs"]
        for column in columns.values():
            column.flags.writeable = False
        return Workload(
            name=trace.name,
            machine=size,
            **columns,
            names={field: words for field, words in trace.names.items() if field in CODED},
            oddities=self._tally.counts,
            examples=self._tally.examples,
            labels=trace.labels,
        )

    def _look_at_order(self, row: Ints) -> None:
        submit = self._trace.submit[row]
        self._count("unsorted", row[1:][submit[1:] < submit[:-1]])
        _, first = np.unique(self._trace.id[row], return_index=True)
        if len(first) < len(row):
            again = np.ones(len(row), np.bool_)
            again[first] = False
            self._count("same_id", row[again])

    def _drop(self, word: str, rows: Bools) -> None:
        self._note(word, rows)
        self._kept &= ~rows

    def _note(self, word: str, rows: Bools) -> None:
        """Counts those that are still there."""
        self._count(word, np.flatnonzero(rows & self._kept))

    def _count(self, word: str, rows: Ints) -> None:
        self._tally.add(word, map(self._trace.where, rows[:SHOWN].tolist()), len(rows))
