"""Workloads and policies for tests, as Hypothesis makes them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hpcshell.sim.policies import NAMED, ORDERS, PREDICTORS, VARIANTS, policy_of, unplayable
from hpcshell.trace.clean import Workload

MACHINE = 16

JOB = st.tuples(
    st.integers(0, 60),  # submit
    st.integers(1, 40),  # run
    st.integers(1, MACHINE),  # processors
    st.sampled_from([0.5, 1.0, 1.0, 1.5, 3.0, 10.0]),  # request by run
    st.integers(1, 3),  # user
)
Rows = list[tuple[int, int, int, float, int]]


def workload(rows: Rows, machine: int = MACHINE) -> Workload:
    """Of (submit, run, procs, request by run, user)."""
    table = np.array(sorted(rows, key=lambda row: row[0]), np.float64).reshape(-1, 5)
    submit, run, procs, factor, user = table.T
    whole = np.zeros(len(table), np.int64)
    return Workload(
        name="made",
        machine=machine,
        id=np.arange(1, len(table) + 1),
        submit=submit,
        run=run,
        procs=procs.astype(np.int64),
        request=np.maximum(1.0, np.floor(run * factor)),
        user=user.astype(np.int64),
        group=whole,
        queue=whole,
        partition=whole,
        qos=whole - 1,
        gang=whole - 1,
        memory=np.zeros(len(table)),
        row=np.arange(len(table)),
        names={},
        oddities={},
        examples={},
    )


WORKLOADS = st.lists(JOB, max_size=40).map(workload)
ANY = st.builds(
    policy_of,
    st.sampled_from([*NAMED, "hybrid:2", "hybrid:5"]),
    order=st.sampled_from([None, *ORDERS]),
    fill=st.sampled_from([None, *ORDERS]),
    predict=st.sampled_from([None, *PREDICTORS]),
    variant=st.sampled_from(list(VARIANTS)),
)
"""Whatever can be said."""
POLICIES = ANY.filter(lambda policy: not unplayable(policy.rules(MACHINE)))
