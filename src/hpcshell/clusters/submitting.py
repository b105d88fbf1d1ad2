"""Submissions: entered, handed over in parts, and never twice.

A part is on record as `asking` before its command is said. When no answer comes the site is looked
through for the part's key before anything else; only if a whole answer that was asked for later
does not show it, and shows it again not some seconds after, is it sent once more. What the site
does not take now (its limit of jobs, a scheduler that is away) waits here, and is sent as soon as
it may be.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.backends.contract import Order, Parent, Seen, Site, Trouble
from hpcshell.backends.jobscript import environment_file
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.troubles import raised
from hpcshell.core.commands import Words
from hpcshell.core.errors import HpcError, Refused, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry, Part

KEY: Final = "hpc"
SETTLE: Final = (1.0, 3.0, 6.0)
"""Pauses before each look for a submission that was not answered. Two whole answers without it, the
last after all of them, and it was not taken."""
PAUSES: Final = (0.5, 1.5, 4.0)
"""Pauses before a submission is tried again that the site could not look at."""


class Taken(Record, frozen=True, kw_only=True):
    """An entry after its submission, and what is worth saying of it."""

    entry: Entry
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


class Wanted(Record, frozen=True, kw_only=True):
    """A submission whose parents are resolved. `origin`, `chosen` and `elsewhere`: see `Entry`.
    `key`: the key to use, where it follows from something; else a new one."""

    spec: JobSpec
    parents: tuple[Parent, ...] = ()
    any: bool = False
    chosen: str = ""
    origin: str = ""
    key: str = ""
    elsewhere: Mapping[str, JobSpec] = {}
    movable: bool = False


class Submitting:
    """Submits to one cluster. `pause` waits; the tests have their own."""

    def __init__(self, cluster: Cluster, pause: Callable[[float], None] = time.sleep) -> None:
        self.cluster = cluster
        self.pause = pause

    # --------------------------------------------------------------------------------- a new one

    def enter(self, wanted: Wanted) -> tuple[Entry, list[str]]:
        """Put a submission on record and its files where they are to be; nothing is asked yet."""
        cluster, spec = self.cluster, completed(wanted.spec)
        key = wanted.key or new_key()
        entry = Entry(
            serial=0,
            key=key,
            cluster=cluster.name,
            backend=cluster.backend.name,
            name=spec.submission.name,
            user=cluster.user,
            submitted=clock.now(),
            directory=f"{cluster.directory}/{key}",
            spec=spec,
            parents=wanted.parents,
            any=wanted.any,
            held=spec.submission.hold,
            chosen=wanted.chosen,
            origin=wanted.origin,
            elsewhere=dict(wanted.elsewhere),
            movable=wanted.movable,
        )
        parts = split(entry.array, cluster.known_site(), key)
        files, notes = self._files(entry, parts)
        cluster.link.write(entry.directory, files)
        with cluster.ledger.change() as change:
            return change.enter(entry, parts), notes

    def submit(self, wanted: Wanted) -> Taken:
        """Enter it and hand over what the site takes now. Raises an `HpcError` if it takes nothing
        for good; then nothing of it is left."""
        entry, notes = self.enter(wanted)
        try:
            waits = self.hand_over(entry)
        except HpcError as error:
            self._withdraw(entry, error)
            raise
        parts = self.cluster.ledger.parts(entry.serial)
        if waits:
            notes.append(waits)
        return Taken(
            entry=self.cluster.ledger.entry(entry.serial) or entry,
            parts=tuple(parts),
            notes=tuple(notes),
        )

    def script(self, wanted: Wanted) -> tuple[str, tuple[str, ...]]:
        """The job script and the command of a submission that is not made (its first part)."""
        order = self._imagined(wanted)
        return self.cluster.backend.script(order), self.cluster.backend.submit(order).argv

    def estimate(self, wanted: Wanted) -> Words | None:
        """The question when it would start; None: the site has no such question."""
        return self.cluster.backend.estimate(self._imagined(wanted))

    def _imagined(self, wanted: Wanted) -> Order:
        """The order for the first part of a submission that is not made."""
        key, spec = f"{KEY}{'x' * 16}", completed(wanted.spec)
        entry = Entry(
            serial=0,
            key=key,
            cluster=self.cluster.name,
            backend=self.cluster.backend.name,
            name=spec.submission.name,
            user=self.cluster.user,
            submitted=clock.now(),
            directory=f"{self.cluster.directory}/{key}",
            spec=spec,
            parents=wanted.parents,
            any=wanted.any,
        )
        return self._order(entry, *split(entry.array, self.cluster.known_site(), key)[0])

    # ------------------------------------------------------------------------------ handing over

    def hand_over(self, entry: Entry) -> str:
        """Submit the parts that are planned, in order, as long as the site takes them.

        Returns why some still wait, or "". Raises for what the site will never take, if it has
        taken nothing of the entry.
        """
        for part in self.cluster.ledger.parts(entry.serial):
            if part.state != "planned":
                continue
            trouble = self._room() or self._part(entry, part)
            if trouble is None:
                continue
            if trouble.kind in ("limit", "busy"):
                self._mark(part, "planned", trouble.message, only=("planned",))
                return f"{self.cluster.name}: {trouble.message}; the rest waits here"
            self._refuse(entry, part, trouble)
        return ""

    def _room(self) -> Trouble | None:
        """Whether the configured limit of jobs there leaves room for one more."""
        most = self.cluster.settings.max_jobs
        if most is None:
            return None
        open_parts = self.cluster.ledger.open_parts(self.cluster.name)
        there = sum(part.state in ("known", "asking") for ps in open_parts.values() for part in ps)
        if there < most:
            return None
        return Trouble(kind="limit", message=f"{there} of yours are there, of {most} at most")

    def _part(self, entry: Entry, part: Part) -> Trouble | None:
        """Submit one part; None: the site has it (or somebody else is just asking)."""
        with self.cluster.ledger.change() as change:
            if not change.claim(part, clock.now()):
                return None
        order = self._order(entry, part.key, part.indices, part.offset)
        words = self.cluster.backend.submit(order)
        for pause in (*PAUSES, None):
            told = self.cluster.backend.read_submit(self.cluster.say(words))
            if isinstance(told, str):
                self.take_note(part, told)
                return None
            if told.kind == "busy" and (native := self.look_for(part)) is not None:
                if native:
                    self.take_note(part, native)
                    return None
                if pause is not None:
                    self.pause(pause)
                    continue
            elif told.kind == "busy":
                return None  # nobody knows whether it was taken: it stays `asking`
            self._mark(part, "planned", told.message, only=("asking",))
            return told
        return None

    def look_for(self, part: Part) -> str | None:
        """The native id of a part that may have been taken; "": it was not; None: nobody can tell.

        It is believed not to be there after the last of several looks that were answered in whole,
        and only if it has not recorded that it began: it may have ended meanwhile.
        """
        sure = False
        for pause in SETTLE:
            self.pause(pause)
            look = self.cluster.queue(age=0.0, since=part.since)
            seen = self.cluster.read_queue(look)
            sure = not look.trouble and seen.whole
            if sure and (native := shown(part, seen)):
                return native
        return self.begun(part) if sure else None

    def begun(self, part: Part) -> str:
        """The native id of a part by what it recorded itself; "": nothing."""
        entry = self.cluster.ledger.entry(part.serial)
        if entry is None:
            return ""
        first = "job" if not part.indices else str(IndexSet.parse(part.indices).first)
        files = self.cluster.link.read(f"{entry.directory}/record", [f"{first}.begin"])
        words = next(iter(files.values()), b"").decode(errors="replace").split()
        return words[0] if words else ""

    def take_note(self, part: Part, native: str) -> None:
        """The site has it, under this id."""
        number, _ = self.cluster.backend.parse_id(native)
        with self.cluster.ledger.change() as change:
            change.known(part, native, number, clock.now())

    def _mark(self, part: Part, state: str, reason: str, only: Sequence[str]) -> None:
        with self.cluster.ledger.change() as change:
            change.mark(part, state, clock.now(), reason)  # type: ignore[arg-type]

    def _refuse(self, entry: Entry, part: Part, trouble: Trouble) -> None:
        """What the site will never take: all of it if nothing was taken, else what is left."""
        parts = self.cluster.ledger.parts(entry.serial)
        if not any(each.state in ("known", "asking") for each in parts):
            raise raised(trouble, self.cluster.name)
        with self.cluster.ledger.change() as change:
            change.mark(part, "refused", clock.now(), trouble.message)

    def _withdraw(self, entry: Entry, error: HpcError) -> None:
        """Leave nothing of a submission that was refused."""
        with self.cluster.ledger.change() as change:
            change.remove(entry.serial)
        self.cluster.link.remove(entry.directory)

    # ----------------------------------------------------------------------------------- the files

    def _order(self, entry: Entry, key: str, indices: str, offset: int) -> Order:
        return Order(
            spec=replace(entry.spec, submission=replace(entry.spec.submission, hold=entry.held)),
            key=key,
            directory=entry.directory,
            indices=_shifted(indices, offset),
            offset=offset,
            throttle=entry.throttle,
            parents=entry.parents,
            any=entry.any,
            now=clock.now(),
        )

    def _files(
        self, entry: Entry, parts: Sequence[tuple[str, str, int]]
    ) -> tuple[dict[str, tuple[bytes, int]], list[str]]:
        """The files of the job's directory, and notes."""
        spec, backend = entry.spec, self.cluster.backend
        all_of_it = self.cluster.here and not backend.carries_environment
        env, left = environment_file(spec.submission.env if all_of_it else spec.named)
        files = {
            _script_name(order): (backend.script(order).encode(), 0o700)
            for order in (self._order(entry, *part) for part in parts)
        }
        files |= {"env": (env.encode(), 0o600), "record/": (b"", 0o700)}
        if spec.submission.script is not None:
            files["script"] = (spec.submission.script, 0o700)
        return files, [f"variable {name} is left out: no shell can set it" for name in left[:5]]


