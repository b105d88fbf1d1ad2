"""A scheduler that is nothing but a table, with a link to it whose faults a test chooses.

    site = ToySite()
    site.faults = ["lost"]                  the next submission is taken, and its answer lost
    desk = toy_desk(tmp_path, site)

Faults, one for each command in turn ("" for none): `lost` (done, no answer), `dead` (not done, no
answer), `busy` (the scheduler says to try again), `garbage` (an answer in no language), `half` (the
first half of it), `full` (the user may have no more jobs), `wrong` (it is never taken), `odd`
(done, and an error that nobody knows), `sick` (such an error, and not done), `unset` (its commands
do not know where it is).
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcshell.backends.contract import (
    Answer,
    Backend,
    Change,
    Order,
    Seen,
    Sighting,
    Site,
    Trouble,
    Words,
)
from hpcshell.backends.jobscript import Names, job_script
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.settings import ClusterSettings
from hpcshell.core.submission import Submission
from hpcshell.machine.link import Link
from hpcshell.machine.paths import Places
from hpcshell.store.ledger.ledger import Ledger

STATES = {
    "wait": "PENDING",
    "run": "RUNNING",
    "stop": "SUSPENDED",
    "done": "COMPLETED",
    "bad": "FAILED",
}
BUSY = Trouble(kind="busy", message="the toy does not answer")


class ToyBackend(Backend):
    """Words are `toy VERB JSON`, answers JSON in a frame that shows when it was cut."""

    name, title, dialect, programs = "toy", "Toy", "sbatch", ("toy",)
    accounting = True

    def __init__(self, site: Site | None = None) -> None:
        self.site = site or Site()

    def probe(self) -> Words:
        return _words("version")

    def read_probe(self, answer: Answer) -> Site | Trouble:
        told = _read(answer)
        return told if isinstance(told, Trouble) else Site(version=str(told))

    def script(self, order: Order) -> str:
        return job_script(["#TOY"], order, Names(job='"$TOY_ID"', element='"${TOY_INDEX-}"'))

    def submit(self, order: Order) -> Words:
        return _words("submit", order.key, order.indices, order.spec.submission.name)

    def read_submit(self, answer: Answer) -> str | Trouble:
        told = _read(answer)
        return told if isinstance(told, Trouble) else str(told)

    def queue(self, user: str | None) -> Sequence[Words]:
        return [_words("queue")]

    def read_queue(self, answers: Sequence[Answer]) -> Seen:
        return _seen(answers)

    def history(self, ids: Sequence[str], since: float) -> Sequence[Words]:
        return [_words("history", *ids)] if self.accounting else ()

    def read_history(self, answers: Sequence[Answer]) -> Seen:
        return _seen(answers)

    def cancel(self, ids: Sequence[str]) -> Sequence[Words]:
        return [_words("cancel", *ids)]

    def hold(self, ids: Sequence[str]) -> Sequence[Words]:
        return [_words("hold", *ids)]

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        told = _read(answers[0])
        if isinstance(told, Trouble):
            return Change(troubles=dict.fromkeys(ids, told))
        return Change(troubles={each: Trouble(kind="gone", message="no such job") for each in told})

    def element_id(self, native: str, index: int) -> str:
        return f"{native}.{index}"

    def parse_id(self, native: str) -> tuple[str, int | None]:
        number, dot, index = native.partition(".")
        if not number.isdecimal() or (dot and not index.isdecimal()):
            raise Wrong(f"{native!r} is no id of the toy")
        return number, int(index) if dot else None


def _words(*argv: str) -> Words:
    return Words(argv=("toy", *argv))


def _read(answer: Answer) -> Any:
    if answer.code is None or answer.code == 75:
        return BUSY
    if answer.code == 9:
        return Trouble(kind="limit", message="no more than so many jobs")
    if answer.code == 3:
        return Trouble(kind="broken", message=answer.err)
    if answer.code == 5:
        return Trouble(kind="unset", message=answer.err)
    if answer.code:
        return Trouble(kind="wrong", message=answer.err)
    try:
        return json.loads(answer.out.removeprefix("<").removesuffix(">"))
    except ValueError:
        return Trouble(kind="busy", message="the answer makes no sense")


def _seen(answers: Sequence[Answer]) -> Seen:
    told = _read(answers[0])
    if isinstance(told, Trouble):
        return Seen(whole=False, trouble=told)
    return Seen(sightings=tuple(_sighting(row) for row in told))


def _sighting(row: dict[str, Any]) -> Sighting:
    index = row["index"]
    ended = row["state"] in ("done", "bad", "gone")
    return Sighting(
        native=row["id"] if index is None else f"{row['id']}.{index}",
        number=row["id"],
        element=index,
        key=row["key"],
        state="CANCELLED" if row["state"] == "gone" else STATES.get(row["state"], "UNKNOWN"),
        word=row["state"],
        name=row["name"],
        user="me",
        start_time=row["start"],
        end_time=2.0 if ended else None,
        exit_code={"done": 0, "bad": 1}.get(row["state"]),
    )


class ToySite(Link):
    """The scheduler, its files, and the way to both."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.next = 1
        self.forgets = True
        """Whether what has ended leaves the queue at once."""

    # ------------------------------------------------------------------------------------- the link

    def say(self, words: Words) -> Answer:
        fault = self.faults.pop(0) if self.faults else ""
        verb, *rest = words.argv[1:]
        self.asked.append(verb)
        if fault == "dead":
            return Answer(code=None)
        if fault == "busy":
            return Answer(code=75, err="try again")
        if fault == "full" and verb == "submit":
            return Answer(code=9, err="no more")
        if fault == "wrong" and verb == "submit":
            return Answer(code=1, err="there is no such queue")
        if fault == "unset":
            return Answer(code=5, err="no configuration")
        if fault == "sick":
            return Answer(code=3, err="Unbekannter Fehler")
        told = getattr(self, f"do_{verb}")(*rest)
        if fault == "odd":
            return Answer(code=3, err="Unbekannter Fehler")
        out = f"<{json.dumps(told)}>"
        if fault == "lost":
            return Answer(code=None)
        if fault == "garbage":
            return Answer(code=0, out="<html>Bitte warten</html>")
        return Answer(code=0, out=out[: len(out) // 2] if fault == "half" else out)

    def home(self) -> str:
        return "/home/me"

    def user(self) -> str:
        return "me"

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        self.files |= {f"{directory}/{name}": content for name, (content, _) in files.items()}

    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        front = f"{directory}/"
        found = {
            path.removeprefix(front): text
            for path, text in self.files.items()
            if path.startswith(front)
        }
        if isinstance(names, str):
            return {name: text for name, text in found.items() if fnmatch.fnmatch(name, names)}
        return {name: found[name] for name in names if name in found}

    def read_from(self, path: str, offset: int, most: int) -> bytes | None:
        text = self.files.get(path)
        return None if text is None else text[offset : offset + most]

    def sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        return {path: len(self.files[path]) if path in self.files else None for path in paths}

    def remove(self, directory: str) -> None:
        self.files = {
            path: text for path, text in self.files.items() if not path.startswith(directory)
        }

    def put(self, local: str, remote: str) -> None:
        raise AssertionError("the toy copies nothing")

    def fetch(self, remote: str, local: str) -> None:
        raise AssertionError("the toy copies nothing")

    def close(self) -> None:
        pass

    # -------------------------------------------------------------------------------- the scheduler

    def do_version(self) -> str:
        return "1"

    def do_submit(self, key: str, indices: str, name: str) -> str:
        number, self.next = str(self.next), self.next + 1
        for index in IndexSet.parse(indices) if indices else [None]:
            row = {
                "id": number,
                "index": index,
                "key": key,
                "name": name,
                "state": "wait",
                "start": None,
            }
            self.jobs.append(row)
        return number

    def do_queue(self) -> list[dict[str, Any]]:
        return [
            row for row in self.jobs if not self.forgets or row["state"] in ("wait", "run", "stop")
        ]

    def do_history(self, *ids: str) -> list[dict[str, Any]]:
        return [row for row in self.jobs if row["id"] in ids]

    def do_cancel(self, *ids: str) -> list[str]:
        for row in self.meant(*ids):
            row["state"] = "gone" if row["state"] in ("wait", "run", "stop") else row["state"]
        return [each for each in ids if not list(self.meant(each))]

    def do_hold(self, *ids: str) -> list[str]:
        return [each for each in ids if not list(self.meant(each))]

    def meant(self, *ids: str) -> list[dict[str, Any]]:
        """The rows of whole jobs and of elements."""
        return [
            row for row in self.jobs if row["id"] in ids or f"{row['id']}.{row['index']}" in ids
        ]

    def run(self, number: str, state: str = "done", index: int | None = None) -> None:
        """Something happens to a job, or to one element of it."""
        for row in self.jobs:
            if row["id"] == number and (index is None or row["index"] == index):
                row["state"], row["start"] = state, 1.0


def toy_cluster(
    directory: Path, site: ToySite, backend: type[ToyBackend] = ToyBackend, **settings: Any
) -> Cluster:
    """A cluster of which nothing but `site` is real."""
    state = str(directory / "state")
    places = Places(
        state, str(directory / "config"), str(directory / "run"), str(directory / "cache")
    )
    settings = {"poll": 0.0} | settings
    ledger = Ledger.open(directory / "state" / "clusters.db")
    known = ClusterSettings(backend="toy", **settings)
    return Cluster("toy", known, places, site, ledger, make=lambda name, told: backend(told))


def toy_desk(directory: Path, site: ToySite, **settings: Any) -> Desk:
    """A desk that never waits; `backend` may be given, too."""
    return Desk(toy_cluster(directory, site, **settings), pause=lambda seconds: None)


def spec(*argv: str, layout: Layout | None = None, **fields: Any) -> JobSpec:
    """A job for a cluster."""
    fields = {"cwd": "/home/me", "env": {}, "stdout": "hpc-%j.out"} | fields
    submission = Submission(argv=argv or ("true",), **fields)
    return JobSpec(submission=submission, layout=layout or Layout())
