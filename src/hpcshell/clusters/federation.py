"""`--on any`: the cluster that is expected to have a job done first, among those that can run it.

Every cluster makes an offer: when it expects the job to start, by its own estimate where the site
gives one, else by how long such jobs have waited there; and when it would be done, by how long jobs
of that name have run there. Where nobody can tell, an hour is reckoned with, and one more for each
job of the user's that waits there already. A cluster that cannot be reached, or would not take the
job, says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, Final

from hpcshell.backends.contract import Estimate
from hpcshell.clusters import rehearsal, together
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.explaining import latest_ends, wait_of_history
from hpcshell.clusters.fitting import misfit
from hpcshell.clusters.lookout import picture
from hpcshell.clusters.parents import parents_of
from hpcshell.clusters.submitting import Wanted, check_spec
from hpcshell.clusters.troubles import raised
from hpcshell.core.errors import HpcError, NotYet, Refused, Unreachable, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.core.units import format_duration
from hpcshell.machine import clock

NO_IDEA: Final = 3600.0
"""The wait that is reckoned with where nobody can tell, and once more for each job ahead."""
FARTHEST: Final = 30 * 86_400.0
"""No expected wait is longer: sites say a year where they mean that they do not know."""


class Offer(Record, frozen=True, kw_only=True):
    """What one cluster offers. `wait`: expected seconds until the start (None: nobody can tell);
    `run`: how long such a job is expected to run there (None: not known); `ahead`: how many of the
    user's jobs wait there; `why`: where the wait is from, or why it `cannot` run there; `never`:
    nor could it ever, as it was asked for; `silent`: it did not say so itself, it does not
    answer."""

    cluster: str
    wait: float | None = None
    run: float | None = None
    ahead: int = 0
    why: str = ""
    cannot: bool = False
    never: bool = False
    silent: bool = False

    def total(self, run: float) -> float:
        """Expected seconds until it is done; `run` where its own is not known."""
        waits = NO_IDEA * (1 + self.ahead) if self.wait is None else self.wait
        return waits + (run if self.run is None else self.run)

    def document(self) -> dict[str, Any]:
        """As `hpc submit --test-only` tells it."""
        start = None if self.wait is None or self.cannot else clock.now() + self.wait
        return {
            "cluster": self.cluster,
            "start": start,
            "run": self.run,
            "cannot": self.cannot,
            "silent": self.silent,
            "why": self.why,
            "sentence": self.sentence,
        }

    @property
    def sentence(self) -> str:
        """`a starts it in 2m 0s (its own estimate)`."""
        if self.cannot:
            return f"{self.cluster} cannot run it: {self.why}"
        if self.wait is None:
            return f"{self.cluster}: {self.why}"
        when = format_duration(round(self.wait)) if self.wait >= 1 else ""
        starts = f"starts it in {when}" if when else "starts it at once"
        runs = "" if self.run is None else f", where such jobs take {_length(self.run)}"
        return f"{self.cluster} {starts}{runs} ({self.why})"


def _length(seconds: float) -> str:
    return format_duration(round(seconds)) if seconds >= 1 else "less than a second"


def offers(asked: Sequence[tuple[Cluster, JobSpec]]) -> list[Offer]:
    """One offer of each, asked for at the same time."""
    asks = [partial(offer, *pair) for pair in asked]
    told = together.at_once(asks, together.PATIENCE)
    return [
        cannot(cluster, each) if isinstance(each, HpcError) else each
        for (cluster, _), each in zip(asked, told, strict=True)
    ]


def cannot(cluster: Cluster, error: HpcError) -> Offer:
    """The offer of one that will not have it, or does not answer."""
    told = error.message.removeprefix(f"{cluster.name}: ")
    never, silent = isinstance(error, Wrong), is_silent(error)
    return Offer(cluster=cluster.name, why=told, cannot=True, never=never, silent=silent)


def is_silent(error: HpcError) -> bool:
    """Whether it would perhaps have it, and does not answer."""
    return isinstance(error, Unreachable | NotYet)


def offer(cluster: Cluster, spec: JobSpec) -> Offer:
    """What a cluster offers for a job. Raises an `HpcError` that says why it cannot run there."""
    ahead = _ahead(cluster)
    site = cluster.site()
    check_spec(spec, cluster)
    if why := misfit(site, spec):
        raise Wrong(why, "leave it to another cluster, or ask for what this one has")
    terms, any_one = parents_of(cluster, spec.submission.dependency, lambda: picture(cluster))
    estimate = _estimate(cluster, Wanted(spec=spec, parents=terms, any=any_one))
    if estimate.trouble is not None and estimate.trouble.kind == "unset":
        raise raised(estimate.trouble, cluster.name)
    if estimate.trouble is not None and estimate.trouble.kind in ("wrong", "denied"):
        hint = f" ({estimate.trouble.hint})" if estimate.trouble.hint else ""
        kind = Wrong if estimate.trouble.kind == "wrong" else Refused
        raise kind(estimate.trouble.message + hint, "ask for what the site takes")
    made = Offer(cluster=cluster.name, run=_run_of_history(cluster, spec), ahead=ahead)
    return _with_wait(made, cluster, spec, estimate)


def _with_wait(made: Offer, cluster: Cluster, spec: JobSpec, estimate: Estimate) -> Offer:
    wait: float | None = None
    if estimate.start is not None and math.isfinite(estimate.start):
        wait, told = clipped(estimate.start - clock.now()), "its own estimate"
    elif past := wait_of_history(cluster, spec.submission.partition, spec.layout.cpus):
        wait, told = clipped(past.seconds), past.why
    else:
        waiting = f"{made.ahead} of your jobs wait there" if made.ahead else "none of yours waits"
        told = f"nobody can tell when it starts it, and {waiting}"
    return Offer(cluster=made.cluster, wait=wait, run=made.run, ahead=made.ahead, why=told)


def clipped(wait: float) -> float:
    """A wait that somebody may have meant."""
    return min(max(0.0, wait), FARTHEST)


def _ahead(cluster: Cluster) -> int:
    """How many jobs of the user's wait there, or here for it. Raises `NotYet` if it is silent."""
    look = cluster.queue()
    if look.trouble:
        raise NotYet(f"it does not answer: {look.trouble}", "hpc cluster status")
    waits = {
        one.number
        for one in cluster.read_queue(look).sightings
        if one.state == "PENDING" and not one.held
    }
    return len(waits) + len({part.serial for part in cluster.ledger.unsent(cluster.name)})


