"""The run of one benchmark program: options, rounds of turns, the record, the goals."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.accounting import new_meter
from harness.figures import Goal, Turn, disturbance, median, misses, paired_ratio, rotated
from harness.install import install_peers
from harness.machine import await_quiet, describe
from harness.report import Cell, Record, goal_table, heading, table
from harness.turn import Ask, Failed, Missing, Place, hold_turn
from peers.contender import Contender

RESULTS = Path(__file__).parents[1] / "results"
VENV = Path(os.environ.get("HPCBENCH_VENV", Path(tempfile.gettempdir()) / "hpcbench-peers"))


@dataclass(frozen=True)
class Entry:
    """What one contender is asked within one turn of its own."""

    contender: type[Contender]
    asks: tuple[Ask, ...]


class Session:
    """Options, the turns taken so far, and what becomes of them."""

    def __init__(self, program: str, words: str, arguments: Sequence[str] | None = None) -> None:
        self.options = _parser(program, words).parse_args(arguments)
        signal.signal(signal.SIGTERM, _terminated)
        if self.options.install:
            install_peers(self.options.peers_venv)
        self.options.state_dir.mkdir(parents=True, exist_ok=True)
        meter = new_meter(f"trial-{os.getpid()}")
        meter.close()
        kept = {key: str(value) for key, value in vars(self.options).items()}
        self.record = Record(program, describe(self.options.state_dir), meter.word, kept)
        print(heading(self.record), flush=True)

    @property
    def quick(self) -> bool:
        return bool(self.options.quick)

    @property
    def rounds(self) -> int:
        return int(self.options.rounds or (1 if self.quick else 3))

    @property
    def seconds(self) -> float:
        """How long a peer's batch may take."""
        return float(self.options.seconds or (1.0 if self.quick else 4.0))

    @property
    def figures(self) -> dict[str, float]:
        return self.record.figures

    def wanted(self, entries: Sequence[Entry]) -> list[Entry]:
        only, skip = self.options.only, self.options.skip
        return [
            entry
            for entry in entries
            if (not only or entry.contender.name in only) and entry.contender.name not in skip
        ]

    def hold(self, entries: Sequence[Entry], rounds: int | None = None) -> None:
        """Every entry once a round, in an order that shifts from round to round.

        Interrupted, it leaves it at the turns taken so far, which are still reported.
        """
        try:
            self._hold_rounds(self.wanted(entries), rounds or self.rounds)
        except KeyboardInterrupt:
            self.record.interrupted = True
            print("interrupted: the figures are of the turns taken so far", file=sys.stderr)

    def _hold_rounds(self, entries: Sequence[Entry], rounds: int) -> None:
        for number in range(rounds):
            for entry in rotated(entries, number * max(1, len(entries) // self.rounds)):
                if entry.contender.name not in self.record.skipped:
                    self._hold_one(entry, number)

    def of(self, contender: type[Contender] | str, question: str) -> list[Turn]:
        name = contender if isinstance(contender, str) else contender.name
        return [t for t in self.record.turns if (t.contender, t.question) == (name, question)]

    def gathered(self, contender: type[Contender] | str, question: str, key: str) -> list[float]:
        """All values of one extra of one question, from all rounds."""
        values: list[float] = []
        for turn in self.of(contender, question):
            value = turn.extra.get(key, [])
            values += value if isinstance(value, list) else [value]
        return values

    def names(self, question: str) -> list[str]:
        """The contenders that answered, fastest first."""
        found = {t.contender for t in self.record.turns if t.question == question}
        return sorted(found, key=lambda name: -median([t.rate for t in self.of(name, question)]))

    def rate_table(self, question: str, ours: str) -> str:
        """Medians side by side, and our figures by each other's."""
        rows: list[list[Cell]] = []
        our_cpu = [turn.cpu_ms for turn in self.of(ours, question)]
        for name in self.names(question):
            turns = self.of(name, question)
            ratio = paired_ratio(self.of(ours, question), turns)
            cpu = median([turn.cpu_ms for turn in turns])
            rows.append(
                [
                    name,
                    median([turn.rate for turn in turns]),
                    cpu,
                    ratio,
                    median(our_cpu) / cpu if our_cpu else None,
                    turns[0].tasks,
                    f"{max(turn.others for turn in turns):.0%}",
                ]
            )
        headers = ["", "rate /s", "CPU ms/task", "ours by its rate", "ours by its CPU"]
        return table([question, *headers[1:], "tasks", "others, at most"], rows)

    def finish(self, goals: Sequence[Goal]) -> NoReturn:
        """Print goals and what was skipped, keep the record, end with 0, or 1 if `--strict`."""
        for name, why in self.record.skipped.items():
            print(f"skipped {name}: {why}")
        print("\n" + goal_table(goals, self.figures))
        stamp = str(self.record.machine["date"]).replace(":", "").replace("+0000", "Z")
        path = self.options.json or RESULTS / f"{self.record.program}-{stamp}.json"
        self.record.save(path, goals)
        print(f"\nkept in {os.path.relpath(path)}")
        sys.exit(1 if self.options.strict and misses(goals, self.figures) else 0)

    def _hold_one(self, entry: Entry, number: int) -> None:
        kind = entry.contender
        try:
            turns = self._calmest(entry, number)
        except Missing as missing:
            self.record.skipped[kind.name] = f"not installed: {missing}"
            return
        except Failed as failed:
            self.record.skipped[kind.name] = f"failed: {failed}"
            turns = []
        for turn in turns:
            self.record.turns.append(turn)
            said = f"{turn.rate:,.0f}/s, {turn.cpu_ms:.2f} ms CPU"
            print(f"  {kind.name}, {turn.question} {turn.tasks}: {said}", file=sys.stderr)

    def _calmest(self, entry: Entry, number: int) -> list[Turn]:
        """The turn, taken again while others disturb it; chosen by their share, not by ours."""
        best: list[Turn] = []
        for _ in range(1 + self.options.retakes):
            await_quiet(self.options.patience)
            turns = hold_turn(
                entry.contender.name, entry.asks, self._place(entry.contender), number
            )
            if not best or disturbance(turns) < disturbance(best):
                best = turns
            if disturbance(best) <= self.options.calm:
                break
            self.record.retaken += 1
        return best

    def _place(self, kind: type[Contender]) -> Place:
        python = self.options.peers_venv / "bin/python"
        use = str(python) if kind.in_venv and python.exists() else sys.executable
        return Place(use, self.options.state_dir, self.options.width, self.options.timeout)


def _parser(program: str, words: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"{program}.py", description=words)
    add = parser.add_argument
    add("--quick", action="store_true", help="one round of small batches: does it work at all")
    add("--rounds", type=int, help="how often every contender has its turn (3; 1 with --quick)")
    add("--seconds", type=float, help="about how long a peer's batch takes (4; 1 with --quick)")
    add("--only", action="append", default=[], metavar="NAME", help="only this contender (repeat)")
    add("--skip", action="append", default=[], metavar="NAME", help="not this contender (repeat)")
    add("--width", type=int, default=2, help="tasks in flight (2)")
    add("--timeout", type=float, default=180.0, help="seconds for one answer (180)")
    add("--patience", type=float, default=0.0, help="wait so long for a quiet machine per turn (0)")
    add("--calm", type=float, default=0.1, help="others' share that leaves a turn be (0.1)")
    add("--retakes", type=int, default=0, help="take a turn again so often until it was calm (0)")
    add("--state-dir", type=Path, default=Path(tempfile.gettempdir()), help="where state is kept")
    add("--peers-venv", type=Path, default=VENV, help=f"peers from PyPI ({VENV})")
    add("--install", action="store_true", help="make that environment and install the peers")
    add("--json", type=Path, help="where to keep the record (benchmarks/results/...)")
    add("--strict", action="store_true", help="exit 1 if a goal is missed")
    return parser


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """End as on Ctrl-C, so that turns clear up behind them."""
    raise KeyboardInterrupt
