"""How pictures look, and how they become files: what all that are drawn by matplotlib share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's, told apart by colour-blind people, too; lines differ in their dashes besides."""
DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
STYLE: Final = {
    "font.size": 9.0,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.dpi": 120.0,
    "svg.hashsalt": "hpcshell",
    "text.parse_math": False,
}


def image(figure: Figure, kind: str, *, words: bool = False) -> bytes:
    """The figure as `png` or `svg`; equal figures give equal bytes. `words`: letters stay text."""
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    content = BytesIO()
    with style(), matplotlib.rc_context({"svg.fonttype": "none" if words else "path"}):
        figure.savefig(content, format=kind, metadata=metadata)
    return content.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Within it figures are made and drawn."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.simplefilter("ignore")  # a letter that the font lacks is shown as a box
        yield
