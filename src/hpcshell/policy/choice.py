"""From what a configuration says to a policy and a regime: for the daemon and the simulator alike.

    settings = Settings(scheduler=SchedulerSettings(order="wfp3", backfill="conservative"))
    policy, regime = choice(settings, Resources(cpus=128))
    view = View(total, regime); decide(view, policy, now)

What is predicted is handed in (`foresight`), and so is what was used before (`ledger`, from
`ledger_of`); the view tells both of what happens from then on. Raises `Wrong` for what cannot be
meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from hpcshell.core.records import Job, Resources
from hpcshell.core.settings import SchedulerSettings, Section, Settings
from hpcshell.policy.bounds import Bounds, Lineage
from hpcshell.policy.fairshare import ROOT, Association, FairShare
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.ledger import Ledger
from hpcshell.policy.levels import Ageing
from hpcshell.policy.limits import EVERY, Limits, Rule, Throttle
from hpcshell.policy.line import Shape
from hpcshell.policy.multifactor import Weights
from hpcshell.policy.plan import Policy
from hpcshell.policy.preempt import Rights
from hpcshell.policy.quota import Quota, QuotaWeights
from hpcshell.policy.ranks import (
    SHORT_STEP,
    STEP,
    UNLIMITED,
    ByFactors,
    ByFairShare,
    ByFormula,
    ByLevel,
    ByPriority,
    ByQuota,
    Ranking,
    stepped,
)
from hpcshell.policy.regime import Fill, Foresight, Regime, Requested
from hpcshell.policy.sharing import Sharing

PROMISES: Final[dict[str, int | None]] = {"none": 1, "greedy": 0, "easy": 1, "conservative": None}
"""How many promises each way of backfilling keeps; `hybrid` says so itself."""
GIB: Final = float(1 << 30)
CLUSTER: Final = "cluster"
"""The word for a mode of preemption that is the one of the scheduler."""


def choice(
    settings: Settings,
    total: Resources,
    *,
    foresight: Foresight | None = None,
    ledger: Ledger | None = None,
    origin: float = 0.0,
) -> tuple[Policy, Regime]:
    """What the settings ask for. `origin`: the instant from which the formulas F1 to F4 count."""
    own = settings.scheduler
    ledger = ledger or ledger_of(settings)
    ranking = ranking_of(settings, total, ledger, origin)
    step, sharing = steps_of(settings), sharing_of(settings)
    size = STEP if sharing is None else SHORT_STEP
    regime = Regime(
        rank=ranking.rank if step is None else stepped(ranking.rank, step, size),
        timely=ranking.timely,
        fill=None if own.backfill_order == "same" else fill_of(own.backfill_order),
        foresight=foresight or Requested(),
        bounds=bounds_of(settings),
        rights=rights_of(settings),
        sharing=sharing,
        ledger=ledger,
        rows=ranking.rows,
    )
    return policy_of(own), regime


def policy_of(scheduler: SchedulerSettings) -> Policy:
    """How to decide, apart from who goes first."""
    return Policy(
        promises=PROMISES.get(scheduler.backfill, scheduler.promises),
        depth=scheduler.depth,
        backfill=scheduler.backfill != "none",
        max_backfill_jobs=scheduler.max_backfill_jobs,
        window=scheduler.window,
        resolution=scheduler.resolution,
    )


def ranking_of(settings: Settings, total: Resources, ledger: Ledger, origin: float) -> Ranking:
    """The order of that name."""
    name, fair = settings.scheduler.order, settings.fairshare
    if name in ORDERS:
        return ByFormula(ORDERS[name], origin)
    match name:
        case "levels":
            return ByLevel(Ageing(boost=settings.scheduler.priority_boost))
        case "fairshare":
            return ByFairShare(ledger)
        case "multifactor":
            return ByFactors(weights_of(settings), ledger, total, settings)
        case "quota":
            quota = Quota(cpu=fair.cpu_quota, memory=fair.memory_quota / GIB)
            weights = QuotaWeights(cpu=fair.cpu_weight, memory=fair.memory_weight)
            return ByQuota(ledger, quota, weights)
    return ByPriority()


def weights_of(settings: Settings) -> Weights:
    """What each factor is worth."""
    said = settings.priority
    return Weights(**{name: getattr(said, name) for name in Weights.__struct_fields__})


def fill_of(name: str) -> Fill:
    """An order in which others may pass the first in line: by what they ask for alone."""
    score = ORDERS[name].score

    def fill(shape: Shape) -> float:
        length = UNLIMITED if shape.length is None else shape.length
        return score(length, shape.request.cpus, 0.0, 0.0)

    return fill


# -- accounts ------------------------------------------------------------------------------------


def ledger_of(settings: Settings) -> Ledger:
    """The tree of accounts and users, nothing used yet."""
    fair = settings.fairshare
    shares = FairShare(_associations(settings), fair.half_life)
    return Ledger(shares, tree=fair.algorithm == "tree")


def _associations(settings: Settings) -> Iterator[Association]:
    for name, account in settings.accounts.items():
        yield Association(account=name, parent=account.parent, shares=account.shares)
    for name, account in settings.accounts.items():
        for user, shares in account.users.items():
            yield Association(account=name, user=user, shares=shares)


def default_account(settings: Settings, user: str) -> str:
    """The account of a user's jobs that name none: the first that the user is in."""
    accounts = settings.accounts.items()
    return next((name for name, account in accounts if user in account.users), "")


