"""How much a job asks for, in LSF's terms: slots, how they lie on hosts, -R, -M and -gpu.

LSF counts `rusage[mem]` and `num` of GPUs for each host unless the site says otherwise, so where
there is more than one slot the unit is written out: `/host`, `/task` (10.1.0.9 and later). Sizes
carry their unit, too, whatever LSF_UNIT_FOR_LIMITS says (10.1.0.2 and later).
"""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import WHOLE, Record
from hpcshell.core.units import KIB, MIB
from hpcshell.core.words import quote

_RESOURCE: Final = re.compile(r"(?a)[A-Za-z_][A-Za-z0-9_]*\Z")
_MODEL: Final = re.compile(r"(?a)[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_CONSTRAINT: Final = re.compile(r"(?a)[A-Za-z_][A-Za-z0-9_]*|[&|]+|[()!]|\s+|.", re.DOTALL)


class Shape(Record, frozen=True, kw_only=True):
    """`slots` of the whole job; `each` host has so many (0: LSF may choose); `hosts` 0: any."""

    slots: int
    each: int = 0
    hosts: int = 0
    span: str = ""

    @property
    def host(self) -> str:
        """What a quantity of each host carries behind it."""
        return "/host" if self.slots > 1 else ""


def shape(spec: JobSpec) -> Shape:
    layout, request = spec.layout, spec.submission.request
    alone = layout.tasks is None and layout.tasks_per_node is None
    cpus = layout.cpus_per_task or (request.cpus if alone else 1)
    if layout.cpus_per_gpu and layout.cpus_per_task is None:
        cpus = max(layout.cpus_per_gpu * layout.every_gpu // layout.every_task, 1)
    slots, nodes = cpus * layout.every_task, layout.nodes or 0
    if nodes == 1 or (not nodes and layout.every_task == 1):
        return Shape(slots=slots, each=slots, hosts=1, span="hosts=1" if slots > 1 else "")
    if not nodes and not layout.tasks_per_node:
        return Shape(slots=slots, span=f"block={cpus}" if cpus > 1 else "")
    each = cpus * layout.tasks_per_node if layout.tasks_per_node else slots // nodes
    if slots % each if not nodes else each * nodes != slots:
        raise Wrong(
            f"LSF puts the same number of cpus on every node: {slots} do not go so",
            f"ask for a multiple of {nodes if nodes else each}",
        )
    return Shape(slots=slots, each=each, hosts=slots // each, span=f"ptile={each}")


def requirements(spec: JobSpec, shape: Shape) -> str:
    """The text of -R; "" where nothing is asked for."""
    layout = spec.layout
    uses = [_memory_use(spec, shape)]
    uses += [f"{_resource(name)}={count}{shape.host}" for name, count in layout.gres.items()]
    uses += [f"{_resource(name)}={count}" for name, count in layout.licenses.items()]
    use = ":".join(filter(None, uses))
    sections = [
        f"select[{_select(layout.constraint)}]" if layout.constraint else "",
        f"rusage[{use}]" if use else "",
        f"span[{shape.span}]" if shape.span else "",
    ]
    return " ".join(filter(None, sections))


def _resource(name: str) -> str:
    if not _RESOURCE.match(name):
        raise Wrong(f"{quote(name)} is no name of a resource in LSF", "lsinfo lists them")
    return name


def _memory_use(spec: JobSpec, shape: Shape) -> str:
    of_host, of_slot = _memory(spec, shape)
    if of_slot:
        return f"mem={_size(of_slot)}/task"
    return f"mem={_size(of_host)}{shape.host}" if of_host else ""


def memory_limit(spec: JobSpec, shape: Shape) -> str:
    """The text of -M: LSF limits what there is on one host; "" for no limit."""
    of_host, of_slot = _memory(spec, shape)
    return _size(of_host or of_slot * shape.slots) if of_host or of_slot else ""


def _memory(spec: JobSpec, shape: Shape) -> tuple[int, int]:
    """Bytes of each host, or else of each slot."""
    layout = spec.layout
    if layout.memory_per_cpu and not layout.memory:
        each = layout.memory_per_cpu
        return (each * shape.each, 0) if shape.each else (0, each)
    if layout.memory_per_gpu and not layout.memory:
        return layout.memory_per_gpu * _gpus_of_host(spec, shape), 0
    return layout.memory or spec.submission.request.memory, 0


def _size(size: int) -> str:
    return f"{size // MIB}MB" if size % MIB == 0 else f"{-(-size // KIB)}KB"


def gpus(spec: JobSpec, shape: Shape) -> str:
    """The text of -gpu; "" for none. Nobody else may have the same GPUs."""
    layout = spec.layout
    if layout.gpus_per_task and not shape.each and (layout.cpus_per_task or 1) == 1:
        number = f"{layout.gpus_per_task}/task"
    else:
        count = _gpus_of_host(spec, shape)
        number = f"{count}{shape.host}" if count else ""
    if not number:
        return ""
    if layout.gpu_type and not _MODEL.match(layout.gpu_type):
        raise Wrong(f"{quote(layout.gpu_type)} is no model of a GPU in LSF", "lshosts -gpu")
    model = f":gmodel={layout.gpu_type}" if layout.gpu_type else ""
    return f"num={number}:j_exclusive=yes{model}"


def _gpus_of_host(spec: JobSpec, shape: Shape) -> int:
    layout = spec.layout
    every = layout.every_gpu
    if layout.gpus_per_node or not every:
        return layout.gpus_per_node or spec.submission.request.gpu_hundredths // WHOLE
    if not shape.hosts:
        raise Wrong(
            "LSF counts GPUs on each node, and how many nodes is not said",
            "say --nodes, or --gpus-per-node",
        )
    if every % shape.hosts:
        raise Wrong(
            f"LSF puts the same number of GPUs on every node: {every} do not go so",
            f"ask for a multiple of {shape.hosts}",
        )
    return every // shape.hosts


def _select(constraint: str) -> str:
    """`a&(b|!c)` in LSF's signs."""
    words = [word for word in _CONSTRAINT.findall(constraint) if not word.isspace()]
    signs = {"&": "&&", "&&": "&&", "|": "||", "||": "||", "(": "(", ")": ")", "!": "!"}
    for word in words:
        if word not in signs and not _RESOURCE.match(word):
            raise Wrong(
                f"--constraint: {quote(constraint)} holds {quote(word)}, which LSF cannot select",
                "write names of resources with & | ! and parentheses; lsinfo lists them",
            )
    return " ".join(signs.get(word, word) for word in words)
