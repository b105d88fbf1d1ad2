"""What all verbs share: their common options, their help with examples, what they are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import click

from hpcshell.cli.talk import Talk

ON: Final = "hpcshell.on"
"""Key of `ctx.meta`: the cluster that was named."""

Run = Callable[..., int | None]
"""A verb's function: takes a `Talk` and its own options, returns the exit code (None: 0)."""


def verb(
    name: str,
    *examples: str,
    changes: bool = False,
    on: bool = False,
    kind: type[click.Command] = click.Command,
    settings: dict[str, Any] | None = None,
) -> Callable[[Run], click.Command]:
    """Make a function a verb of `hpc`, its docstring the help, the examples below it.

    One that `changes` anything takes --dry-run, one about jobs that may be `on` a cluster --on.
    """

    def decorate(function: Run) -> click.Command:
        own: list[click.Parameter] = getattr(function, "__click_params__", [])

        def callback(**given: Any) -> int:
            talk = Talk(
                json=given.pop("json"),
                quiet=given.pop("quiet"),
                color=given.pop("color"),
                dry_run=given.pop("dry_run", False),
            )
            given.pop("debug")
            return function(talk, **given) or 0

        return kind(
            name,
            params=[*reversed(own), *_common(changes, on)],
            callback=callback,
            help=inspect.getdoc(function),
            epilog="\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples),
            context_settings={"help_option_names": ["-h", "--help"], **(settings or {})},
        )

    return decorate


def _remember_on(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    ctx.meta[ON] = value


def _common(changes: bool, on: bool) -> list[click.Parameter]:
    options: list[click.Parameter] = [
        click.Option(["--json"], is_flag=True, help="Answer with a JSON document."),
        click.Option(["--quiet"], is_flag=True, help="Print ids only, and no talk."),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            help="Use colours.  [default: auto]",
        ),
        click.Option(
            ["--debug"], is_flag=True, is_eager=True, help="Show the traceback of a defect."
        ),
    ]
    if on:
        where = click.Option(
            ["--on"],
            metavar="CLUSTER",
            expose_value=False,
            callback=_remember_on,
            help="Where: local, the name of a cluster, slurm, pbs, lsf, sge, auto or any.",
        )
        options.insert(0, where)
    if changes:
        dry = click.Option(
            ["--dry-run"], is_flag=True, help="Say what would be done, and do nothing."
        )
        options.insert(0, dry)
    return options
