"""`hpc gpu watch`: each line of a file becomes a job."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import click

from hpcshell.cli import exits
from hpcshell.cli.reach import client
from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb
from hpcshell.core.words import safe, safe_json
from hpcshell.gpu.lines import LineQueue
from hpcshell.gpu.memory import Memory
from hpcshell.gpu.watching import Told, Watcher
from hpcshell.jobs.surroundings import configured, here, working_directory

LOOK: Final = 0.25
"""Seconds between the looks at a file whose last line may not be whole."""


@verb(
    "watch",
    "hpc gpu watch jobs.txt",
    "hpc gpu watch jobs.txt --once",
    "hpc gpu watch jobs.txt --interval 1 --json >> submitted.jsonl",
)
@click.argument("file")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86400),
    metavar="SECONDS",
    help="How often the file is looked at; without it box.jobs_interval.",
)
@click.option("--once", is_flag=True, help="Read it once and end.")
@click.option("--screen", is_flag=True, help="Run its jobs in sessions that hpc attach joins.")
def watch(talk: Talk, file: str, interval: float | None, once: bool, screen: bool) -> int:
    """Submit each line of a file of jobs, as it comes.

    A line is: priority, script, conda_env, arguments, allowed_gpus. Each is submitted once, though
    this command be ended, killed and started again. A line that is no job is told of, with its
    number and the reason, and stops nothing. Scripts count from the directory of the file, where
    jobs run, too. Ctrl-C ends it; the jobs go on.
    """
    from hpcshell.gpu.serving import check_files, follow_until, standing, told_to_end

    box = configured(working_directory()).settings.box
    path = os.path.abspath(file)
    check_files(box, path)
    daemon, memory = client(), Memory.of(path, here(), box)
    queue = LineQueue(daemon, path, screen=screen)
    with Watcher(path, queue, memory, teller(talk), once=once) as watcher:
        if once:
            return _once(watcher)
        with told_to_end() as stop:
            within = box.stop_within
            left = follow_until(watcher, interval or box.jobs_interval, stop, within)
    talk.say(standing(daemon, left))
    return 0


def _once(watcher: Watcher) -> int:
    """All that is in the file now; a last line without its end, when nobody goes on writing it."""
    watcher.round(threading.Event())
    while watcher.unfinished:
        time.sleep(LOOK)
        watcher.round()
    if watcher.unread is not None:
        raise watcher.unread
    return exits.SOME_FAILED if watcher.bad or not watcher.done else exits.OK


def teller(talk: Talk) -> Callable[[Told], None]:
    """Says what happens: what was submitted to stdout, what is wrong to stderr."""

    def tell(told: Told) -> None:
        where = f"line {told.number}" if told.number else ""
        if talk.json:
            _line(told)
        elif told.what == "submitted":
            talk.data(told.job if talk.quiet else f"Submitted job {told.job} ({where})")
            sys.stdout.flush()
        elif told.what == "bad":
            talk.warn(f"hpc: {where}: {safe(told.text)}")
        else:
            talk.say(f"note: {safe(told.text)}")

    return tell


def _line(told: Told) -> None:
    import msgspec

    fields = {"what": told.what, "line": told.number or None, "text": told.text, "job": told.job}
    sys.stdout.write(safe_json(msgspec.json.encode(fields).decode()) + "\n")
    sys.stdout.flush()