def shown(part: Part, seen: Seen) -> str:
    """The native id under which the site shows a part, by its key; "": it does not."""
    for sighting in seen.sightings:
        if sighting.key == part.key:
            return sighting.native if sighting.element is None else sighting.number
    return ""


def _script_name(order: Order) -> str:
    return order.job_script.rpartition("/")[2]


def _shifted(indices: str, offset: int) -> str:
    """Our indices as the site is told them."""
    if not offset:
        return indices
    return str(IndexSet.of(index - offset for index in IndexSet.parse(indices)))


def new_key() -> str:
    """A word that no other submission has: 80 random bits."""
    return KEY + "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(16))


def completed(spec: JobSpec) -> JobSpec:
    """With the name and the output file of a job for which none was said, as on this machine."""
    asked = spec.submission
    output = asked.stdout or f"hpc-{'%A_%a' if asked.array else '%j'}.out"
    return replace(spec, submission=replace(asked, name=asked.name or name_of(spec), stdout=output))


def name_of(spec: JobSpec) -> str:
    """The name of a job that was given none: that of its script or command."""
    word = spec.submission.argv[0].rpartition("/")[2]
    return "".join(letter if letter.isalnum() or letter in "._-+" else "_" for letter in word)[:64]


def split(array: str, site: Site | None, key: str) -> list[tuple[str, str, int]]:
    """The parts of an array that the site takes: key, indices and offset of each.

    A part has at most `most_elements`, and no index above `highest_index` once its offset is taken
    away.
    """
    if not array:
        return [(key, "", 0)]
    most = site.most_elements if site else None
    highest = site.highest_index if site else None
    parts = list(_chunks(list(IndexSet.parse(array)), most, highest))
    if len(parts) == 1:
        return [(key, *parts[0])]
    return [(f"{key}.{number}", *part) for number, part in enumerate(parts)]


