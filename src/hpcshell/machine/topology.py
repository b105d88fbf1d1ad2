"""How the CPUs of this machine are joined, and what cards are near them: NUMA domains, sockets.

Read from /sys. What cannot be read is not known: then there are no domains. Links between cards are
known to their drivers alone (`machine.gpus`).
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from hpcshell.policy.place.nodes import Domain, Node

_SYS: Final = Path("/sys")
_NVIDIA: Final = "0x10de"
_DISPLAYS: Final = ("0x0300", "0x0302")
"""Classes of PCI devices: VGA and 3D controllers."""

Groups = list[tuple[int, ...]]


@lru_cache(maxsize=8)
def machine(name: str, gpus: int, sys: Path = _SYS) -> Node:
    """This machine with `gpus` cards, as far as it can be told how they are joined. Its CPUs are
    those that this process may use; memory is not told of each domain."""
    allowed = os.sched_getaffinity(0)
    groups = [[cpu for cpu in group if cpu in allowed] for group in cpu_groups(sys)]
    near = cards_near(sys)
    domains = [
        Domain(
            cpus=tuple(cpus),
            gpus=tuple(card for card, domain in near if domain == number and card < gpus),
        )
        for number, cpus in enumerate(groups)
        if cpus
    ]
    found = {cpu for domain in domains for cpu in domain.cpus}
    whole = found == allowed and sum(len(domain.cpus) for domain in domains) == len(allowed)
    return Node(
        name=name,
        cpus=len(allowed),
        gpus=("",) * gpus,
        domains=tuple(domains) if whole else (Domain(cpus=tuple(sorted(allowed))),),
    )


def cpu_groups(sys: Path = _SYS) -> Groups:
    """The CPUs of each NUMA domain, by its number; where there is but one, those of each socket."""
    domains = {
        int(path.name[4:]): numbers(_read(path / "cpulist"))
        for path in (sys / "devices/system/node").glob("node[0-9]*")
    }
    if len(domains) > 1:
        return [domains.get(number, ()) for number in range(max(domains) + 1)]
    sockets: dict[str, list[int]] = {}
    for path in (sys / "devices/system/cpu").glob("cpu[0-9]*"):
        socket = _read(path / "topology/physical_package_id")
        if socket:
            sockets.setdefault(socket, []).append(int(path.name[3:]))
    return [tuple(sorted(sockets[socket])) for socket in sorted(sockets, key=_number)]


def cards_near(sys: Path = _SYS) -> list[tuple[int, int]]:
    """(card, NUMA domain) of the NVIDIA cards of which it is known; they are numbered in the order
    of the bus, as nvidia-smi does."""
    found = []
    for path in sorted((sys / "bus/pci/devices").glob("*")):
        if _read(path / "vendor") == _NVIDIA and _read(path / "class").startswith(_DISPLAYS):
            found.append(_number(_read(path / "numa_node")))
    return [(card, domain) for card, domain in enumerate(found) if domain >= 0]


def numbers(text: str) -> tuple[int, ...]:
    """A list as the kernel writes it: `0-3,8`."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _number(text: str) -> int:
    """-1 where it is none."""
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else -1


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
