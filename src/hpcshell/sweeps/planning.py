"""What `run` would do: the first command, the script, what it costs at most and about. Nothing is
written, and nothing is submitted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from hpcshell.core.errors import HpcError, NotFound
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.options.values import from_keywords
from hpcshell.core.records import WHOLE, Record, Request
from hpcshell.core.submission import Submission
from hpcshell.flow import expand
from hpcshell.flow.arguments import Handed
from hpcshell.flow.identity import salt
from hpcshell.flow.search.searcher import searcher
from hpcshell.flow.spec import Spec
from hpcshell.jobs.asking import prepare_for
from hpcshell.jobs.doors import LOCAL
from hpcshell.jobs.opened import door
from hpcshell.sweeps import batches, folder, making, submitting, wrapper
from hpcshell.sweeps.aiming import options_at
from hpcshell.sweeps.batches import Batch
from hpcshell.sweeps.face import Sweep
from hpcshell.sweeps.folder import Folder, Manifest, Row
from hpcshell.sweeps.ledger import Target
from hpcshell.sweeps.making import Source
from hpcshell.sweeps.places import check_mode, targets
from hpcshell.sweeps.standing import MISSING, Standing

COUNTED = 1_000_000
"""Points that are counted one by one, where the number does not follow from the axes."""


class Place(Record, frozen=True, kw_only=True):
    """Where points would go. `script`: what would be submitted; `argv`: by which command, "" on
    this machine; `trouble`: why it would be refused."""

    on: str
    shape: str
    request: Request | None = None
    script: str = ""
    argv: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    trouble: str = ""


class Cost(Record, frozen=True, kw_only=True):
    """Of the points that would be submitted. `most_...`: by the time limit, None without one;
    `about_...`: by the `known` points that have run, None where there are none. `at_once`: points
    that run together on this machine, 0 where nobody knows. All in hours."""

    points: int
    core_most: float | None = None
    gpu_most: float | None = None
    core_about: float | None = None
    gpu_about: float | None = None
    known: int = 0
    mean: float | None = None
    at_once: int = 0
    time_most: float | None = None
    time_about: float | None = None


class Plan(Record, frozen=True, kw_only=True):
    """`points`: how many would be run, of `whole`, which is how many there are; at most, where it
    is not `exact`. `first`: the parameters of the first one, and what it is started with."""

    id: str
    spec: Spec
    points: int
    whole: int
    exact: bool
    first: Mapping[str, Any]
    handed: Handed
    places: tuple[Place, ...]
    cost: Cost


def plan(
    source: Source,
    project: str,
    id: str | None,
    limit: int | None,
    *,
    mode: str | None,
    on: str | None,
    options: Mapping[str, Any],
) -> Plan:
    """What would become of a specification. Raises what `run` would raise of it."""
    spec = source.spec
    making.check_count(spec, limit)
    making.check_project(os.path.realpath(project))
    making.check_command(spec, os.path.realpath(project))
    name = folder.check_id(id) if id is not None else making.id_of(source, project)
    whole, exact = _count(spec)
    points = whole if limit is None else min(whole, limit)
    where = Folder(f"{folder.outputs(project)}/{name}")
    manifest = Manifest(id=name, project=os.path.realpath(project), spec=spec, created=0.0)
    first = _first(spec, name)
    names = [each for each in (on or "").split(",") if each]
    at_once = 1 if spec.search else points  # a search wants trial after trial
    there = targets(check_mode(mode or "auto"), names, {}, at_once, "")
    places = tuple(_place(where, manifest, first, one, options, points) for one in there)
    before = _standings(where)
    return Plan(
        id=name,
        spec=spec,
        points=points,
        whole=whole,
        exact=exact,
        first=first.params,
        handed=batches.words_of(where, manifest, _batch(first, staged=False), first),
        places=places,
        cost=_cost(spec, places, points, before),
    )


def _count(spec: Spec) -> tuple[int, bool]:
    if spec.search is not None:
        return spec.search.trials, True
    count, exact = expand.most(spec), expand.exact(spec)
    if not exact and count <= COUNTED:
        return sum(1 for _ in expand.points(spec)), True
    return count, exact


def _first(spec: Spec, name: str) -> Row:
    """The first point; of a search the first that it would ask for."""
    if spec.search is None:
        return next(making.rows(spec, name, "", 1))
    [trial] = searcher(spec.search, ()).ask(1)
    return making.row_of(spec, dict(trial.params), name, salt(spec, ""))


def _batch(row: Row, *, staged: bool) -> Batch:
    return Batch(key="dry-run", rows=(row,), staged=staged)


# ------------------------------------------------------------------------------------------ places


def _place(
    where: Folder,
    manifest: Manifest,
    row: Row,
    target: Target,
    options: Mapping[str, Any],
    points: int,
) -> Place:
    """What is submitted there. What would be refused is told, not raised: the rest is worth
    knowing."""
    batch = _batch(row, staged=target.staged)
    asked = options_at(manifest.spec, target, options)
    whole = submitting.options_of(where, manifest, batch, _with(target, asked))
    for name in ("output", "stage_in", "stage_out"):
        whole.pop(name, None)  # of files that are not there yet
    if target.shape == "array":
        whole["array"] = f"0-{points - 1}"
    way = door(target.on)
    try:
        made = prepare_for(way, submitting.command_of(where, batch), None, from_keywords(**whole))
        answer = way.call("submit", submissions=[made.submission], dry_run=True)["jobs"][0]
    except HpcError as error:
        return Place(on=target.on, shape=target.shape, trouble=error.message)
    return Place(
        on=target.on,
        shape=target.shape,
        request=_request(made.submission),
        script=answer.get("script") or wrapper.SCRIPT,
        argv=tuple(answer.get("argv") or ()),
        notes=(*made.notes, *answer.get("notes", ())),
    )


def _with(target: Target, options: Mapping[str, Any]) -> Target:
    return Target(on=target.on, shape=target.shape, options=options, staged=target.staged)


def _request(asked: Any) -> Request | None:
    if isinstance(asked, Submission):
        return asked.request
    return asked.submission.request if isinstance(asked, JobSpec) else None


# -------------------------------------------------------------------------------------------- cost


def _standings(where: Folder) -> list[Standing]:
    """How the points of this sweep stand, where it is there already."""
    try:
        return Sweep(where).standings()
    except NotFound:
        return []


def _cost(spec: Spec, places: Sequence[Place], points: int, before: Sequence[Standing]) -> Cost:
    left = points - sum(one.state != MISSING for one in before)
    request = next((place.request for place in places if place.request is not None), None)
    if request is None or left <= 0:
        return Cost(points=max(left, 0))
    ran = [
        one.end - one.start
        for one in before
        if one.state == "COMPLETED" and one.start is not None and one.end is not None
    ]
    cores, gpus = _held(request)
    limit, mean = request.time_limit, fmean(ran) if ran else None
    at_once = _at_once(spec, places, request, left)
    rounds = -(-left // at_once) if at_once else None
    return Cost(
        points=left,
        core_most=_hours(left * cores, limit),
        gpu_most=_hours(left * gpus, limit),
        core_about=_hours(left * cores, mean),
        gpu_about=_hours(left * gpus, mean),
        known=len(ran),
        mean=None if mean is None else round(mean, 3),
        at_once=at_once,
        time_most=_hours(rounds, limit),
        time_about=_hours(rounds, mean),
    )


def _hours(times: float | None, seconds: float | None) -> float | None:
    return None if times is None or seconds is None else times * seconds / 3600


def _held(request: Request) -> tuple[int, float]:
    """Cores and GPUs of one point."""
    nodes = max(request.nodes, 1)
    return request.cpus * nodes, request.gpu_hundredths / WHOLE * nodes


def _at_once(spec: Spec, places: Sequence[Place], request: Request, left: int) -> int:
    """Points that this machine runs together, with nothing else on it; 0 where points go
    elsewhere, too."""
    if [place.on for place in places] != [LOCAL]:
        return 0
    total: Mapping[str, int] = door(LOCAL).call("resources")["total"]
    fits = [total["cpus"] // request.cpus]
    if request.memory and total.get("memory"):
        fits.append(total["memory"] // request.memory)
    if request.gpu_hundredths:
        fits.append(int(total.get("gpus", 0) * WHOLE // request.gpu_hundredths))
    return max(0, min(*fits, left, spec.care.throttle or left))
