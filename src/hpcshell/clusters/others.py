"""The jobs of another user, which are not on record here: the site is asked each time."""

from __future__ import annotations

import re
from typing import Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.lookout import Picture
from hpcshell.clusters.troubles import UNANSWERED, raised
from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.machine import clock

_USER: Final = r"(?a)[\w.][\w.@+-]*\$?"
"""What every scheduler takes for one user, and for nothing else."""


def picture_of(cluster: Cluster, user: str) -> Picture:
    """What the site shows of a user's jobs. Raises `Wrong` for a name that is none, and what the
    site says of one that it does not know."""
    if re.fullmatch(_USER, user) is None:
        raise Wrong(f"{quote(user)} is no user's name", "hpc queue without --user lists yours")
    seen = cluster.backend.read_queue(cluster.say_all(cluster.backend.queue(user)))
    if seen.trouble is not None and seen.trouble.kind not in UNANSWERED:
        raise raised(seen.trouble, cluster.name)
    trouble = seen.trouble.message if seen.trouble is not None else ""
    at = clock.now() if seen.whole else 0.0
    return Picture(known=(), strangers=seen.sightings if seen.whole else (), trouble=trouble, at=at)
