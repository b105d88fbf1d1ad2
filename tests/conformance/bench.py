"""What a behaviour is tried with: jobs through the door people use, in a directory of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hpcshell.core.errors import HpcError
from hpcshell.core.options.values import from_keywords
from hpcshell.jobs.asking import prepare_for
from hpcshell.jobs.doors import Door

if TYPE_CHECKING:
    from tests.conformance.sites import Site

View = dict[str, Any]
Found = TypeVar("Found")
PATIENCE = 150.0
"""Seconds for a job to end: some sites look at time limits once a minute."""


class Lacking(Exception):
    """The scheduler has no such thing, and it was said so in a sentence, with what is nearest."""


class Bench:
    """One behaviour's view of a back end. `limits`: what the site of the tests has: `time` (the
    shortest limit it keeps), `memory` (it is enforced), `gpus` (options with which they are had),
    `requeue_waits` (what is put back waits for minutes)."""

    def __init__(self, door: Door, directory: Path, site: Site) -> None:
        self.door = door
        self.directory = directory
        self.limits = site.limits
        self.labels: list[str] = []
        self._site = site

    def away(self) -> AbstractContextManager[None]:
        """While it is entered, the scheduler does not answer."""
        if self._site.away is None:
            raise Lacking("nothing is ever away here; whoever asks starts it")
        return self._site.away()

    def submit(self, *argv: str, script: str | None = None, **options: Any) -> str:
        """The label of a new job. A refusal that says what is lacking is `Lacking`."""
        return str(self.accepted(*argv, script=script, **options)["id"])

    def accepted(
        self, *argv: str, script: str | None = None, taken: bool = True, **options: Any
    ) -> View:
        """The answer to a submission; once the site has taken it, unless that does not matter."""
        usual = {"time_limit": self._site.time_limit} if self._site.time_limit else {}
        options = {"chdir": self.directory, **usual} | options
        content = None if script is None else script.encode()
        words = list(argv) if script is None else ["job.sh", *argv]
        asked = prepare_for(self.door, words, content, from_keywords(**options))
        answer: View = self.door.call("submit", submissions=[asked.submission])["jobs"][0]
        self.labels.append(str(answer["id"]))
        if not taken or not self.labels[-1].startswith("w"):
            return answer
        label = self.eventually(lambda: self._label(self.labels[-1]))
        return answer | {"id": label}

    def _label(self, provisional: str) -> str:
        """What the site calls it; "" while it waits here."""
        label = str(self.show(provisional)["label"]).partition("_")[0]
        return "" if label.startswith("w") else label

    def shell(self, text: str, **options: Any) -> str:
        return self.submit("sh", "-c", text, **options)

    def show(self, label: str) -> View:
        view: View = self.door.call("show", ids=[label])["jobs"][0]
        return view

    def queued(self, **filters: Any) -> list[View]:
        rows: list[View] = self.door.call("queue", limit=1000, offset=0, **filters)["rows"]
        return rows

    def past(self, **filters: Any) -> list[View]:
        rows: list[View] = self.door.call("history", limit=1000, offset=0, **filters)["rows"]
        return rows

    def unless(self, label: str, state: str) -> View | None:
        """The job's document, unless it is in this state."""
        view = self.show(label)
        return None if view["state"] == state else view

    def eventually(self, found: Callable[[], Found | None]) -> Found:
        """What is found once it is there."""
        deadline = time.monotonic() + PATIENCE
        while not (it := found()):
            assert time.monotonic() < deadline, "never came true"
            time.sleep(0.3)
        return it

    def until(self, label: str, *states: str) -> View:
        """The job's document once it is in one of the states."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            view = self.show(label)
            if view["state"] in states:
                return view
            time.sleep(0.3)
        raise AssertionError(f"job {label} is {view['state']} ({view['reason']}), not {states}")

    def end(self, label: str) -> View:
        """The job's document once it has ended."""
        answer = self.door.call("wait", ids=[label], any=False, timeout=PATIENCE)
        assert not answer["timed_out"], f"job {label} does not end: {self.show(label)['state']}"
        return self.show(label)

    def change(self, verb: str, label: str, **args: Any) -> View:
        """What a verb says of a job; what is lacking is `Lacking`."""
        try:
            answer: View = self.door.call(verb, ids=[label], **args)
        except HpcError as error:
            raise lacking(error) from error
        if answer.get("unchanged"):
            told = self._lacks().get(verb)
            raise Lacking(told.replace(": ", "; ", 1)) if told else AssertionError(answer)
        return answer

    def _lacks(self) -> Mapping[str, str]:
        """What the back end says of itself that it cannot do."""
        cluster = getattr(self.door, "cluster", None)
        return {} if cluster is None else cluster.backend.lacks

    def told(self, value: object, what: str) -> object:
        """What a document says; nothing is `Lacking` where the back end says that it is."""
        if value in (None, [], "") and (lacks := self._lacks().get(what)):
            raise Lacking(lacks.replace(": ", "; ", 1))
        return value

    def tidy(self) -> None:
        """Nothing of it goes on."""
        for label in self.labels:
            self.change_quietly("cancel", label)

    def change_quietly(self, verb: str, label: str) -> None:
        """A verb whose answer does not matter: the job may have ended meanwhile."""
        with contextlib.suppress(HpcError):
            self.door.call(verb, ids=[label])

    def output(self, label: str) -> str:
        """What the job wrote, read the way `hpc logs` does on a shared file system."""
        rows = self.door.call("outputs", ids=[label])["outputs"]
        deadline = time.monotonic() + 20
        while True:
            found = [Path(row["stdout"]) for row in rows]
            if all(path.exists() for path in found) or time.monotonic() > deadline:
                return "".join(path.read_text() for path in found)
            time.sleep(0.2)

    def lines(self, name: str) -> list[str]:
        """Lines of a file in the directory of the behaviour; none if there is no such file."""
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []


def lacking(error: HpcError) -> Exception:
    """A refusal that names the scheduler and a way out says what is lacking; else it is itself."""
    return Lacking(f"{error.message}; {error.hint}" if error.hint else error.message)
