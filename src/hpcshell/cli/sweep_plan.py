"""`hpc sweep run --dry-run`: all that would be run, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from shlex import join, quote
from typing import Any

from hpcshell.cli import exits
from hpcshell.cli.sweep_words import counted, hours, lasting
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.core.units import HOUR
from hpcshell.core.words import safe
from hpcshell.flow.spec import Axis, Block, Dist, Exclusion, Search
from hpcshell.flow.templates import shown
from hpcshell.sweeps.planning import Cost, Place, Plan


def tell(talk: Talk, plan: Plan) -> int:
    """Print the plan; 4 where one of the places would refuse it."""
    if talk.json:
        talk.document({**_document(plan), "schema": SCHEMA, "dry_run": True})
    elif talk.quiet:
        talk.data(str(plan.points))
    else:
        talk.data(*_lines(plan))
    return exits.REFUSED if any(place.trouble for place in plan.places) else exits.OK


def _document(plan: Plan) -> dict[str, Any]:
    handed = plan.handed
    return {
        "id": plan.id,
        "points": plan.points,
        "whole": plan.whole,
        "exact": plan.exact or plan.points < plan.whole,
        "first": plan.first,
        "command": handed.argv,
        "environment": handed.env,
        "spec": plan.spec,
        "places": [_place_document(place) for place in plan.places],
        "cost": {name: getattr(plan.cost, name) for name in plan.cost.__struct_fields__},
    }


def _place_document(place: Place) -> dict[str, Any]:
    request = place.request
    asked = ("cpus", "memory", "gpus", "gpu_share", "nodes", "time_limit")
    return {
        "on": place.on,
        "shape": place.shape,
        "request": None if request is None else {name: getattr(request, name) for name in asked},
        "script": place.script,
        "submitted_with": place.argv,
        "notes": place.notes,
        "trouble": place.trouble or None,
    }


def _lines(plan: Plan) -> Iterator[str]:
    about = "" if plan.exact else "up to "
    some = f"{plan.points:,} of " if plan.points < plan.whole else ""
    yield f"sweep {safe(plan.id)}: {some}{about}{counted(plan.whole, 'point')}"
    for number, block in enumerate(plan.spec.blocks, start=1):
        if len(plan.spec.blocks) > 1:
            yield f"block {number} of {len(plan.spec.blocks)}"
        yield from (f"  {safe(line)}" for line in _block(block))
    if plan.spec.search is not None:
        yield from (f"  {safe(line)}" for line in _search(plan.spec.search))
    yield ""
    yield from _first(plan)
    for place in plan.places:
        yield ""
        yield from _place(place)
    yield ""
    yield from _cost(plan.cost)


# ------------------------------------------------------------------------------------------ points


def _block(block: Block) -> Iterator[str]:
    for name, value in block.constants.items():
        yield f"{name} = {shown(value)}"
    for axis in block.axes:
        yield from _pairs(axis) if len(axis.names) > 1 or axis.paired else [_axis(axis)]
    for number, params in enumerate(block.listed, start=1):
        yield f"point {number} of the list: {_named(params)}"
    if block.random is not None:
        sampling = block.random
        yield f"{counted(sampling.samples, 'sample')}, seed {sampling.seed}"
        for name, dist in sampling.parameters.items():
            yield f"{name}: {_dist(dist)}{_when(sampling.when.get(name, ''))}"
    yield from (f"without {_excluded(each)}" for each in block.exclude)


def _axis(axis: Axis) -> str:
    values = ", ".join(shown(value) for (value,) in axis.values)
    return f"{axis.names[0]}: {values}{_when(axis.when)}"


def _pairs(axis: Axis) -> Iterator[str]:
    """A group: what belongs together, one line for each."""
    name = f"{axis.group}: " if axis.group else ""
    yield f"{name}{counted(len(axis.values), 'group')} of {', '.join(axis.names)}{_when(axis.when)}"
    for values in axis.values:
        yield f"  {_named(dict(zip(axis.names, values, strict=True)))}"


def _named(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in params.items())


def _when(condition: str) -> str:
    return f"    when {condition}" if condition else ""


def _dist(dist: Dist) -> str:
    if dist.kind == "choice":
        return f"one of {', '.join(map(shown, dist.choices))}"
    step = f", step {dist.step:g}" if dist.step else ""
    return f"{dist.kind} {dist.low:g} to {dist.high:g}{step}{', log' * dist.log}"


def _excluded(exclusion: Exclusion) -> str:
    if exclusion.expression:
        return exclusion.expression
    values = exclusion.values.items()
    return " and ".join(f"{name} in {', '.join(map(shown, some))}" for name, some in values)


def _search(search: Search) -> Iterator[str]:
    aims = ", ".join(
        f"{aim} {name}" for name, aim in zip(search.metrics, search.directions, strict=True)
    )
    yield f"{search.method}: {counted(search.trials, 'trial')}, {search.parallel} at once: {aims}"
    yield from (f"{name} = {shown(value)}" for name, value in search.constants.items())
    for name, dist in search.parameters.items():
        yield f"{name}: {_dist(dist)}{_when(search.when.get(name, ''))}"


# --------------------------------------------------------------------------------------- commands


def _first(plan: Plan) -> Iterator[str]:
    yield "the first command"
    environment = [f"{name}={quote(value)}" for name, value in plan.handed.env.items()]
    yield f"  {safe(' '.join([*environment, join(plan.handed.argv)]))}"
    if plan.handed.document is not None:
        yield f"  params.json: {safe(shown(plan.handed.document))}"
    if plan.spec.snapshot is not None:
        yield "  in a copy of the project"


def _place(place: Place) -> Iterator[str]:
    how = "as one array" if place.shape == "array" else "as a job each"
    yield f"submitted to {safe(place.on)}, {how}"
    if place.trouble:
        yield f"  it would be refused: {safe(place.trouble)}"
        return
    yield from (f"  note: {safe(note)}" for note in place.notes)
    if place.argv:
        yield f"  with: {safe(join(place.argv))}"
    yield from (f"  {safe(line)}" for line in place.script.rstrip().splitlines())


def _cost(cost: Cost) -> Iterator[str]:
    if not cost.points:
        yield "cost: none: nothing is left to run"
        return
    yield from _bounds("cost", cost)
    if cost.time_most is not None or cost.time_about is not None:
        yield f"time: {_times(cost)} on this machine, {cost.at_once:,} at once"
    elif cost.at_once:
        yield f"time: not known: no time limit, and no point has run; {cost.at_once:,} at once"
    else:
        yield "time: that depends on where it is queued: hpc submit --test-only says when it starts"


def _bounds(head: str, cost: Cost) -> Iterator[str]:
    told = counted(cost.points, "point")
    if cost.core_most is None:
        yield f"{head}: no upper bound for {told}: there is no time limit"
    else:
        most = _held(cost.core_most, cost.gpu_most)
        yield f"{head}: at most {most}, by the time limit of {told}"
    if cost.core_about is not None and cost.mean is not None:
        mean = lasting(cost.mean)
        yield (
            f"{head}: about {_held(cost.core_about, cost.gpu_about)}, by the {cost.known:,} that "
            f"have run ({mean} each)"
        )


def _held(cores: float, gpus: float | None) -> str:
    return hours(cores, "core") + (f", {hours(gpus, 'GPU')}" if gpus else "")


def _times(cost: Cost) -> str:
    parts: Sequence[tuple[str, float | None]] = (
        ("about ", cost.time_about),
        ("at most ", cost.time_most),
    )
    return ", ".join(word + lasting(some * HOUR) for word, some in parts if some is not None)
