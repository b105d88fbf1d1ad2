"""`hpc doctor`: what can be wrong, and how to mend it."""

from __future__ import annotations

import os
from typing import Final

from hpcshell.cli import exits
from hpcshell.cli.checks import OK, WARNING, WRONG, Finding, findings
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.machine.paths import places

STYLE: Final = {OK: "green", WARNING: "yellow", WRONG: "red"}


@verb("doctor", "hpc doctor", "hpc doctor --quiet && echo all is well")
def command(talk: Talk) -> int:
    """Look for everything that can be wrong, and say how to mend it.

    Changes nothing and starts nothing. Exits with 1 if anything is wrong; a warning is not.
    """
    found = list(findings(places(os.environ)))
    wrong = any(each.verdict == WRONG for each in found)
    if talk.json:
        checks = [
            {"name": f.name, "verdict": f.verdict, "found": f.found, "mend": f.mend or None}
            for f in found
        ]
        talk.document({"schema": SCHEMA, "ok": not wrong, "checks": checks})
    else:
        shown = [each for each in found if each.verdict != OK] if talk.quiet else found
        talk.data(*(line for each in shown for line in _lines(talk, each)))
    return exits.FAILED if wrong else exits.OK


def _lines(talk: Talk, found: Finding) -> list[str]:
    mark = talk.paint(found.verdict.ljust(7), STYLE[found.verdict])
    lines = [f"{mark}  {found.name:<15}  {found.found}"]
    if found.mend and found.verdict != OK:
        lines.append(f"{'':>7}  {'':<15}  mend: {found.mend}")
    return lines
