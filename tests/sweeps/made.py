"""Points with folders as the tests make them up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpcshell.sweeps.standing import Standing


def standing(directory: Path, index: int = 0, state: str = "COMPLETED", **others: Any) -> Standing:
    """A point of a parameter `lr`, whose folder is made below the directory."""
    folder = directory / f"{index:016x}"
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"params": {"lr": 0.1 * (index + 1)}, "exit_code": 0, **others}
    return Standing(index=index, id=folder.name, state=state, directory=str(folder), **fields)


def leave(found: Standing, **files: str | bytes) -> Standing:
    """Write files into its folder: `stdout`, `stderr`, `json` and `jsonl` (its metrics)."""
    names = {"json": "metrics.json", "jsonl": "metrics.jsonl"}
    for name, content in files.items():
        whole = content if isinstance(content, bytes) else content.encode()
        (Path(found.directory) / names.get(name, name)).write_bytes(whole)
    return found
