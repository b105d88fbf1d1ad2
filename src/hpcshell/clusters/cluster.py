"""A cluster as one process sees it: its scheduler, the way to it, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from hpcshell.backends.contract import Backend, Seen, Site, Trouble
from hpcshell.backends.registry import backend as backend_named
from hpcshell.clusters.contact import Contact
from hpcshell.clusters.polls import Look, Polls
from hpcshell.core.commands import Answer
from hpcshell.core.settings import ClusterSettings
from hpcshell.machine.link import Link
from hpcshell.machine.paths import Places
from hpcshell.store.ledger.ledger import Ledger


class Cluster(Contact):
    """One cluster. Nothing is asked of it before it is needed."""

    def __init__(
        self,
        name: str,
        settings: ClusterSettings,
        places: Places,
        link: Link,
        ledger: Ledger,
        make: Callable[[str, Site | None], Backend] = backend_named,
    ) -> None:
        super().__init__(name, settings, link, ledger, make)
        self.polls = Polls(f"{places.state}/clusters/{name}", settings.poll, way=self.way)
        self._read: tuple[Backend, Sequence[Answer], Seen] | None = None

    @property
    def here(self) -> bool:
        """Whether its commands, and its files, are on this machine."""
        return not self.settings.ssh

    @cached_property
    def user(self) -> str:
        return self.link.user()

    @cached_property
    def directory(self) -> str:
        """Where the directories of jobs lie, absolute."""
        return self.path(self.settings.directory)

    def path(self, text: str) -> str:
        """A path of the cluster's, from one that may begin with `~`."""
        if text == "~" or text.startswith("~/"):
            return self.link.home() + text[1:]
        return text if text.startswith("/") else f"{self.link.home()}/{text}"

    # ---------------------------------------------------------------------------------- asking it

    def queue(self, *, age: float | None = None, since: float = 0.0) -> Look:
        """All live jobs of the user, as the scheduler answered when somebody last asked."""
        return self.polls.look(self._ask_queue, self._judge, age=age, since=since)

    def read_queue(self, look: Look) -> Seen:
        """What such an answer says."""
        if look.snapshot is None:
            trouble = Trouble(kind="busy", message=look.trouble or "it was never asked")
            return Seen(whole=False, trouble=trouble)
        return self._seen(look.snapshot.answers)

    def _ask_queue(self) -> list[Answer]:
        several = self.backend.queue(self.user)
        if len(several) == 1:
            return [self.link.say_aloud(several[0], self.backend.hear)]
        return self.say_all(several)

    def _judge(self, answers: Sequence[Answer]) -> str:
        seen = self._seen(answers)
        if seen.whole:
            return ""
        return seen.trouble.message if seen.trouble else "the answer makes no sense"

    def _seen(self, answers: Sequence[Answer]) -> Seen:
        """What answers say; those that were just judged are not read a second time."""
        if self._read is None or self._read[0] is not self.backend or self._read[1] != answers:
            self._read = (self.backend, answers, self.backend.read_queue(answers))
        return self._read[2]


def ledger_path(places: Places) -> str:
    return f"{places.state}/clusters.db"
