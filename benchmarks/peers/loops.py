"""Contenders that are a few lines of Python: what one would write without a scheduler."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

from harness.compile import compile_program
from peers.contender import TRUE, Contender, Extra, Latencies, rest


class Threads(Contender):
    name = "Python threads"
    pace: ClassVar = {"throughput": 1600.0}

    def version(self) -> str:
        return f"subprocess, Python {sys.version.split()[0]}"

    def throughput(self, tasks: int) -> None:
        shares = [len(range(first, tasks, self.width)) for first in range(self.width)]
        threads = [threading.Thread(target=self._run, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self, share: int) -> None:
        for _ in range(share):
            subprocess.check_call([TRUE])


class PosixSpawn(Contender):
    name = "posix_spawn"
    pace: ClassVar = {"throughput": 1150.0, "latency": 50.0}

    def version(self) -> str:
        return f"os.posix_spawn + pidfd + epoll, Python {sys.version.split()[0]}"

    def prepare(self, question: str, tasks: int) -> None:
        if question == "latency":
            self.probe = str(compile_program("probe", Path.cwd()))

    def throughput(self, tasks: int) -> None:
        with selectors.DefaultSelector() as selector:
            started = 0
            while started < tasks or selector.get_map():
                while started < tasks and len(selector.get_map()) < self.width:
                    pid = os.posix_spawn(TRUE, [TRUE], os.environ)
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                    started += 1
                for key, _ in selector.select():
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    os.waitpid(key.data, 0)

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            argv = [self.probe, str(self.probe_file)]
            os.waitpid(os.posix_spawn(self.probe, argv, os.environ), 0)
            seen.note(begun, time.time())
        return seen.extra()
