"""Submissions: entered, handed over in parts, and never twice.

A part is on record as `asking` before its command is said. When no answer comes the site is looked
through for the part's key before anything else; only if a whole answer that was asked for later
does not show it, and shows it again not some seconds after, is it sent once more. Whoever asks
belongs to the record, too: if somebody else has gone on with the part meanwhile, he stops. What the
site does not take now (its limit of jobs, a scheduler that is away) waits here, and is sent in
order as soon as it may be.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from hpcshell.backends.contract import Parent, Trouble
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.doubt import Doubt
from hpcshell.clusters.orders import Orders, Sheet, split
from hpcshell.clusters.staging import placed, send_along
from hpcshell.clusters.troubles import raised
from hpcshell.core.commands import Words
from hpcshell.core.errors import HpcError, Refused, Wrong
from hpcshell.core.handed import check_arguments, check_variables
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Record
from hpcshell.machine import clock
from hpcshell.machine.link import LinkDown
from hpcshell.store.ledger.entries import Entry, Part, PartState
from hpcshell.store.ledger.failures import UNWRITABLE
from hpcshell.store.ledger.writing import Change

KEY: Final = "hpc"
_WAITS: Final = ("limit", "busy")
"""Kinds of trouble after which what the site did not take waits here."""
_IN_DOUBT: Final = ("busy", "broken")
"""Kinds of trouble after which it is not known whether a submission was taken."""
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
PAUSES: Final = (0.5, 1.5, 4.0)
"""Pauses before a submission is tried again that the site could not look at."""

CANCELLED: Final = "it was cancelled before the site had it"
_AWAY: Final = Trouble(kind="busy", message="there is no way to it just now")
_IN_LINE: Final = Trouble(kind="limit", message="what was submitted earlier waits here")


class Taken(Record, frozen=True, kw_only=True):
    """An entry after its submission, and what is worth saying of it."""

    entry: Entry
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


class Wanted(Record, frozen=True, kw_only=True):
    """A submission whose parents are resolved. `chosen` and `elsewhere`: see `Entry`. `key`: the
    key to use, where it follows from something; else a new one. `after`: the serial of the entry
    that it is in place of."""

    spec: JobSpec
    parents: tuple[Parent, ...] = ()
    any: bool = False
    chosen: str = ""
    key: str = ""
    elsewhere: Mapping[str, JobSpec] = {}
    movable: bool = False
    after: int | None = None
    moves: int = 0


class Entered(NamedTuple):
    """A new entry, its parts as they were planned, and the first of them as this process has taken
    it, or why it has not (None: nobody wants it). `told`: what the site said of that one, if it was
    asked already."""

    entry: Entry
    parts: list[Part]
    first: Part | Trouble | None
    sheet: Sheet
    told: str | Trouble | None = None


class _NotTaken(Exception):
    """The command that was begun for a part is not wanted: it is not this process that sends it."""


class Submitting(Doubt):
    """Submits to one cluster. `pause` waits; the tests have their own."""

    def __init__(self, cluster: Cluster, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(cluster, pause)
        self.orders = Orders(cluster)

    # --------------------------------------------------------------------------------- a new one

    def enter(self, wanted: Wanted) -> Entered:
        """Put a submission on record and its files where they are to be, and take its first part to
        be sent, if nothing else waits. The command that sends it starts meanwhile, if it can."""
        cluster = self.cluster
        entry, parts = draft(cluster, wanted, wanted.key or new_key())
        sheet = self.orders.sheet(entry, parts)

        def record() -> Entered:
            return self._record(wanted, entry, parts, sheet)

        if not cluster.backend.waits_for_script or cluster.ledger.unsent(cluster.name):
            return record()
        return self._enter_while_it_starts(record, sheet.words)

    def _enter_while_it_starts(self, record: Callable[[], Entered], words: Words) -> Entered:
        entered: list[Entered] = []

        def work() -> None:
            entered.append(record())
            if not isinstance(entered[0].first, Part):
                raise _NotTaken

        try:
            told = self.cluster.backend.read_submit(self.cluster.say_while(words, work))
        except _NotTaken:
            return entered[0]
        except LinkDown:
            if not entered:
                raise
            told = _AWAY
        return entered[0]._replace(told=told)

    def _record(
        self, wanted: Wanted, entry: Entry, parts: list[tuple[str, str, int]], sheet: Sheet
    ) -> Entered:
        cluster = self.cluster
        cluster.link.write(entry.directory, sheet.files)
        send_along(cluster, entry, self.pause)
        try:
            return self._enter(wanted, entry, parts, sheet)
        except UNWRITABLE:
            with contextlib.suppress(HpcError):
                cluster.link.remove(entry.directory)
            raise

    def _enter(
        self, wanted: Wanted, entry: Entry, parts: list[tuple[str, str, int]], sheet: Sheet
    ) -> Entered:
        cluster = self.cluster
        with cluster.ledger.change() as change:
            if wanted.after is not None:
                self._replace(change, wanted.after)
            entry, planned = change.enter(entry, parts)
            waits = cluster.ledger.wait_before(cluster.name, entry.serial)
            first = _IN_LINE if waits else self._take(change, planned[0], entry.held)
        return Entered(entry, planned, first, sheet)

    def _replace(self, change: Change, serial: int) -> None:
        """Another entry is to be in the place of that one, unless its user wants no more of it."""
        before = self.cluster.ledger.entry(serial)
        if before is None or before.cancelled is not None:
            raise Refused(CANCELLED, "hpc rerun submits it again")
        change.withdraw(serial, clock.now(), f"moved to {self.cluster.name}")

    def submit(self, wanted: Wanted) -> Taken:
        """Enter it and hand over what the site takes now. Raises an `HpcError` if it takes nothing
        for good; then nothing of it is left."""
        entered = self.enter(wanted)
        try:
            trouble = self.begin(entered)
        except UNWRITABLE as error:  # what is on record and cannot be marked any further waits here
            trouble = Trouble(kind="busy", message=error.message)
        entry, notes = entered.entry, entered.sheet.notes
        parts = self.cluster.ledger.parts(entry.serial)
        if all(part.state == "refused" for part in parts) and self._withdraw(entry):
            why = trouble or Trouble(kind="wrong", message=parts[0].reason)
            raise raised(_naming(why, entry.spec.submission.partition), self.cluster.name)
        if trouble is not None:
            notes.append(f"{self.cluster.name}: {trouble.message}; {_left(parts)}")
        number = next((part.site for part in parts if part.site), None)
        entry = replace(entry, number=number)
        return Taken(entry=entry, parts=tuple(parts), notes=tuple(notes))

    # ------------------------------------------------------------------------------ handing over

    def begin(self, entered: Entered) -> Trouble | None:
        """Hand over what was just entered, as far as the site takes it now, as `hand_over`. Where
        the site's commands are not set up it is refused."""
        first, parts = entered.first, entered.parts
        if isinstance(first, Trouble):
            return first
        told = None
        if first is not None:
            told = self._send(first, entered.sheet.words, entered.entry.held, entered.told)
        if told is not None and self._stops(parts[0], told, _WAITS):
            return told
        return self._hand_over(entered.entry, parts[1:], told, _WAITS)

    def hand_over(self, entry: Entry) -> Trouble | None:
        """Submit the parts that are planned, in order, as long as the site takes them.

        Returns what went wrong last: why the rest waits, or why something is not taken for good.
        That is marked as refused, and with it all of an entry of which nothing was taken.
        """
        parts = self.cluster.ledger.parts(entry.serial)
        return self._hand_over(entry, parts, None, (*_WAITS, "unset"))

    def _hand_over(
        self,
        entry: Entry,
        parts: Sequence[Part],
        trouble: Trouble | None,
        waits: Sequence[str],
    ) -> Trouble | None:
        for part in parts:
            if part.state != "planned" or (told := self._part(entry, part)) is None:
                continue
            trouble = told
            if self._stops(part, told, waits):
                break
        return trouble

    def _stops(self, part: Part, told: Trouble, waits: Sequence[str]) -> bool:
        """Whether nothing more of its entry is to be sent now, after what the site said of it: it
        waits after trouble of the kinds `waits`, and is refused after any other."""
        return told.kind in waits or self._refuse(part, told)

    def _part(self, entry: Entry, part: Part) -> Trouble | None:
        """Submit one part; None: the site has it, or may have it, or somebody else is at it."""
        order = self.orders.order(entry, part.key, part.indices, part.offset)
        try:
            words = self.cluster.backend.submit(order)
        except HpcError as error:
            return Trouble(kind="wrong", message=error.message, hint=error.hint or "")
        mine = self._claim(part, entry.held)
        return self._send(mine, words, entry.held) if isinstance(mine, Part) else mine

    def _send(
        self, part: Part, words: Words, held: bool, told: str | Trouble | None = None
    ) -> Trouble | None:
        """Submit a part that this process has taken; as `_part`. `told`: what the site has said of
        it already."""
        mine: Part | Trouble | None = part
        for pause in (*PAUSES, None):
            if not isinstance(mine, Part):
                return mine
            told = told or self._ask(words)
            native: str | None = told if isinstance(told, str) else ""
            # what no refusal is known by may hide a submission that was taken, too
            if isinstance(told, Trouble) and told.kind in _IN_DOUBT and told is not _AWAY:
                native = self.look_for(mine)
            if native is None or isinstance(told, str) or native:
                if native:
                    self.take_note(mine, native)
                return None  # without an id nobody knows whether it was taken: it stays `asking`
            if told.kind != "busy" or told is _AWAY or pause is None:
                return told if self._mark(mine, "planned", told.message) else None
            self.pause(pause)
            mine, told = self._claim(mine, held), None
        return None

    def _claim(self, part: Part, held: bool) -> Part | Trouble | None:
        with self.cluster.ledger.change() as change:
            return self._take(change, part, held)

    def _take(self, change: Change, part: Part, held: bool) -> Part | Trouble | None:
        """The part as this process asks for it; None: somebody else does, or nobody wants it any
        more, or not as it is to be sent now, `held` or not. A trouble if the configured limit
        leaves no room for one more."""
        most, wish = self.cluster.settings.max_jobs, self.cluster.ledger.wish(part.serial)
        if wish is None or wish.cancelled is not None:
            change.mark(part, "withdrawn", clock.now(), CANCELLED)
            return None
        if wish.moved or wish.held != held:
            return None
        if part.state == "planned" and most is not None:
            there = change.there(self.cluster.name)
            if there >= most:
                told = f"{there} of yours are there, of {most} at most"
                change.mark(part, "planned", clock.now(), told)
                return Trouble(kind="limit", message=told)
        return change.claim(part, clock.now())

    def _ask(self, words: Words) -> str | Trouble:
        try:
            answer = self.cluster.say(words)
        except LinkDown:
            return _AWAY
        return self.cluster.backend.read_submit(answer)

    def _mark(self, part: Part, state: PartState, reason: str) -> bool:
        with self.cluster.ledger.change() as change:
            return change.mark(part, state, clock.now(), reason)

    def _refuse(self, part: Part, trouble: Trouble) -> bool:
        """What the site will never take; whether that is all of the entry."""
        parts = self.cluster.ledger.parts(part.serial)
        nothing = not any(each.state in ("known", "asking") for each in parts)
        with self.cluster.ledger.change() as change:
            for each in parts if nothing else [each for each in parts if each.key == part.key]:
                if each.state == "planned":
                    change.mark(each, "refused", clock.now(), trouble.message)
        return nothing

    def _withdraw(self, entry: Entry) -> bool:
        """Leave nothing of a submission that was refused; False: it is moved elsewhere already."""
        with self.cluster.ledger.change() as change:
            now = self.cluster.ledger.entry(entry.serial)
            if now is not None and now.moved:
                return False
            change.remove(entry.serial)
        with contextlib.suppress(HpcError):
            self.cluster.link.remove(entry.directory)
        return True


