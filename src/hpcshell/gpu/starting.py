"""Bringing the box up: its configuration in place, the daemon going by it."""

from __future__ import annotations

from typing import Any

from hpcshell.client.client import Client
from hpcshell.client.start import daemon_pid
from hpcshell.core.boxkeys import BoxFile
from hpcshell.machine.boxfiles import put_box
from hpcshell.machine.paths import Places


def bring_up(
    places: Places, box: BoxFile | None = None, origin: str = "", *, replace: bool = True
) -> dict[str, Any]:
    """What the daemon says of itself, which runs when this returns, and goes by the configuration.

    `box` takes the place of the former JSON configuration, once it is checked; `origin` says where
    it comes from. Without `replace` a former one that says something else is `Refused`.
    """
    ran = daemon_pid(places) is not None
    changed = box is not None and put_box(box, origin, places, replace=replace)
    client = Client(places)
    hello: dict[str, Any] = client.call("hello")
    if ran and changed:
        client.call("reload")
    client.close()
    return hello
