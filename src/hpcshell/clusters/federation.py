"""`--on any`: the cluster that is expected to have a job done first, among those that can run it.

Every cluster makes an offer: when it expects the job to start, by its own estimate where the site
gives one, else by how long such jobs have waited there; and when it would be done, by how long jobs
of that name have run there. A cluster that cannot be reached, or would not take the job, says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, Final

from hpcshell.backends.contract import Estimate
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.explaining import LATEST, wait_of_history
from hpcshell.clusters.submitting import Submitting, Wanted
from hpcshell.core.errors import HpcError, NotYet
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.core.units import format_duration
from hpcshell.machine import clock

NO_IDEA: Final = 86_400.0
"""The wait that is reckoned with where nobody can tell: what is known to be less is better."""


class Offer(Record, frozen=True, kw_only=True):
    """What one cluster offers. `wait`: expected seconds until the start (None: nobody can tell);
    `run`: how long such a job is expected to run there (None: not known); `why`: where the wait is
    from, or why it `cannot` run there."""

    cluster: str
    wait: float | None = None
    run: float | None = None
    why: str = ""
    cannot: bool = False

    def total(self, run: float) -> float:
        """Expected seconds until it is done; `run` where its own is not known."""
        waits = NO_IDEA if self.wait is None else self.wait
        return waits + (run if self.run is None else self.run)

    def document(self) -> dict[str, Any]:
        """As `hpc submit --test-only` tells it."""
        start = None if self.wait is None or self.cannot else clock.now() + self.wait
        return {
            "cluster": self.cluster,
            "start": start,
            "run": self.run,
            "cannot": self.cannot,
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
        return f"{self.cluster} {starts} ({self.why})"


def offers(asked: Sequence[tuple[Cluster, JobSpec]]) -> list[Offer]:
    """One offer of each, asked for at the same time."""
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        return list(pool.map(lambda pair: offer(*pair), asked))


def offer(cluster: Cluster, spec: JobSpec) -> Offer:
    """What a cluster offers for a job."""
    try:
        cluster.site()
        estimate = _estimate(cluster, spec)
    except HpcError as error:
        return Offer(cluster=cluster.name, why=error.message, cannot=True)
    if estimate.trouble is not None and estimate.trouble.kind in ("wrong", "denied"):
        hint = f" ({estimate.trouble.hint})" if estimate.trouble.hint else ""
        return Offer(cluster=cluster.name, why=estimate.trouble.message + hint, cannot=True)
    run = _run_of_history(cluster, spec)
    if estimate.start is not None:
        wait = max(0.0, estimate.start - clock.now())
        return Offer(cluster=cluster.name, wait=wait, run=run, why="its own estimate")
    past = wait_of_history(cluster, spec.submission.partition, spec.layout.cpus)
    if past is not None:
        return Offer(cluster=cluster.name, wait=past.seconds, run=run, why=past.why)
    why = "it gives no estimate, and nothing is known of waits there"
    return Offer(cluster=cluster.name, run=run, why=why)


def _estimate(cluster: Cluster, spec: JobSpec) -> Estimate:
    """The site's own; an empty one where it gives none. Raises for what it cannot be asked for."""
    look = cluster.queue()
    if look.trouble:
        raise NotYet(look.trouble)
    words = Submitting(cluster).estimate(Wanted(spec=spec))
    return Estimate() if words is None else cluster.backend.read_estimate(cluster.say(words))


def _run_of_history(cluster: Cluster, spec: JobSpec) -> float | None:
    """How long jobs of this name took there, the median of those that completed."""
    name = spec.submission.name
    runs = [
        one.end_time - one.start_time
        for one in cluster.ledger.past_waits(cluster.name, LATEST)
        if one.state == "COMPLETED" and one.name == name and one.start_time and one.end_time
    ]
    return median(runs) if name and runs else None


def best(made: Sequence[Offer], limit: float | None = None) -> Offer | None:
    """The offer with which the job is done first; of equal ones the first. `limit`: its time limit
    in seconds, where nothing is known of how long it runs. None: nobody can run it."""
    able = [each for each in made if not each.cannot]
    runs = [each.run for each in able if each.run is not None]
    usual = median(runs) if runs else limit or 0.0
    return min(able, key=lambda each: each.total(usual), default=None)


def why(made: Sequence[Offer], chosen: Offer) -> str:
    """Why it goes where it goes, in a sentence."""
    others = [each.sentence for each in made if each is not chosen]
    return "; ".join([chosen.sentence, *others])


Open = Callable[[str], Cluster]


def choose(specs: Mapping[str, JobSpec], opened: Open) -> tuple[list[Offer], Offer | None]:
    """All offers for a job that is said for each of several clusters, and the best of them."""
    made = offers([(opened(name), spec) for name, spec in specs.items()])
    limits = [spec.submission.request.time_limit for spec in specs.values()]
    return made, best(made, next((each for each in limits if each), None))
