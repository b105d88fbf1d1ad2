"""`hpc submit`: a script or a command into the queue."""

from __future__ import annotations

from typing import Any

import click

from hpcshell.cli.reach import door
from hpcshell.cli.requests import WORDS, Requesting, job_options, take_settings, what_to_run
from hpcshell.cli.staying import stay_with
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.client.client import Client
from hpcshell.core.words import quote, safe
from hpcshell.jobs.asking import Asked, document, prepare_for
from hpcshell.jobs.prepare import Prepared


@verb(
    "submit",
    "hpc submit job.sh",
    "hpc submit --cpus 4 --memory 8G --time 2h train.sh --epochs 3",
    "hpc submit --array 0-99%8 -- python solve.py",
    "hpc submit --afterok @ --name merge -- ./merge",
    "generate-script | hpc submit -",
    changes=True,
    on=True,
    kind=Requesting,
    settings={"allow_interspersed_args": False},
)
@job_options()
@click.option("--wait", "-W", is_flag=True, help="Return when it has ended, with its exit code.")
@click.option(
    "--rebalance",
    is_flag=True,
    help="With --on any: while it waits it may be moved to a cluster that has it done sooner.",
)
@click.option(
    "--test-only", is_flag=True, help="Submit nothing; say when it would start, and who says so."
)
@click.argument(WORDS, nargs=-1, metavar="SCRIPT [ARGS]... | -- COMMAND...")
def command(talk: Talk, words: tuple[str, ...], **chosen: Any) -> int:
    """Put a script or a command into the queue.

    A script's #HPC, #SBATCH, #PBS, #BSUB and #$ lines count; the command line wins over them. Once
    the id is printed the job is on disk, and will run whatever happens to this machine.
    """
    wait, movable = chosen.pop("wait"), chosen.pop("rebalance")
    test_only = chosen.pop("test_only")
    settings = take_settings(chosen)
    argv, script = what_to_run(words, "submit")
    way = door()
    prepared = prepare_for(way, argv, script, settings, movable=movable)
    talk.dry_run = talk.dry_run or test_only
    say_sizing(talk, prepared)
    if test_only and not isinstance(way, Client):
        estimate = way.call("estimate", submission=prepared.submission)
        say_understood(talk, prepared)
        return _estimate(talk, estimate)
    answer = way.call("submit", submissions=[prepared.submission], dry_run=talk.dry_run)
    job = answer["jobs"][0]
    say_understood(talk, prepared)
    if "script" in job:
        present_script(talk, job, prepared)
        return 0
    present(talk, job, prepared)
    stay_with(talk, way)
    if not wait or talk.dry_run:
        return 0
    from hpcshell.cli import exits
    from hpcshell.cli.fetch import bring_back

    ends = way.call("wait", ids=[named(job)], any=False, timeout=None)["done"]
    code = bring_back(talk, way, ends)[1]
    return exits.of_ends(ends, propagate=len(ends) == 1) or code


def named(job: dict[str, Any]) -> str:
    """The job as the door knows it: that of all clusters is told which."""
    return f"{job['cluster']}:{job['id']}" if job.get("cluster") else str(job["id"])


def _estimate(talk: Talk, answer: dict[str, Any]) -> int:
    """When a job would start on a cluster, by whose word; 4 if it could not run, 5 if nobody
    answers."""
    from hpcshell.cli import describe, exits

    offers = answer["offers"]
    if talk.json:
        talk.document({"schema": SCHEMA, **answer})
    else:
        for offer in offers:
            start = offer["start"]
            if talk.quiet:
                talk.data(*([describe.instant(start)] if start is not None else []))
                continue
            when = f"; that is at {describe.instant(start)}" if start is not None else ""
            talk.data(f"{safe(offer['sentence'])}{when}")
    if all(offer["silent"] for offer in offers):
        return exits.UNREACHABLE
    return exits.REFUSED if all(offer["cannot"] for offer in offers) else exits.OK


def say_understood(talk: Talk, prepared: Asked | Prepared) -> None:
    """On stderr: what was made of the options, unless there is nothing to it; and notes."""
    if prepared.meaning and prepared.meaning != ("1 CPU",):
        talk.say(f"asked: {safe(', '.join(prepared.meaning))}")
    talk.say(*(f"note: {safe(note)}" for note in prepared.notes))


def say_sizing(talk: Talk, prepared: Asked | Prepared) -> None:
    """On stderr, before it is asked for: what its model needs. All of the arithmetic where nothing
    is submitted."""
    if prepared.sizing:
        told, *lines = prepared.sizing
        talk.say(f"model: {safe(told)}", *(f"  {safe(line)}" for line in lines if talk.dry_run))


def foretold(job: dict[str, Any]) -> str:
    """What would become of a job that was not submitted."""
    from hpcshell.cli import describe

    view, start = job["job"], job.get("start")
    if view["reason_code"] == "None":
        return "it would start at once"
    if view["reason_code"] == "DependencyNeverSatisfied":
        return f"it would never start: {safe(view['reason'])}"
    ahead = f"; to start by {describe.instant(start)}" if start else ""
    return f"it would wait: {safe(view['reason'])}{ahead}"


def present_script(talk: Talk, job: dict[str, Any], prepared: Asked) -> None:
    """What a cluster would be told: the job script, and the command that submits it."""
    import shlex

    talk.say(*(f"note: {safe(note)}" for note in job["notes"]))
    if talk.json:
        talk.document(document(prepared, job, dry_run=True))
        return
    talk.data(*(safe(line) for line in job["script"].splitlines()))
    read = f" < {shlex.quote(job['stdin'])}" if job["stdin"] else ""
    talk.say(f"submitted with: {safe(shlex.join(job['argv']) + read)}")


def present(talk: Talk, job: dict[str, Any], prepared: Asked | Prepared) -> None:
    """Say what was (or would be) accepted."""
    talk.say(*(f"note: {safe(note)}" for note in job.get("notes", ())))
    if talk.json:
        talk.document(document(prepared, job, dry_run=talk.dry_run))
    elif talk.dry_run:
        many = f", {job['elements']:,} elements" if job["elements"] > 1 else ""
        talk.data(f"would submit {quote(job['name'])}{many}")
        talk.say(foretold(job))
    elif talk.quiet:
        talk.data(str(job["id"]))
    else:
        many = f" ({job['elements']:,} elements)" if job["elements"] > 1 else ""
        talk.data(f"Submitted job {job['id']}{many}")
