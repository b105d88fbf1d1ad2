"""Which files of a project could be what a sweep runs; none of them is imported or run.

A walk that is bounded: directories of tools, tests and results are passed by, links to directories
are not followed, and of a project of any size only so many entries are looked at, those nearest to
its top first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from hpcshell.core.records import Record
from hpcshell.sweeps.arguments import Interface, read_python, read_text

ENTRIES: Final = 200_000
"""Entries of directories that are looked at."""
FILES: Final = 2_000
"""Scripts that are read."""
DEEPEST: Final = 8
NAMED_SO: Final = "is named so"
"""The sign that is a name, as `train.py`."""

_PASSED_BY: Final = frozenset(
    {"node_modules", "__pycache__", "site-packages", "venv", "env", "virtualenv"}
    | {"tests", "test", "testing", "docs", "build", "dist", "third_party", "vendor"}
    | {"outputs", "multirun", "wandb", "mlruns", "lightning_logs"}
)
_ENVIRONMENT: Final = ("pyvenv.cfg", "conda-meta")
"""What lies in a directory of an environment of Python, whatever it is called."""
_NO_SCRIPT: Final = re.compile(r"(setup|conftest|noxfile|__init__|test_.*|.*_test)\.py")
_USUAL_NAME: Final = re.compile(r"(?i)(train|main|run|experiment|sweep)[^/]*\.(py|sh|jl|r)")
_ARGUMENTS: Final = {
    ".sh": (r"\$[1-9@*#]|\$\{[1-9@*#]|\bgetopts\b", "takes arguments"),
    ".jl": (r"\bARGS\b|\bArgParse\b", "takes arguments"),
    ".R": (r"\bcommandArgs\b|\boptparse\b|\bargparse\b", "takes arguments"),
}
_RUN_BY: Final = {".py": "python3", ".sh": "sh", ".jl": "julia", ".R": "Rscript"}


class Candidate(Record, frozen=True, kw_only=True):
    """A script, by its path from the project's directory. `why`: what speaks for it."""

    path: str
    why: tuple[str, ...]
    interface: Interface = Interface()

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it, without arguments."""
        runner = _RUN_BY[_suffix(self.path)]
        if self.interface.shell:
            runner = self.interface.shell
        return runner, self.path


class Looked(Record, frozen=True, kw_only=True):
    """What was found. `whole`: no bound ended the walk."""

    candidates: tuple[Candidate, ...]
    whole: bool = True


def look_for_scripts(project: str) -> Looked:
    """The scripts of a project that read arguments, have a main part, or are named so."""
    walk = _Walk(project)
    found = [candidate for path in walk if (candidate := candidate_at(project, path))]
    found.sort(key=lambda each: (NAMED_SO not in each.why, each.path.count("/"), each.path))
    return Looked(candidates=tuple(found), whole=walk.whole)


def candidate_at(project: str, path: str) -> Candidate | None:
    """The script at `path` as one that could be meant; None where nothing speaks for it."""
    text = read_text(os.path.join(project, path))
    if text is None:
        return None
    named = (NAMED_SO,) if _USUAL_NAME.fullmatch(os.path.basename(path)) else ()
    if path.endswith(".py"):
        interface = read_python(text, os.path.dirname(os.path.join(project, path)))
        why = (*interface.signs, *named)
    else:
        pattern, sign = _ARGUMENTS[_suffix(path)]
        why = (*((sign,) if re.search(pattern, text) else ()), *named)
        interface = Interface(shell="bash" if re.match(r"#!.*\bbash\b", text) else "")
    return Candidate(path=path, why=why, interface=interface) if why else None


class _Walk:
    """The paths of what is named as a script, those nearest to the top first."""

    def __init__(self, project: str) -> None:
        self.whole = True
        self._project = project
        self._entries = self._files = 0

    def __iter__(self) -> Iterator[str]:
        level = [""]
        for _ in range(DEEPEST):
            below: list[str] = []
            for folder in level:
                files, folders = self._listed(folder)
                below += folders
                for path in files:
                    self._files += 1
                    if self._files > FILES:
                        self.whole = False
                        return
                    yield path
            level = below
        self.whole = self.whole and not level

    def _listed(self, folder: str) -> tuple[list[str], list[str]]:
        """Its scripts and its folders that are worth a look, each as a path from the project."""
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(os.path.join(self._project, folder)) as entries:
                for entry in entries:
                    self._entries += 1
                    if self._entries > ENTRIES:
                        self.whole = False
                        break
                    if folder and entry.name in _ENVIRONMENT:
                        return [], []
                    self._sort_in(folder, entry, files, folders)
        except OSError:  # not ours to read, or gone
            return [], []
        return sorted(files), sorted(folders)

    def _sort_in(
        self, folder: str, entry: os.DirEntry[str], files: list[str], folders: list[str]
    ) -> None:
        name = entry.name
        if name.startswith(".") or not name.isprintable():
            return
        path = f"{folder}/{name}" if folder else name
        if entry.is_dir(follow_symlinks=False):
            if name.lower() not in _PASSED_BY:
                folders.append(path)
        elif _suffix(name) in _RUN_BY and not _NO_SCRIPT.fullmatch(name):
            files.append(path)


def _suffix(path: str) -> str:
    suffix = os.path.splitext(path)[1]
    return ".R" if suffix == ".r" else suffix
