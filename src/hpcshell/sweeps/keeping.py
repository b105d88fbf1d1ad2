"""Who stays with a sweep until it has ended: submits what waits, tries again, stops in time.

One round looks, decides and acts, under the sweep's lock; everything that was done is in its
folder. So it does not matter who takes a round, nor whether the one before was broken off. `stay`
takes them one after the other, and only one process does that for a sweep.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from hpcshell.core.errors import HpcError, NotYet
from hpcshell.core.records import Record
from hpcshell.flow import care
from hpcshell.jobs.doors import LOCAL
from hpcshell.jobs.opened import door
from hpcshell.machine import clock
from hpcshell.sweeps import disk, searching, submitting
from hpcshell.sweeps.advancing import Advancing, Step
from hpcshell.sweeps.errors import frame
from hpcshell.sweeps.folder import Folder, Manifest
from hpcshell.sweeps.ledger import Ledger, Part, Stopped, Wanted
from hpcshell.sweeps.looking import look
from hpcshell.sweeps.standing import BAD, LIVE, UNKNOWN, Standing

SHORTEST: Final = 0.2
LONGEST: Final = 30.0
"""Seconds between two rounds."""
_SEARCHING: Final = 1.0
"""The same where places stand empty until the next trial is asked."""
_HANDING_OUT: Final = 5.0
"""The same while points wait here for places that take them."""
_EASE: Final = 20.0
"""A round may take so much of the time: one part in so many."""
_DETACHED: Final = '"$@" </dev/null >>"$0" 2>&1 &'


class Round(Record, frozen=True, kw_only=True):
    """What one round saw and did. `over`: nothing waits and nothing runs. `said`: sentences worth
    a note."""

    standings: tuple[Standing, ...]
    step: Step
    over: bool
    said: tuple[str, ...] = ()


Labels = dict[tuple[str, float | None], str]
"""What points died of, by their ids and ends: their words are read once."""


def take_round(folder: Folder, labels: Labels | None = None) -> Round:
    """Look, decide, act. The caller holds the lock, and keeps `labels` from round to round. Raises
    `Unwritable`."""
    manifest, ledger = folder.manifest(), folder.ledger()
    said = submitting.settle(ledger)
    standings = look(folder)
    if not ledger.stopped:
        if why := _why_stop(manifest, ledger, standings, {} if labels is None else labels):
            said += stop(ledger, standings, why)
        else:
            _try_again(manifest, ledger, standings)
    searched = True
    if manifest.spec.search is not None:
        turn = searching.take_turn(folder, manifest, ledger, standings)
        said += cancel(turn.stop)
        searched = turn.done
    step = Advancing(folder, manifest, ledger).step(folder.rows(), standings)
    said += [f"not submitted: {one.message}" for one in step.troubles]
    if step.hopeless:
        said += stop(ledger, standings, step.troubles[0].message)
    there = any(one.state in (*LIVE, UNKNOWN) for one in standings)
    live = ledger.wanted or step.taken or ledger.doubtful() or there
    over = searched and not live
    return Round(standings=tuple(standings), step=step, over=over, said=tuple(said))


def _why_stop(
    manifest: Manifest, ledger: Ledger, standings: Sequence[Standing], labels: Labels
) -> str:
    """What is wanted again no longer counts as failed."""
    wants = manifest.spec.care
    if wants.max_failures is None and wants.same_error is None:
        return ""
    bad = BAD - {"CANCELLED"}
    failed = [one for one in standings if one.state in bad and one.id not in ledger.wanted]
    errors = [_label(one, labels) for one in failed] if wants.same_error is not None else []
    return care.verdict(wants, len(failed), errors)


def _label(one: Standing, labels: Labels) -> str:
    label = labels.get((one.id, one.end))
    if label is None:
        label = labels[one.id, one.end] = frame(one).label
    return label


def stop(ledger: Ledger, standings: Sequence[Standing], why: str) -> list[str]:
    """Nothing more is submitted, and what waits in queues is cancelled; what runs goes on. The
    sentences say what could not be cancelled."""
    ledger.add(Stopped(why=why, time=clock.now()))
    return [f"stopped: {why}", *cancel([one for one in standings if one.state == "PENDING"])]


def cancel(standings: Sequence[Standing]) -> list[str]:
    """Cancel the jobs of these points; the sentences say of whom that failed."""
    by_place: dict[str, list[str]] = {}
    for one in standings:
        by_place.setdefault(one.on, []).append(one.job)
    said = []
    for on, labels in by_place.items():
        try:
            door(on).call("cancel", ids=selectors(labels))
        except HpcError as error:
            said.append(f"on {on} nothing could be cancelled: {error.message}")
    return said


def selectors(labels: Sequence[str]) -> list[str]:
    """`12_0`, `12_1`, `12_2` in one word."""
    from hpcshell.core.indexset import IndexSet

    elements: dict[str, list[int]] = {}
    plain = []
    for label in labels:
        job, _, number = label.partition("_")
        if number.isdecimal():
            elements.setdefault(job, []).append(int(number))
        else:
            plain.append(label)
    return plain + [f"{job}_[{IndexSet.of(sorted(some))}]" for job, some in elements.items()]


def _try_again(manifest: Manifest, ledger: Ledger, standings: Sequence[Standing]) -> None:
    """What failed on a cluster and has a try left; this machine's scheduler tries again itself."""
    wants, last = manifest.spec.care, ledger.last
    if not wants.retries or last is None:
        return
    parts = ledger.parts()
    again: dict[int, list[str]] = {}
    for one in standings:
        part = parts.get(one.id)
        if part is not None and _wants_a_try(manifest, ledger, one, part):
            again.setdefault(part.attempt + 1, []).append(one.id)
    for attempt, points in again.items():
        from msgspec.structs import replace

        targets = tuple(
            replace(target, options=care.grown(target.options, wants, attempt))
            for target in last.targets
        )
        ledger.add(Wanted(points=tuple(points), targets=targets, time=clock.now(), attempt=attempt))


