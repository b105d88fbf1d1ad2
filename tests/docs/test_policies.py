"""Every policy has its section, with a picture, and what the pages configure can be configured."""

import re
import tomllib
from pathlib import Path

import pytest

from hpcshell.core.records import Resources
from hpcshell.core.settings import keys
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.policy.choice import choice
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.place.score import POLICIES as PLACEMENTS
from hpcshell.policy.preempt import MODES
from hpcshell.predict.runtimes import PREDICTORS
from hpcshell.sim import policies
from tests.support.transcripts import fences
from tools import policy_examples, policy_pictures
from tools.policy_play import play, settings_of

FOLDER = policy_pictures.FOLDER.parent
PAGES = sorted(FOLDER.glob("*.md"))
TEXTS = {path.name: path.read_text("utf-8") for path in PAGES}
CHOICES = {key.name: key.choices for key in keys() if key.choices}


def sections() -> dict[str, str]:
    """Each heading that names something as it is typed, with what stands below it."""
    parts = re.split(r"^#+ (.+)$", "\n".join(TEXTS.values()), flags=re.MULTILINE)
    found: dict[str, str] = {}
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        for name in re.findall(r"`([^`]+)`", heading):
            found[name] = found.get(name, "") + body
    return found


NAMED = {
    *ORDERS,
    *set(policies.NAMED) - {"fcfs"},
    *policies.PREDICTORS,
    *PREDICTORS,
    *CHOICES["scheduler.order"],
    *CHOICES["scheduler.predict"],
    *CHOICES["scheduler.backfill"],
    *MODES,
    *("max_backfill_jobs", "window", "resolution", "best"),
}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_policy_has_its_section_with_a_picture_and_how_to_have_it(name):
    section = sections().get(name, "")
    assert "](pictures/" in section, f"{name} has no section with a picture"
    if name in ORDERS and name != "expansion":
        assert f'`order = "{name}"`, `--order {name}`' in section
        assert f"by order {name}`" in section
        assert "- Good" in section
        assert "- Hurts" in section


@pytest.mark.parametrize("name", ["fcfs", *policies.ALIASES])
def test_every_other_name_of_a_policy_is_mentioned(name):
    told = "\n".join([*TEXTS.values(), (FOLDER.parents[1] / "how-to" / "simulate.md").read_text()])
    assert f"`{name}`" in told or name in ("none", "first-fit", "sjbf", "easypp")


def test_every_way_to_place_is_told():
    assert {name for name in PLACEMENTS if f"`{name}`" not in TEXTS["placement.md"]} == set()


def test_every_source_is_told():
    for name, order in ORDERS.items():
        first = order.source.partition(",")[0]
        if not first.startswith(("the custom", "this package")):
            assert first in sections()[name], f"{name}: {order.source}"


def test_every_picture_is_shown_and_every_picture_shown_is_drawn():
    shown = set(re.findall(r"\]\((pictures/[^)]+)\)", "\n".join(TEXTS.values())))
    drawn = {f"pictures/{path.name}" for path in policy_pictures.pictures()}
    assert shown == drawn
    there = {f"pictures/{path.name}" for path in policy_pictures.FOLDER.iterdir()}
    assert there == drawn


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_a_page_configures_can_be_configured(path: Path):
    for line, language, _, lines in fences(path.read_text("utf-8")):
        if language == "toml":
            tables = tomllib.loads("\n".join(lines))
            loaded = read_layers([Layer(source=f"{path.name}:{line}", tables=tables)])
            assert not loaded.notes
            choice(loaded.settings, Resources(cpus=8))


@pytest.mark.parametrize("picture", policy_examples.charts(), ids=lambda picture: picture.name)
def test_a_chart_is_true(picture):
    played = play(picture.example, picture.toml)
    for moment in {bar.start for bar in played.bars}:
        lanes = [lane for bar in played.bars if bar.start <= moment < bar.end for lane in bar.lanes]
        assert len(lanes) == len(set(lanes)) <= picture.example.cpus
    assert max(played.ends.values()) <= picture.length
    for work in picture.example.jobs:
        assert played.starts[work.id] >= work.comes


def test_the_pictures_of_orders_are_all_different():
    charts = policy_examples.orders()
    drawn = {tuple(sorted(play(one.example, one.toml).starts.items())) for one in charts}
    assert len(drawn) == len(charts)


def test_a_promise_that_is_drawn_is_kept_where_limits_are():
    for one in policy_examples.backfills():
        settings = settings_of(one.toml)
        if settings.scheduler.predict == "request":
            played = play(one.example, one.toml)
            for job, promised in played.promises.items():
                assert played.starts[job] <= promised, one.name
