"""Which provider tells of the cards of this machine."""

from __future__ import annotations

import os
from typing import Final

from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine.gpus.contract import GPUProvider

NO_DRIVER: Final = "no NVIDIA or AMD driver is loaded"
_SIGNS: Final = (
    ("nvml", ("/dev/nvidiactl", "/proc/driver/nvidia")),
    ("amd", ("/dev/kfd",)),
)


def chosen(provider: str) -> str:
    """Who is to be asked; "" where it is left to us and no driver is loaded. Where both are, it is
    NVIDIA's."""
    if provider != "auto":
        return provider
    loaded = (name for name, signs in _SIGNS if any(map(os.path.exists, signs)))
    return next(loaded, "")


def provider(name: str, settings: GpuSettings, play: str) -> GPUProvider:
    """The provider of this name, at work; `play` is the file of the made-up cards. Raises
    `GpusMissing`."""
    if name == "nvml":
        from hpcshell.machine.gpus.nvml import NvmlProvider

        return NvmlProvider()
    if name == "amd":
        from hpcshell.machine.gpus.amd import AmdProvider

        return AmdProvider()
    from hpcshell.machine.gpus.fake import COUNT, FakeProvider

    count = COUNT if settings.count is None else settings.count
    return FakeProvider(count, settings.memory, settings.model, play)
