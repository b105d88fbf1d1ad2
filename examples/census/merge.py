"""The dependent job: add the shards' counts up and print the table.

merge.py RESULTS SHARDS
"""

import json
import platform
import sys
from pathlib import Path

from shard import Counts, add

COLUMNS = ("modules", "lines", "functions", "documented", "classes", "tries", "longest")
ROWS = 14


def merged(results: Path, shards: int) -> dict[str, Counts]:
    """Package -> its counts, over all shards; a shard that is not there is an error."""
    packages: dict[str, Counts] = {}
    for index in range(shards):
        for package, counts in json.loads((results / f"shard-{index}.json").read_text()).items():
            add(packages.setdefault(package, {}), counts)
    return packages


def row(name: str, counts: Counts) -> str:
    """One line of the table."""
    return f"{name:<18}" + "".join(f"{counts.get(column, 0):>11,}" for column in COLUMNS)


def print_table(packages: dict[str, Counts]) -> None:
    """The largest packages, the rest in one line, and the sum."""
    by_size = sorted(packages, key=lambda name: -packages[name]["lines"])
    rest: Counts = {}
    total: Counts = {}
    for place, name in enumerate(by_size):
        add(total, packages[name])
        if place >= ROWS:
            add(rest, packages[name])
    header = f"{'package':<18}" + "".join(f"{column:>11}" for column in COLUMNS)
    print(f"The standard library of Python {platform.python_version()}\n\n{header}")
    print("-" * len(header))
    for name in by_size[:ROWS]:
        print(row(name, packages[name]))
    if rest:
        print(row(f"({len(by_size) - ROWS} others)", rest))
    print("-" * len(header))
    print(row("all", total))


def main() -> None:
    """Merge, keep the whole result beside the shards, print the table."""
    results, shards = Path(sys.argv[1]), int(sys.argv[2])
    packages = merged(results, shards)
    (results / "census.json").write_text(json.dumps(packages, indent=1, sort_keys=True))
    print_table(packages)


if __name__ == "__main__":
    main()
