"""Files of runs: which there are and where. What was uploaded is in `track.artifacts`."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import File
from hpcshell.track.store import runs, texts, writing
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.paging import DEFAULT, MOST, Page
from hpcshell.track.store.tables import files

KINDS: Final = ("artifact", "checkpoint")
LONGEST_PATH: Final = 1000

_COLUMNS: Final = tuple(files.c[name] for name in File.__struct_fields__)
_found: Final = select(*_COLUMNS).where(
    files.c.run_id == bindparam("run"), files.c.path == bindparam("path")
)
_listed: Final = (
    select(*_COLUMNS)
    .where(files.c.run_id == bindparam("run"), files.c.path > bindparam("after"))
    .order_by(files.c.path)
    .limit(bindparam("most"))
)


def path_of(path: str) -> str:
    """The path itself. Raises `Wrong` unless it stays within the run: no `..`, no `//`, no `/` in
    front, nothing that cannot be printed."""
    hint = "write a name such as checkpoints/epoch_10.pt"
    if not path or len(path.encode(errors="replace")) > LONGEST_PATH:
        raise Wrong(f"path: {quote(path)} is empty or longer than {LONGEST_PATH:,} bytes", hint)
    if path.startswith("/") or "\\" in path:
        raise Wrong(f"path: {quote(path)} is no path within the run", hint)
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise Wrong(f"path: {quote(path)} is no path within the run", hint)
        texts.key(part, "path")
    return path


def put(connection: Connection, file: File, now: float) -> File:
    """Note a file, or note it anew. Raises `Exists` where another would be lost by it, `NotFound`,
    `Refused` and `Wrong`."""
    if file.kind not in KINDS:
        raise Wrong(f"{quote(file.kind)} is no kind of file", "there are " + ", ".join(KINDS))
    runs.spoke(connection, file.run_id, now)
    row: dict[str, Any] = {
        "run_id": file.run_id,
        "path": path_of(file.path),
        "kind": file.kind,
        "uri": None if file.uri is None else texts.kept(file.uri, "uri", texts.LONGEST_URI),
        "size": None if file.size is None else texts.whole(file.size, "size"),
        "sha256": None if file.sha256 is None else texts.kept(file.sha256, "sha256", 64),
        "step": None if file.step is None else texts.whole(file.step, "step"),
        "created_at": file.created_at,
    }
    if file.uri is not None:
        _check_free(connection, file)
    connection.execute(writing.over(connection.dialect.name, files), row)
    return show(connection, file.run_id, file.path)


def _check_free(connection: Connection, file: File) -> None:
    """Raises `Exists` where the path is that of an upload, or of another file of another kind."""
    there = connection.execute(_found, {"run": file.run_id, "path": file.path}).first()
    if there is None or (there.uri is not None and file.uri == there.uri):
        return
    if there.uri is None or there.kind != file.kind:
        what = f"an uploaded {there.kind}" if there.uri is None else f"another {there.kind}"
        raise Exists(
            f"run {file.run_id} has {what} {quote(file.path)} already",
            'give this one another "path", or delete that first',
        )


def show(connection: Connection, run_id: str, path: str) -> File:
    """What is noted of one. Raises `NotFound` or `Wrong`."""
    whose = {"run": texts.run_id(run_id), "path": path_of(path)}
    row = connection.execute(_found, whose).first()
    if row is None:
        raise NotFound(f"run {run_id} has no file {quote(path)}", "list its files")
    return File(**row._mapping)


def page(
    connection: Connection,
    run_id: str,
    *,
    under: str = "",
    limit: int = DEFAULT,
    after: str = "",
) -> Page[File]:
    """Files by their paths, those beneath the directory `under`; `after`: the last path of the
    page before, which `Page.next` is. Raises `NotFound` or `Wrong`."""
    if not 1 <= limit <= MOST:
        raise Wrong(f"limit: {limit} is not possible", f"write 1 to {MOST}")
    runs.exists(connection, run_id)
    statement = _listed
    if under:
        front = path_of(under.rstrip("/")) + "/"
        statement = statement.where(files.c.path >= front, files.c.path < front[:-1] + "0")
    begin = texts.kept(after, "cursor", LONGEST_PATH)
    wanted = {"run": run_id, "after": begin, "most": limit + 1}
    found = [File(**row._mapping) for row in connection.execute(statement, wanted)]
    return Page(rows=found[:limit], next=found[limit - 1].path if len(found) > limit else None)


def drop(connection: Connection, run_id: str, path: str, now: float) -> None:
    """Note it no more. Raises `NotFound`, `Refused` or `Wrong`."""
    runs.touch(connection, run_id, now)
    its = files.c.run_id == run_id, files.c.path == path_of(path)
    if not connection.execute(files.delete().where(*its)).rowcount:
        raise NotFound(f"run {run_id} has no file {quote(path)}", "list its files")
