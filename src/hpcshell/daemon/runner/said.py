"""Orders about a run that has been started: to stop, to stand still, to go on, to take longer."""

from __future__ import annotations

from collections.abc import Callable

from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.journal import Entry
from hpcshell.daemon.runner.report import report
from hpcshell.daemon.runner.roster import Roster
from hpcshell.daemon.runner.warden import Warden
from hpcshell.machine import processes

AboutARun = wire.Stop | wire.Suspend | wire.Resume | wire.Signal | wire.Limit


class Said:
    """Has the warden carry them out; `say` tells the daemon of those that cannot be."""

    def __init__(self, roster: Roster, warden: Warden, say: Callable[[wire.Event], None]) -> None:
        self.roster = roster
        self.warden = warden
        self.say = say

    def carry_out(self, order: AboutARun) -> None:
        """What is asked; how the run stands, when it is over."""
        entry = self.roster.table.get(order.run)
        if entry is None:
            self.say(wire.Unknown(run=order.run))
        elif entry.over:
            self.say(report(entry))
        else:
            self._act(entry, order)

    def _act(self, entry: Entry, order: AboutARun) -> None:
        match order:
            case wire.Limit():
                self.warden.limit(entry, order.time_limit)
            case wire.Suspend():
                self.warden.pauses.suspend(entry, order.within)
                self.warden.plan(entry)
            case wire.Resume():
                self.warden.pauses.resume(entry)
                self.warden.plan(entry)
            case _:
                self._signal(entry, order)

    def _signal(self, entry: Entry, order: wire.Stop | wire.Signal) -> None:
        try:
            number = processes.signal_number(order.signal)
            if isinstance(order, wire.Stop) and order.ahead is not None:
                processes.signal_number(order.ahead.signal)
        except ValueError as error:
            self.say(wire.Complaint(message=f"Run {order.run}: {error}."))
            return
        if isinstance(order, wire.Signal):
            self.warden.signal(entry, number, order.to)
        elif order.ahead is not None:
            self.warden.stop_after(entry, order, order.ahead)
        else:
            self.warden.stop(entry, order.cause, order.grace, number)
