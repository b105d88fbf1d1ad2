"""`HPCJobManager` and its two kinds: parameters in, ids out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from shlex import quote as shell_quote
from typing import Any, ClassVar, Final

from hpcshell import jobs
from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import nearest, one_line, quote, safe
from hpcshell.hpc.resources import directive_lines, said
from hpcshell.hpc.scripts import array_script, single_script
from hpcshell.schedulers import ClusterScheduler, JobStatus
from hpcshell.schedulers.clusters import on_cluster
from hpcshell.sweeps.wanted import DEFAULT_WALLTIME, Wanted, wanted

Params = Mapping[str, Any]
MODES: Final = ("individual", "array")
USUAL_SCRIPT: Final = "train.py"
"""What is run in a project that has it, where no script was named."""
EXAMPLES: Final = {
    "walltime": "04:00:00",
    "resources": "select=1:ncpus=4:mem=16gb",
    "queue": "normal",
    "account": "physics",
}
"""Texts that directives are made of, as they may be written."""
WORDS: Final[Mapping[JobStatus, str]] = {
    JobStatus.PENDING: "queued",
    JobStatus.RUNNING: "running",
    JobStatus.COMPLETED: "completed",
    JobStatus.CANCELLED: "cancelled",
    JobStatus.FAILED: "failed",
    JobStatus.TIMEOUT: "failed",
    JobStatus.UNKNOWN: "unknown",
}


class HPCJobManager(ABC):
    """Submits sweeps: `python_path script_path "name=value" ...`, run in `project_dir`.

    `resources` is read in the words of PBS (`select=1:ncpus=4:mem=16gb`) and of Slurm
    (`--nodes=1 --mem=16G`), wherever the jobs go. `queue` is that of PBS, or a partition. `cluster`
    names a configured one; without it the scheduler is that of this machine. Raises an `HpcError`
    for what cannot be.
    """

    kind: ClassVar[str]
    """The back end."""

    def __init__(
        self,
        walltime: str = DEFAULT_WALLTIME,
        resources: str = "",
        python_path: str = "python",
        script_path: str = "",
        project_dir: str | os.PathLike[str] = ".",
        *,
        queue: str = "",
        account: str = "",
        cluster: str | None = None,
    ) -> None:
        self.walltime = _text(walltime, "walltime")
        self.resources = _text(resources, "resources")
        self.python_path = python_path
        self.script_path = os.fspath(script_path)
        self.project_dir = os.fspath(project_dir)
        self.queue = _text(queue, "queue")
        self.account = _text(account, "account")
        self.cluster = cluster

    @property
    @abstractmethod
    def scheduler_name(self) -> str:
        """`pbs` or `slurm`."""

    @property
    @abstractmethod
    def submit_command(self) -> str:
        """The scheduler's own command that submits a script."""

    @property
    @abstractmethod
    def status_command(self) -> str:
        """The scheduler's own command that lists jobs."""

    @classmethod
    def auto_detect(
        cls,
        walltime: str | None = None,
        resources: str | None = None,
        python_path: str | None = None,
        script_path: str = "",
        project_dir: str | os.PathLike[str] = ".",
        system: str | None = None,
        *,
        config: str | os.PathLike[str] | None = None,
        cluster: str | None = None,
    ) -> HPCJobManager:
        """The manager for the scheduler there is, or that `system` names (`pbs`, `slurm`).

        What is not given is taken from the variables `HSM_HPC_WALLTIME`, `HSM_HPC_RESOURCES` and
        `HSM_HPC_SYSTEM`, else from the YAML file `config`, `$HSM_CONFIG` or `hsm_config.yaml` in
        the project. Raises `NotFound` where neither scheduler is.
        """
        settings = wanted(project_dir, config)
        chosen = _kind(system or settings.system, cluster)
        return chosen(
            walltime=walltime or settings.walltime,
            resources=settings.resources if resources is None else resources,
            python_path=python_path or settings.python_path,
            script_path=script_path,
            project_dir=project_dir,
            cluster=cluster,
            **chosen._own(settings),
        )

    @staticmethod
    @abstractmethod
    def _own(settings: Wanted) -> dict[str, str]:
        """Queue and account of this kind, as the configuration says."""

    @cached_property
    def scheduler(self) -> ClusterScheduler:
        """What the jobs are submitted to."""
        found = on_cluster(self.cluster or self.kind)
        assert found is not None  # only `auto` finds none
        return found

    # ------------------------------------------------------------------------------- submitting

    def submit_single_job(
        self,
        params: Params,
        job_name: str,
        sweep_dir: str | os.PathLike[str],
        sweep_id: str,
    ) -> str:
        """Submit one combination of parameters; the job's id. Its script is `job_name.sh`."""
        text = self.single_script(params, job_name, sweep_id)
        return self._submit(text, job_name, sweep_dir, f"{_short(job_name, sweep_id)}.log")

    def submit_array_job(
        self,
        param_combinations: Iterable[Params],
        sweep_id: str,
        sweep_dir: str | os.PathLike[str],
    ) -> str:
        """Submit all combinations as one array, whose elements are 1, 2, ...; the array's id."""
        text = self.array_script(param_combinations, sweep_id)
        return self._submit(text, sweep_id, sweep_dir, "task_%a.log")

    def submit_sweep(
        self,
        param_combinations: Iterable[Params],
        mode: str,
        sweep_dir: str | os.PathLike[str],
        sweep_id: str,
    ) -> list[str]:
        """Submit all combinations, `individual`ly or as one `array`; the ids of the jobs."""
        if mode not in MODES:
            near = nearest(mode, MODES)
            hint = f"did you mean {near}?" if near else f"there are {' and '.join(MODES)}"
            raise Wrong(f"mode={quote(str(mode))} is no way to submit a sweep", hint)
        if mode == "array":
            return [self.submit_array_job(param_combinations, sweep_id, sweep_dir)]
        return [
            self.submit_single_job(params, f"{sweep_id}_task_{number:03}", sweep_dir, sweep_id)
            for number, params in enumerate(param_combinations, start=1)
        ]

    def get_job_status(self, job_id: str) -> str:
        """`queued`, `running`, `completed`, `failed`, `cancelled`, or `unknown`."""
        return WORDS[self.scheduler.get_job_status(job_id)]

    # ------------------------------------------------------------------------------- the script

    _INDEX: ClassVar[str]
    """The index of an element in the name of a file, as the scheduler writes it."""

    @abstractmethod
    def _directives(self, name: str, log: str, elements: int) -> list[str]:
        """All directives; `elements` of an array, 0 for a plain job."""

    def single_script(self, params: Params, job_name: str, sweep_id: str) -> str:
        """What `submit_single_job` submits."""
        head = self._head(job_name, f"logs/{_short(job_name, sweep_id)}.log")
        return single_script(self.kind, head, self._command(), params)

    def array_script(self, param_combinations: Iterable[Params], sweep_id: str) -> str:
        """What `submit_array_job` submits."""
        several = list(param_combinations)
        if not several:
            raise Wrong("there are no parameters to run with", "give at least one combination")
        head = self._head(sweep_id, f"logs/task_{self._INDEX}.log", len(several))
        return array_script(self.kind, head, self._command(), several)

    def _head(self, name: str, log: str, elements: int = 0) -> list[str]:
        return self._directives(said(name, "name"), said(log, "log"), elements)

    def _resources(self) -> list[str]:
        return directive_lines(self.resources, self.kind)

    def _command(self) -> str:
        script = self.script_path
        if not script and (Path(self.project_dir) / USUAL_SCRIPT).exists():
            script = USUAL_SCRIPT
        if not script:
            raise Wrong("no script to run was named", 'give one: script_path="train.py"')
        return f"{_word(self.python_path)} {_word(script)}"

    def _submit(self, text: str, name: str, sweep_dir: str | os.PathLike[str], log: str) -> str:
        """Write the script into the directory of the sweep, and hand it over."""
        scheduler = self.scheduler
        where = Path(sweep_dir).absolute()
        where.mkdir(parents=True, exist_ok=True)
        path = where / f"{name.replace('/', '_').removeprefix('.')}.sh"
        path.write_text(text)
        project = os.path.abspath(self.project_dir)
        options: dict[str, Any] = {}
        if self.kind == "pbs":  # to PBS that is the directory of the process that submits
            options["setup"] = [f"export PBS_O_WORKDIR={shell_quote(project)}"]
        if scheduler.here:
            logs = f"{where}/logs/{log}".replace("%", "%%").replace("%%a", "%a")
            options |= {"chdir": project, "output": logs}
        job = jobs.submit_script(path, on=scheduler.on, **options)
        return job.label


