"""Contenders from PyPI: task queues and parallel frameworks, each told to run the same program.

They are imported by name at the last moment, so that these files load where they are not installed.
A framework that runs Python functions gets one that starts the program and waits for it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from harness.compile import compile_program
from peers.contender import TRUE, Contender, Extra, Latencies, rest


class Framework(Contender):
    """A contender that is a Python package."""

    package: ClassVar[str]
    in_venv: ClassVar[bool] = True

    def missing(self) -> str | None:
        return None if importlib.util.find_spec(self.package) else self.install

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def prepare(self, question: str, tasks: int) -> None:
        if question == "latency":
            self.probe = str(compile_program("probe", Path.cwd()))


def program_caller() -> Callable[..., int]:
    """A function that runs the program it is given, whatever comes after: edges of a graph.

    Made anew, so that the frameworks ship it by value: their workers cannot import this file.
    """

    def call(command: list[str], *after: object) -> int:
        import subprocess

        return subprocess.check_call(command)

    return call


class Dask(Framework):
    name = "dask"
    package = "distributed"
    install = "pip install 'dask[distributed]'"
    pace: ClassVar = {"throughput": 380.0, "chain": 150.0, "fan": 300.0, "latency": 50.0}

    def open(self) -> None:
        logging.getLogger("distributed").setLevel(logging.ERROR)
        distributed = importlib.import_module("distributed")
        self.cluster: Any = distributed.LocalCluster(
            n_workers=self.width, threads_per_worker=1, dashboard_address=None
        )
        self.client: Any = distributed.Client(self.cluster)
        self.gather: Any = distributed.wait
        self.call = program_caller()
        self.throughput(2 * self.width)

    def throughput(self, tasks: int) -> None:
        futures = [self._submit([TRUE]) for _ in range(tasks)]
        self.gather(futures)

    def chain(self, tasks: int) -> None:
        last: list[Any] = []
        kept = []
        for _ in range(tasks):
            last = [self._submit([TRUE], *last)]
            kept += last
        self.gather(last)

    def fan(self, tasks: int) -> None:
        first = self._submit([TRUE])
        middle = [self._submit([TRUE], first) for _ in range(tasks)]
        self.gather([self._submit([TRUE], *middle)])

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            self._submit([self.probe, str(self.probe_file)]).result()
            seen.note(begun, time.time())
        return seen.extra()

    def close(self) -> None:
        self.client.close()
        self.cluster.close()

    def _submit(self, command: list[str], *after: object) -> Any:
        return self.client.submit(self.call, command, *after, pure=False)


class Ray(Framework):
    name = "ray"
    package = "ray"
    install = "pip install ray"
    pace: ClassVar = {"throughput": 400.0, "chain": 210.0, "fan": 350.0, "latency": 50.0}

    def open(self) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        self.ray: Any = importlib.import_module("ray")
        self.ray.init(
            num_cpus=self.width,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=100_000_000,
            _temp_dir=str(Path("r").resolve()),
        )
        self.call: Any = self.ray.remote(program_caller())
        self.throughput(2 * self.width)

    def throughput(self, tasks: int) -> None:
        self.ray.get([self.call.remote([TRUE]) for _ in range(tasks)])

    def chain(self, tasks: int) -> None:
        last: list[Any] = []
        for _ in range(tasks):
            last = [self.call.remote([TRUE], *last)]
        self.ray.get(last)

    def fan(self, tasks: int) -> None:
        first = self.call.remote([TRUE])
        middle = [self.call.remote([TRUE], first) for _ in range(tasks)]
        self.ray.get(self.call.remote([TRUE], *middle))

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            self.ray.get(self.call.remote([self.probe, str(self.probe_file)]))
            seen.note(begun, time.time())
        return seen.extra()

    def close(self) -> None:
        self.ray.shutdown()


class Parsl(Framework):
    """The high-throughput executor, one block on this machine."""

    name = "parsl HTEX"
    package = "parsl"
    install = "pip install parsl"
    pace: ClassVar = {"throughput": 450.0, "chain": 190.0, "fan": 400.0, "latency": 50.0}

    def open(self) -> None:
        logging.disable(logging.WARNING)
        # Its workers import the module a function was written in, even of one made on the fly.
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
        parsl = importlib.import_module("parsl")
        config = importlib.import_module("parsl.config")
        executors = importlib.import_module("parsl.executors")
        providers = importlib.import_module("parsl.providers")
        executor = executors.HighThroughputExecutor(
            label="htex",
            address="127.0.0.1",
            max_workers_per_node=self.width,
            provider=providers.LocalProvider(init_blocks=1, max_blocks=1),
        )
        self.kernel: Any = parsl.load(
            config.Config(
                executors=[executor], run_dir=str(Path("parsl").resolve()), usage_tracking=0
            )
        )
        self.call: Any = parsl.python_app(program_caller())
        self.throughput(2 * self.width)

    def throughput(self, tasks: int) -> None:
        for future in [self.call([TRUE]) for _ in range(tasks)]:
            future.result()

    def chain(self, tasks: int) -> None:
        last: list[Any] = []
        for _ in range(tasks):
            last = [self.call([TRUE], *last)]
        last[0].result()

    def fan(self, tasks: int) -> None:
        first = self.call([TRUE])
        middle = [self.call([TRUE], first) for _ in range(tasks)]
        self.call([TRUE], *middle).result()

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            begun = time.time()
            self.call([self.probe, str(self.probe_file)]).result()
            seen.note(begun, time.time())
        return seen.extra()

    def close(self) -> None:
        self.kernel.cleanup()


class Huey(Framework):
    """A task queue on SQLite, as it comes: commits are not synced, so a crash may lose tasks."""

    name = "huey"
    package = "huey"
    install = "pip install huey"
    pace: ClassVar = {"throughput": 900.0, "accept": 4000.0}
    fsync: ClassVar[bool] = False

    def open(self) -> None:
        logging.disable(logging.WARNING)
        huey = importlib.import_module("huey")
        self.queue: Any = huey.SqliteHuey(filename="huey.db", fsync=self.fsync)
        self.left = threading.Semaphore(0)
        self.task: Any = self.queue.task()(self._run)
        self.consumer: Any = self.queue.create_consumer(
            workers=self.width,
            worker_type="thread",
            periodic=False,
            initial_delay=0.005,
            max_delay=0.005,
        )

    def prepare(self, question: str, tasks: int) -> None:
        if question == "throughput":
            self.consumer.start()

    def _run(self) -> None:
        subprocess.check_call([TRUE])
        self.left.release()

    def throughput(self, tasks: int) -> None:
        self.accept(tasks)
        for _ in range(tasks):
            self.left.acquire()

    def accept(self, tasks: int) -> None:
        for _ in range(tasks):
            self.task()


class HueyDurable(Huey):
    """The same with every commit synced."""

    name = "huey, fsync"
    pace: ClassVar = {"throughput": 400.0, "accept": 1500.0}
    fsync: ClassVar[bool] = True


class HyperQueue(Framework):
    """Its Python package with the local cluster; task outputs go to files, as ours do."""

    name = "HyperQueue"
    package = "hyperqueue"
    install = "pip install hyperqueue"
    least: ClassVar[int] = 2000  # it looks for the end once a second
    pace: ClassVar = {
        "throughput": 310.0,
        "chain": 22.0,
        "fan": 250.0,
        "accept": 2500.0,
        "latency": 1.0,
    }

    def open(self) -> None:
        # Its progress bars write to stderr, which is the stage's log.
        hyperqueue = importlib.import_module("hyperqueue")
        cluster = importlib.import_module("hyperqueue.cluster")
        self.new_job: Any = hyperqueue.Job
        self.cluster: Any = cluster.LocalCluster(
            server_dir=str(Path("hq").resolve()),
            worker_config=cluster.WorkerConfig(cores=self.width),
        )
        self.client: Any = self.cluster.client()

    def throughput(self, tasks: int) -> None:
        job = self.new_job()
        for _ in range(tasks):
            job.program([TRUE])
        self._run(job)

    def chain(self, tasks: int) -> None:
        job = self.new_job()
        last: list[Any] = []
        for _ in range(tasks):
            last = [job.program([TRUE], deps=last)]
        self._run(job)

    def fan(self, tasks: int) -> None:
        job = self.new_job()
        first = job.program([TRUE])
        middle = [job.program([TRUE], deps=[first]) for _ in range(tasks)]
        job.program([TRUE], deps=middle)
        self._run(job)

    def accept(self, tasks: int) -> None:
        for _ in range(tasks):
            job = self.new_job()
            job.program([TRUE])
            self.client.submit(job)

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest()
            job = self.new_job()
            job.program([self.probe, str(self.probe_file)])
            begun = time.time()
            self._run(job)
            seen.note(begun, time.time())
        return seen.extra()

    def close(self) -> None:
        self.cluster.stop()

    def _run(self, job: Any) -> None:
        self.client.wait_for_jobs([self.client.submit(job)])
