"""`hpc sweep init`: the first specification of a project."""

from __future__ import annotations

import os
from typing import Final

import click

from hpcshell.cli import exits
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.words import nearest, quote, safe
from hpcshell.sweeps.candidates import Candidate, Looked, candidate_at, look_for_scripts
from hpcshell.sweeps.starting import empty_spec, first_spec

FILE: Final = "sweep.yaml"
OTHER: Final = "sweeps/sweep.yaml"
"""Where hsm has it; the one that is written goes before it."""
SCRIPTS: Final = (Column("SCRIPT"), Column("WHY", elastic=True))


@verb(
    "init",
    "hpc sweep init",
    "hpc sweep init --script train.py",
    "hpc sweep init ~/study --dry-run",
    "hpc sweep init --schema > sweep.schema.json",
    changes=True,
)
@click.argument("directory", metavar="[DIR]", default=".")
@click.option("--script", metavar="NAME", default="", help="The script that is to be run.")
@click.option("--force", is_flag=True, help=f"Replace the {FILE} that is there.")
@click.option("--schema", is_flag=True, help=f"Print the JSON Schema of {FILE}, for editors.")
def init(talk: Talk, directory: str, script: str, force: bool, schema: bool) -> int:
    """Write the first sweep.yaml of a project.

    The project is looked at for a script that reads arguments, has a main part or is named like
    one; no script is imported or run. Where there are several they are listed, and one is to be
    chosen with --script.
    """
    if schema:
        from hpcshell.flow.reading import schema as of_the_file

        talk.document(of_the_file())
        return exits.OK
    if not os.path.isdir(directory):
        raise NotFound(f"there is no directory {quote(directory)}", "name the project's directory")
    if script:
        return _write(talk, directory, _chosen(directory, script), force)
    looked = look_for_scripts(directory)
    if not looked.whole:
        talk.say("the project is large: only what lies nearest to its top was looked at")
    if len(looked.candidates) > 1:
        return _list(talk, directory, looked)
    return _write(talk, directory, next(iter(looked.candidates), None), force)


def _chosen(directory: str, script: str) -> Candidate:
    path = os.path.normpath(script)
    if not os.path.isfile(os.path.join(directory, path)):
        known = [each.path for each in look_for_scripts(directory).candidates]
        near = nearest(path, known)
        hint = f"did you mean {near}?" if near else "name a file of the project"
        raise NotFound(f"--script: there is no {quote(script)} in {quote(directory)}", hint)
    if os.path.isabs(path) or path.startswith("..") or not path.isprintable():
        raise Wrong(f"--script: {quote(script)} is not in the project", "name a file below it")
    return candidate_at(directory, path) or Candidate(path=path, why=())


def _list(talk: Talk, directory: str, looked: Looked) -> int:
    """Which scripts there are; which of them is meant nobody knows but the user."""
    found = looked.candidates
    where = "" if directory == "." else f" {safe(directory)}"
    if talk.json:
        rows = [{"script": each.path, "why": each.why} for each in found]
        talk.document({"schema": SCHEMA, "candidates": rows, "written": None})
    elif talk.quiet:
        talk.data(*(each.path for each in found))
    else:
        rows_told = [[safe(each.path), ", ".join(each.why)] for each in found]
        talk.data(*table(talk, SCRIPTS, rows_told))
    talk.warn(
        f"hpc: {len(found):,} scripts could be meant",
        f"  hint: choose one: hpc sweep init{where} --script {safe(found[0].path)}",
    )
    return exits.USAGE


def _write(talk: Talk, directory: str, candidate: Candidate | None, force: bool) -> int:
    text = empty_spec() if candidate is None else first_spec(candidate)
    path = os.path.normpath(os.path.join(directory, FILE))
    if not talk.dry_run:
        _put(path, text, force)
    if talk.json:
        script = None if candidate is None else candidate.path
        written = None if talk.dry_run else path
        talk.document({"schema": SCHEMA, "script": script, "text": text, "written": written})
    elif talk.dry_run:
        talk.data(*text.splitlines())
    elif talk.quiet:
        talk.data(safe(path))
    else:
        talk.data(f"wrote {safe(path)}")
        talk.say(*_shadowed(directory), *_what_next(directory, candidate))
    return exits.OK


def _put(path: str, text: str, force: bool) -> None:
    """Write the file whole, or not at all; what is there stays, unless it is to be replaced."""
    if os.path.lexists(path) and not force:
        raise Refused(f"{safe(path)} is there already", "--force replaces it")
    draft = f"{path}.{os.getpid()}"
    try:
        with open(draft, "x", encoding="utf-8") as file:
            file.write(text)
        if force:
            os.replace(draft, path)
        else:
            os.link(draft, path)
    except FileExistsError:
        raise Refused(f"{safe(path)} is there already", "--force replaces it") from None
    finally:
        if os.path.exists(draft):
            os.unlink(draft)


def _shadowed(directory: str) -> list[str]:
    if not os.path.exists(os.path.join(directory, OTHER)):
        return []
    return [f"note: {OTHER} is there, too: hpc sweep run takes {FILE}"]


def _what_next(directory: str, candidate: Candidate | None) -> list[str]:
    there = "" if directory == "." else f"cd {safe(directory)}; "
    if candidate is None:
        return [
            "no script was found that reads arguments or is named like one: the file is a template",
            "fill it in, then: " + there + "hpc sweep run --dry-run",
        ]
    why = f" ({', '.join(candidate.why)})" if candidate.why else ""
    return [
        f"script: {safe(candidate.path)}{why}",
        f"say what varies, then: {there}hpc sweep run --dry-run",
    ]
