"""The jobs of a log as the daemon would have them: whose they are, in which queue, with whom they
start.

The user of a job is the log's user, its account the log's group or account, its partition the log's
queue or partition, its QOS the log's; where these are numbers, the names are the numbers. What a
configuration does not know gets what it gives to jobs that say nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from hpcshell.core.records import Gang, Job, Request
from hpcshell.core.settings import Settings
from hpcshell.policy.choice import default_account, lineage_of
from hpcshell.policy.reserve import Reservation
from hpcshell.sim.machines import Layout
from hpcshell.sim.replay import NOTHING
from hpcshell.trace.clean import Workload

GAP: Final = 1 << 20
"""Between the numbers of two jobs there is room for so many that are submitted again."""
NOBODY: Final = "unknown"
"""The user of jobs of which the log does not say whose they are."""


class Owner(NamedTuple):
    """Whose a job is, and where it queues."""

    user: str
    account: str
    partition: str
    qos: str
    priority: int


def jobs_of(workload: Workload, layout: Layout | None, settings: Settings | None) -> list[Job]:
    """The jobs, named by their rows; their runs make room at once. On nodes, processors and memory
    go where there is room; the memory counts where every node says how much it has."""
    nodes = 1 if layout is None else 0
    counted = layout is not None and all(node.memory for node in layout.nodes)
    columns = (getattr(workload, name) for name in ("submit", "procs", "memory", "request"))
    told = zip(*(column.tolist() for column in columns), strict=True)
    owners, gangs = _owners(workload, settings or Settings()), _gangs(workload)
    return [
        Job(
            id=(row + 1) * GAP,
            name=str(row),
            user=owner.user,
            uid=0,
            submit_time=submit,
            request=Request(
                cpus=procs,
                memory=int(memory) if counted else 0,
                time_limit=request,
                nodes=nodes,
            ),
            launch=NOTHING,
            account=owner.account,
            partition=owner.partition,
            qos=owner.qos,
            priority=owner.priority,
            gang=gang,
            grace=0.0,
        )
        for row, ((submit, procs, memory, request), owner, gang) in enumerate(
            zip(told, owners, gangs, strict=True)
        )
    ]


def _owners(workload: Workload, settings: Settings) -> Iterator[Owner]:
    columns = (workload.words(column) for column in ("user", "group", "queue", "qos"))
    known: dict[tuple[str, ...], Owner] = {}
    for words in zip(*columns, strict=True):
        if words not in known:
            known[words] = _owner(settings, *words)
        yield known[words]


def _owner(settings: Settings, user: str, group: str, queue: str, qos: str) -> Owner:
    """As the daemon completes a submission."""
    if settings.accounts and group not in settings.accounts:
        group = ""
    account = group or default_account(settings, user) or settings.defaults.account
    partition = queue if queue in settings.partitions else settings.defaults.partition
    if settings.qos and qos not in settings.qos:
        qos = ""
    qos = qos or settings.defaults.qos
    priority = settings.defaults.priority + settings.partitions[partition].priority
    if qos in settings.qos:
        priority += settings.qos[qos].priority
    return Owner(user or NOBODY, account, partition, qos, priority)


def _gangs(workload: Workload) -> list[Gang | None]:
    """With whom each starts; None: by itself."""
    gangs = workload.gang.tolist()
    sizes = Counter(gangs)
    return [
        Gang(name=str(gang), size=sizes[gang]) if gang >= 0 and sizes[gang] > 1 else None
        for gang in gangs
    ]


def has_gangs(workload: Workload) -> bool:
    """Whether any jobs start together."""
    gangs = workload.gang[workload.gang >= 0]
    return len(np.unique(gangs)) < len(gangs)


def strangers(workload: Workload, settings: Settings) -> Iterator[tuple[str, str, list[str]]]:
    """What of a configuration no job of the log is of: the section, the name, and the names that
    the log has."""
    owners, above = set(_owners(workload, settings)), lineage_of(settings)
    accounts = {one for owner in owners if owner.account for one in above(owner.account)}
    for section, column, there in (
        ("users", "user", {owner.user for owner in owners}),
        ("accounts", "group", accounts),
        ("partitions", "queue", {owner.partition for owner in owners}),
        ("qos", "qos", {owner.qos for owner in owners}),
    ):
        default = settings.defaults.partition if section == "partitions" else ""
        for name in getattr(settings, section):
            if name not in there and name != default:
                yield section, name, sorted({word for word in workload.words(column) if word})


def missed(
    workload: Workload, settings: Iterable[Settings | None], one: Reservation
) -> Iterator[tuple[str, str, list[str]]]:
    """Whom a reservation is for and who has no job in the log, whichever configuration completes
    it: user or account, the name, and the names that the log has."""
    owners = {owner for some in settings for owner in _owners(workload, some or Settings())}
    for kind, names, there in (
        ("user", one.users, {owner.user for owner in owners}),
        ("account", one.accounts, {owner.account for owner in owners if owner.account}),
    ):
        for name in names:
            if name not in there:
                yield kind, name, sorted(there)
