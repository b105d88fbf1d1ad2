"""`hpc track compare` and `hpc track best`: runs beside each other, and the best of them."""

from __future__ import annotations

from typing import Any, Literal

import click

from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.tracked import SHORT, caught_up, said
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe


@verb("compare", "hpc track compare 3f2a90c1 77be01d4", "hpc track compare 3f2a 77be --json")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--all", "-a", "whole", is_flag=True, help="Show what is the same in all of them, too."
)
def compare(talk: Talk, runs: tuple[str, ...], whole: bool) -> int:
    """Show runs beside each other: in what they differ, and what came of it.

    RUN is a run's id, so many of its first digits that no other has them, or @ for the latest.
    """
    from hpcshell.track.store import compare as kept
    from hpcshell.track.store.runs import meant

    source = caught_up(talk)
    with source.store as store, store.reading() as connection:
        ids = [meant(connection, text) for text in runs]
        found = kept.compare(connection, ids, source.prices)
    if talk.json:
        fields = {name: getattr(found, name) for name in found.__struct_fields__}
        talk.document({"schema": SCHEMA, **fields})
    elif talk.quiet:
        talk.data(*(run.run_id for run in found.runs))
    else:
        heads = [Column("")] + [Column(run.run_id[:SHORT], right=True) for run in found.runs]
        talk.data(*table(talk, heads, _lines(found, whole)))
    return 0


def _lines(found: Any, whole: bool) -> list[list[str]]:
    lines = [[name, *map(_cell, values)] for name, values in found.columns.items()]
    lines += [
        [safe(f"params.{key}"), *map(_cell, values)] for key, values in found.differing.items()
    ]
    if whole:
        number = len(found.runs)
        lines += [
            [safe(f"params.{key}"), *[safe(text)] * number] for key, text in found.same.items()
        ]
    for key, values in found.metrics.items():
        last = [None if each is None else each.last for each in values]
        lines.append([safe(f"metrics.{key}"), *map(said, last)])
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return said(value)
    return "-" if value is None or value == "" else safe(str(value))


@verb(
    "best",
    "hpc track best mnist accuracy",
    "hpc track best mnist loss --min --limit 3",
)
@click.argument("experiment")
@click.argument("metric")
@click.option("--min", "least", is_flag=True, help="The least value is the best.")
@click.option(
    "--by",
    type=click.Choice(["last", "min", "max"]),
    help="Which value of each run counts.  [default: the best that it had]",
)
@click.option("--filter", "-f", metavar="FILTER", default="", help="Only runs that fit.")
@click.option(
    "--limit", "-l", type=click.IntRange(1, 1000), default=10, help="So many.  [default: 10]"
)
def best(
    talk: Talk,
    experiment: str,
    metric: str,
    least: bool,
    by: Literal["last", "min", "max"] | None,
    **chosen: Any,
) -> int:
    """List the best runs of an experiment by a metric: the greatest first, unless --min."""
    from hpcshell.track.store import experiments, keys
    from hpcshell.track.store.leaderboard import best as kept

    source = caught_up(talk)
    with source.store as store, store.reading() as connection:
        number = experiments.meant(connection, experiment).id
        keys.require(connection, "metrics", metric, experiments=[number])
        found = kept(connection, number, metric, least=least, by=by, prices=source.prices, **chosen)
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": found})
    elif talk.quiet:
        talk.data(*(each.run.run_id for each in found))
    elif found:
        heads = [Column("", right=True), Column("RUN"), Column("NAME", elastic=True)]
        heads += [Column(safe(metric), right=True), Column("STEP", right=True)]
        heads += [Column("STATUS", state=True)]
        talk.data(*table(talk, heads, [_place(each) for each in found]))
        if not least:
            talk.say("the greatest are first; --min for the least")
    else:
        talk.say("no run that fits has a number there")
    return 0


def _place(each: Any) -> list[str]:
    run = each.run
    name = safe(run.name) or "-"
    return [str(each.rank), run.run_id[:SHORT], name, said(each.value), str(each.step), run.status]
