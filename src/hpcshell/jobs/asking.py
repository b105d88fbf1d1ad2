"""What somebody wants run, made ready for the door it goes through."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.errors import HpcError, NotFound, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.options.table import Setting
from hpcshell.core.staging import target
from hpcshell.core.submission import Submission
from hpcshell.core.words import quote
from hpcshell.jobs.doors import Door
from hpcshell.jobs.prepare import Away, Prepared, prepare, prepare_spec
from hpcshell.jobs.sizing import cards_behind
from hpcshell.jobs.surroundings import working_directory

if TYPE_CHECKING:
    from hpcshell.clusters.anydesk import Choice
    from hpcshell.clusters.cluster import Cluster
    from hpcshell.clusters.desk import Desk

SCHEMA: Final = 1


class Asked(NamedTuple):
    """What is handed over, and what is told of it: see `jobs.prepare.Prepared`."""

    submission: Submission | JobSpec | Choice
    notes: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()
    sizing: tuple[str, ...] = ()

    @property
    def array(self) -> str:
        """Its index text; "" for a plain job."""
        asked = self.submission
        if isinstance(asked, Submission):
            return asked.array
        spec = asked if isinstance(asked, JobSpec) else next(iter(asked.specs.values()))
        return spec.submission.array


def document(asked: Asked | Prepared, job: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """What is told of a submission that was, or would be, accepted as `job`."""
    notes = [*asked.notes, *job.get("notes", ())]
    said = {"meaning": asked.meaning, "notes": notes, "sizing": asked.sizing}
    return {"schema": SCHEMA, **job, **said, "dry_run": dry_run}


def prepare_for(
    door: Door,
    argv: Sequence[str],
    script: bytes | None,
    settings: Sequence[Setting],
    *,
    interpreter: str | None = None,
    movable: bool = False,
    away: Away | None = None,
) -> Asked:
    """As `jobs.prepare.prepare`, for this machine or for what is behind the door. `movable`: see
    `clusters.anydesk.Choice`."""
    desks: Mapping[str, Desk] | None = getattr(door, "desks", None)
    if desks is not None:
        return _prepare_any(desks, argv, script, settings, interpreter, movable, away)
    cluster: Cluster | None = getattr(door, "cluster", None)
    if cluster is not None:
        return prepare_at(cluster, argv, script, settings, interpreter=interpreter, away=away)
    cards = cards_behind(door)
    made = prepare(argv, script, settings, interpreter=interpreter, cards=cards, away=away)
    return Asked(made.submission, made.notes, made.meaning, made.sizing)


def _prepare_any(
    desks: Mapping[str, Desk],
    argv: Sequence[str],
    script: bytes | None,
    settings: Sequence[Setting],
    interpreter: str | None,
    movable: bool,
    away: Away | None,
) -> Asked:
    """For each of several clusters, in its own words; raises if none of them can be asked."""
    from hpcshell.clusters.anydesk import Choice

    made: dict[str, Asked] = {}
    errors: dict[str, HpcError] = {}
    for name, desk in desks.items():
        try:
            made[name] = prepare_at(
                desk.cluster, argv, script, settings, interpreter=interpreter, away=away
            )
        except HpcError as error:
            errors[name] = error
    if not made:
        raise next(iter(errors.values()))
    first = next(iter(made.values()))
    specs = {name: each.submission for name, each in made.items()}
    notes = tuple(f"{name} cannot be asked: {error.message}" for name, error in errors.items())
    choice = Choice(specs=specs, notes=notes, movable=movable)  # type: ignore[arg-type]
    return Asked(choice, first.notes, first.meaning, first.sizing)


def prepare_at(
    cluster: Cluster,
    argv: Sequence[str],
    script: bytes | None,
    settings: Sequence[Setting],
    *,
    interpreter: str | None = None,
    away: Away | None = None,
) -> Asked:
    """For a cluster: its own defaults count, and what is not there does not go along."""
    origin = working_directory() if away is None else away.workdir
    if not cluster.here:
        away = Away(cluster.path(cluster.settings.workdir), cluster.link.home())
    prepared = prepare_spec(
        argv,
        script,
        settings,
        dialect=cluster.backend.dialect,
        interpreter=interpreter,
        defaults=_defaults(cluster),
        here=cluster.here,
        away=away,
    )
    if cluster.here:
        spec, notes = _here(prepared.spec, cluster)
    else:
        spec, notes = _moved(prepared.spec, origin), ()
    return Asked(spec, (*prepared.notes, *notes), prepared.meaning, prepared.sizing)


def _defaults(cluster: Cluster) -> Mapping[str, str]:
    """The options that every job of this cluster gets."""
    if not cluster.settings.options:
        return {}
    from hpcshell.core.options.parse import parse_flags

    where = f"clusters.{cluster.name}.options: "
    found = parse_flags(cluster.settings.options, "hpc", where).settings
    return {setting.option: setting.text for setting in found if setting.option}


def _here(spec: JobSpec, cluster: Cluster) -> tuple[JobSpec, tuple[str, ...]]:
    """As a cluster is to have it that has the files of this machine, with what is worth a note."""
    if not (spec.stage_in or spec.stage_out):
        return spec, ()
    note = f"{cluster.name} has the files of this machine: nothing is copied there or back"
    return replace(spec, stage_in=(), stage_out=(), own=False), (note,)


def _moved(spec: JobSpec, origin: str) -> JobSpec:
    """As another machine is to have it: without this one's environment, but with what goes along
    of a directory here. Raises `NotFound` where that is not here, `Wrong` where two things have one
    name there."""
    submission = replace(spec.submission, env=dict(spec.named))
    named: dict[str, str] = {}
    for path in spec.stage_in:
        if not os.path.exists(os.path.join(origin, path)):
            raise NotFound(f"--stage-in: there is no {quote(path)} here", "name what is here")
        if named.setdefault(name := target(path), path) != path:
            raise Wrong(
                f"--stage-in: {quote(named[name])} and {quote(path)} would both be {quote(name)}",
                "give one of them another name, or put both into a directory",
            )
    return replace(spec, submission=submission, whole=False, origin=origin)