def _wants_a_try(manifest: Manifest, ledger: Ledger, one: Standing, part: Part) -> bool:
    if part.on == LOCAL or one.state not in BAD or one.id in ledger.wanted:
        return False
    return care.tried_again(manifest.spec.care, one.state, part.attempt, one.exit_code)


# -------------------------------------------------------------------------------- staying with it


def needs_somebody(manifest: Manifest, ledger: Ledger) -> bool:
    """Whether this sweep has to be stayed with while its points run."""
    wants = manifest.spec.care
    watched = wants.max_failures is not None or wants.same_error is not None or wants.retries
    return bool(ledger.wanted or ledger.doubtful() or watched or manifest.spec.search)


def stay(
    folder: Folder,
    *,
    tell: Callable[[str], None] = lambda sentence: None,
    pause: Callable[[float], None] = time.sleep,
) -> Round:
    """Take rounds until the sweep is over; the last one. Raises `NotYet` where another process
    stays with it."""
    with disk.locked(folder.file("keeper.lock"), wait=False):
        told: set[str] = set()
        labels: Labels = {}
        searches = folder.manifest().spec.search is not None
        while True:
            begun = clock.monotonic()
            with folder.lock():
                last = take_round(folder, labels)
            for sentence in last.said:
                if sentence not in told:
                    tell(sentence)
            told = set(last.said)
            if last.over:
                return last
            cost = clock.monotonic() - begun
            pause(min(max(SHORTEST, _EASE * cost), _longest(searches, last.step)))


def _longest(searches: bool, step: Step) -> float:
    if searches:
        return _SEARCHING
    return _HANDING_OUT if step.left and not step.troubles else LONGEST


def see_to(folder: Folder) -> bool:
    """Start somebody who stays with the sweep, unless one is there; whether one was started."""
    try:
        with disk.locked(folder.file("keeper.lock"), wait=False):
            pass
    except NotYet:
        return False
    log = folder.file("keeper.log")
    os.close(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    tending = ("-m", "hpcshell", "sweep", "tend", folder.path)
    argv = ("/bin/sh", "-c", _DETACHED, log, sys.executable, *tending)
    subprocess.run(argv, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True, check=False)
    return True
