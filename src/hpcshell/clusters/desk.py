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
    """The verbs of jobs, on one cluster. `pause` waits between looks. `page`: the most rows of
    one answer (0: all)."""

    page = 0

    def __init__(self, cluster: Cluster, pause: Callable[[float], None] = time.sleep) -> None:
        self.cluster = cluster
        self.pause = pause

    def call(self, verb: str, **args: Any) -> Any:
        """Do one thing; raises the `HpcError` that says why not."""
        act = verb_named(verb)
        if act is None:
            raise Refused(
                f"hpc {verb} asks this machine's scheduler; {self.cluster.name} has its own",
                "leave --on out, or use the site's own commands",
            )
        return act(self, **args)

    @property
    def unkept(self) -> str:
        """Why something that was learned is not kept; "": all of it is."""
        return self.cluster.ledger.unkept

    def look(self, *, age: float | None = None) -> Picture:
        """What is known now; what was just changed is looked at anew. What waits here is sent, if
        the site takes it."""
        seen = picture(self.cluster, age=age)
        if self.cluster.ledger.unsent(self.cluster.name):  # what has ended makes room for it
            from hpcshell.clusters.tending import tend

            tend(self.cluster, self.pause)
            seen = picture(self.cluster, age=age)
        return seen
