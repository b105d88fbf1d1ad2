"""The queue as the decider sees it, from the daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from hpcshell.client.client import Client
from hpcshell.core.errors import NotYet
from hpcshell.policy.snapshot import Snapshot, Standing

TRIES = 3
"""How often it is begun again when the daemon was restarted meanwhile."""


def fetch_snapshot(client: Client, most: int | None = None, named: Sequence[str] = ()) -> Snapshot:
    """All of it, of one instant, page by page. `most`: of what waits only the first so many in
    line, and what is `named`."""
    asked = {} if most is None else {"most": most, "ids": list(named)}
    for _ in range(TRIES - 1):
        try:
            return _fetch(client, asked)
        except NotYet:
            continue
    return _fetch(client, asked)


def _fetch(client: Client, asked: dict[str, Any]) -> Snapshot:
    head: dict[str, Any] = {}
    jobs: list[Standing] = []
    page, more = 0, True
    while more:
        answer = client.call("snapshot", page=page, **asked)
        head = answer.get("head") or head
        jobs += msgspec.convert(answer["jobs"], list[Standing], str_keys=True)
        page, more = page + 1, answer["more"]
    return replace(msgspec.convert(head, Snapshot, str_keys=True), jobs=tuple(jobs))
