"""From a batch of points to jobs, and what became of one whose answer was never heard."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

from hpcshell import jobs
from hpcshell.clusters.troubles import NotSetUp
from hpcshell.core.errors import HpcError, NotFound, NotYet, Refused, Wrong
from hpcshell.jobs.doors import LOCAL
from hpcshell.jobs.opened import door
from hpcshell.machine import clock
from hpcshell.sweeps import batches
from hpcshell.sweeps.batches import Batch
from hpcshell.sweeps.folder import Folder, Manifest, Row
from hpcshell.sweeps.ledger import Intent, Ledger, Taken, Target, Void
from hpcshell.sweeps.places import this_scheduler

CERTAIN: Final = (Wrong, Refused, NotFound, NotYet, NotSetUp)
"""After these it is certain that nothing was taken."""


def submit(
    folder: Folder,
    manifest: Manifest,
    ledger: Ledger,
    rows: Sequence[Row],
    target: Target,
    *,
    attempt: int = 0,
) -> Taken:
    """Hand these points over; when this returns it is written down who has them. The caller holds
    the lock. Raises what the scheduler says; the points then count as not submitted, or as in
    doubt until `settle`."""
    key = secrets.token_hex(4)
    batch = Batch(key=key, rows=tuple(rows), staged=target.staged, code=target.code)
    batches.lay_out(folder, manifest, batch)
    single = target.shape == "individual"
    ledger.add(
        Intent(
            key=key,
            on=target.on,
            points=tuple(row.id for row in rows),
            time=clock.now(),
            single=single,
            staged=target.staged,
            code=target.code,
            attempt=attempt,
            scheduler=this_scheduler() if target.on == LOCAL else "",
        )
    )
    try:
        taken = _hand_over(folder, manifest, batch, target)
    except CERTAIN as error:
        ledger.add(Void(key=key, why=error.message))
        batches.drop(folder, key)
        raise
    ledger.add(taken)
    return taken


def _hand_over(folder: Folder, manifest: Manifest, batch: Batch, target: Target) -> Taken:
    options = options_of(folder, manifest, batch, target)
    command = command_of(folder, batch)
    if target.shape == "array":
        array = f"0-{len(batch.rows) - 1}"
        made = [jobs.submit(command, on=target.on, array=array, **options)]
    else:
        each = [{"command": [*command, str(number)]} for number in range(len(batch.rows))]
        made = jobs.submit_many(each, on=target.on, **options)
    return Taken(key=batch.key, on=made[0].on, jobs=tuple(one.label for one in made))


def command_of(folder: Folder, batch: Batch) -> list[str]:
    """The words that run an element of a batch."""
    where = batches.RUN if batch.staged else folder.batch(batch.key)
    return ["/bin/sh", f"{where}/point.sh", where]


def options_of(folder: Folder, manifest: Manifest, batch: Batch, target: Target) -> dict[str, Any]:
    """All that a scheduler is told of a batch besides its command."""
    tags = [f"sweep={folder.id}", f"batch={batch.key}", *manifest.spec.tags]
    options: dict[str, Any] = {"name": folder.id, **target.options}
    options["tag"] = [*_several(options.get("tag")), *tags]
    if not batch.staged:
        directory = batches.code_directory(manifest, batch.code)
        log = f"{_literal(folder.batch(batch.key))}/{batches.LOG}"
        return {"chdir": directory, "output": log, "open_mode": "append", **options}
    where = folder.batch(batch.key)
    along = [f"{where}/{batches.RUN}", f"{where}/points"]
    code = batches.code_directory(manifest, batch.code)
    return {**options, "stage_in": [*along, code]}


def _literal(path: str) -> str:
    return path.replace("%", "%%")


def _several(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def settle(ledger: Ledger) -> list[str]:
    """Look for the batches of which it is not known whether they were taken. The sentences say
    what could not be found out. The caller holds the lock."""
    said = []
    for intent in ledger.doubtful():
        try:
            found = _jobs_of(intent)
        except HpcError as error:
            said.append(
                f"whether {intent.on} took {len(intent.points)} points is not known: "
                f"{error.message}"
            )
            continue
        if not found:
            ledger.add(Void(key=intent.key, why="it was never taken"))
        else:
            ledger.add(Taken(key=intent.key, on=intent.on, jobs=found))
    return said


def _jobs_of(intent: Intent) -> tuple[str, ...]:
    """The jobs of a batch by its tag, in the order of its points. Of several jobs only some may
    have been taken: a cluster takes one after the other."""
    way = door(intent.on)
    tags = [f"batch={intent.key}"]
    views: dict[str, dict[str, Any]] = {}
    for verb in ("queue", "history"):
        for view in way.call(verb, tags=tags, limit=len(intent.points) + 1)["rows"]:
            views[str(view["id"])] = view
    if not intent.single or not views:
        return tuple(views)[:1]
    by_number = {view["command"][-1]: id for id, view in views.items()}
    return tuple(by_number.get(str(number), "") for number in range(len(intent.points)))
