"""A census of Python's standard library, through the scheduler: an array job, then a merge.

    make demo        or        .venv/bin/python examples/census/run.py [--shards N] [--keep DIR]

It submits as a person would: `hpc submit --array ...` for the shards, `hpc submit --dependency
afterok:...` for the merge; and it watches from Python, with `hpcshell.job(id).show()`. Queue and
daemon are its own, in a temporary HPCSHELL_HOME; when it ends, also by Ctrl-C, the daemon is
stopped and the directory removed.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import hpcshell

HERE = Path(__file__).resolve().parent
HPC = Path(sys.executable).with_name("hpc")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "DEADLINE"}
LOOK_EVERY = 0.5
SAY_EVERY = 2.0

console = Console(highlight=False, soft_wrap=True)
interrupted = threading.Event()
"""Set by Ctrl-C and its like, looked at between commands: a command that is starting the daemon is
not cut off half-way, or the daemon would be there after the order to stop it."""


class Failed(Exception):
    """The demonstration cannot go on; the text says why."""


def hpc(*words: str) -> str:
    """Run `hpc WORDS...` and return what it prints."""
    try:
        done = subprocess.run(
            [HPC, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            process_group=0,  # the terminal's Ctrl-C is for us
        )
    except FileNotFoundError:
        raise Failed(f"{HPC} is not there\n  hint: run it as: make demo") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"hpc {shlex.join(words)}: no answer within 120 s") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise Failed(f"hpc {shlex.join(words)}: exit code {done.returncode}\n{said}")
    return done.stdout


def submit(*words: str) -> str:
    """Show the command as a person would type it, run it, return the job's id."""
    stop_if_interrupted()
    typed = shlex.join(words).replace(sys.executable, "python").replace(f"{HERE}/", "")
    console.print(f"$ hpc submit {typed}", style="bold", markup=False)
    job = hpc("submit", "--quiet", *words).strip()
    console.print(f"job {job}\n")
    return job


def watch(array: str, merge: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Follow the two jobs to their end, as a bar on a terminal and in lines elsewhere."""
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]:<24}"),
        TimeElapsedColumn(),
    )
    lines = not console.is_terminal
    shards = hpcshell.job(array).show()["elements"]["total"]
    with Progress(*columns, console=console, disable=lines) as progress:
        shard_bar = progress.add_task("shards", total=shards, state="")
        merge_bar = progress.add_task("merge", total=1, state="")
        said = -SAY_EVERY
        while True:
            stop_if_interrupted()
            first, second = hpcshell.job(array).show(), hpcshell.job(merge).show()
            counts = first["elements"]["counts"]
            ended = sum(counts.get(state, 0) for state in ENDED)
            running = f"{counts.get('RUNNING', 0)} running"
            progress.update(shard_bar, completed=ended, state=running)
            over = second["state"] in ENDED
            progress.update(merge_bar, completed=int(over), state=second["state"].lower())
            if lines and (over or time.monotonic() - said >= SAY_EVERY):
                said = time.monotonic()
                print(
                    f"{ended}/{shards} shards ended, {running}; merge {second['state'].lower()}",
                    flush=True,
                )
            if over:
                return first, second
            interrupted.wait(LOOK_EVERY)


def figures(first: dict[str, Any], second: dict[str, Any]) -> str:
    """The run in one paragraph."""
    wall = second["end_time"] - first["submit_time"]
    cpu = first["usage"]["cpu_time"] + second["usage"]["cpu_time"]
    peak = max(first["usage"]["max_rss"], second["usage"]["max_rss"])
    return (
        f"jobs         {first['elements']['total'] + 1}, in 2 submissions\n"
        f"wall time    {wall:.1f} s, from the first submit to the last end\n"
        f"CPU time     {cpu:.1f} s in the jobs ({cpu / wall:.1f} CPUs busy on average)\n"
        f"peak memory  {peak / 2**20:.0f} MiB in one job"
    )


def census(results: Path, shards: int) -> None:
    """Submit, watch, print."""
    os.chdir(results)  # a job runs, and its output file lies, where it was submitted
    array = submit(
        *("--name", "census", "--array", f"0-{shards - 1}", "--time", "10", "--output", "%a.out"),
        *("--", sys.executable, f"{HERE}/shard.py", "."),
    )
    merge = submit(
        *("--name", "merge", "--dependency", f"afterok:{array}", "--output", "merge.out"),
        *("--", sys.executable, f"{HERE}/merge.py", ".", str(shards)),
    )
    jobs = watch(array, merge)
    for job in jobs:
        if job["state"] != "COMPLETED":
            raise Failed(explanation(job, results))
    console.print(f"\n{(results / 'merge.out').read_text()}", markup=False)
    console.print(figures(*jobs))


def explanation(job: dict[str, Any], results: Path) -> str:
    """Why a job did not complete, with the last lines that any of its processes wrote."""
    texts = [path.read_text(errors="replace").strip() for path in sorted(results.glob("*.out"))]
    wrote = next((text for text in texts if "Error" in text), "")
    return (
        f"job {job['id']} ({job['name']}) is {job['state']}: {job.get('reason')}\n{wrote}".strip()
    )


@contextlib.contextmanager
def own_scheduler() -> Iterator[Path]:
    """A scheduler of our own in a temporary home; whatever happens, nothing of it is left."""
    home = Path(tempfile.mkdtemp(prefix="hpc-demo-", dir="/tmp"))  # a socket's path must be short
    os.environ["HPCSHELL_HOME"] = str(home)
    console.print(f"$ export HPCSHELL_HOME={home}\n", style="bold", markup=False)
    try:
        yield home
    finally:
        if (home / "state").exists():
            hpc("daemon", "stop", "--cancel")
        shutil.rmtree(home, ignore_errors=True)


def stop_if_interrupted() -> None:
    """Give up, if Ctrl-C was pressed."""
    if interrupted.is_set():
        raise KeyboardInterrupt


def main() -> int:
    """Exit code: 0 when the table was printed, 1 when something failed, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(description="A census of Python's standard library.")
    parser.add_argument("--shards", type=int, default=32, help="elements of the array (32)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy the results there")
    chosen = parser.parse_args()
    if chosen.shards < 1:
        parser.error("--shards must be at least 1")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: interrupted.set())
    try:
        with own_scheduler() as home:
            results = home / "results"
            results.mkdir()
            census(results, chosen.shards)
            if chosen.keep:
                shutil.copytree(results, chosen.keep, dirs_exist_ok=True)
    except (Failed, hpcshell.HpcError) as failure:
        print(f"census: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("census: interrupted; its jobs are cancelled, its daemon is stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