class PBSJobManager(HPCJobManager):
    """OpenPBS, PBS Pro and Torque."""

    kind = "pbs"
    _INDEX = "^array_index^"

    @property
    def scheduler_name(self) -> str:
        return "pbs"

    @property
    def submit_command(self) -> str:
        return "qsub"

    @property
    def status_command(self) -> str:
        return "qstat"

    @staticmethod
    def _own(settings: Wanted) -> dict[str, str]:
        return {"queue": settings.pbs.queue, "account": settings.pbs.account}

    def _directives(self, name: str, log: str, elements: int) -> list[str]:
        lines = [f"-N {name}", f"-l walltime={said(self.walltime, 'walltime')}"]
        lines += [f"-q {said(self.queue, 'queue')}"] if self.queue else []
        lines += [f"-A {said(self.account, 'account')}"] if self.account else []
        lines += [*self._resources(), *([f"-J 1-{elements}"] if elements else [])]
        return [f"#PBS {line}" for line in (*lines, "-j oe", f"-o {log}")]


class SlurmJobManager(HPCJobManager):
    """Slurm."""

    kind = "slurm"
    _INDEX = "%a"

    @property
    def scheduler_name(self) -> str:
        return "slurm"

    @property
    def submit_command(self) -> str:
        return "sbatch"

    @property
    def status_command(self) -> str:
        return "squeue"

    @staticmethod
    def _own(settings: Wanted) -> dict[str, str]:
        return {"queue": settings.slurm.partition, "account": settings.slurm.account}

    def _directives(self, name: str, log: str, elements: int) -> list[str]:
        lines = [f"--job-name={name}", f"--time={said(self.walltime, 'walltime')}"]
        lines += [f"--partition={said(self.queue, 'partition')}"] if self.queue else []
        lines += [f"--account={said(self.account, 'account')}"] if self.account else []
        lines += [*self._resources(), *([f"--array=1-{elements}"] if elements else [])]
        return [f"#SBATCH {line}" for line in (*lines, f"--output={log}")]


