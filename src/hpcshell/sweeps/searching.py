"""Searches: what is known of their trials is told to the search, and what it asks is wanted.

The log of trials lies in the folder. A trial is written down before its point is listed, and that
before it is wanted; whatever was broken off in between is done in the next round.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import Record
from hpcshell.flow.identity import salt
from hpcshell.flow.results.points import number
from hpcshell.flow.search.driver import Next, proceed
from hpcshell.flow.search.searcher import Searcher, searcher
from hpcshell.flow.search.trials import State, Trial, latest, read_log, values_of, written
from hpcshell.flow.spec import Search
from hpcshell.machine import clock
from hpcshell.sweeps import collecting, disk
from hpcshell.sweeps.folder import Folder, Manifest, Row
from hpcshell.sweeps.ledger import Ledger, Wanted
from hpcshell.sweeps.looking import Outcome, keep
from hpcshell.sweeps.making import row_of
from hpcshell.sweeps.standing import BAD, LIVE, MISSING, PRUNED, UNKNOWN, Standing

LOG: Final = "trials.jsonl"


class Turn(Record, frozen=True, kw_only=True):
    """What a search did in one round: `stop`, the points to cancel; `done`: it is over."""

    stop: tuple[Standing, ...] = ()
    done: bool = False
    why: str = ""


def trials(folder: Folder) -> dict[int, Trial]:
    """The trials so far, by their numbers."""
    path = folder.file(LOG)
    if not os.path.exists(path):
        return {}
    try:
        return latest(read_log(disk.read(path).decode("utf-8", "replace")))
    except OSError as error:
        raise disk.trouble(path, error, "read") from None


def over(folder: Folder, manifest: Manifest) -> bool:
    """Whether a search has nothing more to ask, and was told how all of its trials ended."""
    if manifest.spec.search is None:
        return True
    log = trials(folder)
    running = [number for number, trial in log.items() if trial.state == "running"]
    return proceed(manifest.spec.search, log.values(), running).done


def take_turn(
    folder: Folder, manifest: Manifest, ledger: Ledger, standings: Sequence[Standing]
) -> Turn:
    """Tell the search how its trials stand, stop those that it gives up, and want new ones. The
    caller holds the lock."""
    search = manifest.spec.search
    assert search is not None
    turn = _Turn(folder, manifest, ledger, search, {one.id: one for one in standings})
    turn.tell()
    return turn.act()


class _Rows:
    """The points of trials."""

    def __init__(self, folder: Folder, manifest: Manifest) -> None:
        self._spec, self._sweep = manifest.spec, folder.id
        self._salt = salt(manifest.spec, manifest.code)

    def of(self, trial: Trial) -> Row:
        return row_of(self._spec, dict(trial.params), self._sweep, self._salt)


class _Turn:
    def __init__(
        self,
        folder: Folder,
        manifest: Manifest,
        ledger: Ledger,
        search: Search,
        standings: Mapping[str, Standing],
    ) -> None:
        self.folder, self.ledger, self.search = folder, ledger, search
        self.standings = standings
        self._rows = _Rows(folder, manifest)
        self._searcher: Searcher = searcher(search, trials(folder).values())
        self._running: dict[int, Row] = {}
        self._told: dict[int, Trial] = {}

    def _write(self, trial: Trial) -> None:
        disk.append(self.folder.file(LOG), written(trial).encode())

    # ------------------------------------------------------------------------------------- telling

    def tell(self) -> None:
        """Each trial as its point stands now; what has no point yet gets one."""
        for trial in list(self._searcher.trials.values()):
            row = self._rows.of(trial)
            one = self.standings.get(row.id)
            if trial.state == "pruned":
                continue
            if one is None:
                self.folder.add_row(row)
            if one is None or (one.state == MISSING and trial.state == "running"):
                self._want(row)
                self._running[trial.number] = row
            elif one.state in LIVE or row.id in self.ledger.wanted:
                self._running[trial.number] = row
                self._report(trial, one)
            elif one.state == UNKNOWN:
                self._running[trial.number] = row
            else:
                self._ended(trial, one)

    def _want(self, row: Row) -> None:
        last = self.ledger.last
        if last is not None and row.id not in self.ledger.wanted and not self.ledger.stopped:
            wanted = Wanted(points=(row.id,), targets=last.targets, time=clock.now())
            self.ledger.add(wanted)

    def _report(self, trial: Trial, one: Standing) -> None:
        """What a running trial has measured so far counts for who is stopped, and is not kept."""
        reports: tuple[tuple[float, float], ...] = ()
        if self.search.early_stop is not None:
            resource = self.search.early_stop.resource
            reports = tuple(collecting.history(one, self.search.metrics[0], resource))
        self._told[trial.number] = replace(trial, state="running", values=(), reports=reports)

    def _ended(self, trial: Trial, one: Standing) -> None:
        expected: State = "complete" if one.state == "COMPLETED" else "failed"
        if trial.state == expected or (one.state not in BAD and expected == "failed"):
            return
        values = None
        if expected == "complete":
            [point] = collecting.collected([one])
            measured = {name: number(value) for name, value in point.metrics.items()}
            known = {name: value for name, value in measured.items() if value is not None}
            values = values_of(self.search, known)
            if values is None and trial.state == "failed":
                return
        self._write(self._searcher.tell(trial.number, values, reports=self._reports(one)))

    def _reports(self, one: Standing) -> Sequence[tuple[float, float]]:
        if self.search.early_stop is None:
            return ()
        return collecting.history(one, self.search.metrics[0], self.search.early_stop.resource)

    # -------------------------------------------------------------------------------------- acting

    def act(self) -> Turn:
        """What comes next."""
        log = [self._told.get(each.number, each) for each in self._searcher.trials.values()]
        limit = None if not self.ledger.stopped else 0
        found: Next = proceed(self.search, log, self._running, limit)
        stop = tuple(self._give_up(each) for each in found.stop if each in self._told)
        for trial in self._searcher.ask(found.ask):
            self._write(trial)
            row = self._rows.of(trial)
            if row.id not in self.standings:  # else its result is told in the next round
                self.folder.add_row(row)
                self._want(row)
        return Turn(stop=stop, done=found.done or bool(self.ledger.stopped), why=found.why)

    def _give_up(self, trial: int) -> Standing:
        row = self._running[trial]
        reports = self._told[trial].reports
        self._write(self._searcher.tell(trial, None, pruned=True, reports=reports))
        why = "it was stopped early: others did better by then"
        keep(self.folder.directory(row), Outcome(state=PRUNED, reason=why))
        return self.standings[row.id]
