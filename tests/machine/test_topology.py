"""How CPUs and GPUs are joined, read from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.machine import topology


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def card(sys: Path, address: str, domain: int, *, vendor: str = "0x10de") -> None:
    device = sys / "bus/pci/devices" / address
    for name, text in (("vendor", vendor), ("class", "0x030200"), ("numa_node", str(domain))):
        write(device / name, text)


@given(st.sets(st.integers(0, 300)))
def test_a_list_of_the_kernel_is_read_as_it_is_written(cpus: set[int]) -> None:
    assert topology.numbers(",".join(map(str, sorted(cpus)))) == tuple(sorted(cpus))


def test_ranges_are_read() -> None:
    assert topology.numbers("0-2,8,10-11") == (0, 1, 2, 8, 10, 11)
    assert topology.numbers("") == ()


def test_numa_domains_go_before_sockets(tmp_path: Path) -> None:
    for cpu in range(4):
        write(tmp_path / f"devices/system/cpu/cpu{cpu}/topology/physical_package_id", str(cpu // 2))
    write(tmp_path / "devices/system/node/node0/cpulist", "0-3")
    assert topology.cpu_groups(tmp_path) == [(0, 1), (2, 3)]
    write(tmp_path / "devices/system/node/node0/cpulist", "0,2")
    write(tmp_path / "devices/system/node/node1/cpulist", "1,3")
    assert topology.cpu_groups(tmp_path) == [(0, 2), (1, 3)]


def test_cards_are_numbered_along_the_bus_and_others_are_none(tmp_path: Path) -> None:
    card(tmp_path, "0000:c1:00.0", 1)
    card(tmp_path, "0000:01:00.0", 0)
    card(tmp_path, "0000:02:00.0", 0, vendor="0x1a03")
    card(tmp_path, "0000:e1:00.0", -1)
    assert topology.cards_near(tmp_path) == [(0, 0), (1, 1)]


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    node = topology.machine("here", 2, tmp_path)
    [domain] = node.domains
    assert set(domain.cpus) == os.sched_getaffinity(0)
    assert (domain.gpus, node.links, len(node.gpus)) == ((), (), 2)


def test_cpus_that_may_not_be_used_are_in_no_domain(tmp_path: Path) -> None:
    mine = sorted(os.sched_getaffinity(0))
    beyond = mine[-1] + 1
    write(tmp_path / "devices/system/node/node0/cpulist", ",".join(map(str, mine)))
    write(tmp_path / "devices/system/node/node1/cpulist", str(beyond))
    card(tmp_path, "0000:01:00.0", 0)
    [domain] = topology.machine("here", 1, tmp_path).domains
    assert (domain.cpus, domain.gpus) == (tuple(mine), (0,))


def test_this_machine_can_be_told() -> None:
    node = topology.machine("here", 0)
    assert {cpu for domain in node.domains for cpu in domain.cpus} == os.sched_getaffinity(0)
