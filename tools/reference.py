"""Write the pages of docs/reference from the program: commands, options, settings, reasons.

python -m tools.reference            writes the pages
python -m tools.reference --check    fails when a page is not what would be written
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator

import click

from tools import backends, box, rest, sweepfile, tables
from tools.pages import PAGES, main_for

INTRODUCTION = """\
# The command line

Everything `hpc` understands. `hpc COMMAND --help` says the same at the prompt."""


def commands(path: str, command: click.Command, context: click.Context) -> Iterator[str]:
    """The text of a command, then of each below it, in the order of `--help`."""
    yield section(path, command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                inner = click.Context(below, info_name=name, parent=context)
                yield from commands(f"{path} {name}", below, inner)


def section(path: str, command: click.Command, context: click.Context) -> str:
    """Heading, usage, help, options."""
    depth = min(path.count(" ") + 2, 4)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"{'#' * depth} {path}", f"```\n{usage}\n```", prose(command.help)]
    options = [
        row(parameter)
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    ]
    if options:
        parts.append("\n".join(["| option | |", "|---|---|", *options]))
    parts.append(prose(command.epilog))
    return "\n\n".join(part for part in parts if part)


def prose(text: str | None) -> str:
    r"""A command's help as Markdown; a paragraph that starts with \b keeps its lines."""
    paragraphs = inspect.cleandoc(text or "").partition("\f")[0].split("\n\n")
    return "\n\n".join(
        "```text\n" + paragraph.removeprefix("\b\n").rstrip() + "\n```"
        if paragraph.startswith("\b")
        else paragraph
        for paragraph in paragraphs
    ).strip()


def row(option: click.Option) -> str:
    """One line of the table: the option as it is typed, and what it does."""
    names = "`, `".join([*option.opts, *option.secondary_opts])
    value = value_of(option)
    about = " ".join((option.help or "").split()).replace("|", "\\|").replace("<", "&lt;")
    if option.show_default and isinstance(option.default, str | int | float):
        about += f" Default: `{option.default}`."
    return f"| `{names}`{f' `{value}`' if value else ''} | {about} |"


def value_of(option: click.Option) -> str:
    """What stands behind the option, empty for a switch."""
    if option.is_flag or option.count:
        return ""
    if option.metavar:
        return option.metavar.replace("|", "\\|")
    if isinstance(option.type, click.Choice):
        return " ".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper()


def cli_page() -> str:
    """Every command, then the exit codes."""
    hpc: click.Command = importlib.import_module("hpcshell.cli.main").hpc
    context = click.Context(hpc, info_name="hpc")
    exits: dict[int, str] = importlib.import_module("hpcshell.cli.exits").EXITS
    codes = "\n".join(f"| {number} | {meaning} |" for number, meaning in exits.items())
    ending = f"## Exit codes\n\n| code | |\n|---|---|\n{codes}"
    return "\n\n".join([INTRODUCTION, *commands("hpc", hpc, context), ending])


PAGES_HERE = {
    PAGES / "cli.md": cli_page,
    PAGES / "backends.md": backends.backends_page,
    PAGES / "options.md": tables.options_page,
    PAGES / "configuration.md": tables.configuration_page,
    PAGES / "gpu-config.md": box.box_page,
    PAGES / "reasons.md": tables.reasons_page,
    PAGES / "rest.md": rest.rest_page,
    PAGES / "sweep-file.md": sweepfile.sweep_page,
}

if __name__ == "__main__":
    sys.exit(main_for(PAGES_HERE))
