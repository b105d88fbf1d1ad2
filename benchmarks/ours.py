"""HPCShell as a contender. Everything the benchmarks know of its interface stands here."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from harness.accounting import counted_with_us, process_seconds
from harness.compile import compile_program
from peers.contender import TRUE, Contender, Extra, Latencies, rest

NAME = "HPCShell"


def hpc_program() -> Path:
    """The `hpc` beside the Python that runs us."""
    return Path(sys.executable).parent / "hpc"


def hpc(*arguments: str) -> str:
    """Run `hpc`; what it printed."""
    command = [str(hpc_program()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise RuntimeError(f"hpc {' '.join(arguments)}: exit {done.returncode}: {words[0]}")
    return done.stdout


def daemon_pids() -> dict[str, int]:
    """The processes that serve: daemon, runner, and the runner's parent, which keeps exit codes.

    The runner is not there before it is needed.
    """
    status = json.loads(hpc("daemon", "status", "--json"))
    pids = {"daemon": int(status["pid"])}
    if status["runner_pid"] is not None:
        pids["runner"] = int(status["runner_pid"])
        pids["keeper"] = _status_field(pids["runner"], "PPid")
    return {name: pid for name, pid in pids.items() if pid > 1}


def completed(job: Any) -> None:
    """Wait for its end, which must be a good one: of every element, and of all it came after."""
    state = job.wait()
    if state != "COMPLETED":
        raise RuntimeError(f"job {job.id} ended {state}")


class Ours(Contender):
    """In a state directory of its own, with as many processors as the width."""

    name = NAME
    install = "pip install . (from the root of this repository)"
    pace: ClassVar = {"throughput": 700.0, "chain": 450.0, "fan": 600.0}

    def missing(self) -> str | None:
        if not hpc_program().exists():
            return self.install
        try:
            self.api: Any = importlib.import_module("hpcshell")
        except ImportError:
            return self.install
        return None if hasattr(self.api, "submit") else self.install

    def version(self) -> str:
        return str(getattr(self.api, "__version__", ""))

    def open(self) -> None:
        os.environ["HPCSHELL_HOME"] = str(Path("home").resolve())
        os.environ["HPC_RESOURCES__CPUS"] = str(self.width)
        os.environ["NO_COLOR"] = "1"
        hpc("daemon", "start")
        completed(self.submit([TRUE]))
        for name, pid in daemon_pids().items():
            if not counted_with_us(pid):
                raise RuntimeError(f"the {name} left our control group: it would not be counted")

    def close(self) -> None:
        hpc("daemon", "stop", "--cancel")

    def prepare(self, question: str, tasks: int) -> None:
        if question == "latency":
            self.probe = str(compile_program("probe", Path.cwd()))
        if question in ("accept", "accept_many", "million"):
            self._fill_machine()

    def answer(self, question: str, tasks: int) -> Extra:
        own = OWN.get(question)
        return own(self, tasks) if own else super().answer(question, tasks)

    # ---- how fast work goes through

    def throughput(self, tasks: int) -> None:
        completed(self.submit([TRUE], array=f"0-{tasks - 1}"))

    def chain(self, tasks: int) -> None:
        last = self.submit([TRUE])
        for _ in range(tasks - 1):
            last = self.submit([TRUE], dependency=f"afterok:{last.id}")
        completed(last)

    def fan(self, tasks: int) -> None:
        first = self.submit([TRUE])
        middle = self.submit([TRUE], array=f"0-{tasks - 1}", dependency=f"afterok:{first.id}")
        completed(self.submit([TRUE], dependency=f"afterok:{middle.id}"))

    # ---- how fast work is taken in

    def accept(self, tasks: int) -> None:
        """Separate jobs that queue behind one that has the whole machine."""
        self._from_threads(tasks)

    def accept_held(self, tasks: int) -> None:
        self._from_threads(tasks, hold=True)

    def accept_open(self, tasks: int) -> None:
        """While the machine starts them as they come."""
        self._from_threads(tasks)

    def accept_many(self, tasks: int) -> None:
        """All in one call."""
        self.api.submit_many([[TRUE]] * tasks)

    # ---- how soon

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            completed(self.submit([self.probe, str(self.probe_file)]))
            seen.note(begun, time.time())
        return seen.extra()

    # ---- means

    def submit(self, command: list[str], **options: Any) -> Any:
        return self.api.submit(command, **options)

    def _fill_machine(self) -> None:
        self.submit(["sleep", "1000"], cpus=self.width)

    def _from_threads(self, tasks: int, threads: int = 32, **options: Any) -> None:
        """`threads` submits in flight until all are acknowledged."""
        numbers = iter(range(tasks))
        lock = threading.Lock()
        errors: list[BaseException] = []

        def submit_until_done() -> None:
            try:
                while True:
                    with lock:
                        if next(numbers, None) is None:
                            return
                    self.submit([TRUE], **options)
            except BaseException as error:
                errors.append(error)

        crew = [threading.Thread(target=submit_until_done) for _ in range(threads)]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        if errors:
            raise errors[0]


# ---- what only we are asked: functions of the open contender and a number


def million(ours: Ours, tasks: int) -> Extra:
    """The time to accept an array of so many, on a machine that is taken, and the memory after."""
    begun = time.perf_counter()
    ours.submit([TRUE], array=f"0-{tasks - 1}")
    return {"seconds": time.perf_counter() - begun, **memory(ours)}


def million_open(ours: Ours, tasks: int) -> Extra:
    """The same on a free machine, and the memory after its elements have run for a while."""
    taken = million(ours, tasks)
    time.sleep(3.0)
    return {**taken, **memory(ours)}


def commands(_ours: Ours, times: int) -> Extra:
    """Wall and processor time of commands, from exec to exit."""
    extra: Extra = {}
    for word, arguments in (
        ("run", ["run", "--", "true"]),
        ("submit", ["submit", "--quiet", "--", "true"]),
        ("queue", ["queue"]),
        ("help", ["--help"]),
    ):
        extra |= _timed(word, [str(hpc_program()), *arguments], times)
    return extra


def imports(_ours: Ours, times: int) -> Extra:
    """What `import hpcshell`, and reaching for `submit`, cost beside a Python that imports nothing.

    One after the other, over and over: the differences are small.
    """
    codes = {"python": "pass", "import": "import hpcshell", "reach": "from hpcshell import submit"}
    took: dict[str, list[float]] = {f"{word}_cpu": [] for word in codes}
    for _ in range(times):
        for word, code in codes.items():
            once = _timed(word, [sys.executable, "-c", code], 1)[f"{word}_cpu"]
            took[f"{word}_cpu"] += once if isinstance(once, list) else [once]
    return {**took}


def idle(_ours: Ours, seconds: int) -> Extra:
    """Processor time and wake-ups a second of the daemons over a window of so many seconds."""
    pids = daemon_pids().values()
    time.sleep(1.0)
    cpu, wakes = _total(process_seconds, pids), _total(_wakes, pids)
    time.sleep(seconds)
    return {
        "share": (_total(process_seconds, pids) - cpu) / seconds,
        "wakes": (_total(_wakes, pids) - wakes) / seconds,
    }


def memory(_ours: Ours, _tasks: int = 1) -> Extra:
    """The daemon's resident memory, now and at its peak."""
    pid = daemon_pids()["daemon"]
    return {
        "rss_mb": _status_field(pid, "VmRSS") / 1024,
        "peak_mb": _status_field(pid, "VmHWM") / 1024,
    }


