"""AMD's cards, by AMD SMI: the library of ROCm, through its own package amdsmi."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from hpcshell.core.gpus import Card, Reading, Tenant
from hpcshell.machine.gpus import bus
from hpcshell.machine.gpus.contract import GpusMissing

_SILENT: Final = (2, 3, 10, 40)
"""AMDSMI_STATUS_NOT_SUPPORTED, _NOT_YET_IMPLEMENTED, _NO_PERM and _NO_DATA."""
_POWER: Final = ("socket_power", "current_socket_power", "average_socket_power")
"""What each generation of cards and library calls it, the newest first; the others are "N/A"."""
_MICRO: Final = 1_000_000
_LARGEST_WATTS: Final = 10_000
"""A limit beyond it is in microwatts, as of ROCm 6."""
_PERCENT: Final = 100


class AmdProvider:
    """Whole cards, in the order of the bus. A partition of one is a card to AMD SMI, and to us."""

    name = "amd"

    def __init__(self) -> None:
        self._smi = _loaded()
        self.trouble = ""
        self.driver = ""
        self._handles: list[Any] = []
        self._uuids: list[str] = []

    def cards(self) -> tuple[Card, ...]:
        smi = self._smi
        try:
            handles = list(smi.amdsmi_get_processor_handles())
        except smi.AmdSmiException as error:
            raise _missing(error) from error
        met = sorted(
            ((self._card(handle), handle) for handle in handles),
            key=lambda pair: bus.place(pair[0].bus),
        )
        self._handles = [handle for _, handle in met]
        self._uuids = [card.uuid for card, _ in met]
        if handles and not self.driver:
            self.driver = str(
                self._field(smi.amdsmi_get_gpu_driver_info, "driver_version", met[0][1])
            )
        return tuple(card for card, _ in met)

    def readings(self) -> tuple[Reading, ...]:
        return tuple(map(self._reading, self._uuids, self._handles))

    def links(self) -> tuple[tuple[int, ...], ...]:
        """Cards between which the way is XGMI."""
        smi = self._smi
        kinds = getattr(smi, "AmdSmiLinkType", None)
        xgmi = kinds.AMDSMI_LINK_TYPE_XGMI if kinds else smi.AmdSmiIoLinkType.XGMI
        points = []
        for one, from_ in enumerate(self._handles):
            for other, to in enumerate(self._handles[:one]):
                with contextlib.suppress(smi.AmdSmiException):
                    if smi.amdsmi_topo_get_link_type(from_, to)["type"] == xgmi:
                        points += [(one, f"{other}-{one}"), (other, f"{other}-{one}")]
        return bus.groups(points)

    def close(self) -> None:
        with contextlib.suppress(self._smi.AmdSmiException):
            self._smi.amdsmi_shut_down()

    def _card(self, handle: Any) -> Card:
        smi = self._smi
        with contextlib.suppress(smi.AmdSmiException):
            return Card(
                uuid=smi.amdsmi_get_gpu_device_uuid(handle),
                model=str(self._field(smi.amdsmi_get_gpu_asic_info, "market_name", handle)),
                memory=self._ask(smi.amdsmi_get_gpu_memory_total, handle, self._vram) or 0,
                bus=bus.address(smi.amdsmi_get_gpu_device_bdf(handle)),
            )
        return Card()  # its reading says why

    def _reading(self, uuid: str, handle: Any) -> Reading:
        try:
            return self._told(uuid, handle)
        except self._smi.AmdSmiException as error:
            return Reading(uuid=uuid, trouble=f"the driver says of it: {error}")

    def _told(self, uuid: str, handle: Any) -> Reading:
        smi = self._smi
        load = _number(self._field(smi.amdsmi_get_gpu_activity, "gfx_activity", handle))
        errors = _number(
            self._field(smi.amdsmi_get_gpu_total_ecc_count, "uncorrectable_count", handle)
        )
        power, limit = self._watts(handle)
        sensor = smi.AmdSmiTemperatureType.HOTSPOT, smi.AmdSmiTemperatureMetric.CURRENT
        return Reading(
            uuid=uuid,
            load=None if load is None else load / _PERCENT,
            memory=self._ask(smi.amdsmi_get_gpu_memory_usage, handle, self._vram),
            temperature=_number(self._ask(smi.amdsmi_get_temp_metric, handle, *sensor)),
            power=power,
            power_limit=limit,
            ecc=None if errors is None else int(errors),
            tenants=self._tenants(handle),
        )

    def _watts(self, handle: Any) -> tuple[float | None, float | None]:
        told = self._ask(self._smi.amdsmi_get_power_info, handle) or {}
        known = [watts for name in _POWER if (watts := _number(told.get(name))) is not None]
        limit = _number(told.get("power_limit"))
        if limit is not None and limit > _LARGEST_WATTS:
            limit /= _MICRO
        return (known[0] if known else None), limit

    def _tenants(self, handle: Any) -> tuple[Tenant, ...]:
        """The driver lists every process that has it open; those without memory hold nothing."""
        held: dict[int, float | None] = {}
        for each in self._ask(self._smi.amdsmi_get_gpu_process_list, handle) or ():
            held[each["pid"]] = _number(each.get("memory_usage", {}).get("vram_mem"))
        return tuple(
            Tenant(pid=pid, memory=None if memory is None else int(memory))
            for pid, memory in sorted(held.items())
            if memory != 0
        )

    @property
    def _vram(self) -> Any:
        return self._smi.AmdSmiMemoryType.VRAM

    def _field(self, function: Any, name: str, handle: Any) -> Any:
        """One of the fields that a function tells; "" where it does not."""
        return (self._ask(function, handle) or {}).get(name, "")

    def _ask(self, function: Any, *arguments: Any) -> Any:
        """None where the card or the driver does not tell such things."""
        try:
            return function(*arguments)
        except self._smi.AmdSmiLibraryException as error:
            if error.get_error_code() in _SILENT:
                return None
            raise


def _loaded() -> Any:
    """The library, at work. Raises `GpusMissing`."""
    try:
        import amdsmi as smi
    except (ImportError, OSError, KeyError) as error:  # it loads its C library as it is imported
        raise GpusMissing(
            "AMD's cards cannot be asked: amdsmi is not installed",
            "it comes with ROCm: pip install /opt/rocm/share/amd_smi",
        ) from error
    try:
        smi.amdsmi_init()
    except smi.AmdSmiException as error:
        raise _missing(error) from error
    return smi


def _missing(error: Any) -> GpusMissing:
    return GpusMissing(
        f"AMD's driver does not answer: {error}",
        "see whether amdgpu is loaded, and who may open /dev/kfd",
    )


def _number(told: Any) -> float | None:
    """What is not available is "N/A" to AMD SMI."""
    return told if isinstance(told, int | float) else None