def _chunks(indices: list[int], most: int | None, highest: int | None) -> Iterator[tuple[str, int]]:
    """Runs of indices that one array of the site can hold, with what to take away from them."""
    begin = 0
    while begin < len(indices):
        offset = 0
        if highest is not None and indices[-1] > highest:
            offset = indices[begin] if indices[begin] > highest or begin else 0
        end = begin + 1
        while (
            end < len(indices)
            and (most is None or end - begin < most)
            and (highest is None or indices[end] - offset <= highest)
        ):
            end += 1
        yield str(IndexSet.of(indices[begin:end])), offset
        begin = end


def check_spec(spec: JobSpec, cluster: Cluster) -> list[str]:
    """Refuse what no cluster could be asked for; notes about what only means something here."""
    asked = spec.submission
    if asked.gang is not None:
        raise Wrong("--gang is for this machine's scheduler", "ask for nodes instead: --nodes N")
    if asked.request.gpu_share:
        raise Wrong(f"{cluster.name} hands out whole GPUs", "ask for a whole number of them")
    if asked.unique and any(
        _same(entry.spec, spec) for entry in cluster.ledger.open_entries(cluster.name)
    ):
        raise Refused("the same submission waits or runs already", "leave --unique out")
    notes = []
    if asked.retry.limit:
        notes.append("--retries is for this machine: the site runs a job once (--requeue)")
    if asked.checkpoint is not None:
        notes.append("--checkpoint-signal is for this machine: use --signal")
    if asked.notify is not None and (asked.notify.webhook or asked.notify.desktop):
        notes.append(f"{cluster.name} sends mail only: --webhook and --notify are left out")
    return notes


def _same(one: JobSpec, other: JobSpec) -> bool:
    return replace(one, submission=replace(one.submission, name="")) == replace(
        other, submission=replace(other.submission, name="")
    )
