"""Where real workload logs lie: in $HPCSHELL_TRACES, or in shared/traces beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[3] / "shared" / "traces"


def shared_trace(name: str) -> Path:
    """The path of a log or of a reference schedule; the test is skipped where it does not lie."""
    path = Path(os.environ.get("HPCSHELL_TRACES") or BESIDE) / name
    if not path.is_file():
        pytest.skip(f"no {name}: say in $HPCSHELL_TRACES where the workload logs lie")
    return path
