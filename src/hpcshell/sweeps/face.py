"""Sweeps for programs, and for the commands: what is asked for, and what is known of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hpcshell.core.errors import HpcError, NotFound, NotYet, Refused, WaitTimedOut, Wrong
from hpcshell.core.words import quote
from hpcshell.flow.spec import Spec
from hpcshell.jobs.doors import LOCAL
from hpcshell.jobs.opened import door
from hpcshell.machine import clock
from hpcshell.sweeps import disk, folder, keeping, making, searching, submitting
from hpcshell.sweeps.aiming import Ask, aimed
from hpcshell.sweeps.folder import Folder, Manifest
from hpcshell.sweeps.keeping import LONGEST, Round
from hpcshell.sweeps.ledger import Wanted
from hpcshell.sweeps.looking import look, strays
from hpcshell.sweeps.making import Source
from hpcshell.sweeps.standing import BAD, LIVE, MISSING, UNKNOWN, Standing
from hpcshell.sweeps.warnings import warnings

if TYPE_CHECKING:
    from hpcshell.flow.results.report import BestPoint, Report
    from hpcshell.flow.results.table import Table

STATES: Final = (
    *("COMPLETED", "RUNNING", "PENDING", "FAILED", "TIMEOUT", "OUT_OF_MEMORY"),
    *("NODE_FAIL", "CANCELLED", "PRUNED", "MISSING", "UNKNOWN"),
)
"""In the order in which they are told."""
LARGEST: Final = 1 << 24
"""Characters of a specification."""
_LOOKS: Final = 0.2
_CERTAIN: Final = 60.0
"""Seconds until what was cancelled has to be."""


def load(path: str | os.PathLike[str]) -> Source:
    """The specification in a file. Raises `NotFound`, or `Wrong` with the line."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {quote(name, 200)}", "hpc sweep init writes one to begin with"
        ) from None
    except OSError as error:
        raise disk.trouble(name, error, "read") from None
    source = understood(content, name)
    return Source(source.spec, os.path.realpath(name), source.text)


