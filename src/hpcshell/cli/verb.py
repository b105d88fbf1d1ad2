"""What all verbs share: their common options, their help with examples, what they are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import click

from hpcshell.cli.talk import Talk

Run = Callable[..., int | None]
"""A verb's function: takes a `Talk` and its own options, returns the exit code (None: 0)."""


def verb(
    name: str,
    *examples: str,
    changes: bool = False,
    kind: type[click.Command] = click.Command,
    settings: dict[str, Any] | None = None,
) -> Callable[[Run], click.Command]:
    """Make a function a verb of `hpc`, its docstring the help, the examples below it.

    One that `changes` anything takes --dry-run.
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
            params=[*reversed(own), *_common(changes)],
            callback=callback,
            help=inspect.getdoc(function),
            epilog="\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples),
            context_settings={"help_option_names": ["-h", "--help"], **(settings or {})},
        )

    return decorate


def _common(changes: bool) -> list[click.Parameter]:
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
    if changes:
        dry = click.Option(
            ["--dry-run"], is_flag=True, help="Say what would be done, and do nothing."
        )
        options.insert(0, dry)
    return options
