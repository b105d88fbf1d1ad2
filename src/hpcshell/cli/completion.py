"""`hpc completion`: the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from hpcshell.cli.talk import Talk
from hpcshell.cli.verb import verb

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@verb(
    "completion",
    'eval "$(hpc completion bash)"      # in ~/.bashrc',
    'eval "$(hpc completion zsh)"       # in ~/.zshrc, after compinit',
    "hpc completion fish > ~/.config/fish/completions/hpc.fish",
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(talk: Talk, shell: str) -> int:
    """Print the completion script of a shell.

    It completes verbs, options, and the ids and names of your jobs.
    """
    from hpcshell.cli.main import hpc

    script = ShellComplete.source(SHELLS[shell](hpc, {}, "hpc", "_HPC_COMPLETE"))
    if talk.json:
        talk.document({"schema": 1, "shell": shell, "script": script})
    else:
        talk.data(script.rstrip())
    return 0