def first_page(_ours: Ours, times: int) -> Extra:
    return _timed("queue", [str(hpc_program()), "queue"], times)


def restart(ours: Ours, times: int) -> Extra:
    """From the order to start until a client is answered, on the state as it is."""
    ready: list[float] = []
    for _ in range(times):
        hpc("daemon", "stop")
        begun = time.perf_counter()
        hpc("daemon", "start")
        hpc("daemon", "status", "--json")
        ready.append(time.perf_counter() - begun)
    return {"ready": ready, **memory(ours)}


OWN: Mapping[str, Callable[[Ours, int], Extra]] = {
    "million": million,
    "million_open": million_open,
    "commands": commands,
    "imports": imports,
    "idle": idle,
    "memory": memory,
    "first_page": first_page,
    "restart": restart,
}


def _timed(word: str, command: list[str], times: int) -> Extra:
    """`WORD_wall` and `WORD_cpu`: seconds of each of `times` runs after one that warms."""
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(times + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        wall.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {f"{word}_wall": wall[1:], f"{word}_cpu": cpu[1:]}


def _total(measure: Callable[[int], float], pids: Iterable[int]) -> float:
    return sum(measure(pid) for pid in pids)


def _wakes(pid: int) -> float:
    return float(_status_field(pid, "voluntary_ctxt_switches"))


def _status_field(pid: int, field: str) -> int:
    """A number from `/proc/PID/status`: kB for sizes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return int(value.split()[0])
    raise KeyError(field)