def _naming(trouble: Trouble, partition: str) -> Trouble:
    """PBS says `Unknown queue`, and not which."""
    about = partition and "queue" in trouble.message.lower() and partition not in trouble.message
    return replace(trouble, message=f"{trouble.message}: {partition}") if about else trouble


def _left(parts: Sequence[Part]) -> str:
    """What becomes of the parts that the site does not have."""
    if any(part.state == "planned" for part in parts):
        return "the rest waits here" if any(part.native for part in parts) else "it waits here"
    return "that part was not taken"


def draft(cluster: Cluster, wanted: Wanted, key: str) -> tuple[Entry, list[tuple[str, str, int]]]:
    """The entry of a submission before it is on record, and its parts (key, indices, offset)."""
    directory = f"{cluster.directory}/{key}"
    spec = completed(placed(wanted.spec, directory))
    entry = Entry(
        serial=0,
        key=key,
        cluster=cluster.name,
        backend=cluster.backend.name,
        name=spec.submission.name,
        user=cluster.user,
        submitted=clock.now(),
        directory=directory,
        spec=spec,
        parents=wanted.parents,
        any=wanted.any,
        held=spec.submission.hold,
        chosen=wanted.chosen,
        origin=spec.origin,
        elsewhere=dict(wanted.elsewhere),
        movable=wanted.movable,
        moves=wanted.moves,
    )
    return entry, split(entry.array, cluster.known_site(), key)


