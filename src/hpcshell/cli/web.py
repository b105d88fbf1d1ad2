"""`hpc web`: serve the REST API and the experiment tracker."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from hpcshell.cli.entry import loading
from hpcshell.cli.group import NearGroup
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Wrong

EXTRA: Final = "pip install 'hpcshell[web]'"
NEEDED: Final = frozenset(
    {"litestar", "uvicorn", "httptools", "uvloop", "sqlalchemy", "jinja2", "alembic"}
)


@contextlib.contextmanager
def needed(by: str = "hpc web") -> Iterator[None]:
    """For imports of what only the extra brings. Raises `Wrong` where it is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in NEEDED:
            raise Wrong(f"{by} needs {error.name}", EXTRA) from None
        raise


class Verbs(NearGroup):
    """Serves when no verb is given."""

    def __init__(self, name: str, **named: Any) -> None:
        super().__init__(name, invoke_without_command=True, **named)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["token"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "token":
            return None
        from hpcshell.cli.web_token import token

        return token


@verb(
    "web",
    "hpc web",
    "hpc web --port 0",
    "hpc web --socket ~/tracker.sock",
    "hpc web token create --role viewer",
    kind=Verbs,
)
@click.option("--host", help="The address to listen on.  [default: web.host, 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port; 0: a free one.  [default: web.port, 8470]",
)
@click.option("--socket", help="The path of a Unix socket to listen on instead.")
@click.option("--allow-remote", is_flag=True, help="Let in other machines; put TLS before it.")
@click.option("--log-requests", is_flag=True, help="Write a line for each request to stderr.")
def command(
    talk: Talk,
    host: str | None,
    port: int | None,
    socket: str | None,
    allow_remote: bool,
    log_requests: bool,
) -> int:
    """Serve the REST API and the experiment tracker.

    Prints its address, and serves until it is ended. Whoever asks needs a token: hpc web token
    create. The page to try everything is at /docs.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    with needed(), loading():
        from hpcshell.web.masking import write_logs
        from hpcshell.web.serving import Where, serve
    from hpcshell.machine.configfiles import daemon_settings
    from hpcshell.machine.paths import places

    found = places(os.environ)
    settings = daemon_settings(found, os.environ)
    web = settings.web
    chosen = Where(
        host=host or web.host,
        port=web.port if port is None else port,
        socket=socket or ("" if host or port is not None else web.socket),
        remote=allow_remote,
    )
    write_logs(requests=log_requests)
    serve(settings, found, chosen, lambda url, reachable: _announce(talk, url, reachable))
    return 0


def _announce(talk: Talk, url: str, reachable: bool) -> None:
    if talk.json:
        talk.document({"schema": SCHEMA, "url": url, "pid": os.getpid()})
    else:
        talk.data(url)
    if not reachable:
        talk.say("to be let in one needs a token: hpc web token create")
    sys.stdout.flush()
