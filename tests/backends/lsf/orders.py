"""Orders to try LSF with: `order(name="prep", partition="short", layout=Layout(nodes=2))`."""

from __future__ import annotations

from typing import Any

import msgspec

from hpcshell.backends.contract import Order, Parent
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.submission import Submission

PLAIN = Layout()


def order(
    *,
    layout: Layout = PLAIN,
    native: tuple[str, ...] = (),
    indices: str = "",
    throttle: int = 0,
    parents: tuple[Parent, ...] = (),
    any: bool = False,
    capture: bool = True,
    directory: str = "/home/ada/.hpc/k3y",
    **submission: Any,
) -> Order:
    plain = Submission(argv=("true",), cwd="/scratch/ada", env={}, name="prep")
    asked = msgspec.structs.replace(plain, **({"array": indices} if indices else {}), **submission)
    return Order(
        spec=JobSpec(submission=asked, layout=layout, native=native),
        key="k3y",
        directory=directory,
        indices=indices,
        throttle=throttle,
        parents=parents,
        any=any,
        now=1_767_225_600.0,
        capture=capture,
    )