def _estimate(cluster: Cluster, wanted: Wanted) -> Estimate:
    """The site's own; an empty one where it gives none. Raises for what it cannot be asked for."""
    words = rehearsal.estimate(cluster, wanted)
    return Estimate() if words is None else cluster.backend.read_estimate(cluster.say(words))


def _run_of_history(cluster: Cluster, spec: JobSpec) -> float | None:
    """How long jobs of this name took there, the median of those that completed."""
    name = spec.submission.name
    runs = [
        max(0.0, one.end_time - one.start_time)
        for one in (latest_ends(cluster) if name else ())
        if one.state == "COMPLETED" and one.name == name and one.start_time and one.end_time
    ]
    return median(runs) if runs else None


def best(made: Sequence[Offer], limit: float | None = None) -> Offer | None:
    """The offer with which the job is done first; of equal ones that of whom fewer jobs wait for,
    and then the first. `limit`: its time limit in seconds, which is reckoned with where nothing is
    known of how long it runs. None: nobody can run it."""
    able = [each for each in made if not each.cannot]
    runs = [each.run for each in able if each.run is not None]
    usual = median(runs) if runs else limit or 0.0
    return min(able, key=lambda each: (each.total(usual), each.ahead), default=None)


def why(made: Sequence[Offer], chosen: Offer) -> str:
    """Why it goes where it goes, in a sentence."""
    others = [each.sentence for each in made if each is not chosen]
    return "; ".join([chosen.sentence, *others])


Open = Callable[[str], Cluster]


def all_offers(specs: Mapping[str, JobSpec], opened: Open) -> list[Offer]:
    """The offers for a job that is said for each of several clusters."""
    return offers([(opened(name), spec) for name, spec in specs.items()])


def limit_of(specs: Mapping[str, JobSpec]) -> float | None:
    """The time limit of a job, by whichever says one."""
    limits = (spec.submission.request.time_limit for spec in specs.values())
    return next((each for each in limits if each), None)
