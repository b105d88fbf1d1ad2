"""What a job asks for, as PBS wants to hear it: chunks of a node each, or Torque's nodes.

select=2:ncpus=8:mpiprocs=4:ompthreads=2:mem=4gb:ngpus=1     nodes=2:ppn=8:gpus=1
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from hpcshell.backends.contract import Site
from hpcshell.backends.pbs import values
from hpcshell.backends.pbs.site import GPU_TYPE
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Record
from hpcshell.core.words import quote

_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_FEATURE: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)(?:=([A-Za-z0-9_.-]+))?\Z")


class Chunk(Record, frozen=True, kw_only=True):
    """`count` equal parts of the job, each within one node. `tasks` 0: not said."""

    count: int
    cpus: int
    tasks: int = 0
    memory: int = 0
    gpus: int = 0


def chunks(layout: Layout) -> list[Chunk]:
    """None where nothing was said: the site's own default holds."""
    if layout.nodes_most and layout.nodes_most != layout.nodes:
        raise Wrong(
            f"PBS takes one number of nodes, not {layout.nodes}-{layout.nodes_most}",
            f"write --nodes {layout.nodes or 1}",
        )
    if not any((layout.nodes, *_amounts(layout), layout.exclusive, layout.constraint, layout.gres)):
        return []
    return [_chunk(layout, count, tasks, gpus) for count, tasks, gpus in _shares(layout)]


def _amounts(layout: Layout) -> tuple[int | None, ...]:
    return (
        *(layout.tasks, layout.tasks_per_node, layout.cpus_per_task, layout.memory),
        *(layout.memory_per_cpu, layout.every_gpu),
    )


