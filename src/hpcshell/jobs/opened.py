"""The doors that a program has open: each is opened once, and used as long as it is the same one.

A program that submits thousands of jobs speaks to one daemon over one connection, and to a cluster
over one desk, for each of its threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import local
from typing import TYPE_CHECKING

from hpcshell.client.client import Client
from hpcshell.jobs.doors import LOCAL, Door, chosen
from hpcshell.jobs.surroundings import configured, environment, here, working_directory

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk

_client: tuple[Mapping[str, str] | None, Client | None] = (None, None)
_desks = local()


def client() -> Client:
    """The client of the daemon this environment means, shared by all threads."""
    global _client
    env = environment()
    known, found = _client
    if found is None or known is not env:
        where = here()
        if found is None or found.places != where:
            found = Client(where)
        _client = (env, found)
    return found


def door(on: str | None = None) -> Door:
    """The door of this name, as `jobs.doors.door` says."""
    name = chosen(on)
    return client() if name == LOCAL else _desk(name) or client()


def name_of(door: Door) -> str:
    """What to ask for to get this door again."""
    cluster = getattr(door, "cluster", None)
    return LOCAL if cluster is None else str(cluster.name)


def _desk(name: str) -> Desk | None:
    """The desk of a cluster, of this thread; opened anew when what it was made from has changed."""
    env, settings = environment(), configured(working_directory()).settings
    made_from, desks = getattr(_desks, "mine", (None, {}))
    if made_from is None or made_from[0] is not env or made_from[1] is not settings:
        _desks.mine = ((env, settings), desks := {})
    if name not in desks:
        from hpcshell.clusters.desks import open_desk

        desks[name] = open_desk(name, settings, here())
    found: Desk | None = desks[name]
    return found
