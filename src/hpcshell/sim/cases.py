"""A workload as the kernel takes it: columns, lists or arrays, with users numbered from 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from hpcshell.sim.kernel import arrays, primitives
from hpcshell.sim.kernel.state import SHRUNK, Case, Rules, Work, prepared
from hpcshell.trace.clean import Workload
from hpcshell.trace.record import Floats, Ints

FEW_USERS: Final = 10_000
"""So many numbers may stand for nobody before users are numbered anew."""


def case_of(workload: Workload, rules: Rules, engine: str) -> Case:
    """The case that the engine plays."""
    user, users = _users(workload.user)
    compiled = engine == "compiled"
    alike, alikes, same, sames = _likenesses(workload, user, rules)
    columns = (workload.submit, workload.run, workload.procs, workload.request, user, alike, same)
    listed: Iterator[Any] = (column.copy() if compiled else column.tolist() for column in columns)
    submit, run, procs, request, owner, alike, same = listed
    work = Work(submit, run, procs, request, owner, users, alike, alikes, same, sames)
    return prepared(work, rules, arrays if compiled else primitives)


def _likenesses(workload: Workload, user: Ints, rules: Rules) -> tuple[Ints, int, Ints, int]:
    """By job, the number of its user and request together, and of its processors besides; with how
    many there are. Nothing, where no predictor asks."""
    if rules.predictor != SHRUNK or not len(user):
        return user[:0], 0, user[:0], 0
    alike, alikes = _numbered(user, workload.request)
    same, sames = _numbered(alike, workload.procs)
    return alike, alikes, same, sames


def _numbered(*columns: Floats | Ints) -> tuple[Ints, int]:
    """Equal rows get equal numbers from 0; and how many there are."""
    _, firsts, numbers = np.unique(
        np.column_stack(columns), axis=0, return_index=True, return_inverse=True
    )
    return numbers.reshape(-1).astype(np.int64), len(firsts)


def _users(user: Ints) -> tuple[Ints, int]:
    """The users numbered from 0, and a number that is larger than all of these."""
    if not len(user):
        return user, 0
    numbered = user - user.min()
    users = int(numbered.max()) + 1
    if users > FEW_USERS + len(user):
        names, numbered = np.unique(user, return_inverse=True)
        users = len(names)
    return numbered, users
