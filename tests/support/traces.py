"""The logs of real machines, which each keep their own terms: looked for, never part of this."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_trace(name: str) -> bytes:
    """The file `name` of `$HPCSHELL_TRACES`, or of `shared/traces` beside the repository; skips the
    test where it is not."""
    folder = Path(os.environ.get("HPCSHELL_TRACES") or ROOT.parent / "shared" / "traces")
    path = folder / name
    if not path.is_file():
        pytest.skip(f"needs the log {name} ($HPCSHELL_TRACES)")
    return path.read_bytes()


def reference(name: str) -> dict[str, npt.NDArray[np.float64]]:
    """The columns of a reference schedule, by the names in its first line."""
    text = io.StringIO(gzip.decompress(shared_trace(f"reference/{name}.csv.gz")).decode())
    header, *rows = csv.reader(text)
    return dict(zip(header, np.array(rows, np.float64).T, strict=True))
