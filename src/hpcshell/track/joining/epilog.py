"""The script by which a cluster tells of its jobs: what is written, and what is to be configured.

install(Epilog(kind="slurm", url=..., directory="/etc/slurm/hpcshell", spool=...), key)

The directory holds `hpc-epilog`, `hpc-prolog` (the same by another name) and `keys/inner` and
`keys/outer`, the two blocks that HMAC hashes first, which only their owner can read. The spool
directory belongs to whoever installs it.
"""

from __future__ import annotations

import os
import secrets
from importlib import resources
from shlex import quote
from typing import Final

import msgspec

from hpcshell.core.errors import Broken
from hpcshell.track.joining.signing import pads

KINDS: Final = ("slurm", "pbs", "lsf", "sge")
EPILOG: Final = "hpc-epilog"
PROLOG: Final = "hpc-prolog"


class Epilog(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be installed. `owner`: user and group of who runs it; None: who installs it."""

    kind: str
    url: str
    directory: str
    spool: str
    owner: tuple[int, int] | None = None


def script(epilog: Epilog) -> str:
    """The text of the script."""
    text = resources.files(__package__).joinpath("epilog.bash").read_text(encoding="utf-8")
    said = {
        "KIND": epilog.kind,
        "URL": f"{epilog.url.rstrip('/')}/api/v1/webhooks/{epilog.kind}",
        "KEYS": f"{epilog.directory}/keys",
        "SPOOL": epilog.spool,
    }
    for name, value in said.items():
        text = text.replace(f"@{name}@", quote(value))
    return text


def install(epilog: Epilog, key: bytes) -> list[str]:
    """Write it all; the paths that were written. Raises `Broken`."""
    keys, blocks = f"{epilog.directory}/keys", pads(key)
    files = {
        f"{keys}/inner": (blocks[0], 0o600),
        f"{keys}/outer": (blocks[1], 0o600),
        f"{epilog.directory}/{EPILOG}": (script(epilog).encode(), 0o755),
        f"{epilog.directory}/{PROLOG}": (script(epilog).encode(), 0o755),
    }
    try:
        os.makedirs(epilog.directory, mode=0o755, exist_ok=True)
        for private in (keys, epilog.spool):
            os.makedirs(private, mode=0o700, exist_ok=True)
        _give(keys, epilog.owner)
        if epilog.owner is not None:  # who runs it may write there; only we see and remove
            os.chown(epilog.spool, -1, epilog.owner[1])
            os.chmod(epilog.spool, 0o1730)
        for path, (content, mode) in files.items():
            _write(path, content, mode, epilog.owner)
    except OSError as error:
        where = error.filename or epilog.directory
        raise Broken(
            f"{where}: {error.strerror}", "choose another directory (--dir), or be root"
        ) from error
    return list(files)


def _write(path: str, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """Whole or not at all: a job may end meanwhile."""
    new = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
    _give(new, owner)
    os.replace(new, path)


def _give(path: str, owner: tuple[int, int] | None) -> None:
    if owner is not None:
        os.chown(path, *owner)


def advice(epilog: Epilog) -> list[str]:
    """What to configure, so that the scheduler runs it: lines for a person."""
    prolog, end = f"{epilog.directory}/{PROLOG}", f"{epilog.directory}/{EPILOG}"
    spool = f'the server takes in what could not be sent: [track] spools = ["{epilog.spool}"]'
    match epilog.kind:
        case "slurm":
            lines = [
                "into slurm.conf, where slurmctld runs (then restart slurmctld; it is not enough"
                " to reconfigure it):",
                f"  PrologSlurmctld={prolog}",
                f"  EpilogSlurmctld={end}",
                "or, where only the nodes reach the server, on each of them (it is not told how a"
                " job ended then: that is asked of Slurm):",
                f"  Prolog={prolog}",
                f"  Epilog={end}",
            ]
        case "pbs":
            lines = [
                "on each node, as files or links in mom_priv, owned by root:",
                f"  ln -s {prolog} /var/spool/pbs/mom_priv/prologue",
                f"  ln -s {end} /var/spool/pbs/mom_priv/epilogue",
            ]
        case "lsf":
            lines = [
                "into lsb.queues, for each queue (LSB_PRE_POST_EXEC_USER=root in lsf.sudoers):",
                f"  PRE_EXEC = {prolog}",
                f"  POST_EXEC = {end}",
            ]
        case _:
            lines = [
                "for each queue (qconf -mq NAME), run by root:",
                f"  prolog root@{prolog}",
                f"  epilog root@{end}",
            ]
    return [*lines, spool]
