"""The cards as the daemon keeps them: surveys come in, and what follows from them is done.

A card that takes no new work is closed to the decider; a job that holds more memory of a card than
its share is told, and ended if it goes on. What people have asked and how cards have failed is on
record before anything is done about it.
"""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from hpcshell.core.gpus import Survey
from hpcshell.core.records import NO_INDEX, Claim, State
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.core.units import format_duration, short_size
from hpcshell.daemon.engine import Engine
from hpcshell.machine import clock
from hpcshell.machine.gpus.feed import Feed
from hpcshell.machine.logfile import LogFile
from hpcshell.policy.cardnotes import Kept
from hpcshell.policy.cardwatch import CardWatch, Overuse, Standing
from hpcshell.policy.holdings import close_cards
from hpcshell.policy.plan import Start
from hpcshell.policy.retry import OVERUSE
from hpcshell.store.store import Store

KEPT: Final = "gpus"
FIRST: Final = 2.0
"""Seconds that a start waits for the first survey."""
UNKNOWN: Final = 20.0
"""And where no card is on record yet: a driver that nobody has open sets up its cards first, and
what asks for one meanwhile would be refused."""


class Gpus:
    """`watch` is what is known of the cards; `due`: something may follow from what has happened.

    `renew` gives it the settings, before anything else; `attend` a loop to hear the sampler in."""

    watch: CardWatch

    def __init__(self, store: Store, state: str) -> None:
        self.due = True
        self.surveys: list[Survey] = []
        self._store = store
        self._state = state
        self._feed: Feed | None = None
        self._selector: selectors.BaseSelector | None = None
        self._after: Callable[[float, Callable[[], None]], None] = lambda _seconds, _call: None
        self._recorded: Kept | None = None
        self._told: set[tuple[int, int]] = set()
        self._states: dict[int, str] | None = None
        """Of the cards that are not simply up, as last told; None: nothing has been told yet."""
        self._trouble = ""
        self._wake = 0.0

    # -- hearing ---------------------------------------------------------------------------------

    def renew(self, settings: GpuSettings) -> None:
        """Go by these settings: where they are others, the cards are asked anew."""
        if self._feed is not None and self.watch.settings == settings:
            return
        kept = self._store.kept(KEPT)
        if self._feed is not None:
            kept = msgspec.json.encode(self.watch.kept())
        self.watch = CardWatch(settings, _decoded(kept))
        self.close()
        feed = self._feed = Feed(settings, self._state)
        feed.open()
        self._watch_descriptor()
        survey = feed.first(FIRST if self.watch.cards else UNKNOWN)
        if survey is not None:
            claims = [run.claim for run in self._store.live_runs()]
            self.watch.hear(survey, claims)
        self.due = True

    def attend(
        self,
        selector: selectors.BaseSelector,
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        """Hear the sampler in this loop."""
        self._selector, self._after = selector, after
        self._watch_descriptor()
        self._tend()

    def _watch_descriptor(self) -> None:
        if self._selector is not None and self._feed is not None:
            self._selector.register(self._feed.descriptor, selectors.EVENT_READ, self.hear)

    def hear(self) -> None:
        """The sampler has said something."""
        if self._feed is not None and (surveys := self._feed.take()):
            self.surveys += surveys
            self.due = True

    def _tend(self) -> None:
        feed = self._feed
        if feed is None:
            return
        now = clock.monotonic()
        feed.tend(now)
        self.hear()
        wake = feed.next_wake
        if wake is not None:
            self._after(max(0.05, wake - now), self._tend)

    def close(self) -> None:
        """End the sampler."""
        feed, self._feed = self._feed, None
        if feed is not None:
            if self._selector is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(feed.descriptor)
            feed.close()

    # -- doing -----------------------------------------------------------------------------------

    def review(self, engine: Engine, configure: Callable[[Engine], None], log: LogFile) -> None:
        """Take in what was said, and do what follows from it, within a tick."""
        watch, now = self.watch, clock.now()
        due = self.due or watch.notes.changed or 0.0 < self._wake <= now
        if not due and not watch.on_trial(now):
            return
        self.due = watch.notes.changed = False
        claims = claims_of(engine)
        surveys, self.surveys = self.surveys, []
        others = [watch.hear(survey, claims) for survey in surveys]
        if any(others):
            configure(engine)
        self._close(engine, claims, now, log)
        self._mind_overuse(engine, claims, now, log)
        self._record(engine)
        self._set_wake(now)

    def forget_recorded(self) -> None:
        """The last change never reached the disk: write it down again."""
        self._recorded, self.due = None, True

    def _set_wake(self, now: float) -> None:
        wake = self.watch.notes.next_wake(now) or 0.0
        before, self._wake = self._wake, wake
        if wake and wake != before:
            self._after(wake - now, self._ring)

    def _ring(self) -> None:
        self.due = True

    def _record(self, engine: Engine) -> None:
        kept = self.watch.kept()
        if kept != self._recorded and (kept.notes or kept.cards or self._recorded is not None):
            engine.change.keep(KEPT, msgspec.json.encode(kept))
            self._recorded = kept

    def _close(self, engine: Engine, claims: list[Claim], now: float, log: LogFile) -> None:
        """Tell the decider, and the story, which cards take no new work."""
        closed, burdens = self.watch.closed(claims, now), self.watch.burdens(claims)
        room = engine.view.room
        if closed.keys() != room.closed.keys() or burdens != room.burdens:
            engine.dirty = True
        close_cards(engine.view, closed, burdens)
        standings = self.watch.standings(claims, now)
        self._tell_states(engine, standings, now, log)
        if self.watch.survey.trouble != self._trouble:
            self._trouble = self.watch.survey.trouble
            if self._trouble:
                log.write("info", "the cards", trouble=self._trouble)

    def _tell_states(
        self, engine: Engine, standings: list[Standing], now: float, log: LogFile
    ) -> None:
        """The story of the cards; of those that stand as they stood when we began, the log's
        alone."""
        before = self._states or {}
        states = {card: one.state for card, one in enumerate(standings) if one.state != "up"}
        for card in sorted(states.keys() | before.keys()):
            state = states.get(card, "up")
            if state == before.get(card, "up"):
                continue
            why = standings[card].why if card < len(standings) else ""
            told = f"gpu {card}: {state}" + (f" ({why})" if why else "")
            if self._states is not None:
                engine.note(now, None, NO_INDEX, "gpu", told, state=state)
            log.write("info" if state in ("up", "paused") else "warning", told)
        self._states = states

    def _mind_overuse(self, engine: Engine, claims: list[Claim], now: float, log: LogFile) -> None:
        """Tell, then end, what holds more memory of a card than is its own."""
        settings, told = self.watch.settings, set[tuple[int, int]]()
        if settings.overuse == "off":
            return
        for over in self.watch.overuse(claims, now):
            told.add((over.run, over.card))
            self._tell(engine, over, now, log)
            if settings.overuse == "end" and now - over.since >= settings.overuse_grace:
                self._end(engine, over, now)
        self._told = told

    def _tell(self, engine: Engine, over: Overuse, now: float, log: LogFile) -> None:
        run = engine.runs.get(over.run)
        if run is None or (over.run, over.card) in self._told:
            return
        settings, sentence = self.watch.settings, overuse_sentence(over)
        if settings.overuse == "end":
            grace = format_duration(settings.overuse_grace)
            sentence += f"; it is ended in {grace} unless it gives that back"
        engine.note(now, run.job, run.index, "gpu_overuse", sentence, state="RUNNING")
        log.write("warning", "gpu memory", job=run.job, why=sentence)

    def _end(self, engine: Engine, over: Overuse, now: float) -> None:
        run = engine.runs.get(over.run)
        if run is None:
            return
        live = engine.live[run.job]
        task = live.tasks[run.index]
        if task.state in (State.RUNNING, State.SUSPENDED):
            engine.stop(live, task, OVERUSE, overuse_sentence(over), now)


def one_by_one(engine: Engine, starts: Iterable[Start], now: float) -> Iterator[Start]:
    """The starts, to be carried out as they come, but for all but the first on a card on which one
    job is to be tried: the card is closed then, and the others are decided about anew."""
    watch = engine.host.cards
    if not watch.on_trial(now):
        yield from starts
        return
    for start in starts:
        mine = {*start.gpus, *(card for card, _ in start.shared)}
        if mine.isdisjoint(engine.view.room.closed):
            yield start
            if not mine.isdisjoint(watch.on_trial(now)):
                closed = watch.closed(claims_of(engine), now)
                close_cards(engine.view, closed, engine.view.room.burdens)


def overuse_sentence(over: Overuse) -> str:
    """`it holds 30G of the memory of gpu 2, and 20G of that is its own`."""
    own = (
        f"{short_size(over.limit)} of that is its own" if over.limit else "has no part of that gpu"
    )
    return f"it holds {short_size(over.used)} of the memory of gpu {over.card}, and {own}"


def claims_of(engine: Engine) -> list[Claim]:
    """What all runs hold."""
    return [run.claim for run in engine.runs.values()]


def _decoded(kept: bytes | None) -> Kept:
    """What is on record; nothing, where it cannot be read: it is worth no refusal to start."""
    if kept is None:
        return Kept()
    try:
        return msgspec.json.decode(kept, type=Kept)
    except msgspec.MsgspecError:
        return Kept()
