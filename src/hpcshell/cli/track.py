"""`hpc track`: experiments and runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from hpcshell.cli.group import NearGroup

VERBS: Final[dict[str, tuple[str, str]]] = {
    "experiments": ("track_experiments", "List the experiments."),
    "runs": ("track_runs", "List the runs of an experiment."),
    "show": ("track_runs", "Show all about runs."),
    "files": ("track_files", "List the artifacts and checkpoints of a run."),
    "fetch": ("track_files", "Fetch a file of a run."),
    "compare": ("track_compare", "Show runs beside each other."),
    "best": ("track_compare", "List the best runs of an experiment."),
    "export": ("track_export", "Write runs or metrics as CSV, JSON or Parquet."),
    "note": ("track_change", "Write a note to a run."),
    "tag": ("track_change", "Tag runs."),
    "delete": ("track_change", "Delete runs or an experiment; undo brings them back."),
    "undo": ("track_change", "Bring back what was deleted."),
    "purge": ("track_change", "Delete for good what was deleted long ago."),
    "sync": ("track_sync", "Take in what runs have logged into spool files."),
    "epilog": ("track_epilog", "Write the script by which a cluster tells of its jobs."),
    "migrate": ("track_migrate", "Bring the database to the tables of this version."),
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

    def invoke(self, ctx: click.Context) -> Any:
        from hpcshell.cli.web import needed

        with needed("hpc track"):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


command = Verbs(
    "track",
    help="Which run was which job, on what machine, at what cost, with which metrics.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
