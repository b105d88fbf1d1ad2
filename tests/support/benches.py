"""A daemon without processes: the real loop, engine and store; a runner that only pretends.

`Bench` turns the loop by hand, one tick at a time, and may crash it between any two.
`PretendRunner` keeps the promises of the real one (a run is started once, an end is told until it
is acknowledged) and counts what it was made to start.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hpcshell.client.wire import Failure, error_of
from hpcshell.core.records import Resources
from hpcshell.core.settings import Settings
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.gpus import Gpus
from hpcshell.daemon.host import Host, this_host
from hpcshell.daemon.loading import load
from hpcshell.daemon.loop import Loop
from hpcshell.daemon.regimes import set_up
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.followers import Followers
from hpcshell.daemon.server import Peer, Server
from hpcshell.machine import clock
from hpcshell.machine.logfile import LogFile
from hpcshell.machine.paths import Places, places
from hpcshell.policy.cardfacts import with_cards
from hpcshell.policy.decide import Policy
from hpcshell.store.change import OnWrite
from hpcshell.store.store import Store

Make = Callable[..., "Bench"]
"""Makes the bench of a configuration, of which it is given the tables."""
TOTAL = Resources(cpus=4, memory=1000, gpus=2, others={"seats": 3})


def configuration(**tables: Any) -> Settings:
    """What a file with these tables says."""
    return read_layers([Layer(source="test", tables=tables)]).settings


class Clock:
    """A wall clock and a monotonic one that stand still until they are moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = 1_700_000_000.0
        self.steady = 1000.0
        monkeypatch.setattr(clock, "now", lambda: self.wall)
        monkeypatch.setattr(clock, "monotonic", lambda: self.steady)

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def set_wall(self, by: float) -> None:
        """Somebody sets the clock."""
        self.wall += by


