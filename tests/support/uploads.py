"""What lies in the directory of uploads."""

from __future__ import annotations

from pathlib import Path

from hpcshell.web.context import Context


def uploads(context: Context) -> list[str]:
    """The paths of all files there, those that are arriving left out."""
    root = Path(context.artifacts.root)
    found = (path.relative_to(root) for path in root.rglob("*") if not path.is_dir())
    return sorted(str(path) for path in found if path.parts[0] != "incoming")
