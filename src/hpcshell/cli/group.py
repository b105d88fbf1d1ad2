"""A group of verbs that knows what was meant when a verb is misspelt."""

from __future__ import annotations

import click


class NearGroup(click.Group):
    """Names the nearest verb for one that is not there."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from hpcshell.core.words import nearest, quote

            near = nearest(args[0], self.list_commands(ctx))
            meant = f"; did you mean {near!r}?" if near else ""
            raise click.UsageError(f"there is no command {quote(args[0])}{meant}", ctx)
        return super().resolve_command(ctx, args)
