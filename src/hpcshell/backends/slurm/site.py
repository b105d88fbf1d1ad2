"""What Slurm tells of itself: version, limits, partitions, and when a job would start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Estimate, Partition, Site, Trouble
from hpcshell.backends.slurm.fields import (
    gpu_counts,
    length,
    mebibytes,
    moment,
    nodes,
    number,
    told,
)
from hpcshell.backends.slurm.records import GAP
from hpcshell.backends.slurm.troubles import classify

_SETTING: Final = r"(?m)^([A-Za-z_]+)\s*=\s*(.*?)\s*$"
_START: Final = r"Job \d+ to start at (\S+) using \d+ processors on nodes (\S+) in partition (\S+)"


def read_probe(answer: Answer) -> Site | Trouble:
    """Slurm's configuration as its controller tells it: nothing else has an SLURM_VERSION."""
    settings = dict(re.findall(_SETTING, answer.out))
    version = settings.get("SLURM_VERSION", "")
    if answer.code == 0 and version:
        return _limits(settings)
    return classify(answer)


def _limits(settings: dict[str, str]) -> Site:
    most = settings.get("MaxArraySize", "")
    size = number(most)
    storage = settings.get("AccountingStorageType", "")
    name = told(settings.get("ClusterName", ""))
    return Site(
        version=settings.get("SLURM_VERSION", ""),
        flavour=name,
        identity=name,
        most_elements=size,
        highest_index=None if size is None else size - 1,
        accounting=not storage.endswith("/none") and storage not in ("", "(null)"),
    )


def read_site(answers: Sequence[Answer]) -> Site:
    """What could be read of the answers; what could not is left out."""
    config, sinfo, allowed = (*answers, *(Answer(code=None),) * 3)[:3]
    limits = _limits(dict(re.findall(_SETTING, config.out)))
    pairs = [line.split("|", 1) for line in allowed.out.splitlines() if line.count("|") == 1]
    known = allowed.code == 0
    qos = (name for _, names in pairs for name in names.split(","))
    return Site(
        version=limits.version,
        flavour=limits.flavour,
        identity=limits.identity,
        partitions=_partitions(sinfo.out),
        accounts=_each(account for account, _ in pairs) if known else (),
        qos=_each(qos) if known else (),
        most_elements=limits.most_elements,
        highest_index=limits.highest_index,
        accounting=limits.accounting,
    )


def _each(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _partitions(text: str) -> tuple[Partition, ...]:
    """One for each name; sinfo has a line for each kind of node in it."""
    kinds: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        words = line.split(GAP)
        if len(words) == 10 and words[0] != "PARTITION":
            kinds.setdefault(words[0], []).append(words)
    return tuple(_partition(name, lines) for name, lines in kinds.items())


def _partition(name: str, lines: list[list[str]]) -> Partition:
    _, up, longest, usual, *_ = lines[0]
    gpus = [gpu_counts(told(line[7])) for line in lines]
    cpus = [count for line in lines if (count := number(line[5].rstrip("+"))) is not None]
    memory = [size for line in lines if (size := mebibytes(line[6])) is not None]
    there = sum(number(line[4]) or 0 for line in lines)
    most = number(lines[0][9].rpartition("-")[2])
    return Partition(
        name=name.rstrip("*"),
        default=name.endswith("*"),
        up=up == "up",
        max_time=length(longest),
        default_time=length(usual),
        nodes=there if most is None else min(there, most),
        cpus_per_node=max(cpus, default=None),
        memory_per_node=max(memory, default=None),
        gpus_per_node=max(count for count, _ in gpus),
        gpu_types=_each(kind for _, kinds in gpus for kind in kinds),
        features=_each(word for line in lines for word in told(line[8]).split(",")),
    )


def read_estimate(answer: Answer, site: Site) -> Estimate:
    """sbatch says it on the error stream, as a sentence."""
    found = re.search(_START, answer.err)
    if answer.code != 0 or found is None:
        return Estimate(trouble=classify(answer, site))
    start, where, partition = found.groups()
    return Estimate(
        start=moment(start),
        nodes=nodes(where),
        partition=partition,
    )
