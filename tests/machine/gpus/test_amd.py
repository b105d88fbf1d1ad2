"""What AMD SMI says of cards, in the shapes it says it in, is told as of any other card."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hpcshell.core.gpus import Reading, Tenant
from hpcshell.machine.gpus.amd import AmdProvider
from hpcshell.machine.gpus.contract import GpusMissing
from tests.support import rocm

GIB = 1 << 30


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in, where `import amdsmi` finds it."""
    monkeypatch.syspath_prepend(str(Path(next(iter(rocm.__path__)))))
    yield importlib.import_module("amdsmi")
    del sys.modules["amdsmi"]


def card(number: int, **more: Any) -> dict[str, Any]:
    return {
        "gpu_device_uuid": f"uuid-{number}",
        "gpu_device_bdf": f"0000:{number + 1:02X}:00.0",
        "gpu_asic_info": {"market_name": "AMD Instinct MI300X"},
        "gpu_driver_info": {"driver_name": "amdgpu", "driver_version": "6.10.5"},
        "gpu_memory_total": 192 * GIB,
        "gpu_memory_usage": 3 * GIB,
        "gpu_activity": {"gfx_activity": 37, "umc_activity": 2, "mm_activity": "N/A"},
        "gpu_total_ecc_count": {"correctable_count": 5, "uncorrectable_count": 1},
        "temp_metric": 61,
        "power_info": {
            "socket_power": 251,
            "current_socket_power": 251,
            "average_socket_power": "N/A",
            "power_limit": 750_000_000,
        },
        "gpu_process_list": [],
        "hive": number // 4,
        **more,
    }


def test_a_card_is_told_of(smi: Any) -> None:
    smi.cards[:] = [card(0)]
    provider = AmdProvider()
    [told] = provider.cards()
    assert (told.uuid, told.model, told.memory) == ("uuid-0", "AMD Instinct MI300X", 192 * GIB)
    assert (told.bus, provider.driver, provider.trouble) == ("0000:01:00.0", "6.10.5", "")
    assert provider.readings() == (
        Reading(
            uuid="uuid-0",
            load=0.37,
            memory=3 * GIB,
            temperature=61,
            power=251,
            power_limit=750.0,
            ecc=1,
        ),
    )
    provider.close()


def test_cards_are_in_the_order_of_the_bus_and_joined_by_xgmi(smi: Any) -> None:
    smi.cards[:] = [card(number) for number in (5, 0, 4, 1)]
    provider = AmdProvider()
    assert [each.uuid for each in provider.cards()] == ["uuid-0", "uuid-1", "uuid-4", "uuid-5"]
    assert provider.links() == ((0, 1), (2, 3))


def test_what_is_not_available_is_not_known(smi: Any) -> None:
    nothing = {
        "gpu_activity": {"gfx_activity": "N/A"},
        "power_info": {"socket_power": "N/A", "average_socket_power": 90, "power_limit": 300},
        "temp_metric": smi.Failed(smi.NOT_SUPPORTED),
        "gpu_memory_usage": smi.Failed(10),
        "gpu_total_ecc_count": smi.Failed(3),
        "gpu_process_list": smi.Failed(40),
    }
    smi.cards[:] = [card(0, **nothing)]
    provider = AmdProvider()
    provider.cards()
    assert provider.readings() == (Reading(uuid="uuid-0", power=90, power_limit=300),)


def test_processes_that_hold_memory_are_tenants(smi: Any) -> None:
    listed = [
        {"pid": 12, "name": "python", "memory_usage": {"vram_mem": GIB}},
        {"pid": 11, "name": "N/A", "memory_usage": {"vram_mem": "N/A"}},
        {"pid": 13, "name": "rocm-smi", "memory_usage": {"vram_mem": 0}},
    ]
    smi.cards[:] = [card(0, gpu_process_list=listed)]
    provider = AmdProvider()
    provider.cards()
    [reading] = provider.readings()
    assert reading.tenants == (Tenant(pid=11), Tenant(pid=12, memory=GIB))


def test_an_error_of_one_card_is_a_trouble_of_that_one(smi: Any) -> None:
    smi.cards[:] = [card(0, gpu_activity=smi.Failed(99)), card(1)]
    provider = AmdProvider()
    provider.cards()
    first, second = provider.readings()
    assert (first.trouble, second.trouble) == ("the driver says of it: Error code: 99", "")


def test_a_card_without_a_name_comes_last(smi: Any) -> None:
    smi.cards[:] = [card(0, gpu_device_uuid=smi.Failed(99), gpu_activity=smi.Failed(99)), card(1)]
    provider = AmdProvider()
    assert [each.uuid for each in provider.cards()] == ["uuid-1", ""]
    assert provider.readings()[1].trouble


def test_a_driver_that_does_not_start_says_what_to_do(
    smi: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smi, "init", 34)
    with pytest.raises(GpusMissing, match="does not answer: Error code: 34") as caught:
        AmdProvider()
    assert "amdgpu" in str(caught.value.hint)


def test_a_package_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(GpusMissing, match="amdsmi is not installed") as caught:
        AmdProvider()
    assert "ROCm" in str(caught.value.hint)
