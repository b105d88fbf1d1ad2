"""Back ends by name: ours, and those that other packages bring.

    backend("lsf") -> LsfBackend         names() -> ("lsf", "pbs", "sge", "slurm", ...)

A package brings one by an entry point of the group `hpcshell.backends`, whose name is what people
write after --on. A back end is loaded when it is asked for, and never by this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from hpcshell.backends.contract import Backend, Site
from hpcshell.core.errors import Broken, Wrong
from hpcshell.core.words import nearest, quote

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "hpcshell.backends"
BACKENDS: Final[Mapping[str, str]] = {
    "slurm": "hpcshell.backends.slurm:SlurmBackend",
    "pbs": "hpcshell.backends.pbs:PbsBackend",
    "lsf": "hpcshell.backends.lsf:LsfBackend",
    "sge": "hpcshell.backends.sge:SgeBackend",
}
"""Ours, each with where its class is. Another package cannot take one of these names."""


def names() -> tuple[str, ...]:
    """All that there are, whether they can be loaded or not."""
    return tuple(sorted({*BACKENDS, *_brought()}))


def backend(name: str, site: Site | None = None) -> Backend:
    """The back end of this name, with what is known of the site. Raises `Wrong` for a name that
    nothing has, `Broken` for one of another package that cannot be used."""
    if name in BACKENDS:
        module, _, attribute = BACKENDS[name].partition(":")
        made: Backend = getattr(import_module(module), attribute)(site)
        return made
    found = _brought().get(name)
    if found is None:
        near = nearest(name, names())
        raise Wrong(
            f"{quote(name)} is no back end",
            f"did you mean {near}?" if near else f"there are {', '.join(names())}",
        )
    return _made(found, site)


def _brought() -> dict[str, EntryPoint]:
    """The entry points of other packages, the first of a name."""
    from importlib.metadata import entry_points  # it takes longer than all else that is loaded

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found


def _made(entry: EntryPoint, site: Site | None) -> Backend:
    """Strangers' code may fail in any way, and the person who reads of it is not its author."""
    try:
        made = entry.load()(site)
    except Exception as error:
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not isinstance(made, Backend):
        raise _unusable(entry, f"{entry.value} is no Backend")
    if made.name != entry.name:
        raise _unusable(entry, f"it calls itself {quote(made.name)}")
    return made


def _unusable(entry: EntryPoint, why: str) -> Broken:
    package = entry.dist.name if entry.dist else entry.module
    return Broken(
        f"back end {entry.name}: it cannot be used: {' '.join(why.split())[:300]}",
        f"it belongs to the package {package}: repair or remove that",
    )
