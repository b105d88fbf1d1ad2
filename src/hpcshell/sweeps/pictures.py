"""Pictures of a study: parallel coordinates, a heat map, marginals, curves.

Drawn by matplotlib without a screen; `gathered` refuses where that is not installed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from hpcshell.core.errors import Broken, NotYet, Refused, Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import quote
from hpcshell.sweeps.reporting import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase

    from hpcshell.sweeps.drawing.chosen import Drawn

WIDTH: Final = 9.0
"""Inches."""
FORMS: Final = (".png", ".svg", ".pdf")


class Picture(Record, frozen=True, kw_only=True):
    """`name`: of its file; `caption`: what it shows, in words; `height`: inches."""

    name: str
    caption: str
    height: float
    draw: Callable[[FigureBase, Drawn], None]


def draw(findings: Findings, path: str, heat: tuple[str, str] | None = None) -> list[str]:
    """Draw all pictures: into one file if the path ends in .png, .svg or .pdf, else each into a
    file of its own in that directory, which is made. The paths written. `heat`: the parameters of
    the heat map. Raises `Wrong` for another ending, `NotYet` where there is nothing to draw yet."""
    one_file = is_one_file(path)
    drawn = gathered(findings, heat)
    pictures = available(drawn)
    if not pictures:
        raise NotYet(
            f"nothing to draw: no two completed points with different parameters have "
            f"{_metric(findings)}",
            "wait for more points, or name another metric",
        )
    try:
        if one_file:
            _write(path, _overview(drawn, pictures, findings.report.name))
            return [path]
        if not os.path.isdir(path):
            os.mkdir(path)
        written = [os.path.join(path, f"{picture.name}.png") for picture in pictures]
        for picture, file in zip(pictures, written, strict=True):
            _write(file, figure(drawn, picture))
    except OSError as error:
        where = quote(path, 200)
        raise Broken(f"{where} cannot be written: {error.strerror}", "name another path") from None
    return written


def is_one_file(path: str) -> bool:
    """Whether it is the path of a file, by its ending; else it is a directory's. Raises `Wrong` for
    an ending that is not drawn."""
    if os.path.isdir(path):
        return False
    ending = os.path.splitext(path)[1].lower()
    if ending and ending not in FORMS:
        known = ", ".join(FORMS)
        raise Wrong(
            f"{quote(path, 200)} is no form of a picture",
            f"end it in {known}, or name a directory for all of them",
        )
    return bool(ending)


def gathered(findings: Findings, heat: tuple[str, str] | None = None) -> Drawn:
    """What is to be drawn. Raises `Refused` where matplotlib is not installed, or a parameter of
    the heat map does not vary."""
    if find_spec("matplotlib") is None:
        said = "pictures need matplotlib, which is not installed"
        raise Refused(said, 'pip install "hpcshell[sweep]"')
    from hpcshell.sweeps.drawing.chosen import Drawn

    return Drawn(findings, heat)


def available(drawn: Drawn) -> list[Picture]:
    """The pictures that the study has enough for."""
    return list(_available(drawn))


def _available(drawn: Drawn) -> Iterator[Picture]:
    from hpcshell.sweeps.drawing import curves, heat, marginals, parallel

    metric = drawn.metric
    if drawn.params:
        count = parallel.shown(drawn.points)
        some = "each of" if count == len(drawn.points) else f"{count:,} of"
        yield Picture(
            name="parallel",
            caption=f"A line for {some} {len(drawn.points):,} points through its parameters to its "
            f"{metric}: the darker, the better.",
            height=4.6,
            draw=parallel.parallel,
        )
    if drawn.heat:
        yield Picture(
            name="heat",
            caption=f"The median {metric} over {drawn.heat[0]} and {drawn.heat[1]}; a cell without "
            "a point is grey.",
            height=4.6,
            draw=heat.heat,
        )
    if drawn.params:
        yield Picture(
            name="marginals",
            caption=f"The {metric} over the values of each parameter: a dot is a point, orange the "
            "median and the middle half on a value (or in a range of values). What a parameter "
            "explains is the share of the variance of the ranks of the points.",
            height=0.4 + 2.3 * marginals.rows(drawn),
            draw=marginals.marginals,
        )
    if drawn.curves:
        yield Picture(
            name="curves",
            caption=f"The {metric} over the steps of {len(drawn.curves)} points.",
            height=3.8,
            draw=curves.curves,
        )


def figure(drawn: Drawn, picture: Picture) -> Figure:
    """One picture."""
    from matplotlib.figure import Figure

    from hpcshell.sim.report.ink import style

    with style():
        made = Figure(figsize=(WIDTH, picture.height), layout="constrained")
        picture.draw(made, drawn)
    return made


def svg(drawn: Drawn, picture: Picture) -> bytes:
    """One picture for a page; its letters stay text."""
    from hpcshell.sim.report.ink import image

    return image(figure(drawn, picture), "svg", words=True)


def _overview(drawn: Drawn, pictures: list[Picture], name: str) -> Figure:
    """All in one, one below the other."""
    from matplotlib.figure import Figure

    from hpcshell.core.words import safe, shortened
    from hpcshell.sim.report.ink import style

    heights = [picture.height for picture in pictures]
    with style():
        made = Figure(figsize=(WIDTH, sum(heights) + 0.4), layout="constrained")
        parts = made.subfigures(len(pictures), 1, height_ratios=heights, squeeze=False)
        for part, picture in zip(parts.flat, pictures, strict=True):
            picture.draw(part, drawn)
        title = f"{name}: {drawn.metric}" if name else drawn.metric
        made.suptitle(safe(shortened(title, 100)))
    return made


def _write(path: str, made: Figure) -> None:
    from hpcshell.sim.report.ink import image

    content = image(made, os.path.splitext(path)[1][1:].lower())
    with open(path, "wb") as file:
        file.write(content)


def _metric(findings: Findings) -> str:
    return f"a number for {findings.report.metric}" if findings.report.metric else "a named metric"
