"""What has not ended on a cluster is given up, when its site is no more or its name means another.

Nothing is said to any site: what is there goes on, and nobody asks for it any more.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hpcshell.clusters.known import over
from hpcshell.clusters.lookout import elements_on_record
from hpcshell.core.sightings import GONE
from hpcshell.machine import clock
from hpcshell.store.ledger.ledger import Ledger

WHY: Final = "it was given up together with its cluster"


def give_up(ledger: Ledger, cluster: str, *, dry_run: bool = False) -> int:
    """Record all that is open there as gone, and what was not sent as never to be; and forget what
    the site called itself. Of how many submissions."""
    entries = ledger.open_entries(cluster)
    if dry_run:
        return len(entries)
    now = clock.now()
    with ledger.change() as change:
        for entry in entries:
            parts, ended = ledger.parts(entry.serial), ledger.endings(entry.serial)
            left = {
                element: replace(one, state=GONE, reason=WHY, end_time=now)
                for element, one in elements_on_record(parts, ended).items()
                if one.native and not over(one)
            }
            change.end(entry.serial, list(left.items()))
            change.withdraw(entry.serial, now, WHY, asked=True)
        change.close(entry.serial for entry in entries)
        change.tell(cluster, None, now)
    return len(entries)
