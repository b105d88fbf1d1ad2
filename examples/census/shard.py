"""One element of the array: parse every n-th file of the standard library and count what is in it.

    shard.py RESULTS

Which shard this is, and of how many, the scheduler says in HPC_ARRAY_TASK_ID and
HPC_ARRAY_TASK_COUNT. The counts go to RESULTS/shard-<index>.json, whole or not at all, so that a
shard may be run again.
"""

import ast
import json
import os
import sys
import sysconfig
from collections import Counter
from pathlib import Path

LIBRARY = Path(sysconfig.get_path("stdlib"))
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
Counts = dict[str, int]


def library_files() -> list[Path]:
    """The library's own modules, largest first, so that every n-th of them makes an even share."""
    files = [
        path
        for path in LIBRARY.rglob("*.py")
        if not SKIPPED.intersection(path.relative_to(LIBRARY).parts)
    ]
    return sorted(files, key=lambda path: (-path.stat().st_size, path))


def package_of(path: Path) -> str:
    """`asyncio` for asyncio/events.py; `(single modules)` for heapq.py."""
    parts = path.relative_to(LIBRARY).parts
    return parts[0] if len(parts) > 1 else "(single modules)"


def census(source: bytes) -> Counts:
    """What one module holds. Raises SyntaxError or ValueError for text that is no Python."""
    tree = ast.parse(source)
    counts: Counter[str] = Counter(modules=1, lines=source.count(b"\n"))
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                counts["functions"] += 1
                counts["documented"] += ast.get_docstring(node, clean=False) is not None
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                counts["longest"] = max(counts["longest"], length)
            case ast.ClassDef():
                counts["classes"] += 1
            case ast.Try():
                counts["tries"] += 1
        counts["nodes"] += 1
    return dict(counts)


def add(total: Counts, counts: Counts) -> None:
    """Add `counts` into `total`; the longest function is not a sum."""
    for name, count in counts.items():
        known = total.get(name, 0)
        total[name] = max(known, count) if name == "longest" else known + count


def main() -> None:
    """Count this shard's files and write the result."""
    results = Path(sys.argv[1])
    index = int(os.environ["HPC_ARRAY_TASK_ID"])
    shards = int(os.environ["HPC_ARRAY_TASK_COUNT"])
    packages: dict[str, Counts] = {}
    for path in library_files()[index::shards]:
        try:
            counts = census(path.read_bytes())
        except (SyntaxError, ValueError) as error:  # templates and the like
            print(f"skipped {path.name}: {error}")
            continue
        add(packages.setdefault(package_of(path), {}), counts)
    draft = results / f".shard-{index}.tmp"
    draft.write_text(json.dumps(packages))
    draft.rename(results / f"shard-{index}.json")
    print(f"shard {index} of {shards}: {sum(p['modules'] for p in packages.values())} modules")


if __name__ == "__main__":
    main()
