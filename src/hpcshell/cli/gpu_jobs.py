"""`hpc gpu add`, `list-jobs`, `cancel-job`, `screens`: jobs of the box, one by one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.filters import PAGE, most, pages
from hpcshell.cli.reach import client, complete_ids, selectors
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote, safe

if TYPE_CHECKING:
    from hpcshell.jobs.sessions import OpenSession

LISTED: Final = (
    Column("ID"),
    Column("NAME", elastic=True),
    Column("STATE", state=True),
    Column("PRIORITY"),
    Column("GPUS", right=True),
    Column("CARDS"),
    Column("RAN", right=True),
    Column("WHY", elastic=True),
)
SCREENS: Final = (Column("ID"), Column("NAME", elastic=True), Column("SESSION"), Column("JOIN"))
LIVE: Final = ("pending", "running", "suspended")
ENDED: Final = (
    *("completed", "failed", "cancelled", "timeout", "out_of_memory", "node_fail"),
    *("preempted", "deadline"),
)
SHOWN: Final = 50
"""Ended jobs that are listed unless more are asked for."""


@verb(
    "add",
    "hpc gpu add train.py --args '--llm qwen2.5-7b-inst --mode test'",
    "hpc gpu add train.py --priority 0 --gpus 0,1 --share 0.5 --conda-env ml",
    "hpc gpu add train.py --dry-run",
    changes=True,
)
@click.argument("script")
@click.option("--args", "arguments", metavar="TEXT", default="", help="Its arguments, as one text.")
@click.option("--priority", metavar="N", default="1", help="0 high, 1 normal, 2 low.  [default: 1]")
@click.option(
    "--gpus", "cards", metavar="LIST", default="", help="Only on these cards: 0,1 or 0-3."
)
@click.option(
    "--share",
    metavar="N",
    default="",
    help="GPUs that it gets: 0.5, 2; without it by the model it names, else 1.",
)
@click.option("--conda-env", metavar="NAME", default="", help="Conda environment to run it in.")
@click.option("--name", metavar="NAME", default="", help="Its name; without it the script's.")
@click.option("--screen", is_flag=True, help="In a session that hpc attach joins.")
def add(talk: Talk, script: str, **chosen: Any) -> int:
    """Add a script to the queue.

    It is run by the Python of its environment (.py), by bash (.sh), or as a program. It must lie in
    one of security.allowed_script_paths, where they are configured, now and when it starts.
    """
    from hpcshell.cli.submit import present, say_sizing, say_understood
    from hpcshell.core.jobsfile import shell_words
    from hpcshell.gpu.adding import BoxJob, cards_of, check_room, draft, hand_over, priority_of
    from hpcshell.jobs.sizing import cards_behind

    job = BoxJob(
        script=script,
        arguments=shell_words(chosen["arguments"], "--args"),
        priority=priority_of(chosen["priority"]),
        gpus=chosen["share"],
        conda=chosen["conda_env"],
        cards=cards_of(chosen["cards"]),
        name=chosen["name"],
        screen=chosen["screen"],
    )
    daemon = client()
    prepared = draft(job, cards_behind(daemon)())
    check_room(daemon)
    taken = hand_over(daemon, [prepared], dry_run=talk.dry_run)
    say_understood(talk, prepared)
    say_sizing(talk, prepared)
    present(talk, taken[0], prepared)
    return 0


# ------------------------------------------------------------------------------------- looking


@verb("list-jobs", "hpc gpu list-jobs", "hpc gpu list-jobs --status running --json")
@click.option(
    "--status", metavar="STATE", default="", help="Only these: pending, running, failed, ..."
)
@click.option(
    "-l",
    "--limit",
    type=click.IntRange(0),
    help=f"List at most so many that have ended, 0 for all; {SHOWN} unless said, {PAGE} with "
    "--json, all with --quiet.",
)
def list_jobs(talk: Talk, status: str, limit: int | None) -> int:
    """List the jobs of the box.

    What waits and runs comes first, then what has ended, the latest first. The cards are those that
    a job holds, or last held.
    """
    daemon, status = client(), _status(status)
    live = [] if status in ENDED else _live(daemon, status)
    ended, total = _ended(daemon, status, most(talk, limit, SHOWN))
    found = {row["label"]: row for row in (*live, *ended)}  # what ended meanwhile came twice
    rows = list(found.values())
    if talk.quiet:
        talk.data(*found)
        return 0
    _add_cards(daemon, rows)
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": rows, "total": len(rows) - len(ended) + total})
    elif rows:
        talk.data(*table(talk, LISTED, [_cells(row) for row in rows]))
        if len(ended) < total:
            talk.say(f"{len(ended):,} of {total:,} ended jobs shown; all with --limit 0")
    else:
        talk.say(f"no job is {status}" if status else "no jobs: hpc gpu add SCRIPT")
    return 0


def _status(text: str) -> str:
    word = text.strip().lower()
    if word and word not in (*LIVE, *ENDED):
        near = nearest(word, (*LIVE, *ENDED))
        known = f"did you mean {near}?" if near else f"there are {', '.join((*LIVE, *ENDED))}"
        raise Wrong(f"--status: there is no {quote(text)}", known)
    return word


def _live(daemon: Any, status: str) -> list[dict[str, Any]]:
    from hpcshell.gpu.adding import TAG
    from hpcshell.gpu.looking import rows

    return list(rows(daemon, "queue", tags=[TAG], states=[status.upper()] if status else []))


def _ended(daemon: Any, status: str, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The latest of those that have ended, and how many there are."""
    from hpcshell.gpu.adding import TAG

    if status in LIVE:
        return [], 0
    found, total = list[dict[str, Any]](), 0
    states = [status.upper()] if status else []
    for answer in pages(daemon, "history", limit, 0, tags=[TAG], states=states):
        found += answer["rows"]
        total = answer["total"]
    return found, total