class PretendRunner:
    """What the daemon sees of the runner. Nothing is run; `end` says how a run ended."""

    runner_pid, keeper_pid, retry_after = 0, 0, 0.05
    """Pids of nobody: a stopping daemon would wait for them."""

    def __init__(self) -> None:
        self.reports: dict[int, wire.Report] = {}
        self.stopping: dict[int, str] = {}
        self.suspended: set[int] = set()
        self.limits: dict[int, float | None] = {}
        self.begun: Counter[int] = Counter()
        self.orders: list[wire.AnyOrder] = []
        self.said: list[wire.AnyEvent] = []
        self.followers = Followers()
        self.busy = False
        self.obeys = True
        self.protocol = wire.PROTOCOL
        self.connected = False

    # -- the daemon's side -----------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return not self.connected

    @property
    def wants_write(self) -> bool:
        return False

    def open(self) -> bool:
        self.connected = True
        self.followers.give_back()
        self.said = [self.standing()]
        return True

    def close(self) -> None:
        self.connected = False
        self.said = []

    def flush(self) -> None:
        return

    def fileno(self) -> int:
        raise AssertionError("a bench reads what the runner says by hand")

    def receive(self) -> list[wire.AnyEvent]:
        said, self.said = self.said, []
        return said

    def send(self, orders: Iterable[wire.AnyOrder]) -> None:
        for order in orders:
            self.orders.append(order)
            if self.obeys:
                self._obey(order)

    def standing(self) -> wire.Standing:
        """How everything stands."""
        return wire.Standing(
            protocol=self.protocol,
            runner_pid=0,
            keeper_pid=0,
            boot_id="",
            runs=[self._report(run) for run in self.reports],
        )

    def _report(self, run: int) -> wire.Report:
        report = self.reports[run]
        if isinstance(report, wire.Started):
            return replace(report, suspended=run in self.suspended)
        return report

    def say_standing(self) -> None:
        """As after an order that asks for it."""
        self.followers.give_back()
        self.said.append(self.standing())

    def _obey(self, order: wire.AnyOrder) -> None:
        match order:
            case wire.Start() if order.after:
                self._keep(order)
            case wire.Start():
                self.followers.forget(order.run)
                self._start(order)
            case wire.Recall():
                self.said.append(
                    wire.Recalled(runs=self.followers.give_back(), answers=order.number)
                )
            case wire.Stop() if order.run in self.reports:
                self.stopping.setdefault(order.run, order.cause)
                self.suspended.discard(order.run)
            case wire.Suspend() if order.run in self.alive and order.run not in self.stopping:
                self.suspended.add(order.run)
            case wire.Resume():
                self.suspended.discard(order.run)
            case wire.Stop():
                self.said.append(wire.Unknown(run=order.run))
            case wire.Limit():
                self.limits[order.run] = order.time_limit
            case wire.Ack():
                for run in order.runs:
                    self.reports.pop(run, None)
            case wire.Inventory():
                self.say_standing()
            case _:
                pass

    def _keep(self, order: wire.Start) -> None:
        if order.after in self.alive or order.after in self.followers:
            assert order.run not in self.reports
            assert order.run not in self.followers, "lent twice"
            self.followers.keep(order)
        else:
            self.said.append(wire.Recalled(runs=[order.run]))

    def _start(self, order: wire.Start) -> None:
        if self.busy and order.run not in self.reports:
            if line := self.followers.line_of(order.run):
                self.said.append(wire.Recalled(runs=line))
            self.said.append(
                wire.FailedToStart(run=order.run, exit_code=75, message="busy", transient=True)
            )
            return
        if order.run not in self.reports:
            self.begun[order.run] += 1
            self.limits[order.run] = order.time_limit
            self.reports[order.run] = wire.Started(
                run=order.run, pid=100_000 + order.run, start_ticks=1, time=clock.now()
            )
        self.said.append(self.reports[order.run])

    # -- the test's side -------------------------------------------------------------------------

    @property
    def alive(self) -> list[int]:
        return [run for run, said in self.reports.items() if isinstance(said, wire.Started)]

    def end(self, run: int, code: int | None = 0, *, signal: int | None = None) -> None:
        """The run ends by itself, or because it was told to."""
        self._over(
            wire.Ended(
                run=run,
                exit_code=None if signal else code,
                signal=signal,
                time=clock.now(),
                cpu_user=0.25,
                max_rss=1 << 20,
                stopped_by=self.stopping.pop(run, None),
            )
        )

    def lose(self, run: int) -> None:
        """Nobody knows how it ended."""
        told = self.stopping.pop(run, None)
        self._over(wire.Lost(run=run, reason="it vanished", time=clock.now(), stopped_by=told))

    def fail(self, run: int) -> None:
        """It turns out that it never was a process."""
        self._over(
            wire.FailedToStart(run=run, exit_code=127, message="not found", time=clock.now())
        )

    def _over(self, report: wire.Ended | wire.Lost | wire.FailedToStart) -> None:
        order = self.followers.of(report.run) if self.connected else None
        refused = order is not None and not _may_follow(order, report)
        if order is not None and not isinstance(report, wire.FailedToStart) and not refused:
            report = replace(report, successor=order.run)
        self.reports[report.run] = report
        self.suspended.discard(report.run)
        if self.connected:
            self.said.append(report)
        if order is not None and refused:
            line = [order.run, *self.followers.line_of(order.run)]
            self.said.append(wire.Recalled(runs=line))
        elif order is not None:
            self._start(order)


def _may_follow(order: wire.Start, report: wire.Ended | wire.Lost | wire.FailedToStart) -> bool:
    if isinstance(report, wire.Ended) and order.if_ok:
        return report.exit_code == 0 and not report.stopped_by
    return isinstance(report, wire.Ended) or (isinstance(report, wire.Lost) and not order.if_ok)


