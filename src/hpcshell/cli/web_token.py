"""`hpc web token`: who may ask the server."""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from hpcshell.cli import describe
from hpcshell.cli.group import NearGroup
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.cli.web import needed
from hpcshell.core.words import safe

if TYPE_CHECKING:
    from hpcshell.track.store.store import Store
    from hpcshell.track.store.tokens import Token


@click.group(
    "token", cls=NearGroup, help="Say who may ask the server: make, list and revoke tokens."
)
def token() -> None:
    pass


@verb(
    "create",
    "hpc web token create",
    "hpc web token create --role viewer --expires 30d --quiet",
    "hpc web token create --role user --scope track --name training",
    changes=True,
)
@click.option("--role", default="user", show_default=True, help="viewer, user, operator or admin.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="A right that it has; may be given several times.  [default: all of the role]",
)
@click.option("--user", help="Whose it is.  [default: yours]")
@click.option("--name", default="token", show_default=True, help="What it is for.")
@click.option("--expires", help="For how long it is valid, as 30d.  [default: until revoked]")
def create(talk: Talk, role: str, scopes: tuple[str, ...], **about: str | None) -> int:
    """Make a token, and print it: this once.

    It is sent as Authorization: Bearer TOKEN. Only its digest is kept.
    """
    from hpcshell.core.units import duration
    from hpcshell.machine import clock

    with needed():
        from hpcshell.track.store import tokens
        from hpcshell.web.security.callers import role_of, scopes_of
    chosen = role_of(role)
    rights = scopes_of(chosen, scopes)
    now = clock.now()
    lasts = about["expires"]
    expires = None if lasts is None else now + duration(lasts, "--expires")
    user = about["user"] or getpass.getuser()
    if talk.dry_run:
        talk.data(f"would make a token of role {chosen} for {user}")
        return 0
    with _store() as store:
        text, made = store.change(
            lambda connection: tokens.create(
                connection,
                about["name"] or "token",
                user=user,
                role=chosen,
                scopes=rights,
                expires_at=expires,
                now=now,
            )
        )
    if talk.json:
        talk.document({"schema": SCHEMA, "token": text, "about": made})
    else:
        talk.data(text)
        talk.say(f"it is told this once; token {made.id}, of role {made.role}")
    return 0


@verb("list", "hpc web token list", "hpc web token list --json")
def listing(talk: Talk) -> int:
    """List the tokens, those that are valid no more, too."""
    with _store() as store, store.reading() as connection:
        from hpcshell.track.store import tokens

        rows = tokens.listed(connection)
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": rows})
    elif talk.quiet:
        talk.data(*(str(row.id) for row in rows))
    else:
        talk.data(*_table(talk, rows))
    return 0


@verb("revoke", "hpc web token revoke 3", changes=True)
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1))
def revoke(talk: Talk, numbers: tuple[int, ...]) -> int:
    """Revoke tokens, and the sessions that began with them.

    A server that runs forgets them within 5 seconds.
    """
    from hpcshell.machine import clock

    if talk.dry_run:
        talk.data(*(f"would revoke token {number}" for number in numbers))
        return 0
    now = clock.now()
    with _store() as store:
        from hpcshell.web.security import sessions

        gone = store.change(
            lambda connection: [sessions.revoke(connection, each, now) for each in numbers]
        )
    if talk.json:
        talk.document({"schema": SCHEMA, "rows": gone})
    else:
        talk.data(*(str(each.id) for each in gone) if talk.quiet else ())
        talk.say(*(f"token {each.id} ({each.name}) is revoked" for each in gone))
    return 0


for _each in (create, listing, revoke):
    token.add_command(_each)


@contextlib.contextmanager
def _store() -> Iterator[Store]:
    from hpcshell.machine.configfiles import daemon_settings
    from hpcshell.machine.paths import places

    with needed():
        from hpcshell.track.store.opening import open_store, url_of
    where = places(os.environ)
    where.prepare()
    settings = daemon_settings(where, os.environ)
    with open_store(url_of(settings.track.url, where)) as store:
        yield store


def _table(talk: Talk, rows: list[Token]) -> list[str]:
    from hpcshell.cli.table import Column, table
    from hpcshell.machine import clock

    heads = ("ID", "NAME", "USER", "ROLE", "SCOPES", "STATE", "LAST USED")
    columns = [Column(head, right=head == "ID", elastic=head == "NAME") for head in heads]
    now = clock.now()
    return table(talk, columns, [_cells(row, now) for row in rows])


def _cells(row: Token, now: float) -> list[str]:
    state = "valid" if row.expires_at is None else f"until {describe.instant(row.expires_at)}"
    if not row.valid(now):
        state = "expired" if row.revoked_at is None else "revoked"
    about = [str(row.id), safe(row.name), safe(row.user), row.role]
    scopes = " ".join(row.scopes) or "all of its role"
    return [*about, scopes, state, describe.instant(row.used_at)]
