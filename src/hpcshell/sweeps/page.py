"""The report as one HTML page, which is one file: nothing is fetched, nothing runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.units import format_duration
from hpcshell.core.words import quote, shortened
from hpcshell.flow.results.effects import Effect
from hpcshell.flow.results.failures import ErrorGroup, FailureRate
from hpcshell.flow.results.levels import told
from hpcshell.flow.results.report import Report, RunTimes
from hpcshell.sim.report.sheet import escaped, figure, sheet
from hpcshell.sweeps.pictures import available, gathered, svg
from hpcshell.sweeps.reporting import Findings

ENDINGS: Final = (".html", ".htm", "")
LONGEST: Final = 120
"""Characters of a cell."""
LONG: Final = 16
"""A cell of more characters than that may break."""
MOST_ROWS: Final = 60
"""Rows of a table; what more there is is counted."""
MOST_GROUPS: Final = 20
MOST_POINTS: Final = 12
STYLE: Final = """
td.words { white-space: normal; overflow-wrap: break-word; max-width: 24rem; }
.words { text-align: left; } td.long { min-width: 12rem; }
pre { background: #f6f6f6; padding: .6rem .8rem; overflow-x: auto; font-size: .85rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.bar { display: inline-block; height: .7em; background: #0072b2; vertical-align: baseline; }
svg { max-width: 60rem; }
@media print { body { max-width: none; margin: 0; font-size: 11px; }
  figure, tr, pre { break-inside: avoid; } h2 { break-after: avoid; } .wide { overflow: visible; } }
"""


def check_ending(path: str) -> None:
    """Raises `Wrong` for a file that no browser takes for a page."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        raise Wrong(f"{quote(path, 200)} is no form of a page", "end it in .html")


def page(findings: Findings, heat: tuple[str, str] | None = None) -> str:
    """The page; `heat`: the parameters of the heat map. Raises `Refused` without matplotlib, and
    for a parameter that does not vary."""
    name = findings.report.name or "a sweep"
    return sheet(f"{name}: report", _sections(findings, heat), STYLE)


def _sections(findings: Findings, heat: tuple[str, str] | None) -> Iterator[str]:
    report = findings.report
    yield f"<h1>{escaped(report.name or 'Report')}</h1>"
    yield f"<p>{escaped(_summary(report))}</p>"
    if report.notes:
        yield "<ul>" + "".join(f"<li>{escaped(note)}</li>" for note in report.notes) + "</ul>"
    if report.counts:
        yield _completion(report)
    if report.best:
        yield _best(report)
    drawn = gathered(findings, heat)
    pictures = available(drawn)
    if pictures:
        yield "<h2>Pictures</h2>"
    for picture in pictures:
        yield figure(picture.caption, svg(drawn, picture))
    if report.effects:
        yield _effects(report.effects)
    if report.run_times:
        yield _run_times(report.run_times)
    if report.failures:
        yield _failures(report.failures)
    yield from _errors(report.errors)


def _summary(report: Report) -> str:
    done = report.counts.get("COMPLETED", 0)
    words = f"{done:,} of {report.points:,} points have completed"
    if report.metric:
        words += f"; {report.measured:,} have a number for {report.metric} ({report.direction}d)"
    return f"{words}."


def _completion(report: Report) -> str:
    rows = [
        [state, f"{count:,}", f"{count / report.points:.1%}", _Bar(count / report.points)]
        for state, count in sorted(report.counts.items(), key=lambda item: -item[1])
    ]
    return _titled("Completion", ["state", "points", "share", ""], rows)


def _best(report: Report) -> str:
    params = list(dict.fromkeys(name for point in report.best for name in point.params))
    head = ["rank", "point", report.metric, *params]
    rows = [
        [
            str(at),
            _Words(point.id),
            _number(point.value),
            *(_value(point.params, name) for name in params),
        ]
        for at, point in enumerate(report.best, 1)
    ]
    return _titled("Best points", head, rows)


def _effects(effects: Sequence[Effect]) -> str:
    head = [
        "parameter",
        "value",
        "points",
        "mean",
        "median",
        "std",
        "range of means",
        "explains (ranks)",
    ]
    rows = []
    for effect in effects:
        for at, level in enumerate(effect.levels):
            figures = [_number(one) for one in (level.mean, level.median, level.std)]
            whole = [_number(effect.range), _explains(effect)] if not at else ["", ""]
            first = effect.param if not at else ""
            rows.append([_Words(first), _Words(level.value), f"{level.n:,}", *figures, *whole])
    note = "Explains: the share of the variance, and of that of the ranks, that the values explain."
    return _titled("Effects of parameters", head, rows, note)


def _explains(effect: Effect) -> str:
    return f"{effect.explained:.0%} ({effect.explained_ranks:.0%})"


def _run_times(times: Sequence[RunTimes]) -> str:
    head = ["state", "points", "shortest", "median", "mean", "95 % at most", "longest", "hours"]
    rows = [
        [one.state, f"{one.n:,}",
         *(_span(seconds) for seconds in (one.min, one.median, one.mean, one.p95, one.max)),
         f"{one.hours:,.2f}"]
        for one in times
    ]  # fmt: skip
    return _titled("Run times", head, rows)


def _failures(rates: Sequence[FailureRate]) -> str:
    head = ["parameter", "value", "ended", "failed", "rate", ""]
    rows = [
        [
            _Words(rate.param),
            _Words(rate.value),
            f"{rate.ended:,}",
            f"{rate.failed:,}",
            f"{rate.rate:.1%}",
            _Bar(rate.rate),
        ]
        for rate in rates
    ]
    return _titled("Failures by parameter", head, rows)


def _errors(groups: Sequence[ErrorGroup]) -> Iterator[str]:
    if groups:
        yield "<h2>Errors</h2>"
    for group in groups[:MOST_GROUPS]:
        points = ", ".join(group.points[:MOST_POINTS])
        more = len(group.points) - MOST_POINTS
        points += f" and {more:,} more" if more > 0 else ""
        said = "\n".join(escaped(line) for line in group.lines)
        yield f"<p><b>{group.count:,} ×</b> {escaped(shortened(group.label, 300))}</p>"
        yield f"<pre>{said}</pre>" if said else ""
        yield f'<p class="note">{escaped(points)}</p>'
    if len(groups) > MOST_GROUPS:
        yield f'<p class="note">{len(groups) - MOST_GROUPS:,} more kinds of errors.</p>'


# ---------------------------------------------------------------------------------------- tables


class _Bar(float):
    """A cell that is drawn as a bar, 0 to 1."""


class _Words(str):
    """A cell that stands left and may break."""


def _titled(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]], note: str = "") -> str:
    shown = rows[:MOST_ROWS]
    if len(rows) > len(shown):
        note = f"{note} {len(rows) - len(shown):,} more rows are not shown.".strip()
    kinds = [_kind(cell) for cell in rows[0]]
    heads = "".join(f"<th{kind}>{_text(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    lines = "\n".join(_line(row) for row in shown)
    table = f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"
    told = f'\n<p class="note">{escaped(note)}</p>' if note else ""
    return f'<h2>{escaped(title)}</h2>\n<div class="wide">{table}</div>{told}'


def _line(cells: Iterable[Any]) -> str:
    return f"<tr>{''.join(map(_cell, cells))}</tr>"


def _cell(cell: Any) -> str:
    if isinstance(cell, _Bar):
        return f'<td{_kind(cell)}><span class="bar" style="width:{8 * cell:.2f}rem"></span></td>'
    return f"<td{_kind(cell)}>{_text(cell)}</td>"


def _kind(cell: Any) -> str:
    if not isinstance(cell, _Words | _Bar):
        return ""
    return (
        ' class="words long"' if isinstance(cell, _Words) and len(cell) > LONG else ' class="words"'
    )


def _text(words: str) -> str:
    return escaped(shortened(words, LONGEST))


def _value(params: Any, name: str) -> _Words:
    if name not in params:
        return _Words("")
    value = params[name]
    return _Words(_number(value) if isinstance(value, float) else told(value))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _span(seconds: float) -> str:
    return format_duration(round(seconds)) if seconds >= 1 else f"{seconds:.2f}s"
