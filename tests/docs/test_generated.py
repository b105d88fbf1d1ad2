"""The generated pages of docs/reference say what the program does today."""

import pytest

from hpcshell.core.lifecycle import TRANSITIONS
from tools import lifecycle_diagram, pages, picture, policy_pictures, reference

GENERATED = {
    **reference.PAGES_HERE,
    lifecycle_diagram.PAGE: lifecycle_diagram.page,
    picture.PICTURE: picture.drawing,
    **policy_pictures.pictures(),
}


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path):
    assert path.read_text("utf-8") == pages.finished(GENERATED[path]()), "run: make reference"


def test_the_picture_is_true():
    bars, promised = picture.play()
    assemble = next(bar for bar in bars if bar.label == "assemble")
    assert assemble.start <= promised
    for moment in {bar.start for bar in bars}:
        lanes = [lane for bar in bars if bar.start <= moment < bar.end for lane in bar.lanes]
        assert len(lanes) == len(set(lanes)) <= picture.CPUS


def test_the_diagram_has_an_arrow_for_every_row_of_the_table():
    arrows = [line for line in lifecycle_diagram.mermaid().splitlines() if ": " in line]
    drawn = {
        (source, kind, target)
        for arrow in arrows
        for source, _, rest in [arrow.strip().partition(" --> ")]
        for target, _, kinds in [rest.partition(": ")]
        for kind in kinds.split(", ")
    }
    assert drawn == {("[*]", "submit", "PENDING")} | {
        (state.value, kind.value, target.value)
        for (state, kind), (leads_to, _) in TRANSITIONS.items()
        for target in leads_to
    }
