"""From a decided start to the words the runner needs: command, environment, paths, limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

from hpcshell.core.cudawords import rewritten
from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import label
from hpcshell.core.patterns import expand
from hpcshell.core.records import Claim, Job, Task, WarnSignal
from hpcshell.daemon.gpuvariables import gpu_variables
from hpcshell.daemon.host import Host
from hpcshell.daemon.runner import wire
from hpcshell.machine import checkpoints
from hpcshell.policy.retry import MAKE_ROOM

_FEW = 64


@lru_cache(maxsize=_FEW)
def _array_bounds(indices: str) -> dict[str, str]:
    members = IndexSet.parse(indices)
    step = members.ranges[0].step if len(members.ranges) == 1 else 1
    words = {
        "COUNT": str(len(members)),
        "MIN": str(members.first),
        "MAX": str(members.last),
        "STEP": str(step),
    }
    return {
        f"{family}_ARRAY_TASK_{word}": value
        for family in ("HPC", "SLURM")
        for word, value in words.items()
    }


def start_order(job: Job, task: Task, claim: Claim, host: Host) -> wire.Start:
    """The order for one run. Pure but for the stored environment."""
    job_env = host.environments[job.launch.env]
    env = {**job_env, **variables(job, task, claim, host, job_env)}
    request = task.request or job.request
    stdout, stderr = output_paths(job, task, host)
    return wire.Start(
        run=claim.run,
        argv=list(_argv(job, claim, host)),
        env=env,
        cwd=job.launch.cwd,
        stdin=job.launch.stdin or None,
        stdout=stdout,
        stderr=stderr or None,
        append=job.launch.append or task.attempt > 1,
        umask=job.launch.umask,
        session=_session(job, task),
        guarded=job.launch.guarded,
        roots=list(host.settings.security.allowed_script_paths) if job.launch.guarded else [],
        cores=claim.cores if host.settings.scheduler.pin else (),
        time_limit=request.time_limit if job.deadline is None else limit_of(claim),
        grace=job.grace,
        warn=None if job.warn is None else _warn(job, job.warn),
    )


def session_name(task: Task) -> str:
    """How the session of an element is called: `hpc-12`, `hpc-12_3`."""
    return f"hpc-{label(task)}"


def _session(job: Job, task: Task) -> wire.Session | None:
    if not job.launch.session:
        return None
    return wire.Session(job.launch.session, session_name(task))


def stop_order(job: Job, task: Task) -> wire.Stop:
    """The order to end what `task`, which is being stopped, runs. What is to make room is told
    first, if its job asks for that."""
    ahead = job.checkpoint if task.stopping in MAKE_ROOM else None
    return wire.Stop(
        run=task.run,
        cause=task.stopping,
        grace=job.grace,
        ahead=None if ahead is None else _warn(job, ahead),
    )


def suspend_order(job: Job, task: Task, now: float) -> wire.Suspend:
    """The order to stand still, but not beyond the job's deadline."""
    within = None if job.deadline is None else max(0.0, job.deadline - now)
    return wire.Suspend(run=task.run, within=within)


def limit_of(claim: Claim) -> float | None:
    """Seconds that a run may run: its time limit as last changed, or what its deadline leaves."""
    return None if claim.end is None else claim.end - claim.start - claim.paused


def signal_target(job: Job) -> wire.Target:
    """Whom a signal for a whole run reaches: a script's shell would die of one it does not trap, so
    what the shell has started gets it, as in Slurm."""
    return "rest" if job.launch.script else "all"


def _warn(job: Job, warn: WarnSignal) -> wire.Warn:
    target: wire.Target = "leader" if warn.to == "leader" else signal_target(job)
    return wire.Warn(warn.number, warn.before, target)


def _argv(job: Job, claim: Claim, host: Host) -> tuple[str, ...]:
    argv = job.launch.argv
    if job.launch.rewrite_cuda:
        argv = rewritten(argv, len(claim.gpus) + len(claim.shared))
    return (host.script_to_run(job.launch.script), *argv[1:]) if job.launch.script else argv


def variables(
    job: Job, task: Task, claim: Claim, host: Host, submitted: Mapping[str, str]
) -> dict[str, str]:
    """The variables every run gets, under our names and under Slurm's; `submitted`: those it was
    submitted with."""
    number, cpus = str(job.id), str(claim.cpus)
    origin = submitted.get("HPC_SUBMIT_DIR", job.launch.cwd)
    tasks = submitted.get("SLURM_NTASKS", "1")
    share = claim.cpus // int(tasks) if tasks.isdecimal() and int(tasks) else claim.cpus
    env = {
        "HPC_JOB_ID": number,
        "HPC_JOB_NAME": job.name,
        "HPC_RUN_ID": str(claim.run),
        "HPC_ATTEMPT": str(task.attempt),
        "HPC_RESTART_COUNT": str(task.attempt - 1),
        "HPC_CHECKPOINT_FILE": checkpoints.path_of(host.places.checkpoints, claim.run),
        "HPC_CPUS": cpus,
        "HPC_SUBMIT_DIR": origin,
        "SLURM_JOB_ID": number,
        "SLURM_JOBID": number,
        "SLURM_JOB_NAME": job.name,
        "SLURM_SUBMIT_DIR": origin,
        "SLURM_CPUS_PER_TASK": str(max(1, share)),
        "SLURM_CPUS_ON_NODE": cpus,
        "SLURM_JOB_PARTITION": job.partition,
        "SLURM_RESTART_COUNT": str(task.attempt - 1),
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_NNODES": "1",
        "SLURM_JOB_NODELIST": host.hostname,
        "SLURMD_NODENAME": host.hostname,
        "PBS_JOBID": number,
        "PBS_JOBNAME": job.name,
        "PBS_O_WORKDIR": origin,
        "LSB_JOBID": number,
        "LS_SUBCWD": origin,
        "JOB_ID": number,
        "NSLOTS": cpus,
        "SGE_O_WORKDIR": origin,
    }
    if claim.memory:
        env["HPC_MEMORY"] = str(claim.memory)
        env["SLURM_MEM_PER_NODE"] = str(claim.memory >> 20)
    if host.total.gpus:
        env |= gpu_variables(claim, host.cards)
    if job.array is not None:
        env.update(_array_bounds(job.array.indices))
        for family in ("HPC", "SLURM"):
            env[f"{family}_ARRAY_JOB_ID"] = number
            env[f"{family}_ARRAY_TASK_ID"] = str(task.index)
        for name in ("PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID"):
            env[name] = str(task.index)
    return env


def output_paths(job: Job, task: Task, host: Host) -> tuple[str, str]:
    """Absolute paths of the element's output and error files; an empty error path joins the
    output."""
    default = "hpc-%j.out" if job.array is None else "hpc-%A_%a.out"
    return (
        _path(job.launch.stdout or default, job, task, host),
        _path(job.launch.stderr, job, task, host) if job.launch.stderr else "",
    )


def _path(pattern: str, job: Job, task: Task, host: Host) -> str:
    expanded = expand(
        pattern,
        job=job.id,
        element=None if job.array is None else task.index,
        name=job.name,
        user=job.user,
        node=host.hostname,
    )
    if "/" not in pattern:  # nearly every one; names bring no directory of their own
        return f"{job.launch.cwd.rstrip('/')}/{expanded}"
    return os.path.normpath(os.path.join(job.launch.cwd, expanded))