KINDS: Final[Mapping[str, type[HPCJobManager]]] = {"pbs": PBSJobManager, "slurm": SlurmJobManager}


def _kind(system: str, cluster: str | None) -> type[HPCJobManager]:
    """The class for what is asked for, or for what is there."""
    if system in KINDS:
        return KINDS[system]
    if system != "auto":
        near = nearest(system, KINDS)
        hint = f"did you mean {near}?" if near else "there are auto, pbs and slurm"
        raise Wrong(f"system={quote(system)} is no scheduler", hint)
    from hpcshell.jobs.doors import LOCAL
    from hpcshell.jobs.doors import said as configured

    named = cluster or configured()
    found = None if named == LOCAL else on_cluster(named)
    if found is None:
        hint = "hpcshell.schedulers.JobManager() uses this machine's own scheduler"
        raise NotFound("there is no PBS and no Slurm on this machine", hint)
    if found.kind not in KINDS:
        hint = "hpcshell.schedulers.JobManager() submits to it"
        raise NotFound(f"{found.on} is a cluster of another kind: {found.name}", hint)
    return KINDS[found.kind]


def _short(job_name: str, sweep_id: str) -> str:
    """`task_001` of `sweep_task_001`."""
    return job_name.removeprefix(f"{sweep_id}_").removeprefix("sweep_")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        hint = f'write it as the scheduler reads it: {name}="{EXAMPLES[name]}"'
        raise Wrong(f"{name}={safe(repr(value))[:80]} is no text", hint)
    return one_line(value, name)


def _word(text: str) -> str:
    return shell_quote(one_line(text, "a path"))
