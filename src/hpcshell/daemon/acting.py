"""What follows from a commit: orders to the runner, and starts to be tried again."""

from __future__ import annotations

from typing import Final

from hpcshell.daemon.alarms import Alarms
from hpcshell.daemon.attachment import Attachment
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runs import start_again
from hpcshell.machine.logfile import LogFile

RETRY_AFTER: Final = 1.0


class Acts:
    """Sends what the engine has put aside. Starts that the machine could not make just now are
    ordered again a little later; they outlive the engine that recorded them."""

    def __init__(self, runner: Attachment, alarms: Alarms, log: LogFile) -> None:
        self.runner = runner
        self.alarms = alarms
        self.log = log
        self._deferred: set[int] = set()
        self._due: set[int] = set()

    def carry_out(self, engine: Engine) -> None:
        """After the commit, in the order in which it was decided."""
        orders = [order for order in engine.orders if not _stale(engine, order)]
        if engine.acks:
            # Last: a start repeated after the ack of its end would be a second start.
            orders.append(wire.Ack(runs=engine.acks))
        engine.acks, engine.orders = [], []
        if orders:
            self.runner.send(orders)
        for complaint in engine.complaints:
            self.log.write("warning", "the runner complains", complaint=complaint)
        engine.complaints.clear()
        for report in engine.strangers:
            self.log.write(
                "error",
                "a run is not in the database; what is alive of it is ended",
                run=report.run,
                process=report.pid if isinstance(report, wire.Started) else None,
            )
        engine.strangers.clear()
        if engine.deferred:
            self._deferred.update(engine.deferred)
            engine.deferred.clear()
            self.alarms.after(RETRY_AFTER, self._ring)

    def start_deferred(self, engine: Engine, now: float) -> None:
        """Within a tick: order again what is due and has not been started otherwise."""
        for run_id in (self._due & engine.runs.keys()) - engine.pids.keys():
            start_again(engine, engine.runs[run_id], now)

    def started(self) -> None:
        """That tick was recorded."""
        self._due.clear()

    def _ring(self) -> None:
        self._due, self._deferred = self._due | self._deferred, set()


def _stale(engine: Engine, order: wire.AnyOrder) -> bool:
    """Whether this starts a run whose end has been recorded in the same tick."""
    if not isinstance(order, wire.Start):
        return False
    return order.run not in engine.runs and order.after not in engine.followers
