"""Who answers to the names of PBS, and what it tells of its queues, limits and nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Partition, Site, Trouble, first_lines
from hpcshell.backends.pbs import values
from hpcshell.backends.pbs.troubles import of_others, trouble

OPENPBS: Final = "openpbs"
PBSPRO: Final = "pbspro"
TORQUE: Final = "torque"

_VERSION: Final = re.compile(r"(?im)^\s*(?:pbs_version = |version: )([0-9][\w.+-]*)\s*$")
_SERVER: Final = re.compile(r"(?m)^Server: (\S+)\s*$")
_TORQUES_OWN: Final = ("next_job_number", "keep_completed", "mom_job_sync", "tcp_timeout")
_RESOURCE: Final = "resources_available."
_COUNTED: Final = frozenset({"ncpus", "mem", "ngpus", "vmem", "host", "vnode", "nodect"})


def read_probe(answer: Answer) -> Site | Trouble:
    """Of `qstat -Bf`, or `qstat --version`."""
    text = answer.out.replace("\n\t", "")
    version = _VERSION.search(text)
    server = _SERVER.search(text)
    if answer.code == 0 and version is not None and (server or "\n    " not in text):
        name = server[1] if server else ""
        return Site(version=version[1], flavour=flavour(version[1], text), identity=name)
    if (other := of_others(answer, "qstat")) is not None:
        return other
    if answer.code == 0:
        return Trouble(
            kind="wrong",
            message=f"qstat here is not PBS's: {first_lines(answer.said, 1) or 'it says nothing'}",
            hint="see which qstat comes first in the PATH",
        )
    return trouble(answer)


def flavour(version: str, server: str = "") -> str:
    """Torque counts from 2 to 7, PBS Pro to 19 and then by year, OpenPBS by year in two digits."""
    major = int(version.partition(".")[0]) if version.partition(".")[0].isdecimal() else 0
    if major < 8 or any(f"    {name} = " in server for name in _TORQUES_OWN):
        return TORQUE
    return OPENPBS if 20 <= major < 100 else PBSPRO


def read_site(answers: Sequence[Answer], known: Site | None) -> Site:
    """Of `qstat -Bf`, `qstat -Qf` and `pbsnodes -a`, in this order. What one of them does not
    tell is left as it was."""
    server, queues, nodes = (*map(_stanzas, answers), [], [], [])[:3]
    told = server[0][1] if server else {}
    probed = read_probe(answers[0]) if answers else None
    known = known or Site()
    base = probed if isinstance(probed, Site) else known
    most = values.whole(told.get("max_array_size", told.get("max_job_array_size", "")))
    history = base.flavour == TORQUE or told.get("job_history_enable", "False") == "True"
    partitions = tuple(_partitions(queues, nodes, told.get("default_queue", "")))
    return Site(
        version=base.version,
        flavour=base.flavour,
        identity=base.identity,
        partitions=partitions or known.partitions,
        most_elements=most if server else known.most_elements,
        accounting=history if server else known.accounting,
    )


def _stanzas(answer: Answer) -> list[tuple[str, dict[str, str]]]:
    """`Queue: NAME` or, of nodes, `NAME`, and what is indented below it."""
    if answer.code != 0:
        return []
    found: list[tuple[str, dict[str, str]]] = []
    for line in answer.out.replace("\n\t", "").splitlines():
        name, equals, value = line.strip().partition(" = ")
        if line[:1].isspace() and equals and found:
            found[-1][1][name] = value
        elif line.strip() and not line[:1].isspace():
            found.append((line.split(": ", 1)[-1].strip(), {}))
    return found


Stanzas = Iterable[tuple[str, Mapping[str, str]]]


def _partitions(queues: Stanzas, nodes: Stanzas, default: str) -> Iterable[Partition]:
    every = [told for _, told in nodes]
    for name, told in queues:
        own = [node for node in every if node.get("queue", name) == name]
        yield _partition(name, told, own, default)


def _partition(
    name: str, told: Mapping[str, str], nodes: Sequence[Mapping[str, str]], default: str
) -> Partition:
    """A job's own most (`resources_max`) bounds what it can have of a node, too."""
    most_cpus = values.whole(told.get("resources_max.ncpus", ""))
    most_memory = values.size(told.get("resources_max.mem", ""))
    cpus = [values.whole(_of_node(node, "ncpus", "np")) for node in nodes]
    memory = [values.size(_of_node(node, "mem")) for node in nodes]
    gpus = [values.whole(_of_node(node, "ngpus", "gpus")) or 0 for node in nodes]
    features = sorted({feature for node in nodes for feature in _features(node)})
    return Partition(
        name=name,
        default=name == default,
        up=told.get("enabled") == "True" and told.get("started") == "True",
        max_time=values.seconds(told.get("resources_max.walltime", "")),
        default_time=values.seconds(told.get("resources_default.walltime", "")),
        nodes=values.whole(told.get("resources_max.nodect", "")) or len(nodes) or None,
        cpus_per_node=_least(most_cpus, _most(cpus)),
        memory_per_node=_least(most_memory, _most(memory)),
        gpus_per_node=max(gpus) if gpus else None,
        gpu_types=tuple(
            feature.partition("=")[2] for feature in features if GPU_TYPE.match(feature)
        ),
        features=tuple(features),
    )


GPU_TYPE: Final = re.compile(r"(?:gpu_?(?:type|model)|accelerator_model)=")
"""The resources that sites name the model of a GPU with."""


def _of_node(node: Mapping[str, str], name: str, torque: str = "") -> str:
    return node.get(_RESOURCE + name) or node.get(torque, "")


def _features(node: Mapping[str, str]) -> Iterable[str]:
    """Resources of the site's own as `name=value`; Torque's properties as they are."""
    for name, value in node.items():
        own = name.removeprefix(_RESOURCE)
        if own != name and own not in _COUNTED:
            yield from (f"{own}={part}" for part in value.split(","))
    yield from (part for part in node.get("properties", "").split(",") if part)


def _most(found: Iterable[int | None]) -> int | None:
    return max((number for number in found if number is not None), default=None)


def _least(one: int | None, other: int | None) -> int | None:
    return min((number for number in (one, other) if number is not None), default=None)
