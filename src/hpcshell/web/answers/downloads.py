"""A file as an answer: saved and never shown, whole or in part.

    return download(request.headers, context, descriptor, "best.pt", etag='"3f..."')

Whatever a file holds, the browser is told to save it: as text where it is a log or the like, as
bytes where it is anything else. A page or a picture with a script in it is bytes, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from io import FileIO
from typing import Any, Final
from urllib.parse import quote as percent

from litestar import Response
from litestar.response import Stream

from hpcshell.web.context import Context
from hpcshell.web.requests.errors import NotSatisfiable

BLOCK: Final = 1 << 18
TEXTS: Final = frozenset(
    {
        *("txt", "log", "out", "err", "csv", "tsv", "json", "jsonl", "yaml", "yml", "toml", "ini"),
        *("cfg", "conf", "md", "rst", "py", "sh", "r", "jl", "tex", "diff", "patch"),
    }
)
"""Endings of names of files that are sent as text/plain."""
_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._+ -]")


def part(wanted: str | None, size: int) -> range | None:
    """The bytes that a Range header means; `None`: all of them, as for several ranges and for
    what is no range. Raises `NotSatisfiable`."""
    found = _RANGE.fullmatch(wanted.strip()) if wanted else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":  # the last so many
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < first:
            return None
    if first >= size or (found[1] == "" and int(found[2]) == 0):
        raise NotSatisfiable(size)
    return range(first, last + 1)


def kind_of(name: str) -> str:
    """The media type that a file of this name is sent as."""
    ending = name.rpartition(".")[2].lower()
    return "text/plain; charset=utf-8" if ending in TEXTS else "application/octet-stream"


def disposition(name: str) -> str:
    """Content-Disposition of a file to be saved under the last part of this name (RFC 6266)."""
    last = name.rpartition("/")[2]
    plain = _PLAIN.sub("_", last).strip(" .") or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{percent(last, safe='')}"


def download(
    headers: Any, context: Context, descriptor: int, name: str, etag: str | None = None
) -> Response[Any]:
    """An answer that sends an open file to whoever sent these headers, and closes it. Raises
    `NotSatisfiable`."""
    file = open(descriptor, "rb", buffering=0)  # noqa: SIM115  # closed when nobody has it any more
    found = os.fstat(descriptor)
    tag = etag or f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"'
    sent = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _knows(headers.get("if-none-match"), tag):
        return Response(b"", status_code=304, headers=sent)
    same = headers.get("if-range", tag) == tag
    chosen = part(headers.get("range"), found.st_size) if same else None
    if chosen is not None:
        sent["Content-Range"] = f"bytes {chosen[0]}-{chosen[-1]}/{found.st_size}"
    wanted = range(found.st_size) if chosen is None else chosen
    return Stream(
        _blocks(context, file, wanted),
        status_code=200 if chosen is None else 206,
        headers={
            **sent,
            "Accept-Ranges": "bytes",
            "Content-Disposition": disposition(name),
            "Content-Length": str(len(wanted)),
            "Content-Type": kind_of(name),  # as a media type, it gives way to that of the route
        },
    )


def _knows(said: str | None, tag: str) -> bool:
    return said is not None and (
        said.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in said.split(","))
    )


async def _blocks(context: Context, file: FileIO, wanted: range) -> AsyncIterator[bytes]:
    """The bytes of the file; fewer, where it has become shorter meanwhile."""
    at, stop = wanted.start, wanted.stop
    with file:
        while at < stop:
            block = await context.work(os.pread, file.fileno(), min(BLOCK, stop - at), at)
            if not block:
                return
            at += len(block)
            yield block
