"""The folder of a sweep: everything that is known of it, but how its jobs stand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from hpcshell.core.errors import HpcError, NotFound, NotYet, Refused, Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import nearest, quote
from hpcshell.flow.spec import Params, Spec
from hpcshell.sweeps import disk
from hpcshell.sweeps.ledger import Ledger

OUTPUTS: Final = "sweeps/outputs"
"""Where the sweeps of a project are."""
LATEST: Final = ".latest"
SCHEMA: Final = 1


class Manifest(Record, frozen=True, kw_only=True):
    """`project`: the directory that points run in. `source`: the file of the specification; "" for
    one that a program made. `code`: the snapshot of the project they run in; "": the project
    itself. `limit`: only so many points, the first ones. `points`: how many are listed, unless they
    follow from a search."""

    schema: int = SCHEMA
    id: str
    project: str
    spec: Spec
    created: float
    source: str = ""
    code: str = ""
    limit: int | None = None
    points: int = 0


class Row(Record, frozen=True, kw_only=True):
    """A point as it is listed. `folder`: the name of its folder, where that is not its id."""

    id: str
    params: Params
    folder: str = ""


_rows = msgspec.json.Decoder(Row)
_encoder = msgspec.json.Encoder()


class Folder:
    """One sweep's folder, at `path`."""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def id(self) -> str:
        return os.path.basename(self.path)

    def file(self, name: str) -> str:
        return f"{self.path}/{name}"

    def directory(self, row: Row) -> str:
        """The folder of one point."""
        return f"{self.path}/points/{row.folder or row.id}"

    def batch(self, key: str) -> str:
        return f"{self.path}/batches/{key}"

    def manifest(self) -> Manifest:
        """Raises `NotFound` where there is no sweep, `Wrong` for one of another version."""
        path = self.file("sweep.json")
        try:
            content = disk.read(path)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(
                f"there is no sweep in {quote(self.path, 200)}", "hpc sweep recent lists them"
            ) from None
        except OSError as error:
            raise disk.trouble(path, error, "read") from None
        try:
            found = msgspec.json.decode(content, type=Manifest)
        except msgspec.MsgspecError as error:
            raise Wrong(
                f"{quote(path, 200)} is damaged, or of another version: {error}",
                "move the folder away, and run the sweep again",
            ) from None
        return replace(found, project=self.project, source=self._moved(found))

    @property
    def project(self) -> str:
        """The directory that the sweep is of, wherever that has been moved to."""
        return self.path.removesuffix(f"/{OUTPUTS}/{self.id}")

    def _moved(self, manifest: Manifest) -> str:
        """The file of the specification, which was moved along if it lies in the project."""
        if not manifest.source.startswith(f"{manifest.project}/"):
            return manifest.source
        return self.project + manifest.source.removeprefix(manifest.project)

    def write(self, manifest: Manifest) -> None:
        disk.write_whole(self.file("sweep.json"), [_encoder.encode(manifest)])

    def rows(self) -> list[Row]:
        """The points, in order."""
        return list(self._rows())

    def _rows(self) -> Iterator[Row]:
        path = self.file("points.jsonl")
        for number, line in enumerate(disk.lines(path), start=1):
            if line.endswith(b"\n"):  # else it was torn as it was added
                yield _row(line, f"{path}:{number}")

    def write_rows(self, rows: Iterable[Row]) -> int:
        """List these points, and no others; how many they are."""
        count = 0

        def pieces() -> Iterator[bytes]:
            nonlocal count
            for count, row in enumerate(rows, start=1):  # noqa: B007
                yield _encoder.encode(row) + b"\n"

        disk.write_whole(self.file("points.jsonl"), pieces())
        return count

    def check(self, manifest: Manifest) -> None:
        """Raises `Wrong` where points are missing from the list."""
        there = sum(1 for _ in disk.lines(self.file("points.jsonl")))
        if there < manifest.points:
            raise Wrong(
                f"{quote(self.file('points.jsonl'), 200)} has {there:,} points, and had"
                f" {manifest.points:,}",
                "hpc sweep run with the sweep's file lists them again",
            )

    def add_row(self, row: Row) -> None:
        disk.append(self.file("points.jsonl"), _encoder.encode(row))

    def ledger(self) -> Ledger:
        return Ledger(self.file("jobs.jsonl"))

    def lock(self, *, wait: bool = True) -> Any:
        """Whoever submits points of this sweep is alone."""
        return disk.locked(self.file("lock"), wait=wait)

    def busy(self) -> bool:
        """Whether somebody submits points of it now."""
        try:
            with self.lock(wait=False):
                return False
        except NotYet:
            return True
        except HpcError:  # a folder that can only be read
            return False


