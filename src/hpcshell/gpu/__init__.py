"""The GPU box for programs: scripts in, shares of cards out, by this machine's own scheduler.

    from hpcshell.gpu import GPUScheduler, SchedulerConfig

    scheduler = GPUScheduler(SchedulerConfig.from_file("config.json"))
    scheduler.start()
    scheduler.add_job("train.py", args=["--llm", "qwen2.5-7b-inst"], priority=0)

Its jobs are those of `hpc gpu`, and of `hpc queue --tag gpubox`. `GPUProvider` is what is asked of
a card's driver, `NvmlProvider` and `FakeProvider` answer it. Each part is loaded when it is used.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcshell.gpu.config import SchedulerConfig as SchedulerConfig
    from hpcshell.gpu.scheduler import GPUScheduler as GPUScheduler
    from hpcshell.machine.gpus.contract import GPUProvider as GPUProvider
    from hpcshell.machine.gpus.fake import FakeProvider as FakeProvider
    from hpcshell.machine.gpus.nvml import NvmlProvider as NvmlProvider

_HOMES = {
    "FakeProvider": "hpcshell.machine.gpus.fake",
    "GPUProvider": "hpcshell.machine.gpus.contract",
    "GPUScheduler": "hpcshell.gpu.scheduler",
    "NvmlProvider": "hpcshell.machine.gpus.nvml",
    "SchedulerConfig": "hpcshell.gpu.config",
}

__all__ = ["FakeProvider", "GPUProvider", "GPUScheduler", "NvmlProvider", "SchedulerConfig"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'hpcshell.gpu' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
