"""A stand-in for ROCm's package of this name, with its names and the shapes of its answers.

`cards` is what there is, each a dictionary of answers by the name of the function without
`amdsmi_get_`; an integer there is an error code, and so is `init`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

Handle = dict[str, Any]

cards: list[Handle] = []
init = 0
NOT_SUPPORTED = 2


class AmdSmiException(Exception):
    pass


class AmdSmiLibraryException(AmdSmiException):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"Error code: {self.code}"

    def get_error_code(self) -> int:
        return self.code


class AmdSmiLinkType(IntEnum):
    AMDSMI_LINK_TYPE_PCIE = 1
    AMDSMI_LINK_TYPE_XGMI = 2


class AmdSmiMemoryType(IntEnum):
    VRAM = 0


class AmdSmiTemperatureType(IntEnum):
    EDGE = 0
    HOTSPOT = 1


class AmdSmiTemperatureMetric(IntEnum):
    CURRENT = 0


class Failed(int):
    """An error code among answers."""


def _told(handle: Handle, name: str) -> Any:
    told = handle.get(name, Failed(NOT_SUPPORTED))
    if isinstance(told, Failed):
        raise AmdSmiLibraryException(told)
    return told


def amdsmi_init() -> None:
    if init:
        raise AmdSmiLibraryException(init)


def amdsmi_shut_down() -> None:
    pass


def amdsmi_get_processor_handles() -> list[Handle]:
    return cards


def amdsmi_get_gpu_device_uuid(handle: Handle) -> Any:
    return _told(handle, "gpu_device_uuid")


def amdsmi_get_gpu_device_bdf(handle: Handle) -> Any:
    return _told(handle, "gpu_device_bdf")


def amdsmi_get_gpu_asic_info(handle: Handle) -> Any:
    return _told(handle, "gpu_asic_info")


def amdsmi_get_gpu_driver_info(handle: Handle) -> Any:
    return _told(handle, "gpu_driver_info")


def amdsmi_get_gpu_memory_total(handle: Handle, kind: AmdSmiMemoryType) -> Any:
    return _told(handle, "gpu_memory_total")


def amdsmi_get_gpu_memory_usage(handle: Handle, kind: AmdSmiMemoryType) -> Any:
    return _told(handle, "gpu_memory_usage")


def amdsmi_get_gpu_activity(handle: Handle) -> Any:
    return _told(handle, "gpu_activity")


def amdsmi_get_gpu_total_ecc_count(handle: Handle) -> Any:
    return _told(handle, "gpu_total_ecc_count")


def amdsmi_get_temp_metric(
    handle: Handle, sensor: AmdSmiTemperatureType, metric: AmdSmiTemperatureMetric
) -> Any:
    return _told(handle, "temp_metric")


def amdsmi_get_power_info(handle: Handle) -> Any:
    return _told(handle, "power_info")


def amdsmi_get_gpu_process_list(handle: Handle) -> Any:
    return _told(handle, "gpu_process_list")


def amdsmi_topo_get_link_type(one: Handle, other: Handle) -> dict[str, Any]:
    joined = _told(one, "hive") == _told(other, "hive")
    kind = AmdSmiLinkType.AMDSMI_LINK_TYPE_XGMI if joined else AmdSmiLinkType.AMDSMI_LINK_TYPE_PCIE
    return {"hops": 1, "type": kind}