def understood(content: bytes, name: str) -> Source:
    """The specification that these bytes are. `name`: what errors blame. Raises `Wrong`."""
    from hpcshell.flow.reading import read

    if len(content) > LARGEST:
        raise Wrong(
            f"{quote(name, 200)} is no specification: it has more than {LARGEST:,} bytes",
            "name the file that describes the sweep",
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Wrong(f"{quote(name, 200)} is no text: {error.reason}", "save it as UTF-8") from None
    return Source(read(text, name), text=text)


def create(
    spec: Spec | Mapping[str, Any] | Source | str | os.PathLike[str],
    *,
    project: str | os.PathLike[str] = ".",
    id: str | None = None,
    max_runs: int | None = None,
) -> Sweep:
    """The sweep of a specification (a file, a mapping as in the file, or a `Spec`), with its points
    listed; nothing runs yet. One that is there already keeps what has run."""
    if isinstance(spec, str | os.PathLike):
        source = load(spec)
    elif isinstance(spec, Spec):
        source = Source(spec)
    elif isinstance(spec, Source):
        source = spec
    else:
        from hpcshell.flow.reading import from_document

        source = Source(from_document(spec, "the specification"))
    return Sweep(making.make(source, os.fspath(project), id=id, limit=max_runs))


def open_sweep(id: str | None = None, project: str | os.PathLike[str] = ".") -> Sweep:
    """A sweep that is there, by its id or the path of its folder; the latest. Raises `NotFound`."""
    return Sweep(folder.found(os.fspath(project), id))


def recent(project: str | os.PathLike[str] = ".") -> list[Sweep]:
    """All sweeps of a project that can be read, the latest first."""
    return listed(project)[0]


def listed(project: str | os.PathLike[str] = ".") -> tuple[list[Sweep], dict[str, HpcError]]:
    """All sweeps of a project, the latest first, and by its id what is wrong with each of the
    others."""
    found, damaged = [], {}
    for id in folder.known(os.fspath(project)):
        try:
            found.append(open_sweep(id, project))
        except HpcError as error:
            damaged[id] = error
    return sorted(found, key=lambda sweep: -sweep.manifest.created), damaged


class Sweep:
    """One sweep. Nothing in it grows stale: everything is read anew."""

    def __init__(self, where: Folder) -> None:
        self.folder = where
        self.manifest: Manifest = where.manifest()

    @property
    def id(self) -> str:
        return self.folder.id

    @property
    def spec(self) -> Spec:
        return self.manifest.spec

    def __repr__(self) -> str:
        return f"<hpcshell.sweeps.Sweep {self.id}>"

    # ------------------------------------------------------------------------------------ running

    def run(
        self,
        *,
        mode: str = "auto",
        on: str | Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Round:
        """Submit all points that were never submitted. `options` as for `hpcshell.submit`; they win
        over those of the specification. What has run, runs or has failed is left alone."""
        return self._want({MISSING}, mode, on, options)

    def resume(
        self,
        *,
        mode: str | None = None,
        on: str | Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
        move: bool = False,
    ) -> Round:
        """Submit what is missing or has failed, where it went before or elsewhere. `move`: what
        waits at another place is cancelled there and goes along."""
        if move:
            self._call_back(_named(on))
        return self._want({MISSING, *BAD}, mode, on, options)

    def _want(
        self,
        states: set[str],
        mode: str | None,
        on: str | Sequence[str] | None,
        options: Mapping[str, Any] | None,
    ) -> Round:
        self.folder.check(self.manifest)
        with self.folder.lock():
            ledger = self.folder.ledger()
            submitting.settle(ledger)
            elsewhere = on is not None
            points = tuple(
                one.id
                for one in look(self.folder)
                if one.state in states and (elsewhere or one.id not in ledger.wanted)
            )
            if points or self.spec.search is not None:
                several = len(points) if self.spec.search is None else 1
                ask = Ask(mode=mode, on=tuple(_named(on)), options=options or {})
                chosen = aimed(self.manifest, ledger, ask, several)
                ledger.add(Wanted(points=points, targets=chosen, time=clock.now()))
            done = keeping.take_round(self.folder)
            if done.step.hopeless:
                raise done.step.troubles[0]
        folder.remember(self.folder)
        self._stay()
        return done

    def _call_back(self, staying: Sequence[str]) -> None:
        """Cancel what waits anywhere else, and wait until that is certain."""
        away = [one for one in self.standings() if one.state == "PENDING" and one.on not in staying]
        if away and (said := keeping.cancel(away)):
            raise Refused(said[0], "they stay where they are; try again later")
        asked, deadline = {one.id for one in away}, clock.monotonic() + _CERTAIN
        while any(one.id in asked and one.state in (*LIVE, UNKNOWN) for one in self.standings()):
            if clock.monotonic() > deadline:
                raise NotYet("it is not certain yet that they were cancelled", "resume once more")
            time.sleep(_LOOKS)

    def cancel(self) -> list[str]:
        """Cancel all that waits and runs; the sentences say what could not be."""
        with self.folder.lock():
            ledger = self.folder.ledger()
            submitting.settle(ledger)
            standings = [*look(self.folder), *strays(self.folder)]
            if not ledger.wanted and not any(one.state in (*LIVE, UNKNOWN) for one in standings):
                return []
            said = keeping.stop(ledger, standings, "it was cancelled")[1:]
            return said + keeping.cancel([one for one in standings if one.state == "RUNNING"])

    def _stay(self) -> None:
        """See that somebody stays with it who has to."""
        ledger = self.folder.ledger()
        if keeping.needs_somebody(self.manifest, ledger) and not ledger.stopped:
            keeping.see_to(self.folder)

    def wait(self, timeout: float | None = None) -> Counter[str]:
        """Wait until nothing of it waits or runs; how many points are in each state. Raises
        `WaitTimedOut` after `timeout` seconds."""
        deadline = None if timeout is None else clock.monotonic() + timeout
        while True:
            begun = clock.monotonic()
            standings = self.standings()
            counts = Counter(one.state for one in standings)
            if not self.live(counts) and self._over():
                return counts
            self._stay()
            if deadline is not None and begun >= deadline:
                raise WaitTimedOut(
                    f"sweep {self.id} has not ended after {timeout:g} s", "hpc sweep status"
                )
            left = LONGEST if deadline is None else min(LONGEST, deadline - begun)
            _pause(self.folder, standings, left, clock.monotonic() - begun)

    def _over(self) -> bool:
        """Whether nothing more is done about points that have ended: none is tried again."""
        ledger = self.folder.ledger()
        if ledger.stopped or not keeping.needs_somebody(self.manifest, ledger):
            return True
        with self.folder.lock():
            return keeping.take_round(self.folder).over

    def live(self, counts: Mapping[str, int]) -> bool:
        """Whether something of it waits, here or elsewhere, or runs."""
        if any(counts.get(state) for state in (*LIVE, UNKNOWN)):
            return True
        ledger = self.folder.ledger()
        unasked = not ledger.stopped and not searching.over(self.folder, self.manifest)
        return bool(ledger.wanted) or (ledger.last is not None and unasked)

    # ------------------------------------------------------------------------------------ looking

    def standings(self) -> list[Standing]:
        """How each point stands, in order. Raises `Wrong` where the list of them is damaged."""
        self.folder.check(self.manifest)
        return look(self.folder, busy=self.folder.busy())

    def counts(self) -> Counter[str]:
        """How many points are in each state."""
        return Counter(one.state for one in self.standings())

    def status(self, standings: Sequence[Standing] | None = None) -> dict[str, Any]:
        """The document of `hpc sweep status --json`. `standings`: what was seen, if somebody has
        looked."""
        standings = self.standings() if standings is None else standings
        ledger = self.folder.ledger()
        counts = Counter(one.state for one in standings)
        ends = [one.end for one in standings if one.end is not None]
        return {
            "schema": 1,
            "id": self.id,
            "name": self.spec.name or self.id,
            "directory": self.folder.path,
            "created": self.manifest.created,
            "points": len(standings),
            "counts": {state: counts[state] for state in STATES if counts[state]},
            "waiting_here": len(ledger.wanted),
            "stopped": ledger.stopped or None,
            "on": sorted({one.on for one in standings if one.on}),
            "strays": (others := len(strays(self.folder))),
            "live": bool(others) or self.live(counts),
            "last_end": max(ends, default=None),
            "unknown": _reasons(one for one in standings if one.state == UNKNOWN),
            "warnings": warnings(self.folder, self.manifest, standings),
        }

    # ------------------------------------------------------------------------------------ results

    def table(self) -> Table:
        """All points with their parameters and results."""
        from hpcshell.sweeps.collecting import table

        return table(self.standings())

    def report(self, metric: str = "", *, best: int = 10) -> Report:
        """What it came to. `metric`: another one than the specification's. Raises `NotFound` for
        one that no point has."""
        from hpcshell.sweeps.reporting import report

        return report(self.spec, self.standings(), metric=metric, best=best)

    def best(self, count: int = 1, metric: str = "") -> tuple[BestPoint, ...]:
        """The best points by the metric."""
        return self.report(metric, best=count).best

    def export(self, path: str | os.PathLike[str], form: str = "") -> None:
        """Write the table, as `csv`, `json` or `parquet`; "": by the ending of the path."""
        from hpcshell.sweeps.exporting import export

        export(self.table(), os.fspath(path), form)


def _pause(where: Folder, standings: Sequence[Standing], most: float, cost: float) -> None:
    """Until it is worth looking again. One scheduler that has all of it tells when it ends."""
    places = {one.on for one in standings if one.state in LIVE}
    if places == {LOCAL} and not where.ledger().wanted:
        jobs = {one.job.partition("_")[0] for one in standings if one.state in LIVE}
        with contextlib.suppress(HpcError):
            door(LOCAL).call("wait", ids=sorted(jobs), timeout=most)
            return
    time.sleep(min(most, max(_LOOKS, 10 * cost)))


def _reasons(standings: Iterable[Standing]) -> list[str]:
    return sorted({one.reason for one in standings if one.reason})


def _named(on: str | Sequence[str] | None) -> list[str]:
    if on is None:
        return []
    return [name for name in on.split(",") if name] if isinstance(on, str) else list(on)
