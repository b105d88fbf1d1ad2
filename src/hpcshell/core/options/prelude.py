"""What is to be done in the shell before a job starts: modules, environments, lines of its own.

A module or environment is followed by a line that ends the job, in any shell, if it failed: what
was to run in another environment is not run at all. Lines of the user's own are put as they are.

prelude.lines()                         what a shell is told
prelude.before(argv, script)            a command or shell script that does it first
"""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core.records import Record

_SHELLS: Final = (
    rb"\A#![ \t]*(?:\S*/env[ \t]+(?:-\S+[ \t]+)*)?(?:\S*/)?(?:ba|da|k|z)?sh(?=\s|\Z)[^\n]*\n?"
)
"""The first line of a script of a shell that understands the lines."""


class Prelude(Record, frozen=True, kw_only=True):
    """In the order in which they are done."""

    modules: tuple[str, ...] = ()
    conda: str = ""
    venv: str = ""
    setup: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What a shell is told."""
        from shlex import quote

        found: list[str] = []
        if self.modules:
            found += _step(f"module load {' '.join(map(quote, self.modules))}")
        if self.conda:
            found.append('eval "$(conda shell.bash hook)"')
            found += _step(f"conda activate {quote(self.conda)}")
        if self.venv:
            found += _step(f". {quote(self.venv + '/bin/activate')}")
        return [*found, *self.setup]

    def before(
        self, argv: tuple[str, ...], script: bytes | None
    ) -> tuple[tuple[str, ...], bytes | None] | None:
        """The command or script with all this in front of it. None: it is no script of a shell."""
        text = "".join(f"{line}\n" for line in self.lines())
        if script is None:
            return ("/bin/bash", "-c", f'{text}exec "$@"', argv[0], *argv), None
        first = re.match(_SHELLS, script)
        if first is None:
            return None
        return argv, b"%s\n%s%s" % (first[0].rstrip(b"\n"), text.encode(), script[first.end() :])


def _step(line: str) -> tuple[str, str]:
    """A line, and the end of the job if it fails."""
    from shlex import quote

    said = quote(f"hpc: this failed, so the job is not run: {line}")
    return line, f"[ $? -eq 0 ] || {{ printf '%s\\n' {said} >&2; exit 1; }}"
