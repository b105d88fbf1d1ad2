"""`hpc resources`: what the machine has, and who holds it."""

from __future__ import annotations

from typing import Any, Final

from hpcshell.cli import describe
from hpcshell.cli.changing import label
from hpcshell.cli.reach import client
from hpcshell.cli.table import Column, table
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.cli.watch import watch_option, watched
from hpcshell.core.units import short_size
from hpcshell.core.words import safe

TOTALS: Final = (
    Column("RESOURCE"),
    Column("TOTAL", right=True),
    Column("USED", right=True),
    Column("FREE", right=True),
    Column("", elastic=True),
)
CLAIMS: Final = (
    Column("JOB"),
    Column("CPUS", right=True),
    Column("MEMORY", right=True),
    Column("GPUS", right=True),
    Column("OTHERS"),
    Column("UNTIL"),
)


@verb("resources", "hpc resources", "hpc resources --json")
@watch_option
def command(talk: Talk, watch: float | None) -> int:
    """Show what the machine has, and who holds it.

    What was found can be overridden by the configuration, section [resources].
    """
    daemon = client()

    def draw() -> list[str]:
        found = daemon.call("resources")
        if talk.json:
            talk.document({"schema": SCHEMA, **found})
            return []
        if talk.quiet:
            return [label({"id": c["job"], "element": c["element"]}) for c in found["claims"]]
        return _lines(talk, found)

    return watched(talk, watch, draw)


def _lines(talk: Talk, found: dict[str, Any]) -> list[str]:
    total, used, free = found["total"], found["used"], found["free"]
    rows = [
        _row(name, total[name], used[name], free[name], found)
        for name in ("cpus", "memory", "gpus")
    ]
    for name, number in sorted((total.get("others") or {}).items()):
        taken, left = used["others"].get(name, 0), free["others"].get(name, 0)
        rows.append([safe(name), str(number), str(taken), str(left), ""])
    lines = [talk.paint(safe(found["hostname"]), "bold"), *table(talk, TOTALS, rows)]
    if found.get("node"):
        told = [] if found["node"]["accepts"] else [describe.state_line(found["node"])]
        lines += [*told, *(line.strip() for line in describe.set_apart(found["node"]))]
    if found["claims"]:
        claims = [_claim(claim) for claim in found["claims"]]
        lines += ["", *table(talk, CLAIMS, claims)]
    return lines


def _row(name: str, total: int, used: int, free: int, found: dict[str, Any]) -> list[str]:
    show = short_size if name == "memory" else str
    note = ""
    if name in found["overridden"]:
        note = f"configured; {show(found['detected'][name])} found"
    return [name, show(total), show(used), show(free), note]


def _claim(claim: dict[str, Any]) -> list[str]:
    shares = claim.get("gpu_shares") or {}
    gpus = [*map(str, claim["gpus"]), *(f"{share:g} of {card}" for card, share in shares.items())]
    others = ", ".join(f"{number} {safe(name)}" for name, number in claim["others"].items())
    return [
        label({"id": claim["job"], "element": claim["element"]}),
        str(claim["cpus"]),
        describe.size(claim["memory"]),
        ",".join(gpus) or "-",
        others or "-",
        _until(claim),
    ]


def _until(claim: dict[str, Any]) -> str:
    if claim.get("suspended"):
        return "suspended"
    return describe.instant(claim["end"]) if claim["end"] else "no limit"
