"""Files and trees of files to and from a cluster, each compared by SHA-256 once it has arrived.

Rsync carries them where both sides have it and the far account prints nothing by itself; else tar.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hpcshell.core.errors import Broken, NotFound
from hpcshell.machine.link import far, process
from hpcshell.machine.link.far import quoted
from hpcshell.machine.link.troubles import link_down

if TYPE_CHECKING:
    from hpcshell.machine.link.shell import FarShell

Digests = Mapping[str, str]
"""SHA-256 of each regular file by its name within the tree; that of a single file by ""."""
_PATIENCE: Final = 7 * 86400.0
"""Time is no sign of trouble here: a connection that is lost is noticed by ssh."""
_ESCAPES: Final = {"n": "\n", "r": "\r", "\\": "\\"}
_SEND: Final = f'{{ {far.exactly("$1")}; tar -cf - -C "$2" "$3"; }} | {{ shift 3; exec "$@"; }}'
_TAKE: Final = (
    'word=$1 into=$2; shift 2; "$@" | { while IFS= read -r line; do'
    ' case $line in "$word 0 begin "*) exec tar -xpof - -C "$into" ;; esac; done; exit 1; }'
)


def here(source: str, target: str) -> None:
    """A copy on this machine."""
    import shutil

    _check_there(source)
    with _told(source, target):
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
            shutil.copy2(source, target)
        compare(digests(source), digests(target), target)


def put(shell: FarShell, local: str, remote: str) -> None:
    """From here to there."""
    _check_there(local)
    local = os.path.abspath(local)
    with _told(local, remote):
        sent = digests(local)
        _made(shell, os.path.dirname(remote))
        end = "/" if os.path.isdir(local) else ""
        if not _rsync(shell, local + end, f"far:{remote}{end}"):
            _send(shell, local, remote)
    compare(sent, far_digests(shell, remote), f"{shell.master.destination}:{remote}")


def fetch(shell: FarShell, remote: str, local: str) -> None:
    """From there to here."""
    local = os.path.abspath(local)
    sent = far_digests(shell, remote)
    end = "" if "" in sent else "/"
    with _told(remote, local):
        os.makedirs(os.path.dirname(local), exist_ok=True)
        if not _rsync(shell, f"far:{remote}{end}", local + end):
            _take(shell, remote, local, single="" in sent)
        compare(sent, digests(local), local)


def fetch_some(shell: FarShell, directory: str, sent: Digests, local: str) -> None:
    """Regular files of a directory there, by name, into one here."""
    local = os.path.abspath(local)
    with _told(directory, local):
        os.makedirs(local, exist_ok=True)
        if not _rsync(shell, f"far:{directory}/", f"{local}/", list(sent)):
            _take_some(shell, directory, list(sent), local)
        compare(sent, {name: digest_of(f"{local}/{name}") for name in sent}, local)


@contextlib.contextmanager
def _told(source: str, target: str) -> Iterator[None]:
    """What this machine refuses (`shutil.Error` is an `OSError`, too), for a person."""
    try:
        yield
    except OSError as error:
        raise Broken(
            f"{source} cannot be copied to {target}: {error.strerror or error}.",
            hint="Is there room, and may you read the one and write the other?",
        ) from error


def compare(sent: Digests, arrived: Digests, where: str) -> None:
    """Broken unless all that was sent has arrived as it was."""
    other = sorted(name for name, digest in sent.items() if arrived.get(name) != digest)
    if other:
        first = f": {other[0]!r} first" if other[0] else ""
        raise Broken(
            f"{len(other)} of {len(sent)} files are not in {where} as they were sent{first}.",
            hint="Were they written to meanwhile? Is there room? Copy them again.",
        )


# -------------------------------------------------------------------------------------- digests


def digests(path: str) -> Digests:
    """Those of a file or a tree here; symbolic links within it are not followed."""
    if not os.path.isdir(path):
        return {"": _digest(path)} if os.path.exists(path) else {}
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)
            if os.path.isfile(file) and not os.path.islink(file):
                found[os.path.relpath(file, path)] = _digest(file)
    return found


def digest_of(path: str) -> str:
    """That of a file that may not have come; "": it has not, or is no file by itself."""
    plain = os.path.isfile(path) and not os.path.islink(path)
    return _digest(path) if plain else ""


def _digest(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def far_digests(shell: FarShell, path: str) -> Digests:
    """Those of a file or a tree there. NotFound where there is none."""
    name = quoted(path)
    said = shell.ask(
        f"if [ -d {name} ]; then cd {name} && find . -type f -exec sha256sum {{}} +\n"
        f"elif [ -e {name} ]; then sha256sum <{name}\n"
        "else echo gone; fi",
        patience=_PATIENCE,
    )
    if said.out == b"gone\n":
        raise NotFound(f"{path} is not there on {shell.master.destination}.", "Look at its name.")
    if said.code != 0:
        raise shell.broken(f"{path} cannot be read", said)
    return dict(listed(line) for line in os.fsdecode(said.out).split("\n") if line)


def listed(line: str) -> tuple[str, str]:
    """One line of sha256sum: with a backslash in front, the name has some within."""
    digest, _, name = line.partition("  ")
    if digest.startswith("\\"):
        name = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), name)
    return ("" if name == "-" else name.removeprefix("./")), digest.removeprefix("\\")


# ---------------------------------------------------------------------------------- the carriers


def _rsync(shell: FarShell, source: str, target: str, names: Sequence[str] = ()) -> bool:
    """Whether rsync did it. What it cannot do, tar tries, and says why if it cannot, either; but
    what has come over a connection that broke is not to be sent again. `names`: only those of the
    source, and no links."""
    greeted = shell.greeted()
    if greeted.noisy or not greeted.rsync:
        return False
    # It names a host, here always the same word, before the command: the link knows the way.
    way = f'shift; exec {" ".join(map(quoted, shell.master.session()))} "$@"'.replace('"', '""')
    what = ("-rptcs", "--files-from=-", "--from0") if names else ("-rlptcs",)
    argv = ("rsync", *what, "--partial", "-e", f'sh -c "{way}" rsh', "--", source, target)
    listing = os.fsencode("".join(f"{name}\0" for name in names))
    ended = process.run(argv, os.environ, listing, patience=_PATIENCE)
    if ended.code != 0 and not shell.master.up():
        raise link_down(shell.master.destination, ended.err.decode(errors="replace"))
    return ended.code == 0


def _made(shell: FarShell, directory: str) -> None:
    said = shell.ask(f"umask 077; mkdir -p {quoted(directory)}")
    if said.code != 0:
        raise shell.broken(f"{directory} cannot be made", said)


def _send(shell: FarShell, local: str, remote: str) -> None:
    word = far.new_word()
    if os.path.isdir(local):
        folder, name = local, "."
        body = f"mkdir -p {quoted(remote)} && tar -xpof - -C {quoted(remote)}"
    else:
        folder, last = os.path.split(local)
        name = f"./{last}"
        body = _single(remote, f"{remote}.{word}", last)
    program = far.body_program(word, f"umask 077\n{body}")
    argv = ("sh", "-c", _SEND, "sh", str(len(program)), folder, name)
    ended, told = _carry(shell, word, argv, program)
    (said,) = far.heard(word, 1, ended.out, ended.err)
    _check_carried(shell, said.code == 0, told or said.err.decode(errors="replace").strip())


def _single(remote: str, passing: str, name: str) -> str:
    by = quoted(passing)
    return (
        f"mkdir {by} || exit 1\ntrap 'rm -rf '{quoted(by)} EXIT\n"
        f"[ ! -d {quoted(remote)} ] && tar -xpof - -C {by}"
        f" && mv -f {quoted(f'{passing}/{name}')} {quoted(remote)}"
    )


def _take(shell: FarShell, remote: str, local: str, single: bool) -> None:
    import shutil
    import tempfile

    folder, name = os.path.split(remote) if single else (remote, "")
    into = tempfile.mkdtemp(prefix=".hpc-", dir=os.path.dirname(local)) if single else local
    try:
        os.makedirs(into, exist_ok=True)
        _take_some(shell, folder, [name], into)
        if single:
            os.replace(f"{into}/{name}", local)
    finally:
        if single:
            shutil.rmtree(into, ignore_errors=True)


def _take_some(shell: FarShell, folder: str, names: Sequence[str], into: str) -> None:
    word = far.new_word()
    which = " ".join(quoted(f"./{name}") for name in names)
    program = far.body_program(word, f"tar -cf - -C {quoted(folder)} {which}")
    ended, told = _carry(shell, word, ("sh", "-c", _TAKE, "sh", word, into), program)
    _check_carried(shell, ended.code == 0, told)


def _carry(
    shell: FarShell, word: str, argv: Sequence[str], program: bytes
) -> tuple[process.Ended, str]:
    """Runs local words that have an ssh in them; what came of them, and what was complained of."""
    shell.master.ensure()
    ssh = shell.master.session(far.first_line(len(program), word))
    ended = process.run((*argv, *ssh), os.environ, program, _PATIENCE)
    marks = re.compile(rb"\n%s [^\n]*\n" % word.encode())
    return ended, marks.sub(b"", ended.err).decode(errors="replace").strip()


def _check_carried(shell: FarShell, done: bool, told: str) -> None:
    if not done and not shell.master.up():
        raise link_down(shell.master.destination, told)
    if not done:
        raise Broken(
            f"Files cannot be copied to or from {shell.master.destination}: {told}.",
            hint="Is there room, and is the directory yours?",
        )


def _check_there(path: str) -> None:
    if not os.path.exists(path):
        raise NotFound(f"{path} is not there.", "Look at its name.")