def lineage_of(settings: Settings) -> Lineage:
    """Of an account: itself and those above it."""

    def lineage(account: str) -> tuple[str, ...]:
        line = [account]
        while (known := settings.accounts.get(line[-1])) is not None and known.parent != ROOT:
            line.append(known.parent)
        return tuple(line)

    return lineage


# -- limits --------------------------------------------------------------------------------------

_JOBS: Final = {"jobs": "max_running_jobs", "submit_jobs": "max_submitted_jobs"}
_SIZES: Final = {"cpus": "max_cpus", "memory": "max_memory", "gpus": "max_gpus"}


def _keys(pattern: str, fields: Mapping[str, str], **more: str) -> dict[str, str]:
    return {pattern.format(word): field for word, field in fields.items()} | more


_GROUP: Final = {
    "": _keys("grp_{}", _SIZES | _JOBS),
    "user": _keys("max_{}_per_user", _SIZES | _JOBS),
    "account": _keys("max_{}_per_account", _SIZES | _JOBS),
    "job": _keys("max_{}_per_job", _SIZES, max_time="max_time"),
}
_USER: Final = {"": _keys("max_{}", _SIZES | _JOBS), "job": _GROUP["job"]}
_PARTITION: Final = {each: keys for each, keys in _GROUP.items() if each != "job"}
"""(each of whom) -> key of the configuration -> field of `Limits`."""


def bounds_of(settings: Settings) -> Bounds | None:
    """The limits of users, accounts, QOS and partitions; None: there are none."""
    rules = [
        *_rules("user", {EVERY: settings.limits, **settings.users}, _USER),
        *_rules("account", settings.accounts, _GROUP),
        *_rules("qos", settings.qos, _GROUP),
        *_rules("partition", settings.partitions, _PARTITION),
    ]
    return Bounds(Throttle(rules), lineage_of(settings)) if rules else None


def _rules(
    kind: str, sections: Mapping[str, Section], keys: Mapping[str, Mapping[str, str]]
) -> Iterator[Rule]:
    for name, section in sections.items():
        for each, fields in keys.items():
            said = {field: getattr(section, key, None) for key, field in fields.items()}
            if any(limit is not None for limit in said.values()):
                yield Rule(kind=kind, name=name, each=each, limits=Limits(**said))


# -- preemption ----------------------------------------------------------------------------------


def rights_of(settings: Settings) -> Rights | None:
    """Who may preempt whom; None: nobody."""
    own, partitions = settings.scheduler, settings.partitions
    tiers = {name: partition.tier for name, partition in partitions.items()}
    qos = {name: one.preempts for name, one in settings.qos.items() if one.preempts}
    if not qos and len(set(tiers.values())) < 2 and own.preempt_gap is None:
        return None
    modes = {name: one.preempt_mode for name, one in settings.qos.items()}
    modes |= {f"partition/{name}": one.preempt_mode for name, one in partitions.items()}
    exempts = {name: one.preempt_exempt_time for name, one in settings.qos.items()}
    return Rights(
        qos=qos,
        tiers=tiers,
        gap=own.preempt_gap,
        mode=own.preempt_mode,
        modes={name: mode for name, mode in modes.items() if mode != CLUSTER},
        exempt=own.preempt_exempt_time,
        exempts={name: time for name, time in exempts.items() if time is not None},
    )


def sharing_of(settings: Settings) -> Sharing | None:
    """Which jobs take turns; None: each runs to its end."""
    sliced = [name for name, one in settings.partitions.items() if one.time_sliced]
    return (
        Sharing(slice=settings.scheduler.time_slice, partitions=tuple(sliced)) if sliced else None
    )


def steps_of(settings: Settings) -> Callable[[Job], int] | None:
    """How far a job is ahead of all orders: those of a higher tier go first and, among equals,
    those whose QOS preempts that of the others. None: nobody is."""
    depths = {name: _depth(settings, name) for name in settings.qos}
    most = max(depths.values(), default=0) + 1
    tiers = {name: partition.tier for name, partition in settings.partitions.items()}
    if most == 1 and not any(tiers.values()):
        return None
    return lambda job: tiers.get(job.partition, 0) * most + depths.get(job.qos, 0)


def _depth(settings: Settings, qos: str) -> int:
    """How many QOS stand below this one, one preempting the other."""
    known = settings.qos.get(qos)
    below = known.preempts if known is not None else ()
    return 1 + max((_depth(settings, one) for one in below), default=-1)
