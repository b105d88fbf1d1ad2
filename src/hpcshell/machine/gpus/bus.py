"""Where cards are: addresses on the PCI bus, NUMA domains, and who is joined to whom."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DEVICES: Final = Path("/sys/bus/pci/devices")
_HEX: Final = 16


def address(text: str) -> str:
    """A PCI address as the kernel writes it: `00000000:C1:00.0` is `0000:c1:00.0`."""
    domain, separator, rest = text.strip().lower().partition(":")
    try:
        return f"{int(domain, _HEX):04x}:{rest}" if separator else ""
    except ValueError:
        return ""


def place(text: str) -> tuple[int, ...]:
    """What to sort addresses by; those that are not known come last."""
    try:
        return tuple(int(part, _HEX) for part in text.replace(".", ":").split(":"))
    except ValueError:
        return (1 << 32,)


def domain(text: str, devices: Path = _DEVICES) -> int:
    """The NUMA domain of what is at this address; -1 where it is not known."""
    try:
        return int((devices / text / "numa_node").read_text(encoding="ascii")) if text else -1
    except (OSError, ValueError):
        return -1


def groups(joined: Iterable[tuple[int, str]]) -> tuple[tuple[int, ...], ...]:
    """The groups of more than one among numbers that share points with each other, or with others
    that do: the address of a switch, or of one of them."""
    parts: list[tuple[set[int], set[str]]] = []
    for number, point in joined:
        members, points = {number}, {point}
        apart = []
        for part in parts:
            if part[0] & members or part[1] & points:
                members |= part[0]
                points |= part[1]
            else:
                apart.append(part)
        parts = [*apart, (members, points)]
    return tuple(sorted(tuple(sorted(members)) for members, _ in parts if len(members) > 1))
