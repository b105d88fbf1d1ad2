"""`hpc reservation`: set parts of the machine apart for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import click

from hpcshell.cli import describe
from hpcshell.cli.group import NearGroup
from hpcshell.cli.reach import client
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.instants import instant
from hpcshell.core.units import format_duration
from hpcshell.core.words import quote, safe

COLUMNS: Final = (
    Column("NAME"),
    Column("STATE"),
    Column("START"),
    Column("END"),
    Column("SETS APART", elastic=True),
    Column("FOR", elastic=True),
    Column("JOBS", right=True),
)

_OPTIONS: Final = (
    click.option("--start", metavar="WHEN", help="When it begins: now, 18:00, tomorrow, now+2h."),
    click.option("--end", metavar="WHEN", help="When it ends."),
    click.option("--duration", metavar="TIME", help="How long it lasts: 2h, 7d; instead of --end."),
    click.option("-c", "--cpus", metavar="N", help="So many CPUs."),
    click.option("-m", "--memory", "--mem", metavar="SIZE", help="So much memory: 8G."),
    click.option("-G", "--gpus", metavar="N", help="So many GPUs."),
    click.option(
        "--others", multiple=True, metavar="NAME=N", help="So many of something else: matlab=2."
    ),
    click.option("--all", is_flag=True, default=None, help="The whole machine."),
    click.option("--users", metavar="NAME,...", help="Who may use it."),
    click.option("--accounts", metavar="NAME,...", help="Whose accounts may use it."),
    click.option(
        "--flex/--no-flex",
        default=None,
        help="Their jobs may also start in what everybody may use, and then outlast it.",
    ),
    click.option(
        "--idle", metavar="TIME", help="Let it go when nobody has used it for so long; 0: never."
    ),
    click.option("--maintenance", is_flag=True, help="For nobody: nothing runs in it."),
)


@click.group("reservation", cls=NearGroup)
def command() -> None:
    """Set parts of the machine apart for a time.

    Jobs get into one with --reservation NAME. Others keep out of it, and no job with a time limit
    is started that would run into one that is to come.
    """


def _described(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@verb(
    "add",
    "hpc reservation add course --start now --duration 2h --cpus 4 --users ann,ben",
    "hpc reservation add maint --start 18:00 --duration 3h --all --maintenance",
    changes=True,
)
@click.argument("name")
@_described
def add(talk: Talk, name: str, **chosen: Any) -> int:
    """Set a part of the machine apart: from when, until when, how much, for whom.

    What runs already in that part when it begins runs on. A job whose limit would take it into a
    reservation that is known when it is to start does not start.
    """
    if not (chosen["users"] or chosen["accounts"] or chosen["maintenance"]):
        raise Wrong(
            "whom is it for?", "give --users or --accounts; or --maintenance, for nobody at all"
        )
    return _put(talk, name, chosen, "made")


@verb(
    "edit",
    "hpc reservation edit course --duration 4h",
    "hpc reservation edit course --users ann,ben,cleo",
    changes=True,
)
@click.argument("name")
@_described
def edit(talk: Talk, name: str, **chosen: Any) -> int:
    """Change a reservation, in what is named.

    A new --start moves the end along, unless --end or --duration says otherwise.
    """
    if not any(value not in (None, (), False) for value in chosen.values()):
        raise Wrong("nothing to change", "name at least one option, for example --duration 4h")
    return _put(talk, name, chosen, "changed", edit=True)


@verb("remove", "hpc reservation remove course", changes=True)
@click.argument("name")
def remove(talk: Talk, name: str) -> int:
    """Remove a reservation.

    What runs in it runs on; what waits for it goes on waiting, until it is edited or cancelled.
    """
    answer = client().call("unreserve", name=name, dry_run=talk.dry_run)
    return _said(talk, answer, "removed")


@verb("list", "hpc reservation list", "hpc reservation list --json")
def list_(talk: Talk) -> int:
    """List the reservations that are not over, the first to begin first."""
    found = client().call("reservations")["reservations"]
    if talk.json:
        talk.document({"schema": SCHEMA, "reservations": found})
    elif talk.quiet:
        talk.data(*(safe(one["name"]) for one in found))
    elif found:
        talk.data(*table(talk, COLUMNS, [_row(one) for one in found]))
    else:
        talk.say("nothing is set apart")
    return 0


@verb("show", "hpc reservation show course")
@click.argument("name")
def show(talk: Talk, name: str) -> int:
    """Show all about a reservation."""
    [found] = client().call("reservations", name=name)["reservations"]
    if talk.json:
        talk.document({"schema": SCHEMA, "reservation": found})
    elif talk.quiet:
        talk.data(safe(found["name"]))
    else:
        talk.data(*(f"{name + ':':<12} {value}" for name, value in _fields(found)))
    return 0


for _each in (add, list_, show, edit, remove):
    command.add_command(_each)


def _put(talk: Talk, name: str, chosen: dict[str, Any], done: str, *, edit: bool = False) -> int:
    args = _arguments(chosen)
    answer = client().call("reserve", name=name, edit=edit, dry_run=talk.dry_run, **args)
    return _said(talk, answer, done)


def _said(talk: Talk, answer: dict[str, Any], done: str) -> int:
    one = answer["reservation"]
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **answer})
    elif talk.quiet:
        talk.data(safe(one["name"]))
    else:
        would = f"would be {done}" if talk.dry_run else done
        talk.data(f"{would}: {describe.reservation(one)}")
        talk.say(*(f"note: {safe(note)}" for note in answer.get("notes", ())))
    return 0


def _arguments(chosen: dict[str, Any]) -> dict[str, Any]:
    """The options as the daemon takes them; what was not given is left out."""
    now = time.time()
    given = {name: value for name, value in chosen.items() if value not in (None, (), False)}
    if chosen["flex"] is False:
        given["flex"] = False
    if given.pop("maintenance", False):
        if given.get("users") or given.get("accounts"):
            raise Wrong("--maintenance is for nobody", "leave out --users and --accounts, or it")
        given |= {"users": "", "accounts": ""}
    if "end" in given and "duration" in given:
        raise Wrong("--end and --duration say the same", "give one of them")
    if "all" in given and given.keys() & {"cpus", "memory", "gpus", "others"}:
        raise Wrong("--all is the whole machine", "leave out the amounts, or --all")
    read: dict[str, Callable[[Any], Any]] = {
        "start": lambda text: instant(text, now, describe.local_offset, "--start"),
        "end": lambda text: instant(text, now, describe.local_offset, "--end"),
        "duration": lambda text: units.duration(text, "--duration"),
        "cpus": lambda text: units.count(text, "--cpus", least=0),
        "memory": lambda text: units.size(text, "--memory", zero=True),
        "gpus": lambda text: units.count(text, "--gpus", least=0),
        "others": _others,
        "users": _names,
        "accounts": _names,
        "idle": lambda text: units.duration(text, "--idle", zero=True),
    }
    return {name: read[name](value) if name in read else value for name, value in given.items()}


def _others(pairs: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in (part for pair in pairs for part in pair.split(",")):
        name, equals, number = part.strip().partition("=")
        if not (name and equals):
            raise Wrong(f"--others: {quote(part)} is no pair", "write NAME=N, as in matlab=2")
        found[name] = units.count(number, f"--others {name}", least=0)
    return found


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")] if text else []


def _row(one: dict[str, Any]) -> list[str]:
    return [
        safe(one["name"]),
        one["state"],
        describe.instant(one["start"]),
        describe.instant(one["end"]),
        safe(one["sets_apart"]),
        describe.whom(one),
        str(len(one["jobs"])),
    ]


def _fields(one: dict[str, Any]) -> list[tuple[str, str]]:
    used = describe.request({**one["used"], "exclusive": False})
    rows = (
        ("Name", safe(one["name"])),
        ("State", one["state"]),
        ("Start", describe.instant(one["start"])),
        ("End", describe.instant(one["end"])),
        ("Lasts", format_duration(one["end"] - one["start"])),
        ("Sets apart", safe(one["sets_apart"])),
        ("Used", used),
        ("For", describe.whom(one)),
        ("Flex", "yes" if one["flex"] else None),
        ("Let go", f"after {format_duration(one['idle'])} unused" if one["idle"] else None),
        ("Jobs", ", ".join(map(str, one["jobs"])) or "none"),
    )
    return [(name, value) for name, value in rows if value is not None]
