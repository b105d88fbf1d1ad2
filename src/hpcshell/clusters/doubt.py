"""What became of a part that may have been taken: it is looked for, and not sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hpcshell.backends.contract import Seen
from hpcshell.clusters.cluster import Cluster
from hpcshell.core.errors import HpcError
from hpcshell.core.indexset import IndexSet
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Part
from hpcshell.store.ledger.failures import UNWRITABLE

SETTLE: Final = (1.0, 3.0, 6.0)
"""Pauses before each look for a submission that was not answered. If the last answer is whole and
does not show it, it was not taken."""


class Doubt:
    """What is asked of one cluster about parts that it may have. `pause` waits."""

    def __init__(self, cluster: Cluster, pause: Callable[[float], None]) -> None:
        self.cluster = cluster
        self.pause = pause

    def look_for(self, part: Part) -> str | None:
        """The native id of a part that may have been taken; "": it was not; None: nobody can tell.

        It is believed not to be there if the last look was answered in whole, and only if it has
        not recorded that it began: it may have ended meanwhile.
        """
        sure = False
        for pause in SETTLE:
            asked = clock.now()
            self.pause(pause)
            look = self.cluster.queue(age=0.0, since=asked)
            seen = self.cluster.read_queue(look)
            sure = not look.trouble and seen.whole
            if sure and (native := shown(part, seen)):
                return native
        try:
            return self.begun(part) if sure else None
        except HpcError:
            return None

    def begun(self, part: Part) -> str:
        """The native id of a part by what it recorded itself; "": nothing."""
        entry = self.cluster.ledger.entry(part.serial)
        if entry is None:
            return ""
        first = "job" if not part.indices else str(IndexSet.parse(part.indices).first)
        files = self.cluster.link.read(f"{entry.directory}/record", [f"{first}.begin"])
        words = next(iter(files.values()), b"").decode(errors="replace").split()
        return words[0] if len(words) == 3 else ""

    def take_note(self, part: Part, native: str) -> None:
        """The site has it, under this id. It is ended there if nobody wants it any more, or if the
        site has it under another id already."""
        try:
            self._take_note(part, native)
        except UNWRITABLE as error:  # by its key it is found again
            self.cluster.ledger.unkept = error.message

    def _take_note(self, part: Part, native: str) -> None:
        number, _ = self.cluster.backend.parse_id(native)
        ledger, kept = self.cluster.ledger, False
        with ledger.change() as change:
            wanted = ledger.wanted(part.serial)
            if wanted:
                kept = change.known(part, native, number, clock.now())
        if kept or not self._end(native) or wanted:
            return
        with ledger.change() as change:
            if change.known(part, native, number, clock.now()):
                change.cancelled([part], clock.now())

    def _end(self, native: str) -> bool:
        """Have the site end it; whether it agreed."""
        backend = self.cluster.backend
        try:
            answers = self.cluster.say_all(backend.cancel([native]))
        except HpcError:
            return False
        trouble = backend.read_change([native], answers).troubles.get(native)
        return trouble is None or trouble.kind == "gone"


def shown(part: Part, seen: Seen) -> str:
    """The native id under which the site shows a part, by its key; "": it does not."""
    for sighting in seen.sightings:
        if sighting.key == part.key:
            return sighting.native if sighting.element is None else sighting.number
    return ""
