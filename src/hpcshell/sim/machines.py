"""Machine files: what a simulated machine is made of, as TOML.

    cpus = 128

or kinds of nodes, each with what one node has (without `memory`, it is not counted):

    [[node]]
    count = 4
    cpus = 32
    memory = "128G"
    gpus = 2
    features = ["a100"]
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Final, NamedTuple

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.units import size
from hpcshell.policy.place.nodes import Node

MOST: Final = 2**53
Count = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class Nodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`count` nodes that are alike; `memory` as people write it."""

    cpus: Count
    count: Count = 1
    memory: str = "0"
    gpus: Annotated[int, msgspec.Meta(ge=0, le=MOST)] = 0
    features: tuple[str, ...] = ()

    @property
    def memory_bytes(self) -> int:
        """The memory of one node; 0: not said."""
        return size(self.memory, "memory", zero=True)


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either so many processors, or kinds of nodes."""

    cpus: Count | None = None
    node: tuple[Nodes, ...] = ()

    @property
    def processors(self) -> int:
        """Of the whole machine."""
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


class Layout(NamedTuple):
    """The nodes of a machine, and by which of `policy.place.deal.WAYS` jobs come to them."""

    nodes: tuple[Node, ...]
    way: str


def machine_of(name: str, content: bytes) -> Machine:
    """The machine in a file's bytes. Raises `Wrong`, with the file, and the line or the key."""
    hint = "write cpus = 128, or [[node]] with count and cpus"
    try:
        machine = msgspec.convert(tomllib.loads(content.decode()), Machine)
        for nodes in machine.node:
            size(nodes.memory, f"{name}: memory", zero=True)
    except UnicodeDecodeError:
        raise Wrong(f"{name}: is not text", hint) from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Wrong(f"{name}: {error}", hint) from None
    if (machine.cpus is None) == (not machine.node):
        both = "says both cpus and node" if machine.node else "says neither cpus nor node"
        raise Wrong(f"{name}: {both}", hint)
    if machine.processors > MOST:
        raise Wrong(f"{name}: {machine.processors:,} processors are too many", hint)
    return machine
