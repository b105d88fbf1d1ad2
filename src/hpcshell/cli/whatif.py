"""`hpc whatif`: who would start when, as things stand and after a change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli.reach import Decorator, client, complete_ids
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong

if TYPE_CHECKING:
    from hpcshell.client.client import Client
    from hpcshell.core.dependencies import Expression
    from hpcshell.core.records import Job
    from hpcshell.core.settings import Settings
    from hpcshell.policy.snapshot import Snapshot
    from hpcshell.sim.changes import Wish
    from hpcshell.sim.gains import Compared
    from hpcshell.sim.lengths import Lengths

FIRST: Final = 3000
"""So many of the first in line are looked at, unless told otherwise."""
LEAST_PART: Final = 0.01
"""Of its time limit that a run is taken to take."""
HISTORY: Final = 5000
"""How many ended elements a prediction looks at."""


def _many(
    flag: str, metavar: str, text: str, *, name: str | None = None, complete: Any = None
) -> Decorator:
    names = [flag] if name is None else [flag, name]
    return click.option(*names, multiple=True, metavar=metavar, help=text, shell_complete=complete)


def _policies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from hpcshell.policy.choice import PROMISES
    from hpcshell.sim.changes import HYBRID

    return [name for name in (*PROMISES, HYBRID) if name.startswith(incomplete)]


def _orders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from hpcshell.core.settings import ORDER_NAMES

    return [name for name in ORDER_NAMES if name.startswith(incomplete)]


@verb(
    "whatif",
    "hpc whatif",
    'hpc whatif --submit "cpus=8 time=2h"',
    "hpc whatif --policy conservative --add gpus=2",
    "hpc whatif --cancel 17 --time 12=30m --all",
    "hpc whatif --remove cpus=4 --at 18:00 --json",
)
@_many("--submit", '"KEY=VALUE ..."', "Another job, said with options of hpc submit, and count=N.")
@_many(
    "--policy",
    "NAME",
    "Another policy: none, greedy, easy, hybrid:N or conservative.",
    complete=_policies,
)
@_many("--order", "NAME", "Another order of the line: sjf, wfp3, fairshare, ...", complete=_orders)
@_many("--add", "NAME=N", "More of something: gpus=2, cpus=4, mem=16G, or a resource of your own.")
@_many("--remove", "NAME=N", "Less of something.")
@_many("--cancel", "ID", "Without this job, or this element.", complete=complete_ids)
@_many("--time", "ID=TIME", "A job with another time limit.", name="limits")
@_many("--priority", "ID=N", "A job with another priority, 0 to 1000.")
@_many("--hold", "ID", "This job held.", complete=complete_ids)
@_many("--release", "ID", "This job, which is held, released.", complete=complete_ids)
@click.option(
    "--at", metavar="TIME", help="When the change happens: now+2h, 18:00.  [default: now]"
)
@click.option(
    "--runs",
    default="limit",
    metavar="HOW",
    help="How long jobs are taken to run: limit, predicted from what has ended, or a part "
    "of the limit such as 0.5.  [default: limit]",
)
@click.option(
    "--unlimited",
    default="1h",
    metavar="TIME",
    help="How long jobs without a time limit are taken to run.  [default: 1h]",
)
@click.option(
    "--first",
    default=str(FIRST),
    metavar="N",
    help=f"Look at the first so many jobs in line only.  [default: {FIRST:,}]",
)
@click.option("--horizon", metavar="TIME", help="Look no further ahead than that.")
@click.option(
    "--budget",
    default="5s",
    metavar="TIME",
    help="Work on each of the two runs no longer than that.  [default: 5s]",
)
@click.option(
    "-a", "--all", "every", is_flag=True, help="Also the jobs that start when they would."
)
def command(talk: Talk, **given: Any) -> int:
    """Say who would start when: as things stand, and after a change.

    The queue is played forward twice by the scheduler's own decider, here and not in the daemon:
    nothing is changed. Without a change, it is played once. Changes can be combined.
    """
    import gc

    from hpcshell.cli import foretold

    collecting = gc.isenabled()
    gc.disable()  # a large queue is a million records, all of which stay
    try:
        asked, compared = _foresee(given)
    finally:
        if collecting:
            gc.enable()
    if talk.json:
        talk.document({"schema": SCHEMA, **foretold.document(asked, compared, given["every"])})
    elif talk.quiet:
        talk.data(*(str(row.job.id) for row in compared.rows if row.changed and not row.new))
    else:
        talk.data(*foretold.text(talk, asked, compared, every=given["every"]))
        talk.say(*foretold.notes(asked, compared))
    return 0


def _foresee(given: dict[str, Any]) -> tuple[Any, Compared]:
    """What was asked, as it was understood, and the two runs beside each other."""
    from hpcshell.cli.foretold import Asked
    from hpcshell.core.units import duration
    from hpcshell.sim.ahead import regime_taken
    from hpcshell.sim.changes import changes_of
    from hpcshell.sim.forward import Forward
    from hpcshell.sim.gains import compare

    unlimited = duration(given["unlimited"], "--unlimited")
    budget = duration(given["budget"], "--budget", bare=1.0)
    ahead = None if given["horizon"] is None else duration(given["horizon"], "--horizon")
    _once(given)
    daemon = client()
    snapshot = _snapshot(daemon, given)
    when = _when(given["at"], snapshot.now)
    if ahead is not None and when > snapshot.now + ahead:
        raise Wrong("--at lies behind --horizon", "look further ahead, or change sooner")
    user = _user()
    wish = _wish(given, snapshot, user)
    changes = changes_of(wish, snapshot, user, _settings())
    lengths = _lengths(given["runs"], unlimited, daemon)
    until = float("inf") if ahead is None else snapshot.now + ahead
    after = Forward(snapshot, lengths, regime_taken(snapshot))  # first: it may be refused
    if changes.any():
        enough = _enough(budget)
        if when > snapshot.now:
            after.play(when, enough)
        if not after.stopped:
            changes.make(after)
            after.play(until, enough)
    before = Forward(snapshot, lengths, regime_taken(snapshot)) if changes.any() else after
    before.play(until, _enough(budget))
    words = _words(given)
    asked = Asked(
        words,
        given["runs"],
        unlimited,
        snapshot.now,
        when,
        before,
        after,
        changes.idle,
        snapshot.left_out,
    )
    return asked, compare(before, after)


def _snapshot(daemon: Client, given: dict[str, Any]) -> Snapshot:
    """The queue: all that is named, and of the rest the first in line."""
    from hpcshell.client.snapshots import fetch_snapshot
    from hpcshell.core.units import count

    named = [*given["cancel"], *given["hold"], *given["release"]]
    named += [text.partition("=")[0] for text in (*given["limits"], *given["priority"])]
    most = count(given["first"], "--first")
    apart = (*named, *(text for text in given["submit"] if "depend" in text))
    if any("@~" in text or "depend" in text for text in apart):  # others count, too
        return fetch_snapshot(daemon)
    return fetch_snapshot(daemon, most, named)


def _once(given: dict[str, Any]) -> None:
    """There is one policy and one order."""
    for name in ("policy", "order"):
        if len(set(given[name])) > 1:
            raise Wrong(f"--{name} is given twice: {' and '.join(given[name])}", "give one of them")


def _enough(budget: float) -> Callable[[], bool]:
    """Whether the time for one of the runs is used up."""
    end = time.monotonic() + budget
    return lambda: time.monotonic() > end


def _when(text: str | None, now: float) -> float:
    if text is None:
        return now
    from hpcshell.cli.describe import local_offset
    from hpcshell.core.instants import instant

    when = instant(text, now, local_offset, "--at")
    if when < now:
        raise Wrong("--at lies in the past", "a change can come now or later")
    return when


def _settings() -> Settings:
    from hpcshell.jobs.surroundings import configured, working_directory

    return configured(working_directory()).settings


def _user() -> str:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _wish(given: dict[str, Any], snapshot: Snapshot, user: str) -> Wish:
    from hpcshell.sim.changes import Wish

    jobs: list[Job] = []
    parents: dict[int, Expression] = {}
    for text in given["submit"]:
        number = snapshot.last_job + 1 + len(jobs)
        job, dependency = _new_job(text, number, snapshot, user)
        jobs.append(job)
        if dependency is not None:
            parents[number] = dependency
    return Wish(
        jobs=tuple(jobs),
        parents=parents,
        policy=(given["policy"] or ("",))[0],
        order=(given["order"] or ("",))[0],
        time=given["limits"],
        **{
            name: given[name] for name in ("add", "remove", "cancel", "priority", "hold", "release")
        },
    )


def _new_job(
    text: str, number: int, snapshot: Snapshot, user: str
) -> tuple[Job, Expression | None]:
    """The job that such words would submit, and what it would wait for."""
    import os

    from msgspec.structs import replace

    from hpcshell.core.dependencies import parse
    from hpcshell.core.options.gather import settings_of
    from hpcshell.jobs.prepare import prepare
    from hpcshell.policy.entrance import job_from
    from hpcshell.policy.snapshot import NO_LAUNCH

    asked = prepare(["new"], None, settings_of(_pairs(text), "--submit: ")).submission
    settings = snapshot.settings or _settings()
    job = job_from(asked, settings, number=number, user=user, uid=os.getuid(), now=snapshot.now)
    job = replace(job, name=job.name or "new", launch=NO_LAUNCH)
    return job, parse(asked.dependency) if asked.dependency else None


def _pairs(text: str) -> dict[str, str]:
    """`cpus=8 time=2h count=3` as options; so many alike are an array."""
    from hpcshell.core.units import count
    from hpcshell.core.words import quote

    found: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            hint = 'as in --submit "cpus=8 time=2h mem=4G count=3"'
            raise Wrong(f"--submit: {quote(word)} is not KEY=VALUE", hint)
        if key in found:
            raise Wrong(f"--submit: {key} is given twice", "give it once")
        found[key] = value
    if "count" in found:
        number = count(found.pop("count"), "--submit: count", most=1_000_000)
        if "array" in found:
            raise Wrong("--submit: count and array exclude each other", "give one of them")
        if number > 1:
            found["array"] = f"0-{number - 1}"
    return found


def _lengths(word: str, unlimited: float, daemon: Client) -> Lengths:
    from hpcshell.core.units import factor
    from hpcshell.sim.lengths import part_of_limit

    match word.strip().lower():
        case "limit" | "limits":
            return part_of_limit(1.0, unlimited)
        case "predicted":
            from hpcshell.sim.lengths import as_before

            rows = daemon.call("history", limit=HISTORY, offset=0, elements=True)["rows"]
            return as_before(rows, unlimited)
        case _:
            try:
                part = factor(word, "--runs", least=LEAST_PART, most=1.0)
            except Wrong as error:
                hint = "write limit, predicted, or a part of the limit: 0.01 to 1"
                raise Wrong(error.message, hint) from None
            return part_of_limit(part, unlimited)


def _words(given: dict[str, Any]) -> list[str]:
    """The changes as they were typed."""
    options = ("submit", "policy", "order", "add", "remove", "cancel", "limits", "priority")
    return [
        f"--{'time' if name == 'limits' else name} {text}"
        for name in (*options, "hold", "release")
        for text in dict.fromkeys(given[name])
    ]
