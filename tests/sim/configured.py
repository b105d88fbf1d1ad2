"""Workloads of several queues, and configurations in which some of their jobs make room for others,
as Hypothesis makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.sim.policies import Policy, configured
from hpcshell.trace.clean import Workload
from tests.sim.made import JOB, workload

QUEUES = ("main", "fast", "shared")
QOS = ("low", "high", "top")


def policy_with(tables: dict[str, Any], variant: str = "instant") -> Policy:
    """What a file with these tables configures."""
    return configured("ours", read_layers([Layer(source="ours", tables=tables)]).settings, variant)


def owned(work: Workload, queue: list[int], qos: list[int]) -> Workload:
    """The same, its jobs in these queues and of these QOS, in turn."""
    return replace(
        work,
        queue=np.resize(np.array(queue, np.int64), len(work)),
        qos=np.resize(np.array(qos, np.int64), len(work)),
        names={"queue": QUEUES, "qos": QOS},
    )


OWNED = st.builds(
    owned,
    st.lists(JOB.filter(lambda job: job[3] >= 1), min_size=1, max_size=15).map(workload),
    st.lists(st.sampled_from((0, 0, 1, 2)), min_size=1, max_size=7),
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
)
"""Jobs that run no longer than they asked for."""


@st.composite
def tables(draw: st.DrawFn, *, sliced: bool = True) -> dict[str, Any]:
    """A configuration with rights to preempt, of some of the three kinds, and maybe slices."""
    slices = sliced and draw(st.booleans())
    order = "priority" if slices else draw(st.sampled_from(("priority", "fifo", "sjf", "wfp3")))
    scheduler: dict[str, Any] = {
        "order": order,
        "backfill": draw(st.sampled_from(("easy", "conservative", "greedy", "none"))),
        "preempt_mode": draw(st.sampled_from(("suspend", "requeue", "cancel"))),
        "preempt_exempt_time": draw(st.sampled_from(("0s", "0s", "7s"))),
        "time_slice": "5s",
    }
    if order == "priority" and draw(st.booleans()):
        scheduler["preempt_gap"] = 50
    high = {"priority": 100} | ({"preempts": ["low"]} if draw(st.booleans()) else {})
    top = {"preempts": ["high", "low"], "preempt_mode": "suspend"}
    tier = draw(st.sampled_from((0, 1)))
    return {
        "scheduler": scheduler,
        "qos": {"low": {}, "high": high, "top": top},
        "partitions": {"main": {}, "fast": {"tier": tier}, "shared": {"time_sliced": slices}},
    }
