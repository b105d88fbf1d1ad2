"""What the verbs that change jobs have in common: ask, say what changed, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpcshell.cli import exits
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.core.words import safe


def label(line: dict[str, Any]) -> str:
    """`12` or `12_3`."""
    return str(line["id"]) if line.get("element") is None else f"{line['id']}_{line['element']}"


def report(talk: Talk, answer: dict[str, Any], done: str, was: str = "") -> int:
    """Say what was `done` ("cancelled") to what, and to what it was not and why. `was`: the verb
    before it where `job 12 cancelled` would be no sentence."""
    lines, unchanged = answer["jobs"], answer.get("unchanged", [])
    if talk.json:
        talk.document({"schema": SCHEMA, "dry_run": talk.dry_run, **answer})
    elif talk.quiet:
        talk.data(*(label(line) for line in lines))
    else:
        would = f"would be {done}" if talk.dry_run else f"{was} {done}".lstrip()
        talk.data(*(f"{_what(line)} {line.get('later') or would}{_change(line)}" for line in lines))
    if not talk.json:
        talk.warn(*(safe(f"hpc: {one['why']}") for one in unchanged))
    return _code(lines, unchanged)


def _what(line: dict[str, Any]) -> str:
    number = line.get("elements")
    if number and number > 1:
        waiting = "waiting " if line.get("was") == "PENDING" else ""
        return f"{number:,} {waiting}elements of job {label(line)}"
    return f"job {label(line)}"


def _change(line: dict[str, Any]) -> str:
    was, now = line.get("was"), line.get("now")
    if not was or was == now:
        return f" ({was})" if was else ""
    return f" ({was} -> {now})" if now else f" ({was})"


def _code(lines: Iterable[Any], unchanged: list[dict[str, Any]]) -> int:
    """Nothing to complain of, some refused (8), all refused (4)."""
    if not unchanged:
        return exits.OK
    return exits.SOME_FAILED if lines else exits.REFUSED
