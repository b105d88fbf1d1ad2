"""What is known of a cluster's site, and whether it is the one that was submitted to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import msgspec
from msgspec.structs import replace

from hpcshell.backends.contract import Backend, Site, Trouble
from hpcshell.clusters.identity import Another, differ, way_to
from hpcshell.clusters.troubles import raised
from hpcshell.core.commands import Answer, Words
from hpcshell.core.errors import HpcError
from hpcshell.core.records import Record
from hpcshell.core.settings import ClusterSettings
from hpcshell.machine import clock
from hpcshell.machine.link import Link
from hpcshell.store.decoding import decoder
from hpcshell.store.ledger.ledger import Ledger

SITE_AGE: Final = 86_400.0
"""For so long what a site told of itself is believed."""
SOON: Final = 60.0
"""And for so long what it told when it did not answer everything."""


class Told(Record, frozen=True, kw_only=True):
    """What a site told of itself, and which way led to it then."""

    site: Site
    way: str


class Contact:
    """The site behind a name. Nothing is asked of it before it is needed."""

    def __init__(
        self,
        name: str,
        settings: ClusterSettings,
        link: Link,
        ledger: Ledger,
        make: Callable[[str, Site | None], Backend],
    ) -> None:
        self.name = name
        self.settings = settings
        self.link = link
        self.ledger = ledger
        self.way = way_to(settings)
        self._make = make
        self._site: Told | None = None
        self._told = 0.0

    @cached_property
    def backend(self) -> Backend:
        """Its scheduler; of what it told of itself, what is on record."""
        return self._make(self.settings.backend, self.known_site())

    def say(self, words: Words) -> Answer:
        return self.link.say(words)

    def say_while(self, words: Words, work: Callable[[], None]) -> Answer:
        return self.link.say_while(words, work)

    def say_all(self, several: Sequence[Words]) -> list[Answer]:
        return list(self.link.say_all(several)) if several else []

    # ---------------------------------------------------------------------------------- the site

    def known_site(self) -> Site | None:
        """What it told of itself, if that is on record."""
        if self._site is None and (found := self.ledger.site(self.name)) is not None:
            with contextlib.suppress(msgspec.MsgspecError):
                self._site = decoder(Told)(found[1])
                self._told = found[0]
        return self._site.site if self._site else None

    def site(self, *, anew: bool = False) -> Site:
        """What it tells of itself; asked for once a day, when another way leads to it, or now.
        Raises `Another`."""
        known = None if anew else self.known_site()
        if known is not None and clock.now() - self._told < SITE_AGE and not self._led_astray():
            return known
        answers = self.say_all(self.backend.ask_site())
        told = self.backend.read_site(answers)
        probed = self.backend.read_probe(self.say(self.backend.probe()))
        if isinstance(probed, Trouble):
            raise raised(probed, self.name)
        self.check(probed)
        told = replace(
            told, version=probed.version, flavour=probed.flavour, identity=probed.identity
        )
        # what was only half answered is asked again soon
        whole = all(answer.code == 0 for answer in answers)
        when = clock.now() if whole else clock.now() - SITE_AGE + SOON
        self._tell(Told(site=told, way=self.way), when)
        self.__dict__["backend"] = self._make(self.settings.backend, told)
        return told

    def _tell(self, told: Told, when: float) -> None:
        document = msgspec.json.encode(told)
        self.ledger.learn(lambda change: change.tell(self.name, document, when))
        self._site, self._told = told, when

    def _led_astray(self) -> bool:
        """Whether what it told was told by another way, or somebody has seen another answer."""
        return self._site is not None and (self._site.way != self.way or not self._told)

    # ----------------------------------------------------------------------------- which site it is

    def check(self, answering: Site) -> None:
        """Raises `Another` if what answers is not what has jobs under this name. Where none are
        there is nothing to be mixed up."""
        known = self.known_site()
        if known is None or not differ(known, answering):
            return
        if not self.ledger.open_entries(self.name):
            return
        if self._told and self._site is not None:
            self._tell(self._site, 0.0)
        raise Another(self.name, known.identity, answering.identity)

    def renamed(self) -> None:
        """It is the same site, and calls itself otherwise now."""
        if self._site is not None:
            self._site = replace(self._site, site=replace(self._site.site, identity=""))
        self.site(anew=True)

    def confirm(self) -> None:
        """Raises `Another` if that is known, or can be found out because the way has changed."""
        if self.known_site() is None or not self._led_astray():
            return
        try:
            self.site()
        except Another:
            raise
        except HpcError:  # it does not answer: then nothing follows from that
            return

    def identify(self, answer: Answer) -> bool | None:
        """Whether this answer to a probe proves that it is the site that was submitted to; None: of
        that one no name is known. Raises `Another` if it proves that it is not."""
        known = self.known_site()
        if known is None or not known.identity:
            return None
        answering = self.backend.read_probe(answer)
        if isinstance(answering, Trouble):
            return False
        self.check(answering)
        return known.identity == answering.identity

    def verify(self) -> None:
        """Ask it now. Raises `Another`, or the error of one that does not answer."""
        if self.known_site() is None or self._led_astray():
            self.site()
            return
        probed = self.backend.read_probe(self.say(self.backend.probe()))
        if isinstance(probed, Trouble):
            raise raised(probed, self.name)
        self.check(probed)

    def known_accounting(self) -> bool:
        """Whether it has an accounting, as far as is known."""
        site = self.known_site()
        return (site is None or site.accounting) and bool(self.backend.history(["1"], 0.0))
