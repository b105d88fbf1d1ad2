"""Machine files: what a simulated machine is made of, and what of it is set apart, as TOML.

    cpus = 128

or kinds of nodes, each with what one node has (without `memory`, it is not counted):

    [[node]]
    count = 4
    cpus = 32
    memory = "128G"
    gpus = 2
    features = ["a100"]

and reservations, on the clock of the log (see `sim.bookings`):

    [[reservation]]
    name = "course"
    start = "5d8h"
    duration = "2h"
    cpus = 32
    users = ["ann"]
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Final, NamedTuple

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.toml import fault_of
from hpcshell.core.units import size
from hpcshell.core.words import safe
from hpcshell.policy.place.nodes import Node

MOST: Final = 2**53
MOST_NODES: Final = 100_000
"""Nodes of one machine: each is there by itself where jobs are placed."""
MOST_GPUS: Final = 1_000
"""GPUs of one node."""
MOST_RESERVATIONS: Final = 1_000
"""As many as the daemon keeps."""
Count = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
_HINT: Final = "write cpus = 128, or [[node]] with count and cpus"
_APART_HINT: Final = 'write start = "5d8h", duration = "2h", cpus = 32, users = ["ann", "ben"]'
_PROBLEM: Final = r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?"
_PART: Final = r"([^.\[\]]+)(?:\[([0-9]+)\])?"


class Nodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`count` nodes that are alike; `memory` as people write it."""

    cpus: Count
    count: Annotated[int, msgspec.Meta(ge=1, le=MOST_NODES)] = 1
    memory: str = "0"
    gpus: Annotated[int, msgspec.Meta(ge=0, le=MOST_GPUS)] = 0
    features: tuple[str, ...] = ()

    @property
    def memory_bytes(self) -> int:
        """The memory of one node; 0: not said."""
        return size(self.memory, "memory", zero=True)


class Apart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reservation, in the words of `hpc reservation add`; times count from the beginning of the
    log. With `nodes`, `cpus` are of each of so many."""

    start: str | int
    name: str = ""
    end: str | int | None = None
    duration: str | int | None = None
    cpus: Count | None = None
    nodes: Count | None = None
    all: bool = False
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    maintenance: bool = False
    flex: bool = False
    idle: str | int | None = None


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either so many processors, or kinds of nodes; neither, if the log is to say it."""

    cpus: Count | None = None
    node: tuple[Nodes, ...] = ()
    reservation: tuple[Apart, ...] = ()

    @property
    def processors(self) -> int:
        """Of the whole machine; 0: it is not said."""
        return self.cpus or sum(nodes.count * nodes.cpus for nodes in self.node)

    def nodes(self) -> tuple[Node, ...]:
        """Each of the nodes, called node1, node2, ... in the order of the file."""
        kinds = [kind for kind in self.node for _ in range(kind.count)]
        return tuple(
            Node(
                name=f"node{number}",
                cpus=kind.cpus,
                memory=kind.memory_bytes,
                gpus=("",) * kind.gpus,
                features=frozenset(kind.features),
            )
            for number, kind in enumerate(kinds, 1)
        )


_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "": Machine,
    "node": Nodes,
    "reservation": Apart,
}
"""What stands in the tables of a file, by their names."""


class Layout(NamedTuple):
    """The nodes of a machine, and by which of `policy.place.deal.WAYS` jobs come to them."""

    nodes: tuple[Node, ...]
    way: str


class MachineFile(NamedTuple):
    """A machine, and where it was read: for messages."""

    name: str
    text: str
    machine: Machine

    def place(self, path: str) -> str:
        """`m.toml line 7: node[1].cpus`, of that path of keys."""
        return f"{self.name}{_line(self.text, path)}: {path}"


def machine_of(name: str, content: bytes) -> MachineFile:
    """The machine in a file's bytes. Raises `Wrong`, with the file, the line and the key."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Wrong(f"{name}: is not text", _HINT) from None
    found = MachineFile(name, text, _read(name, text))
    machine = found.machine
    if machine.cpus is not None and machine.node:
        raise Wrong(f"{name}: says both cpus and node", _HINT)
    if not (machine.processors or machine.reservation):
        raise Wrong(f"{name}: says neither cpus nor node", _HINT)
    if machine.processors > MOST:
        raise Wrong(f"{name}: {machine.processors:,} processors are too many", _HINT)
    _check_size(name, machine)
    for number, kind in enumerate(machine.node):
        _check_memory(found, number, kind)
    return found


def _check_size(name: str, machine: Machine) -> None:
    nodes = sum(kind.count for kind in machine.node)
    counts = {
        "nodes": (nodes, MOST_NODES),
        "reservations": (len(machine.reservation), MOST_RESERVATIONS),
    }
    for what, (count, most) in counts.items():
        if count > most:
            raise Wrong(f"{name}: {count:,} {what} are too many", f"give at most {most:,}")


def _check_memory(found: MachineFile, number: int, kind: Nodes) -> None:
    try:
        size(kind.memory, "memory", zero=True)
    except Wrong:  # the line of the key is looked for only where it is to be said
        size(kind.memory, found.place(f"node[{number}].memory"), zero=True)


def _read(name: str, text: str) -> Machine:
    try:
        return msgspec.convert(tomllib.loads(text), Machine)
    except tomllib.TOMLDecodeError as error:
        line, what = fault_of(error, text)
        raise Wrong(f"{name} line {line}: {safe(what)}", _HINT) from None
    except msgspec.ValidationError as error:
        raise _misfit(name, text, str(error)) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or a deep nest
        raise Wrong(f"{name}: {safe(str(error))[:200]}", _HINT) from None


def _misfit(name: str, text: str, problem: str) -> Wrong:
    """What does not fit, with the place of the key."""
    found = re.fullmatch(_PROBLEM, problem)
    what, path = (problem, None) if found is None else (found["what"], found["path"])
    key = re.search(r"(unknown|required) field `([^`]*)`", what)
    table = re.split(r"\W", path or "")[0]
    hint = _HINT if table != "reservation" else _APART_HINT
    if key is not None:
        path = f"{path}.{key[2]}" if path else key[2]
        what = "there is no such key" if key[1] == "unknown" else "is not said"
        hint = f"there are {', '.join(_TABLES[table].__struct_fields__)}"
    where = f"{_line(text, path)}: {safe(path)}" if path else ""
    return Wrong(f"{name}{where}: {safe(what[:1].lower() + what[1:])}", hint)


def _line(text: str, path: str) -> str:
    """` line 7`, of the key at that path, or of the table it is missing from; "": not found."""
    lines, at, best = text.split("\n"), 0, 0
    for key, number in re.findall(_PART, path):
        word = rf"[\"']?{re.escape(key)}[\"']?"
        head = (
            rf"\s*\[\[?\s*{word}\s*\]?\]" if number else rf"\s*(?:\[\s*{word}\s*\]|{word}\s*[.=])"
        )
        places = [n for n, line in enumerate(lines[at:], at + 1) if re.match(head, line)]
        skipped = int(number or 0)
        if len(places) <= skipped:
            break
        at = best = places[skipped]
    return f" line {best}" if best else ""
