"""From a specification to the folder of a sweep with its points, new or grown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.words import name_from, quote
from hpcshell.flow import arguments, expand
from hpcshell.flow.identity import quick_id, salt
from hpcshell.flow.spec import Snapshot, Spec
from hpcshell.machine import clock
from hpcshell.sweeps import disk, folder, snapshots
from hpcshell.sweeps.folder import Folder, Manifest, Row

MOST: Final = 1_000_000
"""Points that are taken without a word."""
_FIRST: Final = "sweep"
"""A specification of this name says nothing of what it is: the directory does."""


@dataclass(frozen=True)
class Source:
    """A specification with the file it is from ("" for none) and that file's text."""

    spec: Spec
    path: str = ""
    text: str = ""


def id_of(source: Source, project: str) -> str:
    """What a sweep is called where nobody says it: its `name`, its file's, or the directory's."""
    if source.spec.name:
        return folder.check_id(source.spec.name)
    stem = os.path.basename(source.path).rpartition(".")[0] or os.path.basename(source.path)
    if stem in ("", _FIRST):
        stem = os.path.basename(os.path.abspath(project)) or _FIRST
    return folder.check_id(name_from(stem).strip(".- ") or _FIRST)


def make(
    source: Source, project: str, *, id: str | None = None, limit: int | None = None
) -> Folder:
    """The folder, with all points listed. Points that were known stay known. Raises `Refused` for
    too many, and for a folder that is another sweep's."""
    project = os.path.realpath(project)
    spec = source.spec
    check_count(spec, limit)
    check_project(project)
    check_command(spec, project)
    name = folder.check_id(id) if id is not None else id_of(source, project)
    made = folder.make(project, name)
    with made.lock():
        created = _known(made, source, project)
        listed = 0
        code = snapshots.take(project, spec.snapshot, source.path) if spec.snapshot else ""
        if spec.search is None:
            known = {row.id: row.folder for row in made.rows()}
            found = rows(spec, name, code, limit)
            kept = (replace(row, folder=known.get(row.id, row.folder)) for row in found)
            listed = made.write_rows(kept)
        elif not os.path.exists(made.file("points.jsonl")):
            made.write_rows(())
        if source.text:
            disk.write_whole(made.file("spec.yaml"), [source.text.encode("utf-8", "replace")])
        made.write(
            Manifest(
                id=name,
                project=project,
                spec=spec,
                created=created,
                source=source.path,
                code=code,
                limit=limit,
                points=listed,
            )
        )
    return made


def _known(made: Folder, source: Source, project: str) -> float:
    """When a sweep was first made that is there already, and is this one."""
    try:
        manifest = made.manifest()
    except NotFound:
        if os.listdir(made.file("points")):
            raise Refused(
                f"{quote(made.path, 200)} holds points of a sweep that is not there any more",
                "move it away, or give this sweep another name: --sweep-id NAME",
            ) from None
        return clock.now()
    folder.check_same(manifest, source.path, project)
    _check_search(made, manifest, source.spec)
    return manifest.created


def _check_search(made: Folder, manifest: Manifest, spec: Spec) -> None:
    """Raises `Refused` for another search than the one whose trials are in the folder."""
    if _asked(manifest.spec) == _asked(spec) or not made.rows():
        return
    raise Refused(
        f"the sweep {quote(manifest.id)} has the points of another search",
        "give this one another name: --sweep-id NAME, or `name:` in its file",
    )


def _asked(spec: Spec) -> object:
    """What makes trials comparable: another number of them, or another method, goes on."""
    search = spec.search
    if search is None:
        return None
    space = (search.parameters, search.when, search.constants)
    return (space, search.metrics, search.directions, spec.command, spec.passing)


def check_count(spec: Spec, limit: int | None) -> None:
    """Raises `Refused` for more points than anybody means, `Wrong` for none."""
    if limit is not None and limit < 1:
        raise Wrong(f"--max-runs {limit} runs nothing", "name a number from 1 on")
    most = expand.most(spec)
    if spec.search is None and limit is None and most > MOST:
        about = "" if expand.exact(spec) else "up to "
        raise Refused(
            f"these are {about}{most:,} points",
            f"--max-runs N runs the first N of them; more than {MOST:,} need it",
        )
    if spec.search is None and next(iter(expand.points(spec)), None) is None:
        raise Wrong("there is no point to run: all of them are excluded", "mend `exclude:`")


def check_project(project: str) -> None:
    """Raises `Wrong` for a directory whose path no document and no script of a job can hold."""
    if not project.isprintable():
        raise Wrong(
            f"the path of the project, {quote(project, 200)}, has a byte or a sign in it that "
            "cannot be printed",
            "rename the directory, in UTF-8 and without line ends",
        )


def check_command(spec: Spec, project: str) -> None:
    """Raises `NotFound` for a script that is not there."""
    for word in spec.command[:2]:
        if word.startswith("-") or "{" in word:
            continue
        if word.endswith((".py", ".sh", ".R", ".jl")) or "/" in word:
            path = os.path.join(project, word)
            if not os.path.exists(path):
                raise NotFound(
                    f"there is no script {quote(word)} in {quote(project, 200)}",
                    "mend `command:` (or `script:`), or run from the directory of the project",
                )


def rows(spec: Spec, sweep: str, code: str, limit: int | None) -> Iterator[Row]:
    """The points, with the names of their folders. Raises `Wrong` for two with one folder."""
    salted = salt(spec, code)
    found = islice(expand.points(spec), limit)
    if not spec.output:
        return (Row(id=quick_id(params, salted), params=params) for params in found)
    named = [row_of(spec, params, sweep, salted) for params in found]
    arguments.check_folders(row.folder for row in named)
    return iter(named)


def row_of(spec: Spec, params: dict[str, object], sweep: str, salted: bytes) -> Row:
    """One point."""
    id = quick_id(params, salted)
    return Row(id=id, params=params, folder=arguments.folder(spec, params, sweep, id))


def with_care(spec: Spec, **changes: object) -> Spec:
    """The same with some of its care changed, where a change is not None."""
    said = {name: value for name, value in changes.items() if value is not None}
    return replace(spec, care=replace(spec.care, **said)) if said else spec


def with_snapshot(spec: Spec, wanted: bool | None) -> Spec:
    """The same with a copy of the project, or without; None: as it says."""
    if wanted is None:
        return spec
    return replace(spec, snapshot=(spec.snapshot or Snapshot()) if wanted else None)
