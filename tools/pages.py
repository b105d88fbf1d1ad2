"""What the generators of docs/reference share: write the pages, or tell which are stale."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"

MARK = "<!-- Generated: `make reference` writes this page anew. -->\n\n"


def main_for(pages: Mapping[Path, Callable[[], str]]) -> int:
    """Write each page, or with `--check` say which are stale; exit code 1 if one is."""
    if sys.argv[1:] not in ([], ["--check"]):
        print(f"usage: {Path(sys.argv[0]).name} [--check]", file=sys.stderr)
        return 2
    check = bool(sys.argv[1:])
    stale = [path for path, text in pages.items() if not update(path, text(), check)]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is stale\n  hint: make reference", file=sys.stderr)
    return 1 if stale else 0


def update(path: Path, text: str, check: bool) -> bool:
    """Whether the page is right now: it was, or it has been written."""
    if path.exists() and path.read_text("utf-8") == finished(text):
        return True
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(finished(text), "utf-8")
    return not check


def finished(text: str) -> str:
    """The page as it is written to disk."""
    return MARK + text.rstrip("\n") + "\n"
