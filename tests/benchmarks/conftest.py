"""The benchmark programs find their modules beside themselves; so do their tests."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAMS = str(Path(__file__).parents[2] / "benchmarks")
if PROGRAMS not in sys.path:
    sys.path.append(PROGRAMS)
