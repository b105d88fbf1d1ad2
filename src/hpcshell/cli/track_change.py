"""`hpc track note`, `tag`, `delete`, `undo`, `purge`: changing what is kept of runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from hpcshell.cli import exits
from hpcshell.cli.sweep_words import counted
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.tracked import SHORT, Opened, opened, say_where
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.units import DAY, duration
from hpcshell.core.words import quote, safe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hpcshell.track.records import Experiment

STDIN: Final = "-"


@verb(
    "note",
    'hpc track note 3f2a90c1 "the loss is good, the curve is not"',
    "hpc track note 3f2a90c1 - < remarks.md",
    changes=True,
)
@click.argument("run")
@click.argument("text")
def note(talk: Talk, run: str, text: str) -> int:
    """Write a note to a run, over the one that it has; - reads it from standard input."""
    from hpcshell.track.store import runs

    said = sys.stdin.read() if text == STDIN else text

    def work(connection: Connection, id: str, now: float) -> None:
        runs.update(connection, id, note=said, now=now)

    return _change(talk, (run,), Change(work, "noted"))


@verb(
    "tag",
    "hpc track tag team=vision 3f2a90c1 77be01d4",
    "hpc track tag --drop team 3f2a90c1",
    changes=True,
)
@click.argument("words", nargs=-1, required=True, metavar="[KEY=VALUE]... RUN...")
@click.option("--drop", multiple=True, metavar="KEY", help="Take this tag away.")
def tag(talk: Talk, words: tuple[str, ...], drop: tuple[str, ...]) -> int:
    """Tag runs."""
    from hpcshell.track.store import runs

    given = dict(word.split("=", 1) for word in words if "=" in word)
    named = tuple(word for word in words if "=" not in word)
    if not named or not (given or drop):
        raise Wrong("name at least one tag and one run", "hpc track tag team=vision 3f2a90c1")

    def work(connection: Connection, id: str, now: float) -> None:
        if given:
            runs.set_tags(connection, id, given, now)
        for key in drop:
            runs.drop_tag(connection, id, key, now)

    return _change(talk, named, Change(work, "tagged"))


_experiment = click.option(
    "--experiment", "-e", metavar="EXPERIMENT", help="This experiment, with all its runs."
)


@verb(
    "delete",
    "hpc track delete 3f2a90c1",
    "hpc track delete --experiment mnist --dry-run",
    changes=True,
)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@_experiment
def delete(talk: Talk, runs: tuple[str, ...], experiment: str | None) -> int:
    """Delete runs, or an experiment with all its runs.

    hpc track undo brings them back, until hpc track purge deletes them for good.
    """
    from hpcshell.track.store import experiments
    from hpcshell.track.store import runs as kept

    _named(runs, experiment)
    if experiment is not None:
        change = Change(experiments.delete, "deleted", "was deleted before", deleted=True)
        return _change_experiment(talk, experiment, experiments.meant, change)
    change = Change(kept.delete, "deleted", "was deleted before", deleted=True)
    return _change(talk, runs, change)


@verb("undo", "hpc track undo 3f2a90c1", "hpc track undo --experiment mnist", changes=True)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@_experiment
def undo(talk: Talk, runs: tuple[str, ...], experiment: str | None) -> int:
    """Bring back what was deleted.

    An experiment comes back with the runs that were deleted with it. Where several that are
    deleted have its name, the latest is meant; hpc track experiments --deleted has their numbers.
    """
    from hpcshell.track.store import experiments
    from hpcshell.track.store import runs as kept

    _named(runs, experiment)
    if experiment is not None:
        change = Change(experiments.restore, "restored", "is not deleted", deleted=False)
        return _change_experiment(talk, experiment, experiments.meant_deleted, change)
    change = Change(kept.restore, "restored", "is not deleted", deleted=False)
    return _change(talk, runs, change)


@verb("purge", "hpc track purge --dry-run", "hpc track purge --older-than 7d --yes", changes=True)
@click.option(
    "--older-than",
    metavar="DURATION",
    help="What was deleted so long ago.  [default: track.keep_deleted]",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def purge(talk: Talk, older_than: str | None, yes: bool) -> int:
    """Delete for good what was deleted long ago, with all that it has uploaded."""
    from hpcshell.track.store import retention

    source = opened()
    age = source.settings.track.keep_deleted
    if older_than is not None:
        age = duration(older_than, "--older-than", zero=True, bare=DAY)
    before = time.time() - age
    with source.store as store:
        with store.reading() as connection:
            runs, experiments = retention.due(connection, before)
        what = f"{counted(runs, 'run')} and {counted(experiments, 'experiment')}"
        if (runs or experiments) and not talk.dry_run:
            if not _agreed(f"delete {what} for good", yes):
                talk.say("nothing was deleted")
                return exits.OK
            _purge(source, before)
    if talk.json:
        talk.document(
            {"schema": SCHEMA, "dry_run": talk.dry_run, "runs": runs, "experiments": experiments}
        )
    elif not talk.quiet:
        done = "would delete" if talk.dry_run else "deleted"
        talk.data(f"{done} {what} for good")
    return exits.OK


def _purge(source: Opened, before: float) -> None:
    from hpcshell.jobs.surroundings import here
    from hpcshell.track.artifacts import Artifacts
    from hpcshell.track.store import retention

    settings, now = source.settings, time.time()
    root = settings.track.artifacts or here().track.artifacts
    artifacts = Artifacts(root, settings.web.upload_limit)
    more = True
    while more:
        gone = source.store.change(lambda connection: retention.purge(connection, before))
        for owner in gone.owners:
            artifacts.forget(owner)
        more = gone.more
    known = now - retention.REMEMBERED
    while source.store.change(lambda connection: retention.forget(connection, known)):
        pass


# ------------------------------------------------------------------------------ what is shared


def _named(runs: Iterable[str], experiment: str | None) -> None:
    if bool(tuple(runs)) == (experiment is not None):
        raise Wrong("name runs, or an experiment", "hpc track delete 3f2a90c1")


class Change(NamedTuple):
    """What is done to rows, and what is said of it: of those that it was done to, and of those
    that are `deleted` (or not) already."""

    work: Callable[[Connection, Any, float], None]
    done: str
    before: str = ""
    deleted: bool | None = None

    def is_done(self, deleted_at: float | None) -> bool:
        """Whether there is nothing to do for a row."""
        return self.deleted is not None and self.deleted == (deleted_at is not None)


def _change(talk: Talk, runs: tuple[str, ...], change: Change) -> int:
    """Do something to each of these runs: to all of them, or to none."""
    from hpcshell.track.store.runs import meant, show

    say_where(talk)
    with opened().store as store:
        with store.reading() as connection:
            ids = list(dict.fromkeys(meant(connection, text) for text in runs))
            over = [change.is_done(show(connection, id).deleted_at) for id in ids]
        if not talk.dry_run:

            def all_of_them(connection: Connection) -> None:
                for id in ids:
                    change.work(connection, id, time.time())

            store.change(all_of_them)
    rows = [{"run_id": id, "changed": not before} for id, before in zip(ids, over, strict=True)]
    _report(talk, rows, [f"run {id[:SHORT]}" for id in ids], change)
    return exits.OK


def _change_experiment(
    talk: Talk, text: str, meant: Callable[[Connection, str], Experiment], change: Change
) -> int:
    say_where(talk)
    with opened().store as store:
        with store.reading() as connection:
            found = meant(connection, text)
        if not talk.dry_run:
            store.change(lambda connection: change.work(connection, found.id, time.time()))
    over = change.is_done(found.deleted_at)
    row = {"id": found.id, "name": found.name, "changed": not over}
    _report(talk, [row], [f"experiment {found.id} ({safe(quote(found.name))})"], change)
    return exits.OK


def _report(talk: Talk, rows: list[dict[str, Any]], shown: list[str], change: Change) -> None:
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, "rows": rows})
    elif talk.quiet:
        talk.data(*(str(next(iter(row.values()))) for row in rows))
    else:
        would = f"would be {change.done}" if talk.dry_run else change.done
        talk.data(
            *(
                f"{each} {would if row['changed'] else change.before}"
                for row, each in zip(rows, shown, strict=True)
            )
        )


def _agreed(what: str, yes: bool) -> bool:
    """Whether somebody wants it. Raises `Refused` where nobody can be asked."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"nobody can be asked whether to {what}", "--yes answers it")
    return click.confirm(f"{what}?", err=True)
