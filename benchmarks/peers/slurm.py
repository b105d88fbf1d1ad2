"""A real Slurm, brought up for the turn by a tool named in the environment.

`HPCBENCH_SLURM` is the path of a program with the verbs `up` and `down` that makes a one-machine
cluster below `$SLURM_DEMO_DIR` and leaves its configuration in `$SLURM_DEMO_DIR/etc/slurm.conf`.
If it is `system`, the machine's own Slurm is used as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from harness.compile import compile_program
from peers.contender import Contender, Extra, Latencies, program_version, rest

TOOL = "HPCBENCH_SLURM"
# As fast as it can be made on one machine: no accounting, and no waiting where a wait may be set.
# slurmd keeps a job's processors for about a second after its end, so that two of them would do two
# jobs a second; it is given as many as help it, and the processors of the machine set its pace.
SHAPE = "--nodes 2 --cpus 64 --gpus 0 --accounting no --users - --preempt none"
TUNING = (
    "SchedulerParameters=batch_sched_delay=0,sched_min_interval=0",
    "DefMemPerCPU=1",
    "JobAcctGatherType=jobacct_gather/none",
    "PriorityType=priority/basic",
    "SlurmctldDebug=error",
    "SlurmdDebug=error",
)


class Slurm(Contender):
    name = "Slurm"
    install = f"apt-get install slurm-wlm munge, and name a cluster tool in ${TOOL} (see README)"
    least: ClassVar[int] = 300  # its first jobs start a second late, its last end is polled for
    pace: ClassVar = {"throughput": 30.0, "latency": 1.0}

    def missing(self) -> str | None:
        self.tool = os.environ.get(TOOL, "")
        found = self.tool == "system" or shutil.which(self.tool)
        return None if found and shutil.which("sbatch") else self.install

    def version(self) -> str:
        return program_version("sinfo", "--version")

    def open(self) -> None:
        if self.tool == "system":
            return
        place = Path("slurm").resolve()
        os.environ["SLURM_DEMO_DIR"] = str(place)
        os.environ["SLURM_CONF"] = str(place / "etc/slurm.conf")
        sets = [word for line in TUNING for word in ("--set", line)]
        # Jobs run as the same user; they and the daemons must be able to pass through.
        Path.cwd().chmod(0o755)
        subprocess.run([self.tool, "up", *SHAPE.split(), "--port", "27810", *sets], check=True)

    def prepare(self, question: str, tasks: int) -> None:
        Path("job.sh").write_text("#!/bin/sh\nexec /bin/true\n")
        if question == "latency":
            self.probe = str(compile_program("probe", Path.cwd()))
            Path("probe.sh").write_text(f"#!/bin/sh\nexec {self.probe} {self.probe_file}\n")

    def throughput(self, tasks: int) -> None:
        self._await_end(self._submit(f"--array=0-{tasks - 1}", "job.sh"), 0.25)

    def latency(self, tasks: int) -> Extra:
        seen = Latencies(self)
        for _ in range(tasks + 1):
            rest(0.5)
            begun = time.time()
            self._await_end(self._submit("probe.sh"), 0.05)
            seen.note(begun, time.time())
        return seen.extra()

    def close(self) -> None:
        if self.tool != "system":
            subprocess.run([self.tool, "down", "--purge"], check=True)

    def _submit(self, *arguments: str) -> str:
        command = ["sbatch", "--parsable", "--ntasks=1", *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def _await_end(self, job: str, pause: float) -> None:
        """Ask until it has left the queue; `sbatch --wait` would look only every few seconds."""
        while subprocess.run(
            ["squeue", "-h", "-j", job, "-t", "PD,R,CG", "-o", "%A"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        ).stdout.strip():
            time.sleep(pause)
