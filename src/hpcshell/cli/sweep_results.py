"""`hpc sweep report`, `errors`, `best` and `export`: what a sweep came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import click

from hpcshell.cli import exits
from hpcshell.cli.sweep_words import counted, id_argument, lasting
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote, safe
from hpcshell.flow.results.report import Report
from hpcshell.flow.templates import shown
from hpcshell.sweeps.documents import best_of, errors_of, report_of
from hpcshell.sweeps.exporting import FORMS
from hpcshell.sweeps.face import STATES, open_sweep

EXAMPLES: Final = 3
"""Points that are named of each kind of error."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def ranking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is best."""
    options: list[Decorator] = [
        click.option("--metric", metavar="NAME", default="", help="Other than the file's."),
        click.option(
            "--maximize/--minimize", "maximize", default=None, help="Which end of it is best."
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _direction(maximize: bool | None) -> Any:
    return None if maximize is None else "maximize" if maximize else "minimize"


def _report(sweep: str | None, metric: str, maximize: bool | None, best: int) -> tuple[str, Report]:
    from hpcshell.sweeps.reporting import report

    found = open_sweep(sweep)
    direction = _direction(maximize)
    standings = found.standings()
    return found.id, report(found.spec, standings, metric=metric, direction=direction, best=best)


@verb(
    "best",
    "hpc sweep best",
    "hpc sweep best -n 1 --json | jq .best[0].params",
    "hpc sweep best --metric accuracy --maximize",
)
@id_argument
@click.option("-n", "count", type=click.IntRange(1), default=10, help="So many.  [default: 10]")
@ranking
def best(talk: Talk, sweep: str | None, count: int, metric: str, maximize: bool | None) -> int:
    """List the best points, with their parameters."""
    id, found = _report(sweep, metric, maximize, count)
    if talk.json:
        talk.document({"schema": SCHEMA, **best_of(id, found)})
    elif talk.quiet:
        talk.data(*(each.id for each in found.best))
    else:
        talk.data(*_best(talk, found))
        talk.say(*(f"note: {safe(note)}" for note in found.notes))
    return exits.OK


def _best(talk: Talk, found: Report) -> list[str]:
    if not found.best:
        return ["no completed point has a number to be ranked by"]
    names = _names(each.params for each in found.best)
    columns = [Column("POINT"), Column(safe(found.metric), right=True)]
    columns += [Column(safe(name), elastic=True) for name in names]
    rows = [
        [each.id, f"{each.value:.6g}", *(_cell(each.params, name) for name in names)]
        for each in found.best
    ]
    return table(talk, columns, rows)


def _names(params: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in params for name in each))


def _cell(params: Mapping[str, Any], name: str) -> str:
    return safe(shown(params[name])) if name in params else "-"


@verb("errors", "hpc sweep errors", "hpc sweep errors lr-study --json")
@id_argument
def errors(talk: Talk, sweep: str | None) -> int:
    """Show what points failed of, those that failed of the same together."""
    from hpcshell.sweeps.errors import errors as grouped

    found = open_sweep(sweep)
    groups = grouped(found.standings())
    if talk.json:
        talk.document({"schema": SCHEMA, **errors_of(found.id, groups)})
    elif talk.quiet:
        talk.data(*(point for group in groups for point in group.points))
    elif not groups:
        talk.say("no point has failed")
    for group in () if talk.json or talk.quiet else groups:
        points = ", ".join(group.points[:EXAMPLES]) + (" ..." if group.count > EXAMPLES else "")
        talk.data(f"{counted(group.count, 'point')}: {safe(group.label)}")
        talk.data(*(f"    {safe(line)}" for line in group.lines))
        talk.data(f"    in {points}: {found.folder.path}/points/{group.example}/stderr")
    return exits.OK


@verb(
    "export",
    "hpc sweep export > table.csv",
    "hpc sweep export lr-study --output table.parquet",
    "hpc sweep export --format json",
)
@id_argument
@click.option("-o", "--output", metavar="FILE", default="-", help="The file; stdout without it.")
@click.option("--format", "form", type=click.Choice(list(FORMS)), help="Else by the file's ending.")
def export(talk: Talk, sweep: str | None, output: str, form: str | None) -> int:
    """Write all points, with their parameters, states and results, as one table.

    CSV, JSON, or Parquet, which needs pyarrow: pip install "hpcshell[parquet]".
    """
    from hpcshell.sweeps.collecting import table as collected
    from hpcshell.sweeps.exporting import export as write

    rows = collected(open_sweep(sweep).standings())
    write(rows, output, form or ("json" if talk.json and output == "-" else ""))
    if output != "-":
        talk.say(f"wrote {counted(len(rows.rows), 'point')} to {safe(output)}")
    return exits.OK


# ---------------------------------------------------------------------------------------- report


@verb(
    "report",
    "hpc sweep report",
    "hpc sweep report lr-study --json",
    "hpc sweep report --html report.html --pictures report.png",
)
@id_argument
@ranking
@click.option("--html", metavar="FILE", help="Write it with pictures as one page, for a browser.")
@click.option(
    "--pictures",
    metavar="PATH",
    help="Draw pictures: a .png, .svg or .pdf, or a directory of them.",
)
@click.option("--heat", metavar="A,B", default="", help="The two parameters of the heat map.")
def report(
    talk: Talk, sweep: str | None, html: str | None, pictures: str | None, **how: Any
) -> int:
    """Show what a sweep came to: completion, the best points, what each parameter does, run times,
    failures.

    Pictures need matplotlib: pip install "hpcshell[sweep]".
    """
    heat = _pair(how.pop("heat"))
    if html or pictures:
        return _draw(talk, sweep, html, pictures, heat, **how)
    id, found = _report(sweep, how["metric"], how["maximize"], 5)
    if talk.json:
        talk.document(report_of(id, found))
        return exits.OK
    talk.data(*_told(talk, id, found))
    talk.say(*(f"note: {safe(note)}" for note in found.notes))
    return exits.OK


def _pair(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    one, comma, other = text.partition(",")
    if not comma or not one or not other:
        raise Wrong(f"--heat: {quote(text)} are no two parameters", "write --heat lr,model.depth")
    return one, other


def _draw(
    talk: Talk,
    sweep: str | None,
    html: str | None,
    pictures: str | None,
    heat: tuple[str, str] | None,
    metric: str,
    maximize: bool | None,
) -> int:
    """Write the page, and the pictures; the paths are the answer."""
    from hpcshell.sweeps.exporting import put
    from hpcshell.sweeps.page import check_ending, page
    from hpcshell.sweeps.pictures import draw, is_one_file
    from hpcshell.sweeps.reporting import findings

    check_ending(html or "")
    is_one_file(pictures or "")
    found = open_sweep(sweep)
    direction = _direction(maximize)
    drawn = findings(found.spec, found.standings(), metric=metric, direction=direction)
    written: list[str] = []
    if html:
        put(page(drawn, heat).encode("utf-8", "backslashreplace"), html)
        written.append(html)
    if pictures:
        written += draw(drawn, pictures, heat)
    if talk.json:
        talk.document({"schema": SCHEMA, "id": found.id, "written": written})
    else:
        talk.data(*(safe(path) if talk.quiet else f"wrote {safe(path)}" for path in written))
    return exits.OK


def _told(talk: Talk, id: str, found: Report) -> list[str]:
    counts = found.counts
    states = ", ".join(f"{counts[each]:,} {each}" for each in STATES if counts.get(each))
    lines = [f"sweep {safe(id)}: {counted(found.points, 'point')}: {states}"]
    sections = {
        f"best by {found.metric} ({found.direction})": _best(talk, found) if found.best else [],
        f"mean {found.metric} by parameter": _effects(talk, found),
        "run time": _times(talk, found),
        "failures by parameter": _rates(talk, found),
        "errors": [f"{each.count:6,}  {safe(each.label)}" for each in found.errors],
    }
    for title, body in sections.items():
        if body:
            lines += ["", safe(title), *(f"  {line}" for line in body)]
    return lines


def _effects(talk: Talk, found: Report) -> list[str]:
    columns = [Column("PARAMETER"), Column("VALUE"), Column("POINTS", right=True)]
    columns += [Column("MEAN", right=True), Column("STD", right=True)]
    rows = [
        [
            safe(effect.param),
            safe(level.value),
            f"{level.n:,}",
            f"{level.mean:.6g}",
            f"{level.std:.3g}",
        ]
        for effect in found.effects
        for level in effect.levels
    ]
    return table(talk, columns, rows) if rows else []


def _times(talk: Talk, found: Report) -> list[str]:
    heads = ("STATE", "POINTS", "MEDIAN", "MEAN", "LONGEST", "HOURS")
    columns = [Column(head, right=head != "STATE") for head in heads]
    rows = [
        [
            each.state,
            f"{each.n:,}",
            *(lasting(seconds) for seconds in (each.median, each.mean, each.max)),
            f"{each.hours:.3g}",
        ]
        for each in found.run_times
    ]
    return table(talk, columns, rows) if rows else []


def _rates(talk: Talk, found: Report) -> list[str]:
    columns = [Column("PARAMETER"), Column("VALUE"), Column("ENDED", right=True)]
    columns += [Column("FAILED", right=True), Column("RATE", right=True)]
    rows = [
        [
            safe(each.param),
            safe(each.value),
            f"{each.ended:,}",
            f"{each.failed:,}",
            f"{each.rate:.0%}",
        ]
        for each in found.failures
    ]
    return table(talk, columns, rows) if rows else []
