"""The shape of a request in Grid Engine's words: slots of one parallel environment, and resources.

A slot is a CPU. What is asked for with `-l` is for each slot, unless the site counts it once for
the whole job (`JOB`) or for each host (`HOST`); what does not divide by the slots is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from hpcshell.backends.contract import Site
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Record
from hpcshell.core.words import nearest, quote

MEMORIES: Final = ("h_vmem", "mem_free", "virtual_free", "h_rss", "s_vmem", "mem", "memory", "ram")
GPUS: Final = ("gpu", "gpus", "ngpus", "num_gpu", "num_gpus")
GPU_TYPES: Final = ("gpu_type", "gputype", "gpu_model", "gpu_arch")
_ON_ONE_NODE: Final = "$pe_slots"
_SPREAD: Final = ("$fill_up", "$round_robin")
_USUAL: Final = ("smp", "threaded", "threads", "shm", "shared", "openmp", "omp", "mpi", "orte")
_CONSUMED: Final = frozenset({"YES", "JOB", "HOST"})
_OWN_WORDS: Final = 'name one with --native "-pe NAME SLOTS"'


class Slots(Record, frozen=True, kw_only=True):
    """How many, in which environment ("" for one slot without any). `own`: by native words."""

    count: int = 1
    environment: str = ""
    own: bool = False


def kind(site: Site, resource: str) -> tuple[str, str, str]:
    """Type, relation and whether it is consumed, of a resource ("" each: the site has none)."""
    words = [*site.details.get(f"resource {resource}", "").split(), "", "", ""]
    return words[0], words[1], words[2].upper()


def resources(site: Site) -> tuple[str, ...]:
    return _names(site, "resource ")


def environments(site: Site) -> tuple[str, ...]:
    return _names(site, "pe ")


def _names(site: Site, front: str) -> tuple[str, ...]:
    return tuple(name.removeprefix(front) for name in site.details if name.startswith(front))


# ------------------------------------------------------------------------------------------ slots


def slots(spec: JobSpec, site: Site) -> Slots:
    """Raises `Wrong` where no environment of the site keeps what was asked for."""
    layout = spec.layout
    said = _said(spec.native)
    if said is not None:
        return said
    count = max(layout.cpus, layout.cpus_per_gpu * layout.every_gpu)
    if layout.nodes is None:
        count = max(count, spec.submission.request.cpus)
    if layout.nodes_most and layout.nodes_most != layout.nodes:
        raise Wrong("Grid Engine takes no range of nodes", f"ask for {layout.nodes or 1} of them")
    if count == 1 and (layout.nodes or 1) == 1:
        return Slots()
    return Slots(count=count, environment=_environment(spec, site, count))


def _said(native: tuple[str, ...]) -> Slots | None:
    """What native words say: `-pe smp 4`, or `-pe smp 4-8` for the least."""
    words = [word for text in native for word in text.split()]
    if "-pe" not in words:
        return None
    after = words[words.index("-pe") + 1 :]
    number = re.match(r"(?a)[0-9]{1,9}", after[1]) if len(after) > 1 else None
    if number is None or int(number[0]) < 1:
        raise Wrong("--native: -pe needs an environment and its slots", "write -pe smp 4")
    return Slots(count=int(number[0]), environment=after[0], own=True)


def _environment(spec: JobSpec, site: Site, count: int) -> str:
    """The first that keeps the shape: on one node all slots together; on several as many on each
    as were asked for; where nodes were not said, every task whole."""
    layout, known = spec.layout, _of_queue(spec.submission.partition, site)
    rules = {name: site.details.get(f"pe {name}", "") for name in known}
    if not known and environments(site):
        raise Wrong(
            f"queue {spec.submission.partition} has no parallel environment, "
            f"and {count} slots were asked for",
            "ask for one CPU, or name another queue",
        )
    if not known:
        return _unasked(layout)
    for wanted in _rules(layout, count):
        fitting = [name for name in known if rules[name] == wanted]
        if fitting:
            return min(fitting, key=lambda name: _usual(name, known))
    raise _no_environment(layout, count, rules)


def _of_queue(queue: str, site: Site) -> tuple[str, ...]:
    of_queue = site.details.get(f"queue {queue}")
    known = environments(site)
    return known if of_queue is None else tuple(name for name in known if name in of_queue.split())


def _usual(name: str, known: tuple[str, ...]) -> tuple[int, int]:
    return _USUAL.index(name) if name in _USUAL else len(_USUAL), known.index(name)


def _unasked(layout: Layout) -> str:
    """The names that most sites use, where nothing is known of this one."""
    return "smp" if (layout.nodes or 1) == 1 and layout.every_task == 1 else "mpi"


def _rules(layout: Layout, count: int) -> tuple[str, ...]:
    """Allocation rules that will do, the best first."""
    nodes, each = layout.nodes, layout.cpus_per_task or 1
    if nodes == 1 or (nodes is None and layout.every_task == 1):
        return (_ON_ONE_NODE,)
    if nodes is not None:
        return (str(count // nodes),) if count % nodes == 0 else ()
    if layout.tasks_per_node:
        return (str(layout.tasks_per_node * each), _ON_ONE_NODE)
    if each > 1:
        whole = [str(each * tasks) for tasks in range(layout.every_task, 0, -1)]
        return (_ON_ONE_NODE, *(rule for rule in whole if count % int(rule) == 0))
    return (*_SPREAD, _ON_ONE_NODE)


def _no_environment(layout: Layout, count: int, rules: Mapping[str, str]) -> Wrong:
    shown = ", ".join(f"{name} ({rule})" for name, rule in rules.items())
    if layout.nodes and layout.nodes > 1:
        return Wrong(
            f"no parallel environment of this site puts {count} slots on exactly {layout.nodes} "
            f"nodes; it has {shown}",
            f"leave out the nodes and ask for {layout.every_task} tasks, or {_OWN_WORDS}",
        )
    return Wrong(
        f"no parallel environment of this site puts {count} slots on one node; it has {shown}",
        _OWN_WORDS,
    )


# -------------------------------------------------------------------------------------- resources


def requests(spec: JobSpec, site: Site, held: Slots) -> dict[str, str]:
    """What goes into `-l`, by name."""
    layout = spec.layout
    found = dict(_memory(spec, site, held))
    found |= dict(_gpus(spec, site, held))
    each_node = {**spec.submission.request.others, **layout.gres}
    for name, number in {**each_node, **layout.licenses}.items():
        many = number * (layout.nodes or 1) if name in each_node else number
        found[name] = _counted(name, many, site, held, layout)
    found |= dict(_features(spec, site))
    if layout.exclusive or spec.submission.request.exclusive:
        found[_exclusive(site)] = "TRUE"
    return found


def _memory(spec: JobSpec, site: Site, held: Slots) -> Iterator[tuple[str, str]]:
    total = _bytes(spec, held)
    if not total:
        return
    name = memory_resource(site)
    consumed = kind(site, name)[2]
    count = 1 if consumed == "JOB" else held.count
    if consumed == "HOST":
        count = spec.layout.nodes or 1
    yield name, _size(total, count)


def _bytes(spec: JobSpec, held: Slots) -> int:
    layout = spec.layout
    if layout.memory_per_cpu:
        return layout.memory_per_cpu * held.count
    if layout.memory_per_gpu:
        return layout.memory_per_gpu * layout.every_gpu
    return (layout.memory or spec.submission.request.memory) * (layout.nodes or 1)


def _size(total: int, count: int) -> str:
    """Rounded up to KiB, never less than was asked for."""
    each = math.ceil(total / count / 1024)
    return f"{each // 1024}M" if each % 1024 == 0 else f"{each}K"


def memory_resource(site: Site) -> str:
    """The first that the site counts down, so that jobs share a node rightly; else `h_vmem`, which
    is at least kept as a limit."""
    for name in MEMORIES:
        if kind(site, name)[2] in _CONSUMED:
            return name
    return "h_vmem"


def _gpus(spec: JobSpec, site: Site, held: Slots) -> Iterator[tuple[str, str]]:
    layout = spec.layout
    total = layout.every_gpu or spec.submission.request.gpus * (layout.nodes or 1)
    if spec.submission.request.gpu_share:
        raise Wrong("Grid Engine gives no share of a GPU", "ask for whole GPUs: --gpus 1")
    if not total:
        return
    name = next((name for name in GPUS if kind(site, name)[0]), "")
    if not name and resources(site):
        raise Wrong(
            "this site has no resource for GPUs that we know",
            'name what it calls them with --native "-l NAME=1"',
        )
    yield name or "gpu", _counted(name or "gpu", total, site, held, layout)
    if layout.gpu_type:
        yield _typed(site, layout.gpu_type)


def _typed(site: Site, model: str) -> tuple[str, str]:
    name = next((name for name in GPU_TYPES if kind(site, name)[0]), "")
    if not name:
        raise Wrong(
            f"this site has no resource for the type of a GPU ({quote(model)} was asked for)",
            'leave the type out, or name its own resource with --native "-l NAME=VALUE"',
        )
    return name, model


def _counted(name: str, total: int, site: Site, held: Slots, layout: Layout) -> str:
    """A whole number for each slot, host or job, as the site counts this resource."""
    consumed = kind(site, name)[2]
    if resources(site) and not consumed:
        near = nearest(name, resources(site))
        raise Wrong(
            f"this site has no resource {quote(name)}",
            f"did you mean {near}?" if near else "look at: qconf -sc",
        )
    count = {"JOB": 1, "HOST": layout.nodes or 1}.get(consumed, held.count)
    if total % count:
        raise Wrong(
            f"Grid Engine counts {name} for each slot, and {total} do not divide by {count}",
            f"ask for {count * math.ceil(total / count)} {name}, or for {total} CPUs",
        )
    return str(total // count)


def _features(spec: JobSpec, site: Site) -> Iterator[tuple[str, str]]:
    """`ssd&ib`: yes-or-no resources that all must hold. There is no `or` in `-l`."""
    text = spec.layout.constraint or spec.submission.request.constraint
    for word in filter(None, (part.strip() for part in re.split(r"[&,]", text))):
        if not re.fullmatch(r"(?a)[A-Za-z_][\w.-]*", word):
            raise Wrong(
                f"Grid Engine cannot be asked for the constraint {quote(text)}",
                "name features that all must hold: ssd&ib",
            )
        if resources(site) and kind(site, word)[0] != "BOOL":
            near = nearest(
                word, [name for name in resources(site) if kind(site, name)[0] == "BOOL"]
            )
            raise Wrong(
                f"this site has no yes-or-no resource {quote(word)}",
                f"did you mean {near}?" if near else 'say it in its words: --native "-l ..."',
            )
        yield word, "TRUE"


def _exclusive(site: Site) -> str:
    found = [name for name in resources(site) if kind(site, name)[1] == "EXCL"]
    if not found and resources(site):
        raise Wrong(
            "this site gives no node to one job alone (it has no resource with relop EXCL)",
            "ask for as many CPUs as a node has",
        )
    return found[0] if found else "exclusive"
