"""Several sites, one ledger, several processes that use all of them; one clock.

    realm = Realm(directory, patch, "ab")
    realm.places["a"].starts = 60.0        a says that it starts a job in a minute (None: no word)
    realm.places["b"].refuses = True       b takes nothing
    realm.any(1).call("rebalance")

A step of any process, or of a site, counts for all. After each of them it is checked that no job
is alive twice, and nothing that had begun was ended unless its user wanted that.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Estimate, Order, Seen, Site, Trouble, Words
from hpcshell.clusters import polls, together
from hpcshell.clusters.anydesk import AnyDesk, Choice
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.clusters.verbs.submit import submit_chosen
from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.settings import ClusterSettings
from hpcshell.machine import clock
from hpcshell.machine.link import LinkDown
from hpcshell.machine.paths import Places
from hpcshell.store.ledger.entries import Entry
from hpcshell.store.ledger.ledger import Ledger
from hpcshell.store.ledger.writing import Change
from tests.clusters.world import LIVE, START, Killed, LivingSite
from tests.store.test_model import FAST
from tests.support.clusters import toy
from tests.support.clusters.toy import ToyBackend, ToySite, spec

SETTINGS = ClusterSettings(backend="toy", poll=0.0)


class Holding(ToyBackend):
    """A toy that holds and lets go, and says when it would start a job. `place`: where."""

    def __init__(self, site: Site | None, place: Place) -> None:
        super().__init__(site)
        self.place = place

    def submit(self, order: Order) -> Words:
        if self.place.wordless:
            raise Wrong("there are no words for that")
        words = super().submit(order)
        held = "held" if order.spec.submission.hold else ""
        return Words(argv=(*words.argv, held))

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        return _with_more(answers, super().read_queue(answers))

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return _with_more(answers, super().read_history(answers))

    def release(self, ids: Sequence[str]) -> Sequence[Words]:
        return [toy._words("release", *ids)]

    def estimate(self, order: Order) -> Words:
        return toy._words("estimate", order.key)

    def read_estimate(self, answer: Answer) -> Estimate:
        told = toy._read(answer)
        return Estimate(trouble=told) if isinstance(told, Trouble) else Estimate(start=told)


def _with_more(answers: Sequence[Answer], seen: Seen) -> Seen:
    """What is seen, with what this toy tells besides."""
    told = zip(seen.sightings, toy._read(answers[0]), strict=True) if seen.whole else ()
    more = [
        replace(one, held=bool(row.get("held")), end_time=row.get("ended", one.end_time))
        for one, row in told
    ]
    return replace(seen, sightings=tuple(more))


class Place(LivingSite):
    """One of the sites."""

    def __init__(self, realm: Realm, name: str) -> None:
        super().__init__()
        self.realm, self.name = realm, name
        self.starts: float | None = None
        self.refuses = self.away = self.full = False
        self.takes = True
        """Whether it takes a job in the end of which it has said when it starts it."""
        self.ends: Answer | None = None
        """What it says instead of ending a job."""
        self.wordless = False
        """Whether no job can be put into its words."""

    def step(self) -> None:
        self.realm.step()

    def say(self, words: Words) -> Answer:
        self.faults = self.realm.faults
        self.realm.somebody_acts(words.argv[1])
        if self.refuses and words.argv[1] in ("submit", "estimate"):
            return Answer(code=1, err="no such account")
        if not self.takes and words.argv[1] == "submit":
            return Answer(code=1, err="too much for anybody")
        if self.ends is not None and words.argv[1] == "cancel":
            return self.ends
        if self.full and words.argv[1] == "submit":
            return Answer(code=9, err="no more")
        if self.away:
            raise LinkDown("it is away")
        answer = super().say(words)
        self.realm.check()
        return answer

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        self.realm.somebody_acts("write")
        super().write(directory, files)

    # ------------------------------------------------------------------------------ the scheduler

    def do_submit(self, key: str, indices: str, name: str, held: str = "") -> str:
        number = super().do_submit(key, indices, name)
        for row in self.meant(number):
            row["held"] = bool(held)
        return number

    def do_estimate(self, key: str) -> float | None:
        return None if self.starts is None else self.now + self.starts

    def do_release(self, *ids: str) -> list[str]:
        for row in self.meant(*ids):
            row["held"] = False
        return [each for each in ids if not list(self.meant(each))]

    def do_hold(self, *ids: str) -> list[str]:
        for row in self.meant(*ids):
            row["held"] = row["state"] == "wait"
        return ToySite.do_hold(self, *ids)

    def do_cancel(self, *ids: str) -> list[str]:
        for row in self.meant(*ids):
            if row["state"] in ("run", "stop") and row["name"] not in self.realm.unwanted:
                self.realm.wrong.append(f"{row['name']} had begun, and was cancelled")
        return super().do_cancel(*ids)

    def runs(self) -> None:
        """Everything that is not held begins, and ends."""
        for row in self.live():
            if not row.get("held"):
                self.begin(row)
                self.end(row)

    def begins(self) -> None:
        """Everything that is not held begins."""
        for row in self.live():
            if row["state"] == "wait" and not row.get("held"):
                self.begin(row)


class Realm:
    """The sites and the processes."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch, names: str = "ab") -> None:
        self.directory = directory
        self.now = START
        self.doom: int | None = None
        self.faults: list[str] = []
        self.wrong: list[str] = []
        self.unwanted: set[str] = set()
        """Names of jobs that their user has cancelled, or tries to."""
        self.ended = False
        """Whether he was told that it is."""
        self.places = {name: Place(self, name) for name in names}
        self._any: dict[int, AnyDesk] = {}
        self._commands = 0
        self._meanwhile: dict[int, Callable[[], None]] = {}
        self._before: dict[str, Callable[[], None]] = {}
        patch.setattr(clock, "now", lambda: self.now)
        patch.setattr(clock, "monotonic", lambda: self.now)
        patch.setattr(polls, "HANGS", 0.0)
        patch.setattr(polls, "MOMENT", 0.0)
        patch.setattr(together, "at_once", lambda asks, patience: [_tried(one) for one in asks])
        plain = Ledger.change

        @contextlib.contextmanager
        def change(ledger: Ledger) -> Iterator[Change]:
            self.step()
            with plain(ledger) as writing:
                yield writing
            self.step()

        patch.setattr(Ledger, "change", change)

    # -------------------------------------------------------------------------------- the desks

    def any(self, who: int = 0) -> AnyDesk:
        """The desk of one process for all sites; it is started if it does not run."""
        if who not in self._any:
            ledger = Ledger.open(self.directory / "state" / "clusters.db")
            desks = {
                name: Desk(_cluster(place, ledger), pause=self.passes)
                for name, place in self.places.items()
            }
            self._any[who] = AnyDesk(desks, pause=self.passes)
        return self._any[who]

    @property
    def ledger(self) -> Ledger:
        return next(iter(self.any().desks.values())).cluster.ledger

    def ends(self, who: int) -> None:
        """That process is no more."""
        if (desk := self._any.pop(who, None)) is not None:
            next(iter(desk.desks.values())).cluster.ledger.close()

    def close(self) -> None:
        for who in list(self._any):
            self.ends(who)

    def passes(self, seconds: float) -> None:
        self.now += seconds
        for place in self.places.values():
            place.now = self.now

    def step(self) -> None:
        self.check()
        if self.doom is not None:
            self.doom -= 1
            if self.doom < 0:
                self.doom = None
                raise Killed

    def during(self, command: int, act: Callable[[], None]) -> None:
        """Somebody else acts during a command from now (1: the next), whichever site's it is."""
        self._meanwhile[self._commands + command] = act

    def before(self, verb: str, act: Callable[[], None]) -> None:
        """Somebody else acts just before the next command of that word."""
        self._before[verb] = act

    def calm(self) -> None:
        self.faults, self.doom = [], None
        self._meanwhile.clear()
        self._before.clear()

    def somebody_acts(self, verb: str) -> None:
        self._commands += 1
        for act in (self._meanwhile.pop(self._commands, None), self._before.pop(verb, None)):
            if act is not None:
                act()

    # ------------------------------------------------------------------------------- what must hold

    def rows(self, name: str = "") -> list[dict[str, Any]]:
        """What all sites have, or have had, of a submission (or of all)."""
        return [
            row
            for place in self.places.values()
            for row in place.jobs
            if not name or row["name"] == name
        ]

    def check(self) -> None:
        alive = Counter((row["name"], row["index"]) for row in self.rows() if row["state"] in LIVE)
        self.wrong += [f"{which} is alive twice" for which, many in alive.items() if many > 1]
        begun = Counter((row["name"], row["index"]) for row in self.rows() if row["start"])
        self.wrong += [f"{which} has begun twice" for which, many in begun.items() if many > 1]

    # ------------------------------------------------------------------------------- what is said

    def submit(self, name: str, who: int = 0, movable: bool = True, **fields: Any) -> Any:
        """Submit one job to whichever is best."""
        return self.any(who).call("submit", submissions=[self.choice(name, movable, **fields)])

    def choice(self, name: str, movable: bool = True, **fields: Any) -> Choice:
        asked = spec("true", name=name, **fields)
        return Choice(specs=dict.fromkeys(self.places, asked), movable=movable)

    def at(self, cluster: str, name: str, **fields: Any) -> dict[str, Any]:
        """Submit one job to that one, that could run on the others as well."""
        asked: JobSpec = spec("true", name=name, **fields)
        others = {each: asked for each in self.places if each != cluster}
        return submit_chosen(self.any().desks[cluster], asked, "it was said so", others, True)

    def rebalance(self, *ids: str, who: int = 0) -> list[str]:
        """What was told of each."""
        jobs = self.any(who).call("rebalance", ids=list(ids))["jobs"]
        return [job["told"] for job in jobs]

    def state(self, word: str) -> str:
        (job,) = self.any().call("show", ids=[word])["jobs"]
        return str(job["state"])

    def entries(self) -> list[Entry]:
        """All that were ever submitted, in order."""
        every = [
            entry
            for name in self.places
            for several in (
                self.ledger.open_entries(name),
                self.ledger.ended_entries(name, 0, 0),
            )
            for entry in several
        ]
        return sorted(every, key=lambda entry: entry.serial)

    def where(self, name: str) -> str:
        """Names of the sites where it is alive."""
        return "".join(
            each
            for each, place in self.places.items()
            if any(row["name"] == name for row in place.live())
        )


