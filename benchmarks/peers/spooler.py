"""task-spooler: a queue in C with a daemon and no disk."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from harness.compile import compile_program
from peers.contender import (
    TRUE,
    Contender,
    Extra,
    Latencies,
    missing_program,
    program_version,
    rest,
)

SUBMIT_ALL = 'i=0; while [ $i -lt "$1" ]; do {command} >last; i=$((i + 1)); done'


class TaskSpooler(Contender):
    """Each submit is a process of its own, as its users do it; outputs go to files, as ours do."""

    name = "task-spooler"
    install = "apt-get install task-spooler"
    pace: ClassVar = {"throughput": 550.0, "chain": 500.0, "accept": 450.0, "latency": 30.0}

    def missing(self) -> str | None:
        return missing_program("tsp", self.install)

    def version(self) -> str:
        return program_version("tsp", "-V")

    def open(self) -> None:
        os.environ["TS_SOCKET"] = str(Path("tsp.socket").resolve())
        os.environ["TS_MAXCONN"] = "20000"
        os.environ["TS_MAXFINISHED"] = "20000"
        self._tsp("-S", str(self.width))

    def prepare(self, question: str, tasks: int) -> None:
        if question == "latency":
            self.probe = str(compile_program("probe", Path.cwd()))
        if question == "accept":
            self._tsp("-S", "1")
            self._tsp("sleep", "1000")

    def throughput(self, tasks: int) -> None:
        self._submit(f"tsp {TRUE}", tasks)
        last = int(Path("last").read_text())
        for job in range(last - self.width + 1, last + 1):
            self._tsp("-w", str(job))

    def chain(self, tasks: int) -> None:
        self._submit(f"tsp -d {TRUE}", tasks)
        self._tsp("-w")

    def accept(self, tasks: int) -> None:
        self._submit(f"tsp {TRUE}", tasks)

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            self._tsp("-n", self.probe, str(self.probe_file))
            self._tsp("-w")
            seen.note(begun, time.time())
        return seen.extra()

    def close(self) -> None:
        self._tsp("-K")

    def _submit(self, command: str, tasks: int) -> None:
        script = SUBMIT_ALL.format(command=command)
        subprocess.run(["sh", "-c", script, "sh", str(tasks)], check=True)

    def _tsp(self, *arguments: str) -> None:
        subprocess.run(["tsp", *arguments], stdout=subprocess.DEVNULL, check=True)
