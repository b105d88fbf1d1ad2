"""`hpc sweep`: studies of many runs."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from hpcshell.cli.group import NearGroup

VERBS: Final[dict[str, tuple[str, str]]] = {
    "init": ("sweep_init", "Write the first sweep.yaml of a project."),
}
"""Each verb with the module that has it (there called by its name), as listed by --help."""


class Verbs(NearGroup):
    """Loads a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        found: click.Command = getattr(
            import_module(f"hpcshell.cli.{VERBS[cmd_name][0]}"), cmd_name
        )
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


command = Verbs(
    "sweep",
    help="Run one script with many parameters, and each of them once.\n\n"
    "A sweep is a set of points, each known by what it consists of: parameters, command, code. "
    "What has run is not run again, and what was broken off goes on, here or on another cluster. "
    "Without an id a verb is about the latest sweep of this directory.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
