"""One contender's turn: started in a process and a control group of its own, asked, cleared away.

Nobody's idle daemon disturbs another: a contender's services live exactly as long as its turn.
The conversation is JSON lines; `stage.py` is the other end.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.accounting import MARK, Meter, end_all, new_meter
from harness.figures import Turn
from harness.machine import Busy, others_share

STAGE = Path(__file__).parents[1] / "stage.py"
OPENING_SECONDS = 90.0


class Missing(Exception):
    """The contender is not installed; the words say how to get it."""


class Failed(Exception):
    """The contender was started but did not answer: a crash, an error or the time limit."""


@dataclass(frozen=True)
class Ask:
    """One question to a contender: the name of its method, and how many tasks."""

    question: str
    tasks: int


@dataclass(frozen=True)
class Place:
    """Where and how turns are held."""

    python: str
    directory: Path
    width: int = 2
    timeout: float = 180.0


def hold_turn(name: str, asks: Sequence[Ask], place: Place, round_number: int = 0) -> list[Turn]:
    """Start the contender, put every question in order, end all its processes.

    Raises `Missing` or `Failed`. What it wrote is removed.
    """
    label = f"{name.replace(' ', '-')}-{uuid.uuid4().hex[:8]}"
    directory = Path(tempfile.mkdtemp(prefix="hpcbench-", dir=place.directory))
    meter = new_meter(label)
    conversation = None
    try:
        conversation = Conversation(name, label, directory, place, meter)
        conversation.open()
        turns = [conversation.put(ask, round_number) for ask in asks]
        conversation.close()
        return turns
    finally:
        end_all(meter)
        if conversation is not None:
            conversation.reap()
        meter.close()
        shutil.rmtree(directory, ignore_errors=True)


class Conversation:
    """The near end of a stage."""

    def __init__(self, name: str, label: str, directory: Path, place: Place, meter: Meter) -> None:
        self.name, self.place, self.meter = name, place, meter
        self.log = directory / "stage.log"
        path = f"{Path(place.python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environment = dict(os.environ, PATH=path, TMPDIR=str(directory), **{MARK: label})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [place.python, str(STAGE), name, str(place.width)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        meter.admit(self.process.pid)
        self.unread = b""
        self.version = ""

    def open(self) -> None:
        """Let it set up its services and say its version."""
        answer = self._say({"open": True}, OPENING_SECONDS)
        if "missing" in answer:
            raise Missing(str(answer["missing"]))
        self.version = str(answer["version"])

    def put(self, ask: Ask, round_number: int) -> Turn:
        """Put one question; time is kept at the far end, processor time here."""
        words = {"question": ask.question, "tasks": ask.tasks}
        self._say({"prepare": words}, self.place.timeout)
        busy, cpu = Busy.now(), self.meter.cpu_seconds()
        answer = self._say({"answer": words}, self.place.timeout)
        cpu = self.meter.cpu_seconds() - cpu
        others = others_share(busy, Busy.now(), cpu, len(os.sched_getaffinity(0)))
        extra = answer["extra"]
        return Turn(
            contender=self.name,
            version=self.version,
            question=ask.question,
            round=round_number,
            tasks=ask.tasks,
            seconds=float(extra.pop("seconds", answer["seconds"])),
            cpu_seconds=cpu,
            others=others,
            extra=extra,
        )

    def close(self) -> None:
        """Let it end its services itself; whatever remains is killed afterwards."""
        self._say({"close": True}, OPENING_SECONDS)

    def reap(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _say(self, words: dict[str, Any], patience: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(words).encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._line(time.monotonic() + patience))
        except (BrokenPipeError, EOFError):
            raise Failed(self._last_words()) from None
        if "failed" in answer:
            raise Failed(str(answer["failed"]))
        return answer

    def _line(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        while b"\n" not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed("no answer within its time limit")
            chunk = self.process.stdout.read(65536)
            if not chunk:
                raise EOFError
            self.unread += chunk
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"it ended: {lines[-1][:200]}" if lines else "it ended without a word"
