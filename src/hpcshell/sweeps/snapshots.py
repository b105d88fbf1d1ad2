"""Copies of a project that points run in, known by their content.

What is copied is what git keeps or would keep; where there is no git, all but what is made again by
itself. Equal projects have one copy. It is complete under its name, or it is not there.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from typing import Final

from hpcshell.core.errors import NotFound, Refused
from hpcshell.core.words import quote
from hpcshell.flow.spec import Snapshot
from hpcshell.sweeps import disk

SNAPSHOTS: Final = "sweeps/snapshots"
MOST_BYTES: Final = 1 << 30
MOST_FILES: Final = 50_000
_IDLE: Final = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".nox"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints"),
    }
)
"""Directories that hold nothing of a project's own."""


def take(project: str, snapshot: Snapshot, source: str = "") -> str:
    """Copy the project, unless there is such a copy; its name. `source`: the sweep's own file,
    which is left out: a study that grows has the code that it had. Raises `Refused` for what is too
    much to copy, `Broken` where there is no room."""
    own = os.path.relpath(source, project) if source else ""
    root = f"{project}/{SNAPSHOTS}"
    try:
        names = sorted(name for name in _chosen(project, snapshot) if name != own)
        _check_extent(project, names)
        os.makedirs(root, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=root) as drafts:
            draft = f"{drafts}/draft"
            name = _copy(project, names, snapshot, draft)
            _name(draft, f"{root}/{name}")
    except OSError as error:
        raise disk.trouble(error.filename or root, error) from None
    return name


def _name(draft: str, path: str) -> None:
    """It has its name, unless there is one of that name already."""
    try:
        os.rename(draft, path)
    except OSError:
        if not os.path.isdir(path):
            raise


def _copy(project: str, names: Iterable[str], snapshot: Snapshot, into: str) -> str:
    """The name that what was copied has: a hash of names, modes and contents."""
    os.makedirs(into)
    whole = hashlib.blake2b(digest_size=8)
    for name in names:
        source, copy = f"{project}/{name}", f"{into}/{name}"
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        if os.path.islink(source):
            target = os.readlink(source)
            os.symlink(target, copy)
            whole.update(_entry(name, "link", os.fsencode(target)))
            continue
        content = hashlib.blake2b(digest_size=16)
        with open(source, "rb") as file, open(copy, "wb") as written:
            while piece := file.read(1 << 20):
                content.update(piece)
                written.write(piece)
        runs = bool(os.stat(source).st_mode & 0o100)
        os.chmod(copy, 0o555 if runs else 0o444)
        whole.update(_entry(name, "x" if runs else "-", content.digest()))
    for name in snapshot.link:
        if not os.path.exists(f"{project}/{name}"):
            raise NotFound(f"snapshot: link: there is no {quote(name)}", "look at the spelling")
        os.makedirs(os.path.dirname(f"{into}/{name}"), exist_ok=True)
        os.symlink(f"{project}/{name}", f"{into}/{name}")
        whole.update(_entry(name, "data", b""))
    return whole.hexdigest()


def _entry(name: str, kind: str, content: bytes) -> bytes:
    return b"\0".join([os.fsencode(name), kind.encode(), content]) + b"\0\0"


def _chosen(project: str, snapshot: Snapshot) -> Iterator[str]:
    for name in _listed(project):
        if name.startswith(("sweeps/outputs/", f"{SNAPSHOTS}/")):
            continue
        if any(_below(name, link) for link in snapshot.link):
            continue
        if snapshot.include and not any(_matches(name, each) for each in snapshot.include):
            continue
        if not any(_matches(name, each) for each in snapshot.exclude):
            yield name


def _below(name: str, directory: str) -> bool:
    return name == directory.rstrip("/") or name.startswith(directory.rstrip("/") + "/")


def _matches(name: str, pattern: str) -> bool:
    """A pattern means files, and directories with all that is in them."""
    return fnmatch.fnmatchcase(name, pattern.rstrip("/")) or _in_match(name, pattern.rstrip("/"))


def _in_match(name: str, pattern: str) -> bool:
    parts = name.split("/")
    ups = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return any(fnmatch.fnmatchcase(up, pattern) for up in ups)


def _listed(project: str) -> Iterator[str]:
    """The files of a project, relative to it."""
    words = ["git", "-C", project, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        said = subprocess.run(words, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        said = None
    if said is not None and said.returncode == 0 and said.stdout:
        names = (os.fsdecode(name) for name in said.stdout.split(b"\0") if name)
        yield from (name for name in names if _is_file(f"{project}/{name}"))
        return
    for here, directories, found in os.walk(project):
        directories[:] = sorted(set(directories) - _IDLE)
        relative = os.path.relpath(here, project)
        prefix = "" if relative == "." else f"{relative}/"
        if prefix in ("sweeps/outputs/", f"{SNAPSHOTS}/"):
            directories.clear()
            continue
        yield from (f"{prefix}{name}" for name in found if _is_file(f"{here}/{name}"))


def _is_file(path: str) -> bool:
    return os.path.isfile(path) or os.path.islink(path)


def _check_extent(project: str, names: list[str]) -> None:
    sizes = {name: os.lstat(f"{project}/{name}").st_size for name in names[: MOST_FILES + 1]}
    total = sum(sizes.values())
    if len(names) <= MOST_FILES and total <= MOST_BYTES:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    raise Refused(
        f"a snapshot of {quote(project, 200)} would hold {len(names):,} files and "
        f"{total / (1 << 30):.1f} GiB (the largest: {', '.join(map(quote, largest))})",
        "leave out data: snapshot: {exclude: [...]}, or link it: snapshot: {link: [data]}",
    )
