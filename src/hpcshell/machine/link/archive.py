"""Several small files in one round trip: a tar archive, and what `sh` does with it."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping

from hpcshell.machine.link.far import quoted


def packed(files: Mapping[str, tuple[bytes, int]], last: str) -> bytes:
    """An archive of these files. The last is an empty one of a name that shows that all of it
    arrived."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, (content, mode) in {**files, last: (b"", 0o600)}.items():
            entry = tarfile.TarInfo(name.removesuffix("/"))
            entry.mode = mode
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def unpacking(directory: str, passing: str, names: Iterable[str], last: str) -> str:
    """Lines of `sh` that unpack standard input into `passing` and give it its name, or give the
    files their names in the directory that is there."""
    to, by = quoted(directory), quoted(passing)
    lines = [
        "umask 077",
        f"mkdir -p {quoted(os.path.dirname(directory))} && mkdir {by} || exit 1",
        f"trap 'rm -rf '{quoted(by)} EXIT",
        f"tar -xmpof - -C {by} && rm {by}/{last} || exit 1",
        f"if [ ! -e {to} ] && [ ! -h {to} ]; then mv {by} {to}; exit; fi",
    ]
    for name in names:
        folder = os.path.dirname(name)
        lines.append(f"mkdir -p {quoted(f'{directory}/{folder}')} || exit 1")
        if not name.endswith("/"):
            files = f"{quoted(f'{passing}/{name}')} {quoted(f'{directory}/{name}')}"
            lines.append(f"mv -f {files} || exit 1")
    return "\n".join(lines)


def packing(directory: str, listed: str) -> str:
    """Lines of `sh` that pack those of the listed files (words for `sh`) that are there."""
    return (
        f"cd {quoted(directory)} 2>/dev/null || exit 0\n"
        f"for name in {listed}; do\n"
        'if [ -f "$name" ] && [ -r "$name" ]; then printf \'./%s\\0\' "$name"; fi\n'
        "done | tar -chf - --null -T -"
    )


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of an archive, by name."""
    if not content:
        return {}
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            if file is not None:
                found[entry.name.removeprefix("./")] = file.read()
    return found
