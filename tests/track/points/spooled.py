"""Spool files as a run writes them."""

from __future__ import annotations

import json
from typing import Any

RUN = "ab" * 16
SOURCE = f"{RUN}-x1"


def line(kind: str, /, **fields: Any) -> bytes:
    return json.dumps({"k": kind, **fields}).encode() + b"\n"


def first(run_id: str = RUN, **fields: Any) -> bytes:
    return line("run", **{"t": 100.0, "run_id": run_id, "experiment": "mnist", **fields})


def metric(step: int | None, time: float = 101.0, **values: Any) -> bytes:
    return line("m", t=time, s=step, v=values)


END = line("end", t=200.0, status="COMPLETED", reason=None, exit_code=0)
WHOLE = b"".join(
    (
        first(name="one", config={"opt": {"lr": 0.1}}, tags={"a": "b"}, user="ann", seed=7),
        metric(1, loss=0.5, acc="NaN"),
        metric(2, loss=0.25, acc=True),
        line("p", v={"extra": "1"}),
        line("g", v={"tag": "x"}),
        line("f", t=102.0, path="model.pt", uri="/shared/model.pt", kind="checkpoint", step=2),
        line("n", v="a note"),
        line("h", t=103.0),
        END,
    )
)
