"""Which scheduler is there, and how that is known.

The commands are looked for first, then the scheduler behind them is asked something that only a
living one of its kind answers: a `qstat` that is a wrapper over Slurm is not PBS, and a client that
is installed without a controller is nobody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import Backend, Site, Trouble
from hpcshell.backends.registry import backend, names
from hpcshell.core.commands import Words
from hpcshell.core.errors import Broken
from hpcshell.core.records import Record
from hpcshell.machine.link import Link


class Finding(Record, frozen=True, kw_only=True):
    """What was found of one kind of scheduler: its commands (`missing`: those that are not there),
    and what it answered, or why it does not count."""

    backend: str
    title: str
    programs: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    site: Site | None = None
    trouble: Trouble | None = None

    @property
    def alive(self) -> bool:
        return self.site is not None

    @property
    def why(self) -> str:
        """In a sentence."""
        if self.missing:
            return f"there is no {' and no '.join(self.missing)}"
        if self.site is None:
            return self.trouble.message if self.trouble else "it did not answer"
        version = f" {self.site.version}" if self.site.version else ""
        flavour = f" ({self.site.flavour})" if self.site.flavour else ""
        return f"{self.title}{version}{flavour} answered"


PREFERRED: Final = ("slurm", "pbs", "lsf", "sge")
"""Which is chosen where several answer; those that other packages bring come last."""


def detect(link: Link) -> list[Finding]:
    """One finding for every kind that there is, in the order in which they are preferred."""
    kinds = list(_kinds())
    wanted = sorted({program for kind in kinds for program in kind.programs})
    there = _there(link, wanted)
    return [_finding(link, kind.name, there) for kind in kinds]


def look_for(link: Link, name: str) -> Finding:
    """What is found there of one kind."""
    return _finding(link, name, _there(link, backend(name).programs))


def _kinds() -> Iterator[Backend]:
    """All that can be used: one of another package that is broken is none."""
    for name in dict.fromkeys([*PREFERRED, *names()]):
        with contextlib.suppress(Broken):
            yield backend(name)


def chosen(findings: Sequence[Finding]) -> Finding | None:
    """The one to use: the first that answered."""
    return next((one for one in findings if one.alive), None)


def _there(link: Link, programs: Sequence[str]) -> dict[str, str]:
    """Where each of the programs is; one question for all."""
    script = 'for each; do at=$(command -v "$each") && printf "%s %s\\n" "$each" "$at"; done; :'
    answer = link.say(Words(argv=("sh", "-c", script, "sh", *programs)))
    pairs = (line.partition(" ") for line in answer.out.splitlines())
    return {name: path for name, _, path in pairs if name in programs and path}


def _finding(link: Link, name: str, there: dict[str, str]) -> Finding:
    kind = backend(name)
    missing = tuple(each for each in kind.programs if each not in there)
    found = tuple(there[each] for each in kind.programs if each in there)
    if missing:
        return Finding(backend=name, title=kind.title, programs=found, missing=missing)
    told = kind.read_probe(link.say(kind.probe()))
    if isinstance(told, Trouble):
        return Finding(backend=name, title=kind.title, programs=found, trouble=told)
    return Finding(backend=name, title=kind.title, programs=found, site=told)
