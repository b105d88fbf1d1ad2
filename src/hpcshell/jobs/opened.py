"""The doors that a program has open: each is opened once, and used as long as it is the same one.

A program that submits thousands of jobs speaks to one daemon over one connection, and to a cluster
over one desk, for each of its threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import local

from hpcshell.client.client import Client
from hpcshell.jobs.doors import ANY, LOCAL, Door, chosen
from hpcshell.jobs.surroundings import configured, environment, here, working_directory

_client: tuple[Mapping[str, str] | None, Client | None] = (None, None)
_mine = local()


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
    if cluster is not None:
        return str(cluster.name)
    return ANY if hasattr(door, "desks") else LOCAL


def _desk(name: str) -> Door | None:
    """The desk of a cluster, of this thread; opened anew when what it was made from has changed."""
    env, settings = environment(), configured(working_directory()).settings
    known: tuple[object, object, dict[str, Door | None]] = getattr(_mine, "desks", (None, None, {}))
    if known[0] is not env or known[1] is not settings:
        known = _mine.desks = (env, settings, {})
    desks = known[2]
    if name not in desks:
        from hpcshell.clusters.desks import open_desk

        desks[name] = open_desk(name, settings, here())
    return desks[name]
