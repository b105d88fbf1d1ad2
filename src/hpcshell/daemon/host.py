"""This machine as the daemon uses it: what it has, what the configuration says it has, where
things lie."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from hpcshell.core.errors import NotYet
from hpcshell.core.records import Resources
from hpcshell.core.settings import Settings
from hpcshell.machine import clock, topology
from hpcshell.machine import host as machine
from hpcshell.machine.paths import Places
from hpcshell.policy.cardfacts import with_cards
from hpcshell.policy.cardwatch import CardWatch
from hpcshell.policy.place.nodes import Node
from hpcshell.store.store import Store

_decode_env = msgspec.json.Decoder(dict[str, str]).decode


class Environments:
    """Decoded environments by key; jobs submitted from one shell share one."""

    def __init__(self, load: Callable[[str], bytes | None]) -> None:
        self._load = lru_cache(maxsize=64)(lambda key: _decode_env(load(key) or b"{}"))

    def __getitem__(self, key: str) -> dict[str, str]:
        return self._load(key) if key else {}


@dataclass
class Host:
    """The node's name, its resources (configuration over detection), how they are joined, what is
    known of its cards, and the daemon's places."""

    places: Places
    settings: Settings
    hostname: str
    detected: Resources
    total: Resources
    overridden: tuple[str, ...]
    boot: str
    node: Node
    cards: CardWatch
    environments: Environments
    blob: Callable[[str], bytes | None]

    @property
    def lost_limit(self) -> int:
        return self.settings.retry.lost_limit

    def script_path(self, key: str) -> str:
        return os.path.join(self.places.scripts, key)

    def keep_script(self, key: str, content: bytes) -> None:
        """Put an executable copy of a submitted script in place, durably, before anything refers
        to it."""
        path = Path(self.script_path(key))
        if path.exists() and path.stat().st_size == len(content):
            return
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o700)) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
            _sync_directory(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise NotYet(
                f"the script cannot be kept in {path.parent}: {error.strerror}",
                "make room or mend the directory, and submit again",
            ) from None

    def script_to_run(self, key: str) -> str:
        """The path of a kept script; put back from the store if somebody has removed it."""
        path = self.script_path(key)
        if not os.path.exists(path) and (content := self.blob(key)) is not None:
            with contextlib.suppress(NotYet):  # then the run fails, and says that it is missing
                self.keep_script(key, content)
        return path


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _gpus(said: int | None, cards: CardWatch) -> int:
    """How many cards are handed out: those that are known, or fewer if the configuration says so.
    Where nobody tells of any, it is what that says."""
    known = len(cards.cards)
    return known if said is None else min(said, known) if known else said


def this_host(places: Places, settings: Settings, store: Store, cards: CardWatch) -> Host:
    """Detect the machine and lay the configuration over it."""
    gpus = len(cards.cards)
    detected = Resources(cpus=machine.cpus(), memory=machine.memory(), gpus=gpus)
    said = settings.resources
    overridden = tuple(
        name for name in ("cpus", "memory", "gpus") if getattr(said, name) is not None
    )
    total = Resources(
        cpus=detected.cpus if said.cpus is None else said.cpus,
        memory=detected.memory if said.memory is None else said.memory,
        gpus=_gpus(said.gpus, cards),
        others=dict(said.others),
    )
    return Host(
        places=places,
        settings=settings,
        hostname=machine.hostname(),
        detected=detected,
        total=total,
        overridden=overridden,
        boot=clock.boot_id(),
        node=with_cards(topology.machine(machine.hostname(), total.gpus), cards),
        cards=cards,
        environments=Environments(store.blob),
        blob=store.blob,
    )
