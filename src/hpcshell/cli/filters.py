"""The options by which verbs choose among jobs, and pages of long answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from hpcshell.cli.talk import Talk

if TYPE_CHECKING:
    from hpcshell.jobs.doors import Door

PAGE: Final = 1000
"""Rows asked for at once; more would only be held in memory on both sides."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def states_option(text: str) -> Decorator:
    """--state, which may be repeated or take a comma-separated list."""
    return click.option("-s", "--state", "states", multiple=True, metavar="STATE", help=text)


def names_option(text: str) -> Decorator:
    return click.option("-N", "--name", "names", multiple=True, metavar="NAME", help=text)


def user_option(text: str) -> Decorator:
    return click.option("-u", "--user", metavar="USER", help=text)


def tags_option(text: str) -> Decorator:
    return click.option("--tag", "tags", multiple=True, metavar="TAG", help=text)


def paging(default: int) -> Decorator:
    """--limit and --offset."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option(
            "--offset", type=click.IntRange(0), default=0, help="Leave out the first so many."
        )(function)
        return click.option(
            "-l",
            "--limit",
            type=click.IntRange(0),
            help=f"Show at most so many, 0 for all; {default} unless said, {PAGE} with --json, "
            "all with --quiet.",
        )(function)

    return decorate


def most(talk: Talk, asked: int | None, default: int, *, whole: bool = False) -> int:
    """How many rows to show, 0 for all: lists that are fed to other commands are not cut short."""
    if asked is not None:
        return asked
    if talk.quiet or whole:
        return 0
    return PAGE if talk.json else default


def given(**filters: Any) -> dict[str, Any]:
    """The filters that were given."""
    return {name: value for name, value in filters.items() if value not in (None, (), [], "")}


def pages(
    client: Door, verb: str, limit: int, offset: int, **args: Any
) -> Iterator[dict[str, Any]]:
    """Answers of a listing verb until `limit` rows (0: all) have been had; at least one answer."""
    if not getattr(client, "page", PAGE):  # it has no wire between, and would look anew for each
        yield client.call(verb, limit=limit, offset=offset, **args)
        return
    left = limit
    while True:
        wanted = min(left, PAGE) if limit else PAGE
        page = client.call(verb, limit=wanted, offset=offset, **args)
        yield page
        offset += len(page["rows"])
        left -= len(page["rows"])
        if not page["rows"] or offset >= page["total"] or (limit and left <= 0):
            return
