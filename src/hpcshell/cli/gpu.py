"""`hpc gpu`: a box of GPUs, shared."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from hpcshell.cli.group import NearGroup

VERBS: Final[dict[str, tuple[str, str]]] = {
    "status": ("gpu_cards", "Show how each card stands, and who is on it."),
    "topology": ("gpu_cards", "Show how cards and CPUs are joined."),
    "health": ("gpu_cards", "Say whether the cards are well, and what is wrong."),
    "pause": ("gpu_cards", "Give no new work to cards."),
    "resume": ("gpu_cards", "Let cards take new work again."),
    "size": ("gpu_size", "Work out the GPU memory that a model needs."),
    "start": ("gpu_start", "Bring the box up, and follow its file of jobs."),
    "stop": ("gpu_start", "End what follows the file of jobs in the background."),
    "add": ("gpu_jobs", "Add a script to the queue."),
    "watch": ("gpu_watch", "Submit each line of a file of jobs, as it comes."),
    "list-jobs": ("gpu_jobs", "List the jobs of the box."),
    "cancel-job": ("gpu_jobs", "Cancel jobs."),
    "screens": ("gpu_jobs", "List the sessions of running jobs that can be joined."),
    "metrics": ("gpu_metrics", "Show how long jobs ran, and how busy the cards were."),
    "config-sample": ("gpu_config", "Print the complete example of the JSON configuration."),
}
"""Each verb with the module that has it (there called by its name, `-` as `_`), as listed by
--help."""


class Verbs(NearGroup):
    """Loads a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"hpcshell.cli.{VERBS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


command = Verbs(
    "gpu",
    help="Run a box of GPUs that several people share.\n\n"
    "Scripts get shares of cards, by what they ask for or by the model they name; lines of a file "
    "become jobs. All of it is this machine's own queue: its jobs are those of hpc queue --tag "
    "gpubox.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
