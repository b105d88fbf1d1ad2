"""Taking in what runs have logged into spool files, each line once.

    taken = take_in(connection, source, offset, lines, now)
    taken.offset     how far the file has been taken in

A file is known by its `source`, its name without the ending: the id of the run, and a word of the
process that writes it. It is taken in from the front to the back, by whoever comes with it: how far
it has been taken stands in the same transaction as what was taken.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import DataError, IntegrityError

from hpcshell.core.errors import HpcError, NotYet, Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points, value_of
from hpcshell.track.points.lines import (
    AnyLine,
    BareRunLine,
    EndLine,
    FileLine,
    MetricsLine,
    NoteLine,
    ParamsLine,
    RunLine,
    TagsLine,
    read_bare,
    read_line,
)
from hpcshell.track.records import File
from hpcshell.track.store import experiments, files, runs, texts
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.tables import runs as runs_table
from hpcshell.track.store.tables import sources
from hpcshell.track.store.writing import once
from hpcshell.track.words import ENDED

SHOWN: Final = 20
"""Bad lines that are named; the others are counted."""
NAMELESS: Final = "Default"
"""The experiment of runs whose own has no name that can be kept."""
_SOURCE: Final = re.compile(r"([0-9a-f]{32})(-[0-9A-Za-z_]{1,31})?")


class Gap(NotYet):
    """Lines are missing before those that came: `wanted` is where to go on from."""

    def __init__(self, wanted: int) -> None:
        super().__init__(
            f"the lines before are missing: {wanted:,} bytes of the file are known",
            f"send the lines from byte {wanted} on",
        )
        self.wanted = wanted


class Bad(msgspec.Struct, frozen=True):
    """A line that was passed over: at which byte of the file it begins, and what is wrong."""

    offset: int
    message: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file has been taken in now, how many of the new lines were passed over, and the
    first of those."""

    offset: int
    lines: int = 0
    passed: int = 0
    bad: list[Bad] = []


def run_of(source: str) -> str:
    """The id of the run whose file is called so. Raises `Wrong`."""
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise Wrong(
            f"{quote(source)} is no name of a spool file",
            "it is the id of a run, a dash, and up to 31 letters and digits",
        )
    return found[1]


def take_in(
    connection: Connection,
    source: str,
    offset: int,
    lines: bytes,
    now: float,
    *,
    user: str | None = None,
) -> Taken:
    """Apply the whole lines of a file from byte `offset` on; what was taken before is passed over.

    `user`: who says so, where he may speak only of his own runs. A line that cannot be applied is
    counted and the rest goes on. Raises `Gap`; `Refused` for somebody else's run and one that is
    deleted; `Wrong` where these are other lines than those that were taken.
    """
    run_id = run_of(source)
    if offset < 0:
        raise Wrong(f"{offset} is no place in a file", "the first byte is 0")
    known = _known(connection, source, run_id, now)
    if offset > known:
        raise Gap(known)
    end = lines.rfind(b"\n") + 1
    if offset + end <= known:
        return Taken(offset=known)
    skip = known - offset
    if skip and lines[skip - 1 : skip] != b"\n":
        raise Wrong(
            "these are other lines than those that were taken before", "a spool file only grows"
        )
    intake = Intake(connection, run_id, now, user)
    intake.take(known, lines[skip:end])
    intake.finish()
    changed = {"source_": source, "to": offset + end, "more": intake.passed, "now": now}
    if intake.passed:
        connection.execute(_PASSED, {**changed, "said": intake.bad[-1].message})
    else:
        connection.execute(_TAKEN, changed)
    return Taken(
        offset=offset + end, lines=intake.lines, passed=intake.passed, bad=intake.bad[:SHOWN]
    )


# ----------------------------------------------------------------------------------- the place

_PLACE: Final = (
    select(sources.c.offset).where(sources.c.source == bindparam("source")).with_for_update()
)
_TAKEN: Final = (
    update(sources)
    .where(sources.c.source == bindparam("source_"))
    .values(
        offset=bindparam("to"), bad=sources.c.bad + bindparam("more"), updated_at=bindparam("now")
    )
)
_PASSED: Final = _TAKEN.values(trouble=bindparam("said"))


def _known(connection: Connection, source: str, run_id: str, now: float) -> int:
    """How far the file has been taken in; nobody else takes it in until we commit."""
    found = connection.scalar(_PLACE, {"source": source})
    if found is None:
        row = {"source": source, "run_id": run_id, "offset": 0, "updated_at": now}
        connection.execute(once(connection.dialect.name, sources), row)
        found = connection.scalar(_PLACE, {"source": source})
    return found or 0


# ----------------------------------------------------------------------------------- the lines

_RUN: Final = select(
    runs_table.c.user, runs_table.c.status, runs_table.c.ended_at, runs_table.c.deleted_at
).where(runs_table.c.run_id == bindparam("run_id"))