def _row(line: bytes, where: str) -> Row:
    try:
        return _rows.decode(line)
    except msgspec.MsgspecError as error:
        raise Wrong(f"{quote(where, 200)}: {error}", "run the sweep again: hpc sweep run") from None


def outputs(project: str) -> str:
    return f"{os.path.abspath(project)}/{OUTPUTS}"


def check_id(text: str) -> str:
    """An id is the name of a folder. Raises `Wrong`."""
    bad = next((one for one in text if one in "/\\" or not one.isprintable()), None)
    if bad is not None:
        raise Wrong(
            f"the sweep's name {quote(text)} has {quote(bad)} in it",
            "it becomes the name of a folder: write it with - or _",
        )
    if not text or text.startswith((".", "-")) or len(text.encode()) > 100 or text != text.strip():
        raise Wrong(
            f"{quote(text)} cannot be the name of a sweep",
            "at most 100 bytes, with neither a dot, a dash nor a blank at its ends",
        )
    return text


def make(project: str, id: str) -> Folder:
    """The folder for a sweep of this id, new or there already."""
    path = f"{outputs(project)}/{check_id(id)}"
    try:
        os.makedirs(f"{path}/points", exist_ok=True)
        os.makedirs(f"{path}/batches", exist_ok=True)
    except OSError as error:
        raise disk.trouble(path, error, "made") from None
    return Folder(path)


def remember(folder: Folder) -> None:
    """This is the latest sweep of the directory."""
    disk.write_whole(f"{os.path.dirname(folder.path)}/{LATEST}", [folder.id.encode()])


def found(project: str, id: str | None = None) -> Folder:
    """The sweep of this id, or the latest one. Raises `NotFound`."""
    root = outputs(project)
    if id is None:
        latest = _latest(root)
        if latest is None:
            raise NotFound(
                f"there is no sweep in {quote(os.path.abspath(project), 200)}",
                "hpc sweep run starts one; hpc sweep init writes its file",
            )
        return Folder(f"{root}/{latest}")
    here = os.path.realpath(id) if "/" in id else f"{root}/{check_id(id)}"
    if not os.path.exists(f"{here}/sweep.json"):
        near = nearest(id, known(project))
        hint = f"did you mean {near}?" if near else "hpc sweep recent lists them"
        raise NotFound(f"there is no sweep {quote(id)} here", hint)
    return Folder(here)


def known(project: str) -> list[str]:
    """The ids of all sweeps of a project. What has a dot before its name is none."""
    try:
        with os.scandir(outputs(project)) as entries:
            there = (one for one in entries if not one.name.startswith("."))
            return sorted(one.name for one in there if os.path.exists(f"{one.path}/sweep.json"))
    except OSError:
        return []


def _latest(root: str) -> str | None:
    try:
        name = disk.read(f"{root}/{LATEST}", 200).decode().strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    if name and "/" not in name and os.path.exists(f"{root}/{name}/sweep.json"):
        return name
    stamps = {
        name: os.stat(f"{root}/{name}/sweep.json").st_mtime
        for name in known(os.path.dirname(os.path.dirname(root)))
    }
    return max(stamps, key=lambda name: stamps[name], default=None)


def check_same(manifest: Manifest, source: str, project: str) -> None:
    """Raises `Refused` for a folder that is another sweep's."""
    if manifest.source != source or manifest.project != project:
        theirs = manifest.source or "a program"
        raise Refused(
            f"the sweep {quote(manifest.id)} is that of {quote(theirs, 200)}",
            "give this one another name: --sweep-id NAME, or `name:` in its file",
        )
