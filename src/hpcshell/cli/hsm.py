"""`hsm`: the commands of `hpc` under a second name, for those who know sweeps by it.

What they call otherwise is there as well: `hsm monitor`, `hsm setup init`, `hsm sweep queue`.
"""

from __future__ import annotations

from typing import Final

import click

from hpcshell.cli import sweep
from hpcshell.cli.group import NearGroup
from hpcshell.cli.main import VERBS, Verbs, hpc
from hpcshell.cli.main import main as begin

ADDED: Final = {
    "monitor": "Watch a sweep: hsm sweep watch.",
    "setup": "Set a project up for sweeps.",
}
"""Commands beyond those of `hpc`."""


def main() -> None:
    """The entry point of the installed command."""
    from hpcshell.cli.entry import main as start

    start("hsm")


class Names(Verbs):
    """The verbs of `hpc`, and those that have another name here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ADDED]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = {"monitor": monitor, "setup": setup, "sweep": sweeps}
        return own.get(cmd_name) or super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        with formatter.section("As in hsm"):
            formatter.write_dl(list(ADDED.items()))
