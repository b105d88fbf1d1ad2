"""`hpc config`: show and check the configuration."""

from __future__ import annotations

import os
from typing import Final

import click

from hpcshell.cli.group import NearGroup
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import NotFound
from hpcshell.core.settings_read import Loaded, entries, show_value
from hpcshell.core.words import nearest, quote, safe
from hpcshell.jobs.surroundings import working_directory
from hpcshell.machine.configfiles import config_files, user_settings
from hpcshell.machine.paths import places

COLUMNS: Final = (Column("KEY"), Column("VALUE", elastic=True))
WITH_ORIGIN: Final = (*COLUMNS, Column("ORIGIN", elastic=True))


@click.group("config", cls=NearGroup)
def command() -> None:
    """Show and check the configuration.

    Strongest first: flags, variables (HPC_SECTION__KEY), the project's hpcshell.toml, the user's,
    the site's, defaults.
    """


def _loaded() -> Loaded:
    return user_settings(places(os.environ), os.environ, working_directory())


@verb("show", "hpc config show", "hpc config show --origin", "hpc config show defaults.partition")
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
def show(talk: Talk, keys: tuple[str, ...], origin: bool) -> int:
    """Show the configuration that counts here, all of it or some keys or sections."""
    loaded = _loaded()
    found = _chosen(entries(loaded), keys)
    if talk.json:
        values = {
            name: {"value": value, "origin": where} if origin else value
            for name, value, _, where in found
        }
        talk.document({"schema": SCHEMA, "config": values})
        return 0
    talk.say(*(f"note: {safe(note)}" for note in loaded.notes))
    if talk.quiet or (len(keys) == 1 and len(found) == 1 and not origin):
        talk.data(*(safe(show_value(value, kind)) for _, value, kind, _ in found))
        return 0
    rows = [
        [name, safe(show_value(value, kind)), safe(where)] for name, value, kind, where in found
    ]
    columns = WITH_ORIGIN if origin else COLUMNS
    talk.data(*table(talk, columns, [row[: len(columns)] for row in rows]))
    return 0


def _chosen(
    found: list[tuple[str, object, str, str]], keys: tuple[str, ...]
) -> list[tuple[str, object, str, str]]:
    if not keys:
        return found
    for key in keys:
        if not any(name == key or name.startswith(key + ".") for name, *_ in found):
            near = nearest(key, [name for name, *_ in found])
            hint = f"did you mean {near}?" if near else "hpc config show lists them"
            raise NotFound(f"there is no key {quote(key)}", hint)
    return [
        entry
        for entry in found
        if any(entry[0] == key or entry[0].startswith(key + ".") for key in keys)
    ]


@verb("path", "hpc config path", '$EDITOR "$(hpc config path --quiet)"')
def path(talk: Talk) -> int:
    """Print where configuration is looked for; with --quiet only your own file."""
    where = places(os.environ)
    files = config_files(where, working_directory())
    if talk.json:
        listed = [{"which": which, "path": at, "exists": there} for which, at, there in files]
        talk.document({"schema": SCHEMA, "files": listed})
    elif talk.quiet:
        talk.data(safe(where.config_file))
    else:
        for which, at, there in files:
            talk.data(f"{which:<8} {safe(at)}{'' if there else '  (not there)'}")
    return 0


@verb("check", "hpc config check")
def check(talk: Talk) -> int:
    """Check the configuration; says file, line and key of what is wrong."""
    loaded = _loaded()
    if talk.json:
        talk.document({"schema": SCHEMA, "ok": True, "notes": list(loaded.notes)})
    else:
        talk.say(*(f"note: {safe(note)}" for note in loaded.notes))
        talk.data("the configuration is right")
    return 0


for _each in (show, path, check):
    command.add_command(_each)
