"""Orders to try LSF with: `order(name="prep", partition="short", layout=Layout(nodes=2))`."""

from __future__ import annotations

from typing import Any

import msgspec

from hpcshell.backends.contract import Order
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.submission import Submission

PLAIN = Layout()


def order(*, layout: Layout = PLAIN, native: tuple[str, ...] = (), **asked: Any) -> Order:
    """`asked`: fields of the order, and of its submission."""
    mine = {name: asked.pop(name) for name in Order.__struct_fields__ if name in asked}
    plain = Submission(argv=("true",), cwd="/scratch/ada", env={}, name="prep")
    submission = msgspec.structs.replace(plain, array=mine.get("indices", ""), **asked)
    spec = JobSpec(submission=submission, layout=layout, native=native)
    known = {"directory": "/home/ada/.hpc/k3y", "now": 1_767_225_600.0}
    return Order(spec=spec, key="k3y", **{**known, **mine})
