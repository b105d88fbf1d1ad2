"""The options of a job as click knows them, made from the one option table; and what was meant."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from hpcshell.core.errors import Wrong
from hpcshell.core.options.row import Option, Setting
from hpcshell.core.options.table import BY_NAME, OPTIONS, by_flag
from hpcshell.core.options.values import from_parameters
from hpcshell.core.words import quote
from hpcshell.jobs.looking import Missing, read_script

WORDS: Final = "words"
"""The parameter that holds the script and its arguments, or the command."""

AFTER_DASHES: Final = "hpcshell.after_dashes"
"""Key of `ctx.meta`: whether `--` stood before the words."""


class Panelled(click.Command):
    """A command whose help lists a job's options under the panels of the table, and what is its
    own under `own`."""

    own = "Answer"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                panels.setdefault(self._panel(param), []).append(record)
        for title, records in panels.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def _panel(self, param: click.Option) -> str:
        row = BY_NAME.get(param.name or "")
        if row is not None and param.help == row.help:
            return row.panel
        return "Answer" if _COMMON & {*param.opts} else self.own


_COMMON: Final = frozenset(
    {"--on", "--dry-run", "--json", "--quiet", "--color", "--debug", "--help"}
)


class Requesting(Panelled):
    """A command that takes a job's options, then a script or `--` and a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = self._joined(args)
        given = list(args)
        rest = super().parse_args(ctx, args)
        before = len(given) - len(ctx.params.get(WORDS) or ())
        ctx.meta[AFTER_DASHES] = before > 0 and given[before - 1] == "--"
        return rest

    def _joined(self, args: list[str]) -> list[str]:
        """The words with `--screen` as `--screen=any`, so that the script after it is no value."""
        params = [param for param in self.params if isinstance(param, click.Option)]
        takes = {name for param in params if not param.is_flag for name in param.opts}
        found = list(args)
        at = 0
        while at < len(args) and args[at].startswith("-") and args[at] not in ("-", "--"):
            row = by_flag("hpc").get(args[at])
            if row is not None and row.optional:
                found[at] += "=any"
            elif args[at] in takes:
                at += 1
            at += 1
        return found


def job_options(
    wanted: Callable[[Option], bool] = lambda row: True, *, letters: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The rows of the table (those `wanted`) as options of a verb, with or without those of one
    letter."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        params: list[click.Parameter] = function.__dict__.setdefault("__click_params__", [])
        rows = [row for row in OPTIONS if row.hpc and wanted(row)]
        params.extend(_option(row, letters) for row in reversed(rows))
        return function

    return decorate


def _option(row: Option, letters: bool) -> click.Option:
    flags = [flag for flag in row.hpc if letters or flag.startswith("--")]
    off = [flag for flag in row.off if flag.startswith("--")]
    if row.is_flag and off:
        names = [row.name, f"{flags[0]}/{off[0]}", *flags[1:]]
        return click.Option(names, default=None, help=row.help, hidden=row.hidden)
    return click.Option(
        [row.name, *flags],
        is_flag=row.is_flag,
        multiple=row.multiple,
        default=None,
        metavar=None if row.is_flag else row.metavar or None,
        help=row.help,
        hidden=row.hidden,
    )


def take_settings(chosen: dict[str, Any]) -> list[Setting]:
    """Take the job's options out of what click found, as settings that blame their flag."""
    return from_parameters({name: chosen.pop(name) for name in [*chosen] if name in BY_NAME})


def what_to_run(words: Sequence[str], verb: str) -> tuple[list[str], bytes | None]:
    """The words to run, and the script's content where the first of them is a script.

    After `--` they are a command. `-` is a script read from stdin.
    """
    after_dashes = click.get_current_context().meta[AFTER_DASHES]
    if not words:
        raise Wrong("nothing to run", f"hpc {verb} SCRIPT, or hpc {verb} -- COMMAND")
    if after_dashes:
        return list(words), None
    if words[0] == "-":
        return ["stdin", *words[1:]], sys.stdin.buffer.read()
    if verb == "run" and not _looks_like_script(words[0]):
        return list(words), None
    try:
        return list(words), read_script(words[0])
    except Missing:
        import shutil

        if os.sep in words[0] or shutil.which(words[0]) is None:
            raise
        raise Missing(
            f"there is no script {quote(words[0])} here",
            f"to submit the command of that name: hpc {verb} -- {' '.join(words)}",
        ) from None


def _looks_like_script(word: str) -> bool:
    """For `hpc run`, whose words are rather a command: a file that is named as one."""
    try:
        mode = os.stat(word).st_mode
    except OSError:
        return False
    if not stat.S_ISREG(mode) or (os.sep not in word and "." not in word):
        return False
    with open(word, "rb") as file:
        return file.read(2) == b"#!"