class Bench:
    """One daemon at a time over one directory."""

    def __init__(
        self,
        root: Path,
        total: Resources = TOTAL,
        policy: Policy | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.places: Places = places({"HPCSHELL_HOME": str(root)})
        self.places.prepare()
        self.total = total
        self.policy = policy
        self.settings = settings or Settings()
        self.runner = PretendRunner()
        self.on_write: OnWrite | None = None
        self.loop: Loop
        self.store: Store
        self._number = 0
        self._open()

    def _open(self) -> None:
        def on_write(when: str, count: int, kind: str) -> None:
            if self.on_write is not None:
                self.on_write(when, count, kind)

        self.store = Store.open(Path(self.places.database), on_write=on_write)
        server = Server(selectors.DefaultSelector(), self.places.daemon_socket)
        log = LogFile(self.places.daemon_log)
        self.gpus = Gpus(self.store, self.places.state)
        self.loop = Loop(
            self.store,
            server,
            self.runner,  # type: ignore[arg-type]
            log,
            self.configure,
            self.gpus,
        )
        self.client, self.peer = self.connect()
        self._unread = b""
        self.runner.open()

    def connect(self) -> tuple[socket.socket, Peer]:
        """Another client, with its peer in the loop."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        peer = Peer(theirs)
        self.loop.server.welcome(peer)
        return ours, peer

    def configure(self, engine: Engine) -> None:
        self.gpus.renew(self.settings.gpus)
        host: Host = this_host(self.places, self.settings, self.store, self.gpus.watch)
        host.total, host.detected, host.hostname = self.total, self.total, "bench"
        plain = replace(host.node, gpus=("",) * self.total.gpus, links=(), gpu_memory=(), alone=())
        host.node = with_cards(plain, host.cards)
        set_up(engine, host, self.policy)

    @property
    def engine(self) -> Engine:
        return self.loop.engine

    # -- turning it ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Hear what the runner has said, and go round once."""
        self.loop.heard.extend(self.runner.receive())
        self.loop.tick()

    def settle(self) -> None:
        """Go round until nothing is left to do but wait."""
        for _ in range(200):
            self.tick()
            if self.loop.trouble or not (self.runner.said or self.engine.dirty):
                return
        raise AssertionError("the loop does not come to rest")

    def crash(self) -> None:
        """The daemon is gone, with whatever it had in memory; another one takes its place."""
        self.close()
        self._open()

    def close(self) -> None:
        self.runner.close()
        self.gpus.close()
        self.store.close()
        self.client.close()
        for peer in list(self.loop.server.peers):
            peer.sock.close()
        self.loop.selector.close()
        self.loop.log.close()

    # -- asking ----------------------------------------------------------------------------------

    def send(self, verb: str, **args: Any) -> int:
        """Leave a request with the loop; it is read at the next tick."""
        self._number += 1
        request = {"verb": verb, "id": self._number, "args": args}
        self.peer.lines.append(json.dumps(request).encode())
        self.loop.server.asking[self.peer] = None
        return self._number

    def ask(self, verb: str, **args: Any) -> Any:
        """Ask, turn the loop until it rests, and return the answer or raise the error."""
        number = self.send(verb, **args)
        self.settle()
        return self.answer(number)

    def answer(self, number: int) -> Any:
        """The answer to a request, which must have come."""
        for said in self.heard():
            if said["id"] == number and "error" in said:
                raise error_of(Failure(**said["error"]))
            if said["id"] == number and "ok" in said:
                return said["ok"]
        raise AssertionError(f"request {number} was not answered")

    def heard(self) -> list[dict[str, Any]]:
        """All that has been said to the client since."""
        self.peer.flush()
        try:
            while chunk := self.client.recv(1 << 20, socket.MSG_DONTWAIT):
                self._unread += chunk
                self.peer.flush()
        except BlockingIOError:
            pass
        *lines, self._unread = self._unread.split(b"\n")
        return [json.loads(line) for line in lines]

    def submit(self, *argv: str, **fields: Any) -> int:
        """Submit one job and return its id."""
        return int(self.ask("submit", submissions=[submission(*argv, **fields)])["jobs"][0]["id"])

    def show(self, name: object) -> dict[str, Any]:
        """The document of a job or element."""
        shown: dict[str, Any] = self.ask("show", ids=[str(name)])["jobs"][0]
        return shown

    def state(self, name: object) -> str:
        """The state of a job or element, as everybody sees it."""
        return str(self.show(name)["state"])

    def run_of(self, job: int, index: int = -1) -> int:
        """The current run of an element."""
        return self.engine.live[job].tasks[index].run

    def finish(self, job: int, index: int = -1, code: int = 0) -> None:
        """The element's current run ends by itself."""
        self.runner.end(self.run_of(job, index), code)
        self.settle()

    def reloaded(self) -> Engine:
        """What a fresh start would make of the store."""
        engine = Engine(self.store)
        self.configure(engine)
        load(engine)
        return engine

    def complaints(self) -> list[dict[str, Any]]:
        """The errors in the daemon's log."""
        if not os.path.exists(self.places.daemon_log):
            return []
        lines = Path(self.places.daemon_log).read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["level"] == "error"]


def submission(*argv: str, **fields: Any) -> dict[str, Any]:
    """A submission as a client would send it."""
    return {"argv": list(argv or ("true",)), "cwd": os.path.abspath(os.sep), "env": {}, **fields}