class Intake:
    """Some lines of one file as they are applied."""

    def __init__(self, connection: Connection, run_id: str, now: float, user: str | None) -> None:
        self.lines = 0
        self.passed = 0
        self.bad: list[Bad] = []
        self._connection = connection
        self._run_id = run_id
        self._now = now
        self._user = user
        self._metrics: dict[str, tuple[list[int], list[float], list[float]]] = {}
        self._there = self._run() is not None

    def take(self, offset: int, lines: bytes) -> None:
        """Apply lines, the first of which begins at byte `offset`; points only with `finish`."""
        for line in lines.split(b"\n")[:-1]:
            if line and not line.isspace():
                self.lines += 1
                try:
                    self._apply(line)
                except HpcError as error:
                    self._pass(Bad(offset, error.message))
            offset += len(line) + 1

    def finish(self) -> None:
        """Add the points. Whatever was said, the run lives."""
        if self._there:
            points = {key: Points(*columns) for key, columns in self._metrics.items()}
            append(self._connection, self._run_id, points, self._now)

    def _pass(self, bad: Bad) -> None:
        """Count a line that was bad; the first ones and the last are kept."""
        self.passed += 1
        self.bad[SHOWN - 1 :] = [bad]

    def _apply(self, text: bytes) -> None:
        try:
            line = read_line(text)
            if isinstance(line, MetricsLine) and self._there:
                self._keep(line)
            elif self._there or isinstance(line, RunLine):
                self._within(line)
            else:
                raise Wrong("the run of this line is not known", "the first line makes it known")
        except HpcError:
            if not self._there and (bare := read_bare(text)) is not None:
                self._within(bare)
            raise

    def _keep(self, line: MetricsLine) -> None:
        wrong: HpcError | None = None
        step = line.s or 0
        for key, said in line.v.items():
            try:
                value = said if type(said) is float else value_of(said)
                columns = self._metrics.get(key)
                if columns is None:
                    columns = self._metrics[texts.key(key, "metric")] = ([], [], [])
            except HpcError as error:
                wrong = error
            else:
                columns[0].append(step)
                columns[1].append(line.t)
                columns[2].append(value)
        if wrong is not None:
            raise wrong

    def _within(self, line: AnyLine | BareRunLine) -> None:
        """Apply a line whole, or not at all."""
        try:
            with self._connection.begin_nested():
                self._change(line)
        except (DataError, IntegrityError):
            raise Wrong("the database does not take the line", "leave it out") from None

    def _change(self, line: Any) -> None:
        connection, run_id, now = self._connection, self._run_id, self._now
        match line:
            case RunLine() | BareRunLine():
                self._begin(line)
            case ParamsLine():
                runs.set_params(connection, run_id, line.v, now)
            case TagsLine():
                runs.set_tags(connection, run_id, line.v, now)
            case NoteLine():
                runs.update(connection, run_id, note=line.v, now=now)
            case FileLine():
                self._file(line)
            case EndLine():
                self._end(line)

    def _run(self) -> Any:
        """The row of the run. Raises `Refused` where nothing may be said of it."""
        row = self._connection.execute(_RUN, {"run_id": self._run_id}).first()
        if row is not None and self._user is not None and row.user != self._user:
            raise Refused(
                f"run {self._run_id} is {quote(row.user)}'s", "only its owner logs to a run"
            )
        if row is not None and row.deleted_at is not None:
            raise Refused(f"run {self._run_id} is deleted", f"hpc track undo {self._run_id}")
        return row

    def _begin(self, line: RunLine | BareRunLine) -> None:
        """Make the run, or go on with it."""
        if line.run_id != self._run_id:
            raise Wrong("the line is of another run", "a file is called by the id of its run")
        connection, now = self._connection, self._now
        if (row := self._run()) is None:
            runs.create(connection, self._new(line), now)
            self._there = True
        elif line.rank == 0 and row.status != "RUNNING" and self._later(line.t, row.ended_at):
            runs.set_status(connection, self._run_id, "RUNNING", time=_instant(line.t), now=now)

    def _new(self, line: RunLine | BareRunLine) -> NewRun:
        if isinstance(line, BareRunLine):
            user = self._user or ""
            new = NewRun(experiment_id=0, run_id=line.run_id, source="client", user=user)
        else:
            new = _said(line, line.user if self._user is None else self._user)
        name = line.experiment if _is_name(line.experiment) else NAMELESS
        found = experiments.ensure(self._connection, name, owner=new.user, now=self._now)
        return msgspec.structs.replace(new, experiment_id=found.id)

    def _end(self, line: EndLine) -> None:
        row = self._run()
        if row.status in ENDED and not self._later(line.t, row.ended_at):
            return
        runs.set_status(
            self._connection,
            self._run_id,
            line.status,
            time=_instant(line.t),
            reason=line.reason,
            exit_code=line.exit_code,
            now=self._now,
        )

    def _later(self, time: float | None, end: float | None) -> bool:
        """Whether that was after the end of the run. An end that is still to come was told by a
        clock that is wrong, and is behind us."""
        return time is None or end is None or time > end or end > self._now

    def _file(self, line: FileLine) -> None:
        file = File(
            run_id=self._run_id,
            path=line.path,
            kind=line.kind,
            uri=line.uri,
            size=line.size,
            step=line.step,
            created_at=self._now if line.t is None else line.t,
        )
        files.put(self._connection, file, self._now)


def _said(line: RunLine, user: str) -> NewRun:
    return NewRun(
        experiment_id=0,
        run_id=line.run_id,
        name=line.name,
        source="client",
        user=user,
        host=line.host,
        seed=line.seed,
        config=line.config,
        params=line.params,
        tags=line.tags,
        parent_run_id=line.parent,
        started_at=_instant(line.t),
        job=line.job.ref() if line.job else None,
    )


def _is_name(experiment: object) -> bool:
    try:
        return isinstance(experiment, str) and bool(texts.key(experiment, "experiment"))
    except Wrong:
        return False


def _instant(time: float | None) -> float | None:
    """The time, where a calendar has it: clocks are wrong."""
    try:
        return None if time is None else texts.instant(time, "t")
    except Wrong:
        return None
