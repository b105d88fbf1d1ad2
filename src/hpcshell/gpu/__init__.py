"""The GPU box for programs: scripts in, shares of cards out, by this machine's own scheduler.

    from hpcshell.gpu import GPUScheduler, SchedulerConfig

    scheduler = GPUScheduler(SchedulerConfig.from_file("config.json"))
    scheduler.start()
    scheduler.add_job("train.py", args=["--llm", "qwen2.5-7b-inst"], priority=0)

Its jobs are those of `hpc gpu`, and of `hpc queue --tag gpubox`. Each part is loaded when it is
used.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcshell.gpu.config import SchedulerConfig as SchedulerConfig
    from hpcshell.gpu.scheduler import GPUScheduler as GPUScheduler

_HOMES = {
    "GPUScheduler": "hpcshell.gpu.scheduler",
    "SchedulerConfig": "hpcshell.gpu.config",
}

__all__ = ["GPUScheduler", "SchedulerConfig"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'hpcshell.gpu' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
