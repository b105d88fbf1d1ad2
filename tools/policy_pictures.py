"""Draw docs/explanation/policies/pictures: small examples under every policy, by the real decider.

python -m tools.policy_pictures            writes the pictures
python -m tools.policy_pictures --check    fails when a picture is not what would be drawn
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tools.drawing import schedule
from tools.pages import ROOT, main_for
from tools.policy_curves import CURVES
from tools.policy_examples import Picture, charts
from tools.policy_placing import placing
from tools.policy_play import play

FOLDER: Final = ROOT / "docs" / "explanation" / "policies" / "pictures"


def drawn(picture: Picture) -> str:
    """The schedule, with what it costs below it."""
    played = play(picture.example, picture.toml)
    told = (
        f"mean wait {played.mean_wait:.1f} min, longest {max(played.waits.values()):.0f} min, "
        f"mean bounded slowdown {played.slowdown:.2f}, "
        f"all over after {max(played.ends.values()):.0f} min"
    )
    return schedule(
        picture.title,
        picture.example,
        played,
        length=picture.length,
        tick=picture.tick,
        note="" if picture.plain else told,
    )


def pictures() -> dict[Path, Callable[[], str]]:
    """Every picture by its file."""
    found: dict[str, Callable[[], str]] = {"placement": placing, **CURVES}
    for picture in charts():
        found[picture.name] = partial(drawn, picture)
    return {FOLDER / f"{name}.svg": draw for name, draw in found.items()}


if __name__ == "__main__":
    sys.exit(main_for(pictures()))
