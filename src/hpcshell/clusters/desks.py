"""From a name to a desk: a configured cluster, a kind of scheduler that is here, or the one found.

open_desk("mycluster", settings, places)     as [clusters.mycluster] says
open_desk("slurm", settings, places)         the Slurm of this machine, without configuration
open_desk("auto", settings, places)          whichever scheduler is found here; None: there is none
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hpcshell.backends.registry import BACKENDS, names
from hpcshell.clusters.cluster import Cluster, ledger_path
from hpcshell.clusters.desk import Desk
from hpcshell.core.errors import HpcError, NotFound, Unreachable, Wrong
from hpcshell.core.settings import ClusterSettings, Settings
from hpcshell.core.words import nearest, quote
from hpcshell.machine.filesystems import is_shared
from hpcshell.machine.link import Link, LocalLink
from hpcshell.machine.paths import Places, check_within
from hpcshell.store.ledger.ledger import Ledger

if TYPE_CHECKING:
    from hpcshell.clusters.anydesk import AnyDesk

AUTO = "auto"
LOCAL = "local"
ANY = "any"


def open_desk(name: str, settings: Settings, places: Places) -> Desk | AnyDesk | None:
    """The desk of a cluster; None: `auto` found no scheduler. Raises `NotFound` for no cluster."""
    if name == ANY:
        return open_all(settings, places)
    if name == AUTO:
        found = find_here(places)
        return None if found is None else open_desk(found, settings, places)
    return Desk(open_cluster(name, settings, places))


def open_all(settings: Settings, places: Places) -> AnyDesk | None:
    """One desk for all clusters that may be chosen: those that are configured, else the scheduler
    that is found here. None: there are none. Raises an `HpcError` if none can be opened."""
    clusters = [name for name, each in settings.clusters.items() if each.any]
    if not clusters and (found := find_here(places)) is not None:
        clusters = [found]
    if not clusters:
        return None
    from hpcshell.clusters.anydesk import AnyDesk

    check_within(places.state, "clusters", ANY)
    opened: dict[str, Desk] = {}
    missing: dict[str, HpcError] = {}
    for name in clusters:
        try:
            opened[name] = Desk(open_cluster(name, settings, places))
        except HpcError as error:  # of whose scheduler nothing is known yet
            missing[name] = error
    if not opened:
        raise next(iter(missing.values()))
    return AnyDesk(opened, missing=missing)


def open_cluster(name: str, settings: Settings, places: Places) -> Cluster:
    """The cluster that a name means. Its files lie in a directory of its name."""
    if "/" in name or name.startswith("."):
        raise Wrong(f"{quote(name)} is no name for a cluster", "give it another one")
    known = settings.clusters.get(name)
    if known is None and (name in BACKENDS or name in names()):
        known = ClusterSettings(backend=name)
    if known is None:
        every = [*settings.clusters, *names(), LOCAL, AUTO, ANY]
        near = nearest(name, every)
        hint = f"did you mean {near}?" if near else "add it: hpc cluster add NAME --ssh USER@HOST"
        raise NotFound(f"there is no cluster {quote(name)}", hint)
    check_within(places.state, "clusters", name)
    link = link_to(known, places)
    if not known.backend:
        known = replace(known, backend=_kind(name, link, places))
    return Cluster(name, known, places, link, open_ledger(places))


def open_ledger(places: Places) -> Ledger:
    """What was submitted from here, to any cluster."""
    return Ledger.open(ledger_path(places), shared=is_shared(places.state))


def link_to(settings: ClusterSettings, places: Places) -> Link:
    """The way to a cluster's commands."""
    if not settings.ssh:
        return LocalLink()
    from hpcshell.machine.link import SshLink

    return SshLink(
        settings.ssh,
        jump=settings.jump,
        options=settings.ssh_options,
        control=f"{places.runtime}/ssh",
    )


def _kind(name: str, link: Link, places: Places) -> str:
    """The kind of scheduler of a cluster whose configuration does not say; found out once."""
    remembered = f"{places.state}/clusters/{name}/kind"
    if (kind := _remembered(remembered)) is not None:
        return kind
    from hpcshell.clusters.detecting import chosen, detect

    found = chosen(detect(link))
    if found is None:
        raise Unreachable(
            f"{name}: no scheduler answers there",
            "what was tried: hpc cluster detect, there with --ssh USER@HOST",
        )
    _remember(remembered, found.backend)
    return found.backend


def find_here(places: Places) -> str | None:
    """The scheduler of this machine, by its kind.

    Once one was found it stays the one: when it does not answer that is an error, and no reason to
    run its jobs on this machine.
    """
    check_within(places.state, "clusters")
    remembered = f"{places.state}/clusters/found-here"
    if (kind := _remembered(remembered)) is not None:
        return kind
    from hpcshell.clusters.detecting import chosen, detect

    found = chosen(detect(LocalLink()))
    if found is None:
        return None
    _remember(remembered, found.backend)
    return found.backend


def _remembered(path: str) -> str | None:
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        kind = file.read().strip()
        if kind in BACKENDS or kind in names():
            return kind
    return None


def _remember(path: str, text: str) -> None:
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(f"{path}.new", path)
