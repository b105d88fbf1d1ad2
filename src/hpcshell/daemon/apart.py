"""What is set apart, and whether the machine takes new work: on record first, then for the decider.

Both are the machine's own story, of no job: their events have none.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hpcshell.core.errors import Broken
from hpcshell.core.records import NO_INDEX, NodeNote, State
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.suspending import preempt
from hpcshell.machine import clock
from hpcshell.policy.holdings import close_cards
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.room import Vector
from hpcshell.policy.setapart import contents
from hpcshell.store.store import Store

NODE: Final = "local"
"""Under which name the machine is on record; its host name may change."""
PLOTS: Final = "plots"
"""Under which name it is remembered which cards reservations set apart."""


def restore(engine: Engine) -> None:
    """Tell the view of what is on record. How long a reservation has not been used is not: that
    counts from now on."""
    for one in engine.store.reservations():
        engine.view.reserve(one)
        engine.view.book.used(one.name, clock.now())
    engine.view.book.plots.restore(_plots(engine.store))
    engine.node = engine.store.node(NODE)
    engine.view.closed = closed_sentence(engine.node)
    claims = [run.claim for run in engine.runs.values()]
    cards = engine.host.cards
    close_cards(engine.view, cards.closed(claims, clock.now()), cards.burdens(claims))


def _plots(store: Store) -> dict[str, Vector]:
    kept = store.kept(PLOTS)
    try:
        return {} if kept is None else msgspec.json.decode(kept, type=dict[str, Vector])
    except msgspec.MsgspecError as error:
        raise Broken(
            f"the cards of the reservations cannot be read: {error}", "see: hpc doctor"
        ) from error


def put(engine: Engine, one: Reservation, cause: str, now: float) -> None:
    """Set it apart from now on, in place of one of its name if there is one."""
    engine.change.put_reservation(one)
    engine.view.reserve(one)
    detail = {"start": one.start, "end": one.end, "sets apart": contents(engine.view.room, one)}
    engine.note(
        now, None, NO_INDEX, "reservation", f"reservation {one.name} {cause}", detail=detail
    )
    engine.dirty = True


def drop(engine: Engine, name: str, cause: str, now: float) -> None:
    """It is set apart no more."""
    engine.change.drop_reservation(name)
    engine.view.unreserve(name)
    engine.note(now, None, NO_INDEX, "reservation", f"reservation {name} {cause}")
    engine.dirty = True


def retire(engine: Engine, now: float) -> None:
    """Take off the record what time has ended; put on it where the others are."""
    lapsed, engine.view.book.lapsed = engine.view.book.lapsed, []
    for one, why in lapsed:
        engine.change.drop_reservation(one.name)
        engine.note(now, None, NO_INDEX, "reservation", f"reservation {one.name} is no more: {why}")
    plots = engine.view.book.plots
    if plots.news:
        engine.change.keep(PLOTS, msgspec.json.encode(plots.chosen))
        plots.news = False


def set_node(engine: Engine, note: NodeNote, cause: str) -> None:
    """Take new work, or none; what runs runs on."""
    engine.change.put_node(NODE, note)
    engine.node = note
    engine.view.closed = closed_sentence(note)
    engine.note(note.since, None, NO_INDEX, "node", cause, state=note.state)
    engine.dirty = True


def clear(engine: Engine, cause: str, now: float) -> list[int]:
    """Let all that runs make room: back into the queue if it may go there, and else for good. The
    jobs it is of."""
    jobs = []
    for live in list(engine.live.values()):
        for task in list(live.tasks.values()):
            if task.state in (State.RUNNING, State.SUSPENDED):
                preempt(engine, live, task, "down", cause, now)
                jobs.append(live.job.id)
    return jobs


def closed_sentence(note: NodeNote) -> str:
    """Why nothing new starts; "" where it does."""
    if note.state == "up":
        return ""
    word = "it is down" if note.state == "down" else "it is drained"
    return f"{word} ({note.reason})" if note.reason else word
