"""What the verbs of `hpc track` share: the store, what people call runs, and how these look."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import click

from hpcshell.cli import describe
from hpcshell.cli.table import Column, fits, table
from hpcshell.core.errors import HpcError
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from hpcshell.cli.talk import Talk
    from hpcshell.core.settings import Settings
    from hpcshell.track.records import Number, Run
    from hpcshell.track.store.jobs import Prices
    from hpcshell.track.store.paging import Page, Wanted
    from hpcshell.track.store.store import Store

SHOWN: Final = 50
"""Rows of a table unless more are asked for."""
PATIENCE: Final = 2.0
"""Seconds for which whoever looks waits for what was logged."""
SHORT: Final = 8
"""Digits of a run's id in a table; so many, and fewer while only one has them, name it."""

RUNS: Final = (
    Column("RUN"),
    Column("NAME", elastic=True),
    Column("EXPERIMENT", elastic=True),
    Column("STATUS", state=True),
    Column("STARTED", elastic=True),
    Column("RAN", right=True),
    Column("USER", elastic=True),
    Column("JOB", elastic=True),
    Column("COST", right=True),
    Column("METRICS", elastic=True),
)
SPARED: Final = ("COST", "USER", "JOB", "STARTED", "RAN", "NAME")
"""Columns that a window without room for all goes without, the first first."""


class Opened(NamedTuple):
    """The store, and what the configuration says about it."""

    store: Store
    settings: Settings

    @property
    def prices(self) -> Prices:
        """Of CPUs and GPUs."""
        from hpcshell.track.store.jobs import Prices

        return Prices(self.settings.track.cpu_hour, self.settings.track.gpu_hour)


def opened(*, looking: bool = False) -> Opened:
    """The tracker's store, which is made where there is none; whoever is only `looking` makes no
    directory that the configuration names. Raises `HpcError`."""
    from hpcshell.jobs.surroundings import configured, here, working_directory
    from hpcshell.track.store.opening import open_store, url_of

    settings = configured(working_directory()).settings
    make = not (looking and settings.track.url)
    return Opened(open_store(url_of(settings.track.url, here()), make=make), settings)


def caught_up(talk: Talk) -> Opened:
    """The same for verbs that only look: what runs of this user have logged here is taken in first,
    as far as that is done soon. What cannot be is `hpc track sync`'s to say."""
    from hpcshell.jobs.surroundings import here
    from hpcshell.track.points.spools import Sweep, sweep_spools

    say_where(talk)
    source = opened(looking=True)
    how = Sweep(clock=time.time, until=time.time() + PATIENCE)
    with contextlib.suppress(HpcError):
        sweep_spools(source.store, [here().track.spool], how)
        if how.over:
            talk.say("not all that was logged here has been taken in yet; hpc track sync does that")
    return source


def say_where(talk: Talk) -> None:
    """Say what is not looked at: a server that the environment names."""
    from hpcshell.jobs.surroundings import environment, here
    from hpcshell.track.client import addresses

    url = addresses.find_url(None, environment(), None)
    if not url or url == addresses.find_url(None, {}, here()):
        return
    try:
        where = addresses.parse(url).shown
    except HpcError as error:
        talk.warn(f"hpc: HPC_TRACK_URL: {error.message}: passed over", f"  hint: {error.hint}")
        return
    talk.say(f"this is the tracker of this machine; what is sent to {where} is to be seen there")


Command = Callable[..., Any]


def listing(command: Command) -> Command:
    """The options of lists."""
    for option in (
        click.option(
            "--deleted", is_flag=True, help="Those that are deleted and can be brought back."
        ),
        click.option("--cursor", metavar="CURSOR", help="Go on where the page before ended."),
        click.option(
            "--limit",
            "-l",
            type=click.IntRange(0),
            default=SHOWN,
            help=f"List at most so many, 0 for all.  [default: {SHOWN}]",
        ),
        click.option(
            "--sort",
            metavar="COLUMN",
            default="-created_at",
            help="By what: a column, metrics.KEY, params.KEY; -COLUMN: the greatest first.",
        ),
        click.option("--filter", "-f", metavar="FILTER", default="", help="Only those that fit."),
    ):
        command = option(command)
    return command


def wanted(chosen: dict[str, Any], experiments: Sequence[int] = ()) -> Wanted:
    """The part of a list that the options ask for."""
    from hpcshell.track.store.paging import MOST, Wanted

    deleted: Literal["live", "deleted"] = "deleted" if chosen["deleted"] else "live"
    return Wanted(
        filter=chosen["filter"],
        sort=chosen["sort"],
        limit=min(chosen["limit"] or MOST, MOST),
        cursor=chosen["cursor"],
        deleted=deleted,
        experiments=tuple(experiments),
    )


def gathered(ask: Callable[[Wanted], Page[Any]], first: Wanted, limit: int) -> Page[Any]:
    """As many rows as are wanted (0: all), whatever a page may hold."""
    from msgspec.structs import replace

    from hpcshell.track.store.paging import MOST, Page

    answer = ask(first)
    rows = list(answer.rows)
    while answer.next is not None and (limit == 0 or len(rows) < limit):
        most = MOST if limit == 0 else min(MOST, limit - len(rows))
        answer = ask(replace(first, cursor=answer.next, limit=most))
        rows += answer.rows
    return Page(rows=rows, next=answer.next)


def cells(run: Run, now: float) -> list[str]:
    """A row of a table of runs."""
    return [
        run.run_id[:SHORT],
        safe(run.name) or "-",
        safe(run.experiment),
        run.status,
        describe.instant(run.started_at),
        describe.clock(ran(run, now)),
        safe(run.user) or "-",
        "-" if run.job is None else safe(f"{run.job.cluster}_{run.job.label}"),
        "-" if run.job is None or run.job.cost is None else f"{run.job.cost:.2f}",
        safe(", ".join(f"{key} {said(each.last)}" for key, each in run.metrics.items())) or "-",
    ]


def ran(run: Run, now: float) -> float | None:
    """Seconds for which it ran: until its end, until it was last heard of, or until now."""
    end = run.ended_at
    if end is None:
        end = now if run.status == "RUNNING" else run.heartbeat_at
    if run.started_at is None or end is None:
        return None
    return max(0.0, end - run.started_at)


def table_of_runs(talk: Talk, runs: Sequence[Run], now: float) -> list[str]:
    """The table, with the columns that say anything and, on a terminal, have room."""
    rows = [cells(run, now) for run in runs]
    left_out = {
        column.head
        for place, column in enumerate(RUNS)
        if column.head in ("JOB", "COST") and all(row[place] == "-" for row in rows)
    }
    for head in SPARED:
        shown = [column for column in RUNS if column.head not in left_out]
        if fits(shown, [[row[RUNS.index(column)] for column in shown] for row in rows]):
            break
        left_out.add(head)
    places = [place for place, column in enumerate(RUNS) if column.head not in left_out]
    return table(
        talk, [RUNS[place] for place in places], [[row[place] for place in places] for row in rows]
    )


def said(value: Number | None) -> str:
    """A value in four digits."""
    return "-" if value is None else value if isinstance(value, str) else f"{value:.4g}"
