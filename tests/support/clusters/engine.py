"""What stand-ins of schedulers have in common: an engine whose jobs are processes, and programs
that ask whoever holds it.

    engine = Engine()
    engine.add([job])                 begun as soon as nothing keeps it from that
    with served(folder, "qsub qstat".split(), answer):     the programs, in folder
        ...

The engine knows arrays only as a number that several jobs share. What it does is what schedulers
have in common; how that is said is the stand-in's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hpcshell.backends.contract import Answer

PAUSE = 0.05
GRACE = 3.0
"""Seconds between the signal that asks a job to end and the one that ends it."""
State = Literal["waiting", "running", "suspended", "ended"]
Why = Literal["", "deleted", "limit", "never"]
Ready = Callable[[], bool | None]
"""Whether what a job depends on is there; None: it never will be."""


@dataclass(eq=False, kw_only=True)
class Job:
    """A job or an element. `told` is what its scheduler keeps of it; `code` is its process's: less
    than zero is a signal; `why`: what ended it, where that was not the job itself."""

    number: int
    index: int | None = None
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    output: str = os.devnull
    limit: float | None = None
    slots: int = 1
    held: bool = False
    begin: float = 0.0
    ready: Ready = lambda: True
    told: dict[str, Any] = field(default_factory=dict)
    submitted: float = field(default_factory=time.time)
    state: State = "waiting"
    begun: float | None = None
    ended: float | None = None
    code: int | None = None
    why: Why = ""
    runs: int = 0
    again: bool = False
    process: subprocess.Popen[bytes] | None = None
    asked_to_end: float | None = None


class Engine:
    """All jobs, in the order in which they came. `lock` is held while they are looked at."""

    def __init__(self, slots: int = 32) -> None:
        self.slots = slots
        self.jobs: list[Job] = []
        self.throttles: dict[int, int] = {}
        self.lock = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def add(self, jobs: Iterable[Job]) -> None:
        self.jobs += jobs

    def of(self, number: int) -> list[Job]:
        return [job for job in self.jobs if job.number == number]

    def close(self) -> None:
        """Ends all that runs."""
        self._over.set()
        self._thread.join()
        for job in self.jobs:
            if job.process is not None:
                _signal(job, signal.SIGKILL)
                job.process.wait()

    # ------------------------------------------------------------------------------------ changes

    def delete(self, job: Job, why: Why = "deleted") -> None:
        if job.state == "waiting":
            job.state, job.why, job.ended = "ended", why, time.time()
        elif job.state != "ended":
            job.why = why
            self._ask_to_end(job)

    def signal(self, job: Job, number: int) -> None:
        _signal(job, number)

    def suspend(self, job: Job) -> None:
        job.state = "suspended"
        _signal(job, signal.SIGSTOP)

    def resume(self, job: Job) -> None:
        job.state = "running"
        _signal(job, signal.SIGCONT)

    def requeue(self, job: Job) -> None:
        """Once more, from the beginning; what runs is ended first."""
        if job.process is None:
            self._back(job)
            return
        job.again = True
        self._ask_to_end(job)

    def _ask_to_end(self, job: Job) -> None:
        job.asked_to_end = job.asked_to_end or time.time()
        _signal(job, signal.SIGCONT)
        _signal(job, signal.SIGTERM)

    def _back(self, job: Job) -> None:
        job.state, job.again, job.process, job.asked_to_end = "waiting", False, None, None
        job.begun = job.ended = job.code = None
        job.why = ""

    # ------------------------------------------------------------------------------------- living

    def _live(self) -> None:
        while not self._over.wait(PAUSE):
            with self.lock:
                self.tick()

    def tick(self) -> None:
        """Sees what has ended, ends what has had its time, begins what may begin."""
        now = time.time()
        for job in self.jobs:
            if job.process is not None:
                self._watch(job, job.process, now)
        for job in self.jobs:
            if job.state == "waiting":
                self._consider(job, now)

    def _watch(self, job: Job, process: subprocess.Popen[bytes], now: float) -> None:
        code = process.poll()
        if code is not None:
            _signal(job, signal.SIGKILL)  # what it left behind
            job.process = None
            if job.again:
                self._back(job)
            else:
                job.state, job.code, job.ended = "ended", code, now
        elif job.asked_to_end is not None and now > job.asked_to_end + GRACE:
            _signal(job, signal.SIGKILL)
        elif job.limit is not None and job.begun is not None and now > job.begun + job.limit:
            self.delete(job, job.why or "limit")

    def _consider(self, job: Job, now: float) -> None:
        ready = job.ready()
        if ready is None:
            self.delete(job, "never")
        elif ready and not job.held and job.begin <= now and self._room(job):
            self._begin(job, now)

    def _room(self, job: Job) -> bool:
        busy = [one for one in self.jobs if one.process is not None]
        most = self.throttles.get(job.number)
        beside = sum(one.number == job.number for one in busy)
        return sum(one.slots for one in busy) + job.slots <= self.slots and (
            not most or beside < most
        )

    def _begin(self, job: Job, now: float) -> None:
        with open(job.output, "ab") as output:
            job.process = subprocess.Popen(
                job.argv,
                env=dict(job.env),
                cwd=job.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        job.state, job.begun, job.runs = "running", now, job.runs + 1


def _signal(job: Job, number: int) -> None:
    if job.process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.process.pid, number)


# ----------------------------------------------------------------------------------- the programs


@dataclass(frozen=True)
class Asked:
    """One call of a program."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: str


Answering = Callable[[Asked], Answer]
_PROGRAM = """#!{python} -SE
import json, os, socket, sys
way = socket.socket(socket.AF_UNIX)
way.connect({socket!r})
asked = {{
    "argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    "env": dict(os.environ),
    "cwd": os.getcwd(),
    "stdin": "" if sys.stdin.isatty() else sys.stdin.read(),
}}
way.sendall(json.dumps(asked).encode())
way.shutdown(socket.SHUT_WR)
answer = json.loads(way.makefile().read())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.exit(answer["code"])
"""


@contextlib.contextmanager
def served(folder: Path, names: Iterable[str], answer: Answering) -> Iterator[None]:
    """Programs of these names in a folder; `answer` is asked for what they print. What it fails
    with is what they fail with."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = json.loads(self.rfile.read())
            try:
                told = answer(Asked(**asked | {"argv": tuple(asked["argv"])}))
            except Exception as error:
                why = f"stand-in: {type(error).__name__}: {error}\n"
                told = Answer(code=99, err=why)
                sys.stderr.write(f"{asked['argv']}: {why}")
            said = {"out": told.out, "err": told.err, "code": told.code}
            self.wfile.write(json.dumps(said).encode())

    socket = str(folder / ".socket")
    for name in names:
        program = folder / name
        program.write_text(_PROGRAM.format(python=sys.executable, socket=socket))
        program.chmod(0o755)
    with socketserver.ThreadingUnixStreamServer(socket, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(PAUSE,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
