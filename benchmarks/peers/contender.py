"""What a contender is, and how its answers are shaped."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

Extra = dict[str, float | list[float]]
TRUE = "/bin/true"


class Contender:
    """One way to run many programs on one machine.

    A question is a method taking the number of tasks: `throughput` (independent tasks), `chain`
    (each after the one before), `fan` (one, then all, then one), `accept` (taken in, none started)
    and `latency` (one at a time on an idle system). `pace` names those it can answer, with the
    tasks per second to expect, from which batches are sized. Time is kept around the method, unless
    it returns `seconds` itself.
    """

    name: ClassVar[str]
    install: ClassVar[str] = ""
    pace: ClassVar[Mapping[str, float]]
    in_venv: ClassVar[bool] = False
    least: ClassVar[int] = 10  # tasks of a batch; more where its end is seen late

    def __init__(self, width: int) -> None:
        self.width = width
        self.probe_file = Path("probe.txt").resolve()

    def missing(self) -> str | None:
        """How to install it, if it is not there."""
        return None

    def version(self) -> str:
        return ""

    def open(self) -> None:
        """Start its services and warm it; not measured."""

    def prepare(self, question: str, tasks: int) -> None:
        """Write what the question needs; not measured."""

    def answer(self, question: str, tasks: int) -> Extra:
        method = getattr(self, question)
        extra: Extra | None = method(tasks)
        return extra or {}

    def close(self) -> None:
        """End its services in order."""

    def take_probe(self, begun: float, known: float) -> tuple[float, float]:
        """(submit to first instruction, last instruction to knowledge of the end), in seconds.

        `begun` and `known` are wall-clock times of the submit and of the knowledge.
        """
        first, last = map(int, self.probe_file.read_text().split())
        self.probe_file.unlink()
        return first / 1e9 - begun, known - last / 1e9


class Latencies:
    """Gathers the two latencies of one contender, leaving out the first (warming) job."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.start: list[float] = []
        self.end: list[float] = []

    def note(self, begun: float, known: float) -> None:
        start, end = self.contender.take_probe(begun, known)
        self.start.append(start)
        self.end.append(end)

    def extra(self) -> Extra:
        return {"start": self.start[1:], "end": self.end[1:]}


def program_version(*command: str) -> str:
    """The first line a program prints of itself; empty if it says none."""
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (said.stdout or said.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


def missing_program(name: str, install: str) -> str | None:
    return None if shutil.which(name) else install


def rest(seconds: float = 0.02) -> None:
    """Let a system come to rest, so that each latency is measured from idle."""
    time.sleep(seconds)
