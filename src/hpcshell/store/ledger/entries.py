"""What the ledger holds: an entry for each submission, its parts, and how its elements ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.core.sightings import Parent

PartState = Literal["planned", "asking", "known", "withdrawn", "refused"]
"""`planned`: to be submitted when the site takes it. `asking`: it may or may not have been taken.
`known`: it was, and has an id there. `withdrawn`: it never will be. `refused`: the site did not
take it."""


class Entry(Record, frozen=True, kw_only=True):
    """One submission to a cluster. `serial` is its number here, whatever the site calls it.

    `number` is the first that the site gave to a part of it (None: none yet). `directory` is the
    job's on the cluster. `parents` as in an order. `held` and `throttle` as they are wanted now.
    `cancelled`: when its user asked for its end, of what the site might not have, or may be moved.
    `moved`: the cluster that it is moved to; it has been once there is an entry of the key that
    follows. `left`: since when it is ended here for that. `moves`: how often it has been moved.
    `chosen`: why it was sent there, where it was not said. `origin`: the directory here whose files
    were sent along, and into which what the job writes comes back. `elsewhere`: the same job for
    other clusters that could run it; `movable`: it may be moved there while it waits. `fetched`:
    when all that was to come back has.
    """

    serial: int
    key: str
    cluster: str
    backend: str
    name: str
    user: str
    submitted: float
    directory: str
    spec: JobSpec
    number: str | None = None
    parents: tuple[Parent, ...] = ()
    any: bool = False
    held: bool = False
    cancelled: float | None = None
    open: bool = True
    moved: str = ""
    left: float | None = None
    moves: int = 0
    chosen: str = ""
    origin: str = ""
    elsewhere: Mapping[str, JobSpec] = {}
    movable: bool = False
    fetched: float | None = None

    @property
    def array(self) -> str:
        """Index text without its throttle; "" for a plain job."""
        return self.spec.submission.array.partition("%")[0]

    @property
    def throttle(self) -> int:
        most = self.spec.submission.array.partition("%")[2]
        return int(most) if most else 0


class Part(Record, frozen=True, kw_only=True):
    """What of an entry is one job at the site. `indices` are ours; the site's are less by `offset`.
    `native` is its id there, `site` its number, `since` when it came into this state, `seen` when
    the site last showed it alive, `missed` since when whole answers do not mention it any more,
    `cancelled` when the site agreed to end it; `unwanted` are the elements that it agreed to end
    one by one. `over`: all of it has ended. `reason`: why it is not there."""

    serial: int
    number: int
    key: str
    indices: str
    offset: int = 0
    state: PartState
    since: float
    native: str = ""
    site: str = ""
    seen: float | None = None
    missed: float | None = None
    cancelled: float | None = None
    unwanted: str = ""
    over: bool = False
    reason: str = ""
