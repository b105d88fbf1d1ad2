"""NVML as nvidia-ml-py gives it, with its many ways of not answering made few."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, Final

from hpcshell.core.gpus import Tenant
from hpcshell.machine.gpus import bus
from hpcshell.machine.gpus.contract import GpusMissing

_PROCESSES: Final = ("Compute", "Graphics", "MPSCompute")
"""Contexts of which the driver keeps a list each."""
_SILENT: Final = ("NOT_SUPPORTED", "FUNCTION_NOT_FOUND", "NO_PERMISSION", "NO_DATA")
"""Errors by which a card or a driver says that it does not tell such things."""


class Library:
    """NVML at work; `GpusMissing` where it cannot be. `nvml` is the module, and `nvml.NVMLError`
    what all that is asked of one card may raise."""

    def __init__(self) -> None:
        self.nvml = _loaded()
        self._silent = frozenset(getattr(self.nvml, f"NVML_ERROR_{name}") for name in _SILENT)

    def driver(self) -> str:
        """The driver's version, "" where it does not tell it."""
        try:
            return text(self.nvml.nvmlSystemGetDriverVersion())
        except self.nvml.NVMLError:
            return ""

    def ask(self, function: Any, *arguments: Any) -> Any:
        """None where the card or the driver does not tell such things."""
        try:
            return function(*arguments)
        except self.nvml.NVMLError as error:
            if error.value in self._silent:
                return None
            raise

    def memory(self, handle: Any) -> tuple[int | None, int | None]:
        """All there is, and how much is used; what the driver keeps for itself is not, where it
        tells it apart."""
        told = self.ask(self.nvml.nvmlDeviceGetMemoryInfo, handle, self.nvml.nvmlMemory_v2)
        if told is None:
            told = self.ask(self.nvml.nvmlDeviceGetMemoryInfo, handle)
        return (None, None) if told is None else (told.total, told.used)

    def tenants(self, handle: Any) -> tuple[Tenant, ...]:
        """Who is in any of the lists; in several of them a process has the same memory."""
        held: dict[int, int | None] = {}
        for kind in _PROCESSES:
            for each in self._processes(kind, handle):
                if each.usedGpuMemory is not None:
                    held[each.pid] = max(each.usedGpuMemory, held.get(each.pid) or 0)
                held.setdefault(each.pid, None)
        return tuple(Tenant(pid=pid, memory=held[pid]) for pid in sorted(held))

    def _processes(self, kind: str, handle: Any) -> list[Any]:
        for version in ("v3", "v2"):  # drivers before 510 know the second alone
            ask = getattr(self.nvml, f"nvmlDeviceGet{kind}RunningProcesses_{version}")
            found = self.ask(ask, handle)
            if found is not None:
                return list(found)
        return []

    def remotes(self, handle: Any) -> Iterator[str]:
        """Where the links of a card lead to: to other cards, or to a switch."""
        nvml = self.nvml
        for link in range(nvml.NVML_NVLINK_MAX_LINKS):
            try:
                if nvml.nvmlDeviceGetNvLinkState(handle, link):
                    remote = nvml.nvmlDeviceGetNvLinkRemotePciInfo(handle, link)
                    yield bus.address(text(remote.busId))
            except nvml.NVMLError:
                return  # it has no more links, or none at all

    def words(self, error: Any) -> str:
        """What is wrong with one card."""
        nvml = self.nvml
        said = {
            nvml.NVML_ERROR_GPU_IS_LOST: "lost: it has fallen off the bus; the machine must reboot",
            nvml.NVML_ERROR_RESET_REQUIRED: "it must be reset: nvidia-smi --gpu-reset",
        }
        return said.get(error.value, f"the driver says of it: {error}")


def _loaded() -> Any:
    """The library, at work. Raises `GpusMissing`."""
    try:
        import pynvml as nvml
    except ImportError as error:
        raise GpusMissing(
            "NVIDIA's cards cannot be asked: nvidia-ml-py is not installed",
            "pip install nvidia-ml-py",
        ) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise missing(nvml, error) from error
    return nvml


def missing(nvml: Any, error: Any) -> GpusMissing:
    """What is wrong with the driver as a whole."""
    said = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
            "the library of NVIDIA's driver (libnvidia-ml.so.1) is not there",
            "install the driver; a container must be given its utilities",
        ),
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: (
            "NVIDIA's driver is not loaded",
            "load it (modprobe nvidia); dmesg says why it would not be",
        ),
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
            "the NVIDIA driver that is loaded and its library differ",
            "reboot: the driver was updated while it was in use",
        ),
        nvml.NVML_ERROR_NO_PERMISSION: (
            "NVIDIA's driver may not be asked by this user",
            "see who may open /dev/nvidiactl",
        ),
    }
    message, hint = said.get(
        error.value, (f"NVIDIA's driver does not answer: {error}", "see dmesg, and nvidia-smi")
    )
    return GpusMissing(message, hint)


def pointer(handle: Any) -> int | None:
    """What tells two handles apart: ctypes makes a new object each time."""
    return ctypes.cast(handle, ctypes.c_void_p).value if handle is not None else None


def text(told: str | bytes) -> str:
    """Some functions of nvidia-ml-py decode what they return, some do not."""
    return told.decode(errors="replace") if isinstance(told, bytes) else told
