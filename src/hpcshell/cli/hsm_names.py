"""The commands of `hsm`: those of `hpc`, and what is called otherwise there."""

from __future__ import annotations

from typing import Any, Final

import click

from hpcshell.cli import sweep
from hpcshell.cli.group import NearGroup
from hpcshell.cli.main import Verbs, hpc

ADDED: Final = {
    "monitor": "Watch a sweep, as hsm sweep watch.",
    "setup": "Set a project up for sweeps.",
}
"""Commands that `hpc` does not have."""


class Names(Verbs):
    """The verbs of `hpc`, and those that are added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ADDED]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "monitor":
            from hpcshell.cli.sweep_watch import monitor

            return monitor
        return _GROUPS.get(cmd_name) or super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        with formatter.section("As hsm has it"):
            formatter.write_dl(list(ADDED.items()))


class Sweeps(sweep.Verbs):
    """The verbs of `hpc sweep`, and its queue."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "queue"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "queue":
            return hpc.get_command(ctx, "queue")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        with formatter.section("As hsm has it"):
            formatter.write_dl([("queue", "List the jobs that wait and run.")])


class Setup(NearGroup):
    """`hsm setup init` is `hsm sweep init`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["init"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return sweep.command.get_command(ctx, cmd_name) if cmd_name == "init" else None


_HELP: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"]}
_GROUPS: Final[dict[str, click.Group]] = {
    "sweep": Sweeps("sweep", help=sweep.command.help, context_settings=_HELP, no_args_is_help=True),
    "setup": Setup(
        "setup", help="Set a project up for sweeps.", context_settings=_HELP, no_args_is_help=True
    ),
}

hsm = Names(
    "hsm",
    help="The commands of hpc under a second name, for those who know sweeps by it.",
    context_settings=hpc.context_settings,
    no_args_is_help=True,
    params=hpc.params,
)
