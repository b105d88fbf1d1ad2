"""From layers of settings to one `JobSpec`: what is handed to a cluster.

    built = build_spec([*directives.layers, command_line], place, ("job.sh",), dialect="pbs")
    built.spec       submission, layout, modules, ..., and native words for the submit command

The same rows, layers and directives as in `build`, read for nodes instead of for one machine.
Options of a script that is written for the dialect of the site, and that have no row, come back in
`spec.native`; so do values that our words would change. Nothing is said that nobody has said: no
`defaults` of this machine belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.options.build import asked, conditions, many, prelude_of, submission_of
from hpcshell.core.options.gather import Gathered, Values, gather
from hpcshell.core.options.read import Place
from hpcshell.core.options.row import Setting
from hpcshell.core.options.sizing import size_by_model
from hpcshell.core.records import WHOLE, Record
from hpcshell.core.submission import Submission
from hpcshell.core.units import format_size
from hpcshell.core.words import safe


class BuiltSpec(Record, frozen=True, kw_only=True):
    """What is handed to a cluster, and what the person is told."""

    spec: JobSpec
    notes: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()
    sizing: tuple[str, ...] = ()


def build_spec(
    layers: Sequence[Iterable[Setting]],
    place: Place,
    argv: tuple[str, ...],
    *,
    dialect: str,
    script: bytes | None = None,
    profiles: Mapping[str, Mapping[str, str]] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> BuiltSpec:
    """The specification, for a site whose directives are in `dialect`. Raises `Wrong` at the first
    value that cannot be meant."""
    found = gather(layers, replace(place, site=dialect), profiles, defaults)
    model, sizing = size_by_model(found, argv)
    spec = _spec(found, submission_of(found, argv, script, model))
    return BuiltSpec(
        spec=spec,
        notes=tuple(dict.fromkeys([*found.notes, *_notes(found)])),
        meaning=(*_shape(spec), *conditions(spec.submission, found.place)),
        sizing=sizing,
    )


def _spec(found: Gathered, submission: Submission) -> JobSpec:
    values = found.values
    whole, exported = values.get("export", (True, {}))
    own = [name for name in (*exported, *values.get("env", {})) if name in submission.env]
    prelude = prelude_of(values)
    staged = tuple(values.get("stage_in", ())), tuple(values.get("stage_out", ()))
    return JobSpec(
        submission=submission,
        layout=layout_of(values),
        named={name: submission.env[name] for name in own},
        whole=whole,
        modules=prelude.modules,
        conda=prelude.conda,
        venv=prelude.venv,
        setup=prelude.setup,
        native=tuple(found.native),
        stage_in=staged[0],
        stage_out=staged[1],
        own=any(staged) and "chdir" not in values,
    )


def layout_of(values: Values) -> Layout:
    """What was said of nodes, tasks, memory and GPUs, each as it was said."""
    get = values.get
    least, most = get("nodes", (None, None))
    exclusive = get("exclusive", False)
    return Layout(
        nodes=least,
        nodes_most=most,
        tasks=get("tasks"),
        tasks_per_node=get("tasks_per_node"),
        cpus_per_task=get("cpus"),
        **_memory(values),
        gpus=get("gpus", 0) // WHOLE,
        gpus_per_node=get("gpus_per_node", 0) // WHOLE,
        gpus_per_task=get("gpus_per_task", 0) // WHOLE,
        cpus_per_gpu=get("cpus_per_gpu", 0),
        gpu_type=get("gpu_type") or get("gpu_model") or "",
        gres=get("gres", {}),
        licenses=get("resource", {}),
        exclusive="yes" if exclusive is True else exclusive or "",
        constraint=get("constraint", ""),
    )


def _memory(values: Values) -> dict[str, int]:
    """Memory of each node, CPU or GPU. What was said of the whole job is divided among its nodes,
    or among its tasks, if nobody knows how many nodes they are on."""
    each = ("memory", "memory_per_cpu", "memory_per_gpu")
    found = {name: values[name] for name in each if name in values}
    total, limit = values.get("memory_total", 0), values.get("memory_limit", 0)
    if found or not total:
        return found or {"memory": limit}
    nodes, _ = values.get("nodes", (None, None))
    if nodes is None and "tasks" in values:
        cpus = values["tasks"] * values.get("cpus", 1)
        return {"memory_per_cpu": -(-total // cpus)}
    return {"memory": -(-total // (nodes or 1))}


def _notes(found: Gathered) -> list[str]:
    values = found.values
    if values.get("time_limit", 0) is None and not found.stands_for("time_limit"):
        return ["without a time limit the site's own default holds"]
    return []


def _shape(spec: JobSpec) -> list[str]:
    """What was understood of nodes and resources: `2 nodes`, `16 tasks`, `128 CPUs`."""
    layout, request = spec.layout, spec.submission.request
    if layout.nodes is None and layout.tasks is None and layout.tasks_per_node is None:
        return [*asked(request), *_chosen(layout)]
    found = []
    if layout.nodes is not None:
        most = f" to {layout.nodes_most}" if layout.nodes_most else ""
        found.append(f"{layout.nodes}{most} nodes" if most else many(layout.nodes, "node"))
    if layout.every_task > 1:
        found.append(many(layout.every_task, "task"))
    if layout.memory and (layout.nodes or 1) > 1:
        found.append(f"memory {format_size(layout.memory)} on each node")
        request = replace(request, memory=0)
    return [*found, *asked(request), *_chosen(layout)]


def _chosen(layout: Layout) -> list[str]:
    """What the nodes must be."""
    return [f"nodes with {safe(layout.constraint)}"] if layout.constraint else []
