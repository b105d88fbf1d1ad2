"""Every study that has something to draw is drawn, whatever its names are."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from hpcshell.core.errors import Broken, NotYet, Refused, Wrong
from hpcshell.flow.results.points import Point
from hpcshell.flow.results.report import Asked, reported
from hpcshell.flow.spec import Spec
from hpcshell.sim.report.ink import style
from hpcshell.sweeps.pictures import available, draw, figure, gathered, svg
from hpcshell.sweeps.reporting import Curve, Findings, findings
from tests.flow.results.made import point, points
from tests.sweeps.hostile import hostile, plain

PNG = b"\x89PNG\r\n"


@given(points())
@settings(max_examples=10)
def test_any_points_can_be_drawn(found: list[Point]) -> None:
    report = reported(found, (), Asked(metric="loss"))
    drawn = gathered(Findings(report=report, points=tuple(found)))
    for picture in available(drawn):
        assert svg(drawn, picture).startswith(b"<?xml")


@pytest.mark.parametrize(
    "losses", [(5e-324, 1e-90, 1e149), (-1e308, 0.0, 1e308), (1.0, 1.0, 1.0), (1e-9, 1.0, 1e300)]
)
def test_numbers_of_any_size_can_be_drawn(losses: tuple[float, ...]) -> None:
    found = [point(at, {"a": loss, "b": at, "c": -at}, loss) for at, loss in enumerate(losses)]
    report = reported(found, (), Asked(metric="loss"))
    curves = tuple(Curve(id="x", place=0, steps=((0.0, loss), (1e308, 0.5))) for loss in losses)
    drawn = gathered(Findings(report=report, points=tuple(found), curves=curves))
    assert [len(svg(drawn, picture)) > 0 for picture in available(drawn)] == [True] * 4


def test_all_pictures_are_drawn_into_a_directory(tmp_path: Path) -> None:
    written = draw(plain(tmp_path / "points"), str(tmp_path / "out"))
    names = ["parallel.png", "heat.png", "marginals.png", "curves.png"]
    assert written == [str(tmp_path / "out" / name) for name in names]
    assert all(Path(path).read_bytes().startswith(PNG) for path in written)


def test_all_pictures_are_drawn_into_one_file(tmp_path: Path) -> None:
    target = tmp_path / "all.png"
    assert draw(plain(tmp_path / "points"), str(target)) == [str(target)]
    assert target.read_bytes().startswith(PNG)


def test_hostile_names_are_only_letters(tmp_path: Path) -> None:
    drawn = gathered(hostile(tmp_path))
    for picture in available(drawn):
        content = svg(drawn, picture)
        assert b"<script" not in content
        assert b"<img" not in content


def test_equal_studies_give_equal_pictures(tmp_path: Path) -> None:
    found = plain(tmp_path)
    drawn = gathered(found)
    for picture in available(drawn):
        assert svg(drawn, picture) == svg(gathered(found), picture)


def boxes(made: Figure) -> list[tuple[str, Bbox]]:
    """What is written in the figure from left to right, and where."""
    with style():
        canvas = FigureCanvasAgg(made)
        canvas.draw()
        return [
            (text.get_text(), text.get_window_extent(canvas.get_renderer()))
            for text in made.findobj(Text)
            if isinstance(text, Text) and text not in outside(made)
            and text.get_visible() and text.get_text().strip() and not text.get_rotation()
        ]  # fmt: skip


def outside(made: Figure) -> list[Text]:
    """The labels of marks beyond the ends of their axis, which are not drawn."""
    return [
        tick.label1
        for axes in made.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]


@pytest.mark.parametrize("long", ["", "-a-rather-long-end-of-a-name-that-has-no-end"])
def test_no_label_lies_on_another(tmp_path: Path, long: str) -> None:
    drawn = gathered(plain(tmp_path, long=long))
    for picture in available(drawn):
        for (one, first), (other, second) in combinations(boxes(figure(drawn, picture)), 2):
            shared = Bbox.intersection(first, second)
            assert shared is None or min(shared.width, shared.height) < 2, (
                picture.name,
                one,
                other,
            )


def test_the_heat_map_is_of_the_two_that_explain_most_or_of_those_asked_for(tmp_path: Path) -> None:
    found = plain(tmp_path)
    assert gathered(found).heat == tuple(effect.param for effect in found.report.effects[:2])
    assert gathered(found, ("opt", "lr")).heat == ("opt", "lr")
    with pytest.raises(Refused, match="no parameter 'optt' varies") as caught:
        gathered(found, ("optt", "lr"))
    assert caught.value.hint == "did you mean opt?"


def test_of_very_many_points_the_best_and_some_of_the_others_are_drawn(tmp_path: Path) -> None:
    drawn = gathered(plain(tmp_path, 90))
    chosen, values = drawn.some(20)
    assert len({point.id for point in chosen}) == 20
    assert sorted(values)[:4] == sorted(drawn.values)[:4]
    assert max(values) == max(drawn.values)


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match="nothing to draw"):
        draw(findings(Spec(metric="loss"), []), str(tmp_path / "x.png"))


def test_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    found = plain(tmp_path / "points", 4)
    with pytest.raises(Broken, match="cannot be written: No such file"):
        draw(found, str(tmp_path / "no" / "x.png"))


def test_pictures_without_their_library_say_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'matplotlib' else find(name)\n"
        "from hpcshell.core.errors import Refused\n"
        "from hpcshell.flow.spec import Spec\n"
        "from hpcshell.sweeps.pictures import gathered\n"
        "from hpcshell.sweeps.reporting import findings\n"
        "try:\n    gathered(findings(Spec(), []))\n"
        "except Refused as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert 'pip install "hpcshell[sweep]"' in done.stdout


def test_a_form_that_nobody_draws_is_refused_and_no_directory_is_made_of_it(tmp_path: Path) -> None:
    target = tmp_path / "x.jpg"
    with pytest.raises(Wrong) as refused:
        draw(plain(tmp_path / "points"), str(target))
    assert ".png, .svg, .pdf" in str(refused.value.hint)
    assert not target.exists()


def test_a_directory_above_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="No such file or directory"):
        draw(plain(tmp_path / "points"), str(tmp_path / "no" / "pictures"))
    assert not (tmp_path / "no").exists()