def _add_cards(daemon: Any, rows: list[dict[str, Any]]) -> None:
    """To each row the cards that its job holds; of one that has ended those it last held."""
    from hpcshell.gpu.looking import starts

    held = _held(daemon)
    for row in rows:
        row["cards"] = held.get(row["id"], [])
        if row["end_time"] and row["gpus"]:
            begun = starts(daemon, row["id"])
            last = {start["element"]: start["detail"]["gpus"] for start in begun}
            row["cards"] = sorted({card for cards in last.values() for card in cards})


def _held(daemon: Any) -> dict[int, list[int]]:
    """The cards that jobs hold, by job."""
    found: dict[int, list[int]] = {}
    for claim in daemon.call("resources")["claims"]:
        cards = [*claim["gpus"], *map(int, claim["gpu_shares"])]
        found.setdefault(claim["job"], []).extend(cards)
    return found


def _cells(row: dict[str, Any]) -> list[str]:
    from hpcshell.gpu.looking import band

    return [
        row["label"],
        safe(row["name"]),
        row["state"],
        band(row["priority"]),
        f"{row['gpus']:g}",
        ",".join(map(str, row["cards"])),
        describe.clock(describe.elapsed(row, time.time())),
        safe(row["reason"] or ""),
    ]


@verb("screens", "hpc gpu screens", "hpc gpu screens --json")
def screens(talk: Talk) -> int:
    """List the sessions of running jobs that can be joined.

    Jobs that were submitted with --screen have one: hpc attach ID joins it.
    """
    from hpcshell.jobs.sessions import sessions

    found = [session for session in sessions(client()) if session.join]
    if talk.json:
        talk.document({"schema": SCHEMA, "screens": [_screen(session) for session in found]})
    elif talk.quiet:
        talk.data(*(session.job for session in found))
    elif found:
        cells = [
            [each.job, safe(each.job_name), safe(each.name), f"hpc attach {each.job}"]
            for each in found
        ]
        talk.data(*table(talk, SCREENS, cells))
    else:
        talk.say("no sessions: hpc gpu add SCRIPT --screen")
    return 0


def _screen(session: OpenSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "label": session.job,
        "name": session.name,
        "program": session.program,
        "join": session.join,
    }


# ------------------------------------------------------------------------------------- cancelling


@verb("cancel-job", "hpc gpu cancel-job 12", changes=True)
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_ids)
def cancel_job(talk: Talk, ids: tuple[str, ...]) -> int:
    """Cancel jobs, whether they wait or run: as hpc cancel."""
    from hpcshell.cli.changing import report

    answer = client().call("cancel", ids=selectors(ids), dry_run=talk.dry_run)
    return report(talk, answer, "cancelled")
