"""`hpc sweep`: studies of many runs."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from hpcshell.cli.group import NearGroup

VERBS: Final[dict[str, tuple[str, str]]] = {
    "init": ("sweep_init", "Write the first sweep.yaml of a project."),
    "run": ("sweep_run", "Run the points that were never submitted."),
    "status": ("sweep_watch", "Show how a sweep stands."),
    "watch": ("sweep_watch", "Show how a sweep stands until it has ended."),
    "report": ("sweep_results", "Show what a sweep came to."),
    "errors": ("sweep_results", "Show what points failed of."),
    "best": ("sweep_results", "List the best points."),
    "export": ("sweep_results", "Write all points with their results as a table."),
    "resume": ("sweep_run", "Run what is missing or has failed."),
    "cancel": ("sweep_recent", "Cancel what waits and runs."),
    "recent": ("sweep_recent", "List the sweeps of this directory."),
    "cleanup": ("sweep_recent", "Delete the folders of old sweeps."),
}
"""Each verb with the module that has it (there called by its name), as listed by --help."""
HIDDEN: Final = {"tend": "sweep_tend"}
"""What is run in the background."""


class Verbs(NearGroup):
    """Loads a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS[cmd_name][0] if cmd_name in VERBS else HIDDEN.get(cmd_name)
        if module is None:
            return None
        found: click.Command = getattr(import_module(f"hpcshell.cli.{module}"), cmd_name)
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