def _cluster(place: Place, ledger: Ledger) -> Cluster:
    state = place.realm.directory
    where = Places(*(str(state / name) for name in ("state", "conf", "run", "cache")))
    return Cluster(
        place.name, SETTINGS, where, place, ledger, make=lambda name, told: Holding(told, place)
    )


def _tried(ask: Callable[[], Any]) -> Any:
    return together.tried(ask)


@contextlib.contextmanager
def brief_realm(names: str = "ab") -> Iterator[Realm]:
    """A realm for one of many examples."""
    directory = Path(tempfile.mkdtemp(dir=FAST))
    with pytest.MonkeyPatch.context() as patch:
        made = Realm(directory, patch, names)
        try:
            yield made
        finally:
            made.close()
            shutil.rmtree(directory)


# ------------------------------------------------------------------------------ one job of them


def with_one(realm: Realm, array: str = "", **fields: Any) -> Realm:
    """With a job that waits at a and would start at once at b."""
    realm.at("a", "job", array=array, **fields)
    realm.passes(30.0)
    realm.places["a"].starts, realm.places["b"].starts = 90_000.0, 0.0
    return realm


def broken_off(realm: Realm, act: Callable[[], Any]) -> bool:
    """Whether the process was killed in the middle of it."""
    try:
        act()
    except HpcError:
        return False
    except Killed:
        realm.ends(0)
        return True
    return False


