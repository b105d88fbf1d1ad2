"""`hpc gpu start` and `stop`: the box brought up, its file of jobs followed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli.gpu_watch import teller
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Broken
from hpcshell.core.words import quote, safe
from hpcshell.jobs.surroundings import configured, here, working_directory

if TYPE_CHECKING:
    from hpcshell.core.settings import Settings
    from hpcshell.machine.paths import Places

READY_WITHIN: Final = 30.0
"""Seconds that one in the background gets to begin."""
_STEP: Final = 0.05


@verb(
    "start",
    "hpc gpu start",
    "hpc gpu start --config config.json --jobs-file jobs.txt",
    "hpc gpu start --daemon",
)
@click.option("--config", metavar="FILE", help="Make this JSON file the configuration of the box.")
@click.option(
    "--jobs-file", metavar="FILE", help="Follow this file; without it box.jobs_file, if any."
)
@click.option("--screen", is_flag=True, help="Run its jobs in sessions that hpc attach joins.")
@click.option("--daemon", is_flag=True, help="Follow the file in the background.")
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="Least level that is logged; without it daemon.log_level.",
)
def start(talk: Talk, config: str | None, jobs_file: str | None, **chosen: Any) -> int:
    """Bring the box up, and follow its file of jobs.

    The scheduler's daemon is started, if it does not run. --config checks a file, puts it beside
    your hpcshell.toml as gpu.json (the former one is kept as gpu.json~), and has the daemon go by
    it. Then each line of the file of jobs is submitted, as hpc gpu watch does, and what becomes of
    the jobs is logged, until SIGINT or SIGTERM; the jobs go on.
    """
    from hpcshell.gpu.serving import check_files
    from hpcshell.gpu.starting import bring_up
    from hpcshell.machine.boxfiles import missing_directories, read_box_file

    places = here()
    box = None if config is None else read_box_file(config)
    hello = bring_up(places, box, config or "")
    for path in () if box is None else missing_directories(box):
        talk.say(f"note: there is no directory {quote(path, 200)}: no script may lie there yet")
    talk.say(f"the daemon runs (process {hello['pid']})")
    settings = configured(working_directory()).settings
    path = os.path.abspath(jobs_file) if jobs_file else settings.box.jobs_file
    if not path:
        talk.say(
            "no file of jobs is configured, so nothing is followed, nor logged: "
            "hpc gpu add SCRIPT, or --jobs-file FILE"
        )
        return _done(talk, hello["pid"], None)
    check_files(settings.box, path)
    if chosen["daemon"]:
        return _done(talk, hello["pid"], _in_background(path, places, chosen))
    _serve(talk, path, settings, places, chosen)
    return 0


def _done(talk: Talk, daemon: int, follower: int | None) -> int:
    if talk.json:
        talk.document({"schema": SCHEMA, "daemon": daemon, "follower": follower})
    elif follower is not None:
        talk.data(str(follower) if talk.quiet else f"following in process {follower}")
    return 0


def _serve(
    talk: Talk, path: str, settings: Settings, places: Places, chosen: dict[str, Any]
) -> None:
    from hpcshell.gpu.serving import Box, log_of, only_one, told_to_end

    log = log_of(settings, places, (chosen["log_level"] or "").lower())
    log.open()
    with only_one(places), told_to_end() as stop:
        talk.say(f"following {safe(path)}; the log: {safe(str(log.log.path))}")
        box = Box(settings, places, log, teller(talk))
        goes_on = box.serve(path, stop, screen=chosen["screen"])
    talk.say(f"stopped: {goes_on}")


def _in_background(path: str, places: Places, chosen: dict[str, Any]) -> int:
    """The process that follows the file, once it does."""
    from hpcshell.gpu.serving import running

    words = [sys.executable, "-P", "-m", "hpcshell", "gpu", "start", "--jobs-file", path]
    words += ["--screen"] if chosen["screen"] else []
    words += ["--log-level", chosen["log_level"]] if chosen["log_level"] else []
    said = os.open(f"{places.state}/gpu-box.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the log has all of it
            stderr=said,
            start_new_session=True,
        )
    finally:
        os.close(said)
    deadline = time.monotonic() + READY_WITHIN
    while running(places) != child.pid:
        if child.poll() is not None or time.monotonic() > deadline:
            raise Broken("it has ended at once, in the background", _last_words(places))
        time.sleep(_STEP)
    return child.pid


def _last_words(places: Places) -> str:
    with open(f"{places.state}/gpu-box.out", encoding="utf-8", errors="replace") as file:
        return " ".join(file.read(2000).split()) or "try it without --daemon"


@verb("stop", "hpc gpu stop")
def stop(talk: Talk) -> int:
    """End what follows the file of jobs in the background.

    The scheduler's daemon and its jobs go on: hpc daemon stop stops that.
    """
    from hpcshell.gpu.serving import end_other

    within = configured(working_directory()).settings.box.stop_within
    pid = end_other(here(), within)
    if talk.json:
        talk.document({"schema": SCHEMA, "stopped": pid})
    elif talk.quiet:
        talk.data(str(pid))
    else:
        talk.data(f"process {pid} has stopped; the daemon and its jobs go on")
    return 0
