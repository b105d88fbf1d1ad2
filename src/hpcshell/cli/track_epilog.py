"""`hpc track epilog`: the script by which a cluster tells of its jobs."""

from __future__ import annotations

import os
import pwd
import sys

import click

from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong
from hpcshell.core.words import one_line, quote
from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.paths import Places, places
from hpcshell.track.joining.epilog import KINDS, Epilog, advice, install, script
from hpcshell.track.joining.signing import webhook_key


@verb(
    "epilog",
    "hpc track epilog --print",
    "hpc track epilog --install --dir /etc/slurm/hpcshell --owner slurm",
    "hpc track epilog --install --kind pbs --url http://tracker.example.org:8470",
    changes=True,
)
@click.option("--install", "installing", is_flag=True, help="Write the script and its key.")
@click.option("--print", "printing", is_flag=True, help="Write the script to stdout.")
@click.option(
    "--kind", type=click.Choice(KINDS), default="slurm", show_default=True, help="The scheduler."
)
@click.option("--url", help="Where the server is, as the cluster's machines see it.")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    help="Where to write it.  [default: in the state directory]",
)
@click.option(
    "--spool", metavar="DIR", help="Where it leaves what it cannot send.  [default: DIR/spool]"
)
@click.option("--owner", metavar="USER", help="Whom the scheduler runs it as.  [default: you]")
def epilog(
    talk: Talk,
    installing: bool,
    printing: bool,
    kind: str,
    url: str | None,
    directory: str | None,
    spool: str | None,
    owner: str | None,
) -> int:
    """Write the script by which a cluster tells of its jobs.

    The scheduler runs it as each job starts and ends. It signs what it says with the key of this
    installation, never fails, and never holds a machine up.
    """
    if installing == printing:
        raise Wrong("what is to be done?", "hpc track epilog --install, or --print")
    here = places(os.environ)
    where = _path(directory or f"{here.state}/epilog", "--dir")
    chosen = Epilog(
        kind=kind,
        url=_url(url, here),
        directory=where,
        spool=_path(spool or f"{where}/spool", "--spool"),
        owner=_owner(owner),
    )
    if printing:
        sys.stdout.write(script(chosen))
        return 0
    written = [] if talk.dry_run else install(chosen, webhook_key(here))
    _tell(talk, chosen, written)
    return 0


def _tell(talk: Talk, chosen: Epilog, written: list[str]) -> None:
    lines = advice(chosen)
    if talk.json:
        talk.document(
            {
                "schema": SCHEMA,
                "kind": chosen.kind,
                "url": chosen.url,
                "directory": chosen.directory,
                "spool": chosen.spool,
                "written": written,
                "configure": lines,
                "dry_run": talk.dry_run,
            }
        )
    elif talk.quiet:
        talk.data(*written)
    else:
        verb = "would write" if talk.dry_run else "written"
        talk.data(f"{verb}: {chosen.directory}, which speaks to {chosen.url}", *lines)


def _url(given: str | None, here: Places) -> str:
    """What was said; else where the server is now, or will be. Raises `Wrong`."""
    if given is None:
        try:
            with open(here.web_address, encoding="utf-8") as file:
                given = file.read().strip()
        except OSError:
            web = daemon_settings(here, os.environ).web
            given = f"http://{web.host}:{web.port}"
    if not given.startswith(("http://", "https://")) or not given.isascii() or " " in given:
        raise Wrong(f"--url: {quote(given)} is no web address", "write http://HOST:PORT")
    return one_line(given, "--url", 2000)


def _path(text: str, option: str) -> str:
    return os.path.abspath(one_line(text, option))


def _owner(name: str | None) -> tuple[int, int] | None:
    if name is None:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise Wrong(
            f"--owner: there is no user {quote(name)}", "who does slurmctld run as?"
        ) from None
    return found.pw_uid, found.pw_gid
