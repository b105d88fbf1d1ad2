"""What does it cost to collect the results of 20,000 points, and to report on them?

Points with small results of each kind (`metrics.json`, `metrics.jsonl`, printed lines) are written
first, a third of each; then they are read into one table, the table is written as CSV and JSON, and
the report is worked out. All of it is in the page cache: what a disk costs is not in it.

    python benchmarks/sweep_collecting.py [--points 20000] [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from hpcshell.flow.results.report import Asked, reported
from hpcshell.sweeps.collecting import collected, table
from hpcshell.sweeps.errors import errors
from hpcshell.sweeps.exporting import encoded
from hpcshell.sweeps.standing import Standing

from harness.figures import Goal, misses
from harness.report import goal_table

POINTS = 20_000
GOALS = (
    Goal("collect", "collecting into one table", "s", at_most=10.0),
    Goal("csv", "written as CSV", "s", at_most=3.0),
    Goal("json", "written as JSON", "s", at_most=3.0),
    Goal("report", "report of it", "s", at_most=3.0),
    Goal("errors", "errors grouped, every tenth point failed", "s", at_most=5.0),
)
TRACEBACK = """Traceback (most recent call last):
  File "/project/train.py", line 12, in step
    raise ValueError(f"loss is {loss}")
ValueError: loss is 3.5
"""


def written(directory: Path, index: int) -> Standing:
    """One point and what it left; every tenth failed."""
    params = {"lr": 10.0 ** -(index % 5), "layers": index % 7, "opt": ("adam", "sgd")[index % 2]}
    loss = 0.1 + index % 97
    directory.mkdir()
    (directory / "stdout").write_text("epoch 1: loss=9.5\n" * 5 + f"loss={loss} acc=0.5\n")
    if index % 3 == 0:
        (directory / "metrics.json").write_text(f'{{"loss": {loss}, "val": {{"acc": 0.9}}}}')
    elif index % 3 == 1:
        lines = [f'{{"step": {step}, "loss": {loss + 9 - step}}}\n' for step in range(10)]
        (directory / "metrics.jsonl").write_text("".join(lines))
    failed = index % 10 == 9
    (directory / "stderr").write_text(TRACEBACK if failed else "")
    return Standing(
        index=index,
        id=f"{index:016x}",
        params=params,
        state="FAILED" if failed else "COMPLETED",
        exit_code=int(failed),
        start=1000.0,
        end=1000.0 + index % 600,
        job=f"7_{index}",
        on="local",
        directory=str(directory),
    )


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and how many seconds it took."""
    begun = monotonic()
    found = work()
    return found, monotonic() - begun


def measure(folder: Path, count: int) -> dict[str, float]:
    """All figures, over points that are written there."""
    standings = [written(folder / f"{index:016x}", index) for index in range(count)]
    whole, collect = timed(lambda: table(standings))
    if len(whole.rows) != count or None in whole.column("loss"):
        raise SystemExit("results are missing")
    points = collected(standings)
    groups, of_errors = timed(lambda: errors(standings))
    asked = Asked(metric="loss")
    return {
        "collect": collect,
        "csv": timed(lambda: encoded(whole, "csv"))[1],
        "json": timed(lambda: encoded(whole, "json"))[1],
        "report": timed(lambda: reported(points, groups, asked))[1],
        "errors": of_errors,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the points")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a goal is missed")
    options = parser.parse_args()
    count = options.points // 10 if options.quick else options.points
    with tempfile.TemporaryDirectory() as directory:
        figures = measure(Path(directory), count)
    print(f"{count:,} points")
    print(goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
