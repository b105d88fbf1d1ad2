"""The laws of the queue, with limits and preemption, and another policy at any time."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from hpcshell.core.settings_read import Layer, read_layers
from tests.daemon.test_engine_laws import Laws

QOS: Final = {
    "low": {"preempt_mode": "suspend"},
    "middle": {"preempts": ["low"], "max_jobs_per_user": 2, "priority": 5},
    "high": {"preempts": ["middle", "low"], "grp_cpus": 3},
}
PARTITIONS: Final = {"main": {}, "urgent": {"tier": 1, "preempt_mode": "cancel"}}
CONFIGURATIONS: Final = (
    {"scheduler": {"order": "sjf", "backfill": "easy"}},
    {"scheduler": {"order": "levels", "backfill": "none"}, "qos": QOS},
    {"scheduler": {"backfill": "greedy"}, "limits": {"max_jobs": 2, "max_submit_jobs": 9}},
    {"scheduler": {"order": "ljf"}, "qos": QOS, "partitions": PARTITIONS},
    {"scheduler": {"preempt_gap": 100}, "partitions": PARTITIONS, "limits": {"max_cpus": 3}},
)
"""Orders that no time changes, and at most one promise: what a restart does not change."""


class Regimes(Laws):
    """As the queue, but somebody writes configurations, too."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count()
        self.reconfigure(CONFIGURATIONS[3])

    def reconfigure(self, tables: dict[str, Any]) -> None:
        self.bench.settings = read_layers([Layer(source="test", tables=tables)]).settings
        self.bench.policy = None
        self.bench.ask("reload")

    def ask(self, verb: str, **args: Any) -> Any:
        """Jobs come with a QOS and into a partition, where there are any."""
        if verb == "submit":
            known = self.bench.settings
            for one in args["submissions"]:
                number = next(self.numbers)
                qos, partitions = sorted(known.qos) or [""], sorted(known.partitions)
                one["qos"] = qos[number % len(qos)]
                one["partition"] = partitions[number // 2 % len(partitions)]
        return super().ask(verb, **args)

    @rule(tables=st.sampled_from(CONFIGURATIONS))
    def another_policy(self, tables: dict[str, Any]) -> None:
        before = dict(self.bench.engine.view.claims)
        self.reconfigure(tables)
        after = self.bench.engine.view.claims
        assert all(run in after or run not in self.bench.engine.runs for run in before)

    @invariant()
    def what_lives_is_counted_for_the_limits_of_those_that_submit(self) -> None:
        view = self.bench.engine.view
        for entry in view.queue.jobs.values():
            live = self.bench.engine.live[entry.job.id]
            assert entry.alive() == len(live.waiting) + len(live.tasks)


TestRegimeLaws = Regimes.TestCase
TestRegimeLaws.settings = settings(
    max_examples=settings().max_examples // 8, stateful_step_count=30
)