def _shares(layout: Layout) -> list[tuple[int, int, int]]:
    """How many chunks of how many tasks and GPUs."""
    tasks, gpus = layout.every_task, layout.every_gpu
    nodes = layout.nodes
    if nodes is None and layout.tasks_per_node:
        nodes = -(-tasks // layout.tasks_per_node)
    if nodes is None:
        alone = layout.memory or layout.gpus_per_node or gpus % tasks
        nodes = 1 if alone else tasks
    if gpus % nodes and not layout.gpus_per_task:
        raise Wrong(
            f"{gpus} GPUs cannot be shared out evenly over {nodes} nodes",
            "say how many each node has: --gpus-per-node",
        )
    if tasks < nodes:
        raise Wrong(f"{tasks} tasks are fewer than {nodes} nodes", "ask for fewer nodes")
    return _even(layout, nodes, tasks, gpus // nodes)


def _even(layout: Layout, nodes: int, tasks: int, gpus: int) -> list[tuple[int, int, int]]:
    """As many to each node, the first ones more; full nodes where so many on one were asked for."""
    most = layout.tasks_per_node or 0
    if most and tasks < most * nodes and layout.tasks is not None and not layout.nodes:
        full, rest = divmod(tasks, most)
        shares = [(full, most), (1 if rest else 0, rest)]
    else:
        each, over = divmod(tasks, nodes)
        shares = [(over, each + 1), (nodes - over, each)]
    own = layout.gpus_per_task
    return [(count, many, own * many if own else gpus) for count, many in shares if count]


def _chunk(layout: Layout, count: int, tasks: int, gpus: int) -> Chunk:
    cpus = tasks * (layout.cpus_per_task or 1)
    if layout.cpus_per_gpu and not layout.cpus_per_task:
        cpus = max(layout.cpus_per_gpu * gpus, tasks)
    said = layout.tasks is not None or layout.tasks_per_node is not None
    memory = layout.memory or layout.memory_per_cpu * cpus or layout.memory_per_gpu * gpus
    return Chunk(count=count, cpus=cpus, tasks=tasks if said else 0, memory=memory, gpus=gpus)


def select(layout: Layout, site: Site | None) -> list[str]:
    """The values of `-l` for OpenPBS and PBS Pro."""
    parts = chunks(layout)
    words = []
    if parts:
        extras = "".join(_extras(layout, site))
        words = ["select=" + "+".join(_select(part, layout) + extras for part in parts)]
        apart = layout.nodes is not None or layout.tasks_per_node is not None
        place = [*(["scatter"] if apart and sum(part.count for part in parts) > 1 else [])]
        place = place or (["free"] if sum(part.count for part in parts) > 1 else [])
        place += _exclusive(layout)
        words += [f"place={':'.join(place)}"] if place else []
    return words + [f"{_word(name)}={count}" for name, count in layout.licenses.items()]


def _select(part: Chunk, layout: Layout) -> str:
    """Threads of a task are said, too: without it each task would be told that it has all cpus."""
    words = [str(part.count), f"ncpus={part.cpus}"]
    if part.tasks:
        words += [f"mpiprocs={part.tasks}", f"ompthreads={max(1, part.cpus // part.tasks)}"]
    words += [f"mem={values.amount(part.memory)}"] if part.memory else []
    words += [f"ngpus={part.gpus}"] if part.gpus else []
    return ":".join(words)


def _extras(layout: Layout, site: Site | None) -> Iterable[str]:
    if layout.gpu_type:
        yield f":{_gpu_resource(layout.gpu_type, site)}={_word(layout.gpu_type)}"
    for name, count in layout.gres.items():
        yield f":{_word(name)}={count}"
    for name, value in _features(layout.constraint):
        yield f":{name}={value or 'True'}"


def _gpu_resource(model: str, site: Site | None) -> str:
    """Under which name this site's nodes show the model of their GPUs."""
    features = [feature for part in site.partitions for feature in part.features] if site else []
    known = [feature for feature in features if GPU_TYPE.match(feature)]
    same = [feature for feature in known if feature.partition("=")[2] == model]
    return next(iter(same + known), "gpu_type").partition("=")[0]


def _features(constraint: str) -> list[tuple[str, str]]:
    """`fast&arch=linux`: all of them must hold; PBS knows no other way."""
    found = [_FEATURE.match(part.strip()) for part in re.split("[&,]", constraint) if part.strip()]
    if any(match is None for match in found):
        raise Wrong(
            f"PBS cannot be asked for nodes with {quote(constraint)}",
            "write NAME=VALUE or NAME, several joined by &",
        )
    return [(match[1], match[2] or "") for match in found if match is not None]


def _exclusive(layout: Layout) -> list[str]:
    if layout.exclusive in ("", "no"):
        return []
    if layout.exclusive != "yes":
        raise Wrong(
            f"PBS cannot keep a node for {quote(layout.exclusive)}",
            "use --exclusive alone: nobody else runs there",
        )
    return ["excl"]


def nodes(layout: Layout) -> list[str]:
    """The values of `-l` for Torque, whose `mem` is that of the whole job."""
    parts = chunks(layout)
    words = []
    if parts:
        tail = "".join(f":{_word(layout.gpu_type)}" if layout.gpu_type else "")
        tail += "".join(f":{_property(pair)}" for pair in _features(layout.constraint))
        words = ["nodes=" + "+".join(_nodes(part) + tail for part in parts)]
        memory = sum(part.count * part.memory for part in parts)
        words += [f"mem={values.amount(memory)}"] if memory else []
    others = {**layout.gres, **layout.licenses}
    return words + [f"{_word(name)}={count}" for name, count in others.items()]


def _nodes(part: Chunk) -> str:
    return f"{part.count}:ppn={part.cpus}" + (f":gpus={part.gpus}" if part.gpus else "")


def _property(pair: tuple[str, str]) -> str:
    name, value = pair
    if value:
        raise Wrong(f"nodes of Torque have no {quote(name)} to compare", "write a property's name")
    return name


def torque_exclusive(layout: Layout) -> Sequence[str]:
    """Torque's option for whole nodes."""
    return ("-n",) if _exclusive(layout) else ()


def _word(text: str) -> str:
    if _WORD.match(text) is None:
        raise Wrong(
            f"{quote(text)} cannot be asked of PBS", "use letters, digits and . _ - in such names"
        )
    return text
