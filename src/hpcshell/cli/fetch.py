"""`hpc fetch`: what jobs have written on clusters, brought here."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli import exits
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.client.client import Client
from hpcshell.core.errors import HpcError

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door

_ID: Final = re.compile(r"(?a)(?:[\w.-]+:)?(?:@|w?[0-9]+)[\w@~\[\],.-]*\Z")
"""What is an id wherever it stands: 12, 12_3, 4-7, w7, @, @~2, mycluster:12."""

File = dict[str, Any]


@verb(
    "fetch",
    "hpc fetch 12 --on mycluster",
    "hpc fetch @ out.csv 'log/*.txt' --to results",
    "hpc fetch 12 13 --force",
    on=True,
)
@ids_argument()
@click.option(
    "--to",
    metavar="DIR",
    default="",
    help="Put the files there, instead of where it was submitted from.",
)
@click.option("--force", is_flag=True, help="Also replace files that are newer here.")
def command(talk: Talk, ids: tuple[str, ...], to: str, force: bool) -> int:
    """Bring back what jobs have written on clusters.

    The first word names a job, and so do others that look like an id; the rest are files,
    directories and patterns, relative to the job's working directory there. Without any, what
    --stage-out named, or all of a directory that is the job's own. Every file is compared once it
    is here; nothing that is newer here is replaced, and a transfer that broke is gone on with.
    """
    named, names = _parted(selectors(ids, "@"))
    if not named:
        return 0
    way = door()
    if isinstance(way, Client):
        return _nothing_to_do(talk, way, named)
    into = os.path.abspath(to) if to else ""
    files = way.call("fetch", ids=named, names=tuple(names), into=into, force=force)["files"]
    present(talk, files)
    return verdict(files)


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """The jobs and the files."""
    jobs = [word for place, word in enumerate(words) if place == 0 or _ID.match(word)]
    return jobs, [word for place, word in enumerate(words) if place and not _ID.match(word)]


def _nothing_to_do(talk: Talk, way: Client, ids: list[str]) -> int:
    views = way.call("show", ids=ids, story=False)["jobs"]
    files = [
        {
            "id": view["id"],
            "name": ".",
            "path": view["cwd"],
            "how": "unchanged",
            "why": "it ran on this machine",
        }
        for view in views
    ]
    present(talk, files)
    return exits.OK


def present(talk: Talk, files: list[File]) -> None:
    """What came, to stdout; what did not, and why, to stderr."""
    if talk.json:
        talk.document({"schema": SCHEMA, "files": files})
    else:
        came = [file for file in files if file["how"] in ("fetched", "unchanged")]
        talk.data(*(file["path"] if talk.quiet else _line(file) for file in came))
    complain(talk, files)


def _line(file: File) -> str:
    why = f" ({file['why']})" if file["why"] else ""
    return f"{file['how']} {file['path']}{why}"


def complain(talk: Talk, files: list[File]) -> None:
    """What did not come, and why."""
    for file in files:
        if file["how"] in ("kept", "left out"):
            hint = "; --force replaces it" if "newer" in (file["why"] or "") else ""
            talk.warn(f"{file['how']}: {file['path']}: {file['why']}{hint}")
        elif file["how"] == "missing":
            talk.warn(f"missing: job {file['id']} has no {file['name']}: {file['why']}")


def verdict(files: list[File]) -> int:
    """The exit code: 3 if something that was named is not there, 4 if something was not
    replaced."""
    hows = {file["how"] for file in files}
    if "missing" in hows:
        return exits.NOT_FOUND
    return exits.REFUSED if "kept" in hows else exits.OK


def bring_back(talk: Talk, way: Door, ends: list[dict[str, Any]]) -> tuple[list[File], int]:
    """What the jobs that have ended were to bring back, and the exit code of that."""
    several = hasattr(way, "desks")
    names = [f"{end['cluster']}:{end['id']}" if several else str(end["id"]) for end in ends]
    ids = list(dict.fromkeys(names))
    if isinstance(way, Client) or not ids:
        return [], exits.OK
    try:
        files: list[File] = way.call("fetch", ids=ids, staged=True)["files"]
    except HpcError as error:
        talk.warn(f"hpc: what it wrote was not fetched: {error.message}", "  hint: hpc fetch")
        return [], error.exit_code
    complain(talk, files)
    if not talk.json:
        came = [file for file in files if file["how"] == "fetched"]
        talk.say(*(_line(file) for file in came))
    return files, verdict(files)
