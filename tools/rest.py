"""The page of docs/reference about the addresses of the web server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from litestar.testing import TestClient

from hpcshell.core.settings import Settings
from hpcshell.machine.paths import places
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.web.app import make_app
from hpcshell.web.context import Context

PAGE: Final = """\
# REST

Every address of `hpc web`, with the right that a caller needs ([which roles have it, and what is
refused](../how-to/web-server.md)). `/docs` on the server says the same with all fields, and tries
it; `/openapi.json` is for programs. `/experiments`, `/runs` and `/webhooks` may be written without
`/api/v1`. A parameter comes once, unless it is a list.

A `filter` is made of comparisons, joined by `and`, `or` and parentheses: `metrics.loss < 0.5 and
params.lr = '0.1'`. It has at most 4,000 characters, 50 comparisons and 20 parentheses in each
other; `in` takes at most 1,000 values, and a pattern of `like` at most 200 characters and 10 `%`.
`sort` is by one name. A search that takes longer than 5 seconds is ended, and answered with 400.

{tables}"""
METHODS: Final = ("get", "post", "put", "patch", "delete")


def rest_page() -> str:
    """A table of addresses for each tag."""
    tags: dict[str, list[str]] = {}
    for path, item in _document()["paths"].items():
        for method in METHODS:
            if (operation := item.get(method)) is not None:
                tag = operation.get("tags", ["other"])[0]
                tags.setdefault(tag, []).append(_row(method, path, operation))
    head = "| address | | right |\n|---|---|---|\n"
    return PAGE.format(
        tables="\n\n".join(f"## {tag}\n\n{head}" + "\n".join(rows) for tag, rows in tags.items())
    )


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    right = operation.get("x-right", "")
    about = operation.get("summary", "").replace("|", "\\|")
    return f"| `{method.upper()} {path}` | {about} | {f'`{right}`' if right else 'none'} |"


def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hpc-") as home:
        where = places({"HPCSHELL_HOME": str(Path(home))})
        where.prepare()
        context = Context(Settings(), where, open_store(url_of("", where)))
        try:
            with TestClient(make_app(context), "http://127.0.0.1") as client:
                document: dict[str, Any] = client.get("/openapi.json").json()
                return document
        finally:
            context.close()
