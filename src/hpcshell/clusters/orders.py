"""From what was submitted to what a site is told: the parts of an array, orders, files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hpcshell.backends.contract import Order, Site
from hpcshell.backends.jobscript import environment_file, own_variables
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.staging import INPUT
from hpcshell.core.commands import Words
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry


class Sheet(NamedTuple):
    """Of a new submission: the files of its directory (contents and mode), notes, and the command
    that submits its first part."""

    files: dict[str, tuple[bytes, int]]
    notes: list[str]
    words: Words


class Orders:
    """What one cluster is told."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def order(self, entry: Entry, key: str, indices: str, offset: int) -> Order:
        return Order(
            spec=replace(entry.spec, submission=replace(entry.spec.submission, hold=entry.held)),
            key=key,
            directory=entry.directory,
            indices=_shifted(indices, offset),
            offset=offset,
            throttle=entry.throttle,
            parents=entry.parents,
            any=entry.any,
            now=clock.now(),
        )

    def sheet(self, entry: Entry, parts: Sequence[tuple[str, str, int]]) -> Sheet:
        """All that is written and said of a new submission. Raises `Wrong` for what the site cannot
        be told."""
        backend, asked = self.cluster.backend, entry.spec.submission
        first = self.order(entry, *parts[0])
        words = backend.submit(first)
        variables, unset = self._environment(entry, words)
        env, left = environment_file(variables, entry.spec.named, unset, own_variables(first))
        files = self.scripts(entry, parts[1:])
        files[_script_name(first)] = (words.stdin or backend.script(first).encode(), 0o700)
        files |= {"env": (env.encode(), 0o600), "record/": (b"", 0o700)}
        if asked.script is not None:
            files["script"] = (asked.script, 0o700)
        if entry.spec.input:
            files[INPUT] = (entry.spec.input, 0o600)
        shown = _shown(left, entry.spec)
        notes = [f"variable {name} is left out: {left[name]}" for name in shown]
        return Sheet(files, notes, words)

    def _environment(self, entry: Entry, words: Words) -> tuple[Mapping[str, str], list[str]]:
        """The variables that the job's script sets, and those that it takes away."""
        callers, here = entry.spec.submission.env, self.cluster.here
        if not self.cluster.backend.carries_environment:
            return (callers if here else entry.spec.named), []
        # what the submit command has in its environment for its own sake it would hand on
        own = {name: callers.get(name) if here else None for name in ("LC_ALL", *words.env)}
        given = {name: value for name, value in own.items() if value is not None}
        return {**given, **entry.spec.named}, [name for name in own if name not in given]

    def scripts(
        self, entry: Entry, parts: Sequence[tuple[str, str, int]]
    ) -> dict[str, tuple[bytes, int]]:
        script = self.cluster.backend.script
        orders = (self.order(entry, *part) for part in parts)
        return {_script_name(order): (script(order).encode(), 0o700) for order in orders}

    def write_scripts(self, entry: Entry) -> None:
        """Write the job scripts of what waits here anew: more is known of it now."""
        parts = [
            (part.key, part.indices, part.offset)
            for part in self.cluster.ledger.parts(entry.serial)
            if part.state == "planned"
        ]
        self.cluster.link.write(entry.directory, self.scripts(entry, parts))


def _shown(left: Collection[str], spec: JobSpec) -> list[str]:
    """All that were named, and the first few that were not."""
    others = [name for name in left if name not in spec.named]
    return [*(name for name in left if name in spec.named), *others[:5]]


def split(array: str, site: Site | None, key: str) -> list[tuple[str, str, int]]:
    """The parts of an array that the site takes: key, indices and offset of each.

    A part has at most `most_elements`, and no index above `highest_index` once its offset is taken
    away.
    """
    if not array:
        return [(key, "", 0)]
    most = site.most_elements if site else None
    highest = site.highest_index if site else None
    parts = list(_chunks(list(IndexSet.parse(array)), most, highest))
    if len(parts) == 1:
        return [(key, *parts[0])]
    return [(f"{key}.{number}", *part) for number, part in enumerate(parts)]


def _chunks(indices: list[int], most: int | None, highest: int | None) -> Iterator[tuple[str, int]]:
    """Runs of indices that one array of the site can hold, with what to take away from them."""
    begin = 0
    while begin < len(indices):
        offset = 0
        if highest is not None and indices[-1] > highest:
            offset = indices[begin] if indices[begin] > highest or begin else 0
        end = begin + 1
        while (
            end < len(indices)
            and (most is None or end - begin < most)
            and (highest is None or indices[end] - offset <= highest)
        ):
            end += 1
        yield str(IndexSet.of(indices[begin:end])), offset
        begin = end


def _script_name(order: Order) -> str:
    return order.job_script.rpartition("/")[2]


def _shifted(indices: str, offset: int) -> str:
    """Our indices as the site is told them."""
    if not offset:
        return indices
    return str(IndexSet.of(index - offset for index in IndexSet.parse(indices)))
