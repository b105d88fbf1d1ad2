"""What does it cost to watch eight GPUs, and to be told of them?

A sampler asks a library with NVML's symbols about eight cards, each with a process, once a second;
what a real driver spends on its own answers is not in it. Meanwhile the feed's surveys are
taken without pause, and the rounds that the library is asked are counted. Needs gcc.

    python benchmarks/gpus.py [--seconds 20] [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from time import monotonic, process_time
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # the library is one of the tests' things

from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine.gpus.feed import Feed
from hpcshell.machine.processes import children_of
from tests.support.nvml.play import Play, Process, box, build

from harness.accounting import process_seconds
from harness.figures import Goal, misses
from harness.report import goal_table

CARDS = 8
KINDS = ("Compute", "Graphics", "MPSCompute")
START = 10.0
GOALS = (
    Goal("sampler", "sampler, 8 cards once a second", "% of a core", at_most=1.0),
    Goal("taking", "scheduler, of that", "% of a core", at_most=0.1),
    Goal("rounds", "rounds of NVML", "a second", at_most=1.2),
    Goal("asking", "to ask for surveys again", "microseconds", at_most=50.0),
    Goal("first", "first survey after the start", "s", at_most=2.0),
)


class Watched(NamedTuple):
    """What was measured over so many seconds."""

    seconds: float
    sampler: float
    ours: float
    rounds: int
    surveys: int


def watch(feed: Feed, pid: int, rounds: Path, seconds: float) -> Watched:
    """Take surveys as they come, as the scheduler does."""
    feed.take()
    counted, surveys = rounds.stat().st_size, 0
    begun, theirs, ours = monotonic(), process_seconds(pid), process_time()
    while (left := begun + seconds - monotonic()) > 0:
        select.select([feed.descriptor], [], [], left)
        surveys += len(feed.take())
        feed.tend(monotonic())
    return Watched(
        monotonic() - begun,
        process_seconds(pid) - theirs,
        process_time() - ours,
        rounds.stat().st_size - counted,
        surveys,
    )


def asked_again(feed: Feed, seconds: float) -> float:
    """Microseconds of each of very many questions."""
    begun, times = process_time(), 0
    until = monotonic() + seconds
    while monotonic() < until:
        feed.take()
        times += 1
    return 1e6 * (process_time() - begun) / times


def played(directory: Path, rounds: Path, holder: int) -> None:
    """Have the library found, and play eight cards, each held by one process in several parts."""
    processes = tuple(Process(holder, 1 << 30, kind) for kind in KINDS)
    cards = tuple(replace(card, processes=processes) for card in box(CARDS))
    play = directory / "play"
    play.write_text(Play(cards, rounds=rounds).text())
    os.environ["NVML_PLAY"] = str(play)
    os.environ["LD_LIBRARY_PATH"] = str(build(directory / "library"))


def measure(directory: Path, seconds: float) -> dict[str, float]:
    """All figures, of one feed."""
    rounds = directory / "rounds"
    with ExitStack() as stack:
        holder = stack.enter_context(subprocess.Popen(["sleep", "3600"]))
        stack.callback(holder.kill)
        played(directory, rounds, holder.pid)
        settings = GpuSettings(provider="nvml", interval=1.0)
        feed = stack.enter_context(closing(Feed(settings, str(directory))))
        begun = monotonic()
        feed.open()
        first = feed.first(START)
        until_first = monotonic() - begun
        if first is None or first.trouble or len(first.cards) != CARDS:
            raise SystemExit(f"no survey: {first}")
        [pid] = set(children_of(os.getpid())) - {holder.pid}
        quiet = watch(feed, pid, rounds, seconds)
        before = monotonic(), rounds.stat().st_size
        asking = asked_again(feed, seconds / 2)
        busy = (rounds.stat().st_size - before[1]) / (monotonic() - before[0])
    print(f"{quiet.surveys} surveys in {quiet.seconds:.1f} s, {quiet.rounds} rounds")
    return {
        "sampler": 100 * quiet.sampler / quiet.seconds,
        "taking": 100 * quiet.ours / quiet.seconds,
        "rounds": max(quiet.rounds / quiet.seconds, busy),
        "asking": asking,
        "first": until_first,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--quick", action="store_true", help="five seconds")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a goal is missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpc-") as directory:
        figures = measure(Path(directory), 5.0 if options.quick else options.seconds)
    print(goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