def new_key() -> str:
    """A word that no other submission has: 80 random bits."""
    return KEY + "".join(_LETTERS[byte % 32] for byte in os.urandom(16))


def completed(spec: JobSpec) -> JobSpec:
    """With the name and the output file of a job for which none was said, as on this machine."""
    asked = spec.submission
    output = asked.stdout or f"hpc-{'%A_%a' if asked.array else '%j'}.out"
    return replace(spec, submission=replace(asked, name=asked.name or name_of(spec), stdout=output))


def name_of(spec: JobSpec) -> str:
    """The name of a job that was given none: that of its script or command."""
    word = spec.submission.argv[0].rpartition("/")[2]
    return "".join(letter if letter.isalnum() or letter in "._-+" else "_" for letter in word)[:64]


def check_spec(spec: JobSpec, cluster: Cluster) -> list[str]:
    """Refuse what no cluster could be asked for; notes about what only means something here."""
    asked = spec.submission
    check_arguments(asked.argv)
    check_variables(asked.env if cluster.here else spec.named)
    if asked.gang is not None:
        raise Wrong("--gang is for this machine's scheduler", "ask for nodes instead: --nodes N")
    if asked.session:
        raise Wrong("--screen is for this machine's scheduler", "leave it out; hpc logs -f follows")
    if asked.request.gpu_share:
        raise Wrong(f"{cluster.name} hands out whole GPUs", "ask for a whole number of them")
    if asked.request.gpus_allowed:
        raise Wrong(
            f"--gpus-allowed names cards of this machine; {cluster.name} chooses them itself",
            "ask for a model instead: --gpu-type",
        )
    if asked.request.gpu_mem:
        raise Wrong(
            f"--gpu-mem is for this machine: {cluster.name} hands out whole GPUs",
            "ask for --gpus N, and for cards that are large enough: --gpu-type",
        )
    notes = []
    if asked.retry.limit:
        notes.append("--retries is for this machine: the site runs a job once (--requeue)")
    if asked.checkpoint is not None:
        notes.append("--checkpoint-signal is for this machine: use --signal")
    if asked.notify is not None and (asked.notify.webhook or asked.notify.desktop):
        notes.append(f"{cluster.name} sends mail only: --webhook and --notify are left out")
    return notes


def check_unique(spec: JobSpec, cluster: Cluster) -> None:
    """Refuse what is there already, if that is not wanted."""
    if spec.submission.unique and any(
        _same(entry.spec, spec) for entry in cluster.ledger.open_entries(cluster.name)
    ):
        raise Refused("the same submission waits or runs already", "leave --unique out")


def _same(one: JobSpec, other: JobSpec) -> bool:
    """Whether they differ in nothing but their names, and in directories of their own."""
    one, other = (completed(placed(each, "")) for each in (one, other))
    return replace(one, submission=replace(one.submission, name="")) == replace(
        other, submission=replace(other.submission, name="")
    )
