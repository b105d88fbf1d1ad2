"""What a job has written on a cluster behind ssh, brought back.

It is copied into a directory beside where it is to be, compared, and only then put in its place; a
transfer that broke goes on from there. Only regular files come back, each under the name that it
has below the job's working directory. Nothing leads out of the directory that they are put into,
and nothing that is newer here is replaced unless that is wanted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from hpcshell.backends.contract import first_lines
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.staging import Pause, going_on
from hpcshell.core.commands import Words
from hpcshell.core.errors import Broken, NotFound, Wrong
from hpcshell.core.records import Record
from hpcshell.core.staging import means, shell_words
from hpcshell.core.words import safe
from hpcshell.machine.link import LinkDown
from hpcshell.machine.link.contract import check_name
from hpcshell.machine.link.copies import digest_of, listed
from hpcshell.store.ledger.entries import Entry

How = Literal["fetched", "unchanged", "kept", "left out", "missing"]
"""`kept`: what is here was not replaced. `left out`: it cannot be copied. `missing`: not there."""

WHOLE: Final = frozenset({"fetched", "unchanged", "left out"})
"""All has come that can."""
_PATIENCE: Final = 7 * 86400.0
_NO_DIRECTORY: Final = 3
_LIST: Final = r"""cd -- "$1" || exit 3
hpc_names() {
    for name in NAMES; do
        if [ -e "$name" ] || [ -h "$name" ]; then printf '%s\0' "$name"; fi
    done
}
{
    hpc_names | xargs -0 -r sh -c 'exec find "$@" -type f -exec sha256sum {} +' sh
    printf '\0'
    hpc_names | xargs -0 -r sh -c 'exec find "$@" ! -type f ! -type d -exec printf "%s\0" {} +' sh
} | od -An -v -tx1"""


class Came(Record, frozen=True, kw_only=True):
    """What became of one file: its name below the working directory, and where it is here."""

    name: str
    path: str
    how: How
    why: str = ""


class There(Record, frozen=True, kw_only=True):
    """The regular files there, with their SHA-256, what else there is, and what was complained
    of."""

    digests: Mapping[str, str]
    others: tuple[str, ...] = ()
    trouble: str = ""


def fetch(
    cluster: Cluster, entry: Entry, names: Sequence[str], into: str, pause: Pause, *, force: bool
) -> list[Came]:
    """Brings back what names and patterns mean, into a directory that is here."""
    if not os.path.isdir(into):
        raise NotFound(f"there is no directory {safe(into)} here", "name one: --to DIR")
    there = going_on(lambda: look_for(cluster, entry.spec.submission.cwd, names), pause)
    into = os.path.realpath(into)
    came = [
        Came(name=name, path=f"{into}/{name}", how="left out", why="it is no regular file")
        for name in there.others
    ]
    came += [
        Came(name=name, path="", how="missing", why=there.trouble or "there is no such file")
        for name in names
        if not any(means(name, each) for each in (*there.digests, *there.others))
    ]
    wanted = {
        name: digest
        for name, digest in there.digests.items()
        if digest_of(f"{into}/{name}") != digest
    }
    came += [
        Came(name=name, path=f"{into}/{name}", how="unchanged")
        for name in there.digests
        if name not in wanted
    ]
    if wanted:
        came += _transfer(cluster, entry, wanted, into, pause, force)
    return sorted(came, key=lambda each: each.name)


def look_for(cluster: Cluster, directory: str, names: Sequence[str]) -> There:
    """The files of a directory there that names and patterns mean. Raises `LinkDown` when no
    answer came."""
    script = _LIST.replace("NAMES", " ".join(map(shell_words, names)))
    words = Words(argv=("sh", "-c", script, "sh", directory), patience=_PATIENCE)
    answer = cluster.say(words)
    if answer.code is None:
        raise LinkDown(f"{cluster.name}: {answer.said}", "try again later")
    if answer.code == _NO_DIRECTORY:
        raise NotFound(
            f"{cluster.name} has no directory {safe(directory)} (any more)",
            "it may have been cleared up",
        )
    try:
        told = bytes.fromhex(answer.out)
    except ValueError:
        raise Broken(
            f"{cluster.name} does not list {safe(directory)}: {safe(answer.said[:200])}",
            "find, xargs, od and sha256sum have to be there",
        ) from None
    sums, _, rest = told.partition(b"\0")
    digests = dict(listed(line) for line in os.fsdecode(sums).split("\n") if line)
    others = [os.fsdecode(each).removeprefix("./") for each in rest.split(b"\0") if each]
    return There(
        digests={name: each for name, each in digests.items() if _meant(name, names)},
        others=tuple(name for name in others if _meant(name, names)),
        trouble=first_lines(answer.err),
    )


def _meant(name: str, names: Sequence[str]) -> bool:
    """Whether it is what was asked for, and a name below the directory."""
    try:
        check_name(name)
    except Wrong:
        return False
    return any(means(each, name) for each in names)


# ------------------------------------------------------------------------------------ the landing


def _transfer(
    cluster: Cluster,
    entry: Entry,
    wanted: Mapping[str, str],
    into: str,
    pause: Pause,
    force: bool,
) -> list[Came]:
    source = entry.spec.submission.cwd
    with _passing(f"{into}/.hpc-fetch-{entry.key}") as passing:
        going_on(lambda: cluster.link.fetch_some(source, wanted, passing), pause)
        return [_land(passing, into, name, force) for name in wanted]


@contextlib.contextmanager
def _passing(path: str) -> Iterator[str]:
    """The directory that files come into first, for one at a time; it stays if that fails."""
    while True:
        os.makedirs(path, mode=0o700, exist_ok=True)
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not os.path.isdir(path) or not os.path.samestat(os.fstat(held), os.stat(path)):
                continue  # whoever had it was done with it
            yield path
            shutil.rmtree(path, ignore_errors=True)
            return
        finally:
            os.close(held)


def _land(passing: str, into: str, name: str, force: bool) -> Came:
    """Puts one file in its place, if that may be."""
    source, path = f"{passing}/{name}", f"{into}/{name}"
    why = _obstacle(source, path, into, force)
    if why:
        return Came(name=name, path=path, how="kept", why=why)
    os.chmod(source, stat.S_IMODE(os.stat(source).st_mode) & 0o777)
    os.replace(source, path)
    return Came(name=name, path=path, how="fetched")


def _obstacle(source: str, path: str, into: str, force: bool) -> str:
    """Why it cannot be put there; "": it can."""
    parent = os.path.dirname(path)
    if os.path.realpath(parent) != parent:
        return f"{safe(parent)} is reached by a link"
    try:
        os.makedirs(parent, exist_ok=True)
    except OSError as error:
        return f"{safe(parent)} cannot be made: {error.strerror}"
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return ""
    if not stat.S_ISREG(found.st_mode):
        return "what has that name here is no regular file"
    if not force and found.st_mtime > os.stat(source).st_mtime:
        return "it is newer here"
    return ""
