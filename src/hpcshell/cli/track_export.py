"""`hpc track export`: runs or points as a file for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli.talk import Talk
from hpcshell.cli.tracked import caught_up
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote, safe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hpcshell.track.records import Run
    from hpcshell.track.store.jobs import Prices

STDOUT: Final = "-"
FORMS: Final = ("csv", "json", "jsonl", "parquet")


@verb(
    "export",
    "hpc track export mnist > runs.csv",
    "hpc track export mnist --filter 'metrics.loss < 0.5' --output runs.parquet",
    "hpc track export --points --run 4bf90ac1 --metric loss --format jsonl",
)
@click.argument("experiment", required=False)
@click.option("-o", "--output", metavar="FILE", default=STDOUT, help="The file; else stdout.")
@click.option("--format", "form", type=click.Choice(FORMS), help="Else by the file's ending.")
@click.option("--filter", "condition", metavar="TEXT", default="", help="Only runs that fit.")
@click.option("--run", "run_ids", metavar="ID", multiple=True, help="Only this run (repeatable).")
@click.option("--points", is_flag=True, help="All points of the metrics instead of the runs.")
@click.option(
    "--metric", "keys", metavar="KEY", multiple=True, help="With --points, only of this metric."
)
def export(talk: Talk, experiment: str | None, output: str, **chosen: Any) -> int:
    """Write runs, or all points of their metrics, as CSV, JSON, JSON lines or Parquet.

    EXPERIMENT is a name or a number; without it, runs of all experiments are written. ID may be
    the first digits of a run's id, or @ for the latest. --json writes one document, --format jsonl
    a line for each run or point. Parquet needs pyarrow: pip install
    "hpcshell[parquet]".
    """
    from hpcshell.sweeps.exporting import pour
    from hpcshell.track.store import keys

    if chosen["keys"] and not chosen["points"]:
        raise Wrong("--metric chooses points", "add --points")
    form = chosen["form"] or _form(output, talk.json)
    source = caught_up(talk)
    with source.store as store, store.reading() as connection:
        meant = experiment, chosen["condition"], chosen["run_ids"]
        found = _found(connection, source.prices, *meant)
        for key in chosen["keys"]:
            keys.require(connection, "metrics", key, run_ids=[run.run_id for run in found()])
        pour(_parts(connection, found, form, chosen["points"], chosen["keys"]), output)
    if output != STDOUT:
        talk.say(f"wrote {safe(output)}")
    return 0


def _parts(
    connection: Connection,
    found: Callable[[], Iterator[Run]],
    form: str,
    points: bool,
    keys: tuple[str, ...],
) -> Iterable[bytes]:
    from hpcshell.track.points.exporting import points_table, runs_table

    if not points:
        return runs_table(found, form)
    ids = [run.run_id for run in found()]
    return points_table(connection, ids, form, keys=keys or None)


def _found(
    connection: Connection,
    prices: Prices,
    experiment: str | None,
    condition: str,
    run_ids: tuple[str, ...],
) -> Callable[[], Iterator[Run]]:
    """What gives the runs that are meant. Raises `NotFound` or `Wrong`."""
    from hpcshell.track.points.exporting import every_run
    from hpcshell.track.store import experiments, runs
    from hpcshell.track.store.paging import Wanted

    if run_ids:
        if experiment or condition:
            raise Wrong("--run says which runs are meant", "leave the experiment and --filter out")
        ids = [runs.meant(connection, text) for text in run_ids]
        return lambda: (runs.show(connection, run_id, prices) for run_id in ids)
    within = () if experiment is None else (experiments.meant(connection, experiment).id,)
    wanted = Wanted(filter=condition, sort="created_at", experiments=within)
    return lambda: every_run(connection, wanted, prices)


def _form(output: str, json: bool) -> str:
    ending = os.path.splitext(output)[1][1:].lower()
    if output == STDOUT:
        return "json" if json else "csv"
    if ending not in FORMS:
        raise Wrong(
            f"{quote(output, 200)} does not say what form to write",
            "end it in " + ", ".join(f".{form}" for form in FORMS),
        )
    return ending
