"""The configuration of a GPU box as a program gives it: keywords, or a file."""

from __future__ import annotations

import json
import os
from typing import Any, Final

from msgspec import UNSET

from hpcshell.core.boxfile import read_box
from hpcshell.core.boxkeys import BoxFile, BoxKey, keys
from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote, shortened
from hpcshell.jobs.surroundings import working_directory
from hpcshell.machine.boxfiles import read_box_file, rooted

_OWN_NAMES: Final = {
    ("gpu", "monitor_interval_s"): "gpu_monitor_interval_s",
    ("files", "monitor_interval_s"): "file_monitor_interval_s",
}
"""A name that two objects of the file have is two keywords here."""


def _keyword(key: BoxKey) -> str:
    return _OWN_NAMES.get((key.part, key.name), key.name)


KEYWORDS: Final[dict[str, BoxKey]] = {_keyword(key): key for key in keys()}


def path_of(value: object, what: str) -> str:
    """Raises `Wrong` for what is no path."""
    if isinstance(value, str | os.PathLike) and isinstance(path := os.fspath(value), str):
        return path
    raise Wrong(f"{what}: {shortened(repr(value))} is no path", "give text, or a pathlib.Path")


class SchedulerConfig:
    """The keys of the JSON file as keywords, checked as there; each can be read again.

        SchedulerConfig(num_gpus=2, queue_size_limit=10).num_gpus
        SchedulerConfig.from_file("config.json")

    What is not said is as it is configured otherwise, and None here. `monitor_interval_s` is
    `gpu_monitor_interval_s` or `file_monitor_interval_s`. Relative paths count from here, in a file
    from where it lies. Raises `Wrong`.
    """

    def __init__(self, num_gpus: int | None = None, **values: Any) -> None:
        if num_gpus is not None:
            values["num_gpus"] = num_gpus
        tables: dict[str, dict[str, Any]] = {}
        for keyword, value in values.items():
            key = KEYWORDS.get(keyword)
            if key is None:
                near = nearest(keyword, KEYWORDS)
                hint = f"did you mean {near}=?" if near else "see: hpc gpu config-sample"
                raise Wrong(f"{quote(keyword)} is no key of the configuration", hint)
            said = list(value) if isinstance(value, tuple) else value
            tables.setdefault(key.part, {})[key.name] = said
        try:
            text = json.dumps(tables, default=os.fspath)
        except (TypeError, ValueError, RecursionError) as error:
            raise Wrong(f"SchedulerConfig: {error}", "see: hpc gpu config-sample") from None
        self.box: BoxFile = rooted(read_box(text, "SchedulerConfig"), working_directory())

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> SchedulerConfig:
        """What a file says. Raises `Wrong` with path and key, `NotFound` where there is none."""
        found = cls()
        found.box = read_box_file(path_of(path, "SchedulerConfig.from_file: path"))
        return found

    def __getattr__(self, name: str) -> Any:
        key = KEYWORDS.get(name)
        if key is None:
            raise AttributeError(f"SchedulerConfig has no key {name!r}")
        value = getattr(getattr(self.box, key.part), key.name)
        return None if value is UNSET else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SchedulerConfig) and self.box == other.box

    def __hash__(self) -> int:
        return hash(self.box)

    def __repr__(self) -> str:
        said = ((word, getattr(self, word)) for word in KEYWORDS)
        told = ", ".join(f"{word}={value!r}" for word, value in said if value is not None)
        return f"SchedulerConfig({told})"
