"""Where jobs go: this machine's scheduler, or a cluster. Behind every door are the same verbs.

door("local")       the daemon of this environment
door("mycluster")   the desk of a cluster: `[clusters.mycluster]`, or a kind of scheduler here
door("auto")        the scheduler that is found here, this machine's where there is none
door("any")         whichever cluster starts a job first
door()              as the configuration says (`defaults.on`), which is `local` unless set
"""

from __future__ import annotations

import os
import re
from typing import Any, Final, Protocol

from hpcshell.machine.paths import SITE_FILE, places

LOCAL: Final = "local"
ANY: Final = "any"
_VARIABLE: Final = "HPC_DEFAULTS__ON"
_SAID: Final = re.compile(rb"^\s*(?:defaults\s*\.\s*)?on\s*=", re.MULTILINE)


class Door(Protocol):
    """What takes verbs and answers with documents."""

    def call(self, verb: str, **args: Any) -> Any:
        """Ask one thing. Raises the `HpcError` that says why not."""


def chosen(on: str | None = None) -> str:
    """The name of the door: `on` if it is said, else what the environment or configuration says.

    The files are only looked through for the word: most say nothing of it, and to read them all
    costs as much as everything else that a command does.
    """
    return on or said() or LOCAL


def said() -> str:
    """What the environment or configuration says of it; "" for nothing."""
    if _VARIABLE in os.environ:
        return os.environ[_VARIABLE] or LOCAL
    return _configured()


def _configured() -> str:
    for path in (SITE_FILE, places(os.environ).config_file):
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                if _SAID.search(file.read(1 << 20) or b"") is None:
                    continue
        except OSError:
            continue
        from hpcshell.jobs.surroundings import configured, working_directory

        return configured(working_directory()).settings.defaults.on
    return ""


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe is opened at once; whoever reads all of the configuration refuses it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def known_rows(on: str | None = None) -> list[dict[str, Any]]:
    """Label, name and state of live jobs, without asking any cluster or starting anything."""
    way = door(on, autostart=False)
    desks = getattr(way, "desks", None) or ({"": way} if hasattr(way, "cluster") else {})
    if not desks:
        rows: list[dict[str, Any]] = way.call("queue", limit=500, offset=0)["rows"]
        return rows
    from hpcshell.clusters.survey import on_record

    return [row for desk in desks.values() for row in on_record(desk.cluster)]


def door(on: str | None = None, *, autostart: bool = True) -> Door:
    """The door of this name. Raises `NotFound` for a name that no cluster has."""
    name = chosen(on)
    if name != LOCAL:
        from hpcshell.clusters.desks import open_desk
        from hpcshell.jobs.surroundings import configured, here, working_directory

        settings = configured(working_directory()).settings
        desk = open_desk(name, settings, here())
        if desk is not None:
            return desk
    from hpcshell.client.client import Client

    return Client(places(os.environ), autostart)
