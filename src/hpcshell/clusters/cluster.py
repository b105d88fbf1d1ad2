"""A cluster as one process sees it: its scheduler, the way to it, and what is known of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import msgspec

from hpcshell.backends.contract import Backend, Seen, Site, Trouble
from hpcshell.backends.registry import backend as backend_named
from hpcshell.clusters.polls import Look, Polls
from hpcshell.clusters.troubles import raised
from hpcshell.core.commands import Answer, Words
from hpcshell.core.settings import ClusterSettings
from hpcshell.machine import clock
from hpcshell.machine.link import Link
from hpcshell.machine.paths import Places
from hpcshell.store.decoding import decoder
from hpcshell.store.ledger.ledger import Ledger

SITE_AGE: Final = 86_400.0
"""For so long what a site told of itself is believed."""
SOON: Final = 60.0
"""And for so long what it told when it did not answer everything."""


class Cluster:
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
        self.name = name
        self.settings = settings
        self.link = link
        self.ledger = ledger
        self._make = make
        self.polls = Polls(f"{places.state}/clusters/{name}", settings.poll)
        self._site: Site | None = None
        self._told = 0.0
        self._read: tuple[Sequence[Answer], Seen] | None = None

    @property
    def here(self) -> bool:
        """Whether its commands, and its files, are on this machine."""
        return not self.settings.ssh

    @cached_property
    def backend(self) -> Backend:
        """Its scheduler; of what it told of itself, what is on record."""
        return self._make(self.settings.backend, self.known_site())

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

    # ---------------------------------------------------------------------------------- the site

    def known_site(self) -> Site | None:
        """What it told of itself, if that is on record."""
        if self._site is None and (found := self.ledger.site(self.name)) is not None:
            with contextlib.suppress(msgspec.MsgspecError):
                self._site = decoder(Site)(found[1])
                self._told = found[0]
        return self._site

    def site(self, *, anew: bool = False) -> Site:
        """What it tells of itself; asked for once a day, or now."""
        known = None if anew else self.known_site()
        if known is not None and clock.now() - self._told < SITE_AGE:
            return known
        answers = self.say_all(self.backend.ask_site())
        told = self.backend.read_site(answers)
        probed = self.backend.read_probe(self.say(self.backend.probe()))
        if isinstance(probed, Trouble):
            raise raised(probed, self.name)
        told = msgspec.structs.replace(told, version=probed.version, flavour=probed.flavour)
        # what was only half answered is asked again soon
        whole = all(answer.code == 0 for answer in answers)
        when = clock.now() if whole else clock.now() - SITE_AGE + SOON
        with self.ledger.change() as change:
            change.tell(self.name, msgspec.json.encode(told), when)
        self._site, self._told = told, when
        self.__dict__["backend"] = self._make(self.settings.backend, told)
        self._read = None
        return told

    def known_accounting(self) -> bool:
        """Whether it has an accounting, as far as is known."""
        site = self.known_site()
        return (site is None or site.accounting) and bool(self.backend.history(["1"], 0.0))

    # ---------------------------------------------------------------------------------- asking it

    def say(self, words: Words) -> Answer:
        return self.link.say(words)

    def say_while(self, words: Words, work: Callable[[], None]) -> Answer:
        return self.link.say_while(words, work)

    def say_all(self, several: Sequence[Words]) -> list[Answer]:
        return list(self.link.say_all(several)) if several else []

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
        if self._read is None or self._read[0] != answers:
            self._read = (answers, self.backend.read_queue(answers))
        return self._read[1]


def ledger_path(places: Places) -> str:
    return f"{places.state}/clusters.db"
