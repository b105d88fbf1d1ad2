"""One cluster behind the verbs of the daemon: the same questions, the same documents.

desk = Desk(cluster)
desk.call("submit", submissions=[spec, ...])
desk.call("show", ids=["12"])
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.lookout import Picture, picture
from hpcshell.clusters.verbs import verb_named
from hpcshell.core.errors import Refused


class Desk:
    """The verbs of jobs, on one cluster. `pause` waits between looks; `changed` is when a verb last
    changed something."""

    def __init__(self, cluster: Cluster, pause: Callable[[float], None] = time.sleep) -> None:
        self.cluster = cluster
        self.pause = pause
        self.changed = 0.0

    def call(self, verb: str, **args: Any) -> Any:
        """Do one thing; raises the `HpcError` that says why not."""
        act = verb_named(verb)
        if act is None:
            raise Refused(
                f"hpc {verb} asks this machine's scheduler; {self.cluster.name} has its own",
                "leave --on out, or use the site's own commands",
            )
        return act(self, **args)

    def look(self, *, age: float | None = None) -> Picture:
        """What is known now; what was just changed is looked at anew. What waits here is sent, if
        the site takes it."""
        seen = picture(self.cluster, age=age, since=self.changed)
        if self.cluster.ledger.unsent(self.cluster.name):  # what has ended makes room for it
            from hpcshell.clusters.tending import tend

            tend(self.cluster, self.pause)
            seen = picture(self.cluster, age=age, since=self.changed)
        return seen

    def on_record(self) -> list[dict[str, Any]]:
        """Label and name of what was submitted and has not ended, as far as is known here."""
        return [
            {"label": entry.number or f"w{entry.serial}", "name": entry.name, "state": ""}
            for entry in self.cluster.ledger.open_entries(self.cluster.name)
        ]