def somebody(realm: Realm, what: str) -> Callable[[], Any]:
    """What somebody else does meanwhile."""
    other = realm.any(1)

    def cancels() -> None:
        realm.unwanted.add("job")
        if quietly(lambda: other.call("cancel", ids=["job"])["jobs"]):
            realm.ended = True

    return {
        "begins": realm.places["a"].begins,
        "runs": lambda: runs(realm),
        "rebalances": lambda: quietly(lambda: other.call("rebalance")),
        "cancels": cancels,
        "refuses": lambda: setattr(realm.places["b"], "refuses", True),
        "cannot be reached": lambda: setattr(realm.places["b"], "away", True),
    }[what]


def runs(realm: Realm) -> None:
    for place in realm.places.values():
        place.runs()


def quietly(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except HpcError:
        return None


def comes_to_rest(realm: Realm, array: str) -> None:
    """In time it has run once, or was cancelled; at no moment was anything wrong."""
    realm.calm()
    for place in realm.places.values():
        place.accounts, place.refuses, place.away = True, False, False
    for _ in range(6):
        realm.passes(400.0)
        realm.any().call("queue", limit=0)
    assert not realm.wrong
    alive = [row for row in realm.rows() if row["state"] in LIVE and not row["start"]]
    assert not any(row["held"] for row in alive), "it is held for ever"
    for _ in range(3):
        for place in realm.places.values():
            place.runs()
        realm.passes(400.0)
        realm.any().call("queue", limit=0)
    ran = [row["index"] for row in realm.rows() if row["start"]]
    assert not realm.wrong
    if realm.ended:
        assert not [row for row in realm.rows() if row["state"] in LIVE]
        assert realm.state("job") in ("CANCELLED", "COMPLETED")
    elif "job" not in realm.unwanted:
        assert sorted(ran, key=str) == (list(IndexSet.parse(array)) if array else [None])
        assert realm.state("job") == "COMPLETED"
