"""Orders to start a run: carried out at once, or when the run they follow is over."""

from __future__ import annotations

import os
from collections.abc import Callable

from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.brood import Brood
from hpcshell.daemon.runner.journal import Entry
from hpcshell.daemon.runner.roster import Roster


class Starts:
    """`say` tells the daemon."""

    def __init__(self, roster: Roster, brood: Brood, say: Callable[[wire.Event], None]) -> None:
        self.roster = roster
        self.brood = brood
        self.say = say
        self._late: list[int] = []

    def order(self, order: wire.Start, leaving: bool) -> None:
        """Start a run, or keep it until the one it follows is over."""
        followers, table = self.roster.followers, self.roster.table
        if order.run in followers:  # the daemon has thought better of whom it is to follow
            followers.forget(order.run)
        if not order.after or order.run in table:
            self.now(order, leaving)
            return
        ahead = table.get(order.after)
        if (ahead is not None and not ahead.over) or order.after in followers:
            followers.keep(order)
        else:
            self._late.append(order.run)

    def give_back_late(self) -> None:
        """Say which runs can follow nothing any more: they came too late, or it ended badly."""
        if self._late:
            self.say(wire.Recalled(runs=self._late))
            self._late = []

    def give_back_all(self, recall: wire.Recall) -> None:
        """Keep nothing, and say so."""
        self.give_back_late()
        runs = self.roster.followers.give_back()
        self.say(wire.Recalled(runs=runs, answers=recall.number))

    def take_place_of(self, entry: Entry) -> wire.Start | None:
        """The run that is to start in the place of this one, which is over, and is told so."""
        order = self.roster.followers.of(entry.run)
        if order is not None and order.if_ok and not _ended_well(entry):
            self._late += [order.run, *self.roster.followers.line_of(order.run)]
            order = None
        entry.successor = 0 if order is None else order.run
        return order

    def now(self, order: wire.Start, leaving: bool) -> None:
        """Start a run and say how it stands; without it, nothing follows it."""
        said = self.brood.start(order, leaving)
        os.chdir("/")
        os.umask(0o077)
        self.say(said)
        if isinstance(said, wire.FailedToStart):
            line = self.roster.followers.line_of(said.run)
            if line:
                self.say(wire.Recalled(runs=line))


def _ended_well(entry: Entry) -> bool:
    return entry.exited is not None and entry.exited.status == 0 and entry.stopping is None
