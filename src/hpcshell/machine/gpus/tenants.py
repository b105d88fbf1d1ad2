"""Whose the processes are that hold a card."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from hpcshell.core.gpus import Tenant
from hpcshell.machine import clock, processes, tags

_LONGEST: Final = 80
"""Characters of a command line that are told."""


class Who:
    """Finds out about processes by their pid, each once: it is remembered who has been told of
    last. Runs are those of one state directory."""

    def __init__(self, state: str) -> None:
        self._family, self._word = 0, b""
        with contextlib.suppress(OSError):  # it has no runs then
            self._family = tags.home_family(state)
            self._word = f"HPC_RUNNER_ID={tags.home_word(state)}".encode()
        self._names: dict[int, str] = {}
        self._known: dict[tuple[int, int], Tenant] = {}
        self._seen: dict[tuple[int, int], Tenant] = {}

    def begin(self) -> None:
        """A new survey: who was not told of in the last one is forgotten."""
        self._known, self._seen = self._seen, {}

    def tell(self, tenants: Iterable[Tenant]) -> tuple[Tenant, ...]:
        """These, with what is known of their processes; those without one as they are."""
        return tuple(map(self._told, tenants))

    def _told(self, tenant: Tenant) -> Tenant:
        ticks = processes.start_ticks(tenant.pid)
        if ticks is None:
            return tenant
        key = tenant.pid, ticks
        found = self._seen.get(key) or self._known.get(key) or self._found(tenant.pid, ticks)
        if found is None:
            return tenant
        self._seen[key] = found
        return replace(found, memory=tenant.memory)

    def _found(self, pid: int, ticks: int) -> Tenant | None:
        try:
            owner = os.stat(f"/proc/{pid}").st_uid
        except OSError:
            return None
        age = (clock.boot_ticks() - ticks) / clock.ticks_per_second()
        return Tenant(
            pid=pid,
            user=self._name(owner),
            command=_command(pid),
            since=clock.now() - age,
            run=self._run(pid),
        )

    def _name(self, owner: int) -> str:
        if owner not in self._names:
            try:
                self._names[owner] = pwd.getpwuid(owner).pw_name
            except KeyError:
                self._names[owner] = str(owner)
        return self._names[owner]

    def _run(self, pid: int) -> int:
        """By the number it carries, else by its environment, as `processes.carries` does: of our
        own processes alone, since anybody may give his any."""
        if not processes.is_ours(pid):
            return 0
        tag = tags.carried_by(pid)
        if tags.akin(tag, tags.number(self._family, 0)):
            return tags.run_of(tag)
        words = processes.environment(pid).split(b"\0")
        if not self._word or self._word not in words:
            return 0
        named = (word.removeprefix(b"HPC_RUN_ID=") for word in words if word[:11] == b"HPC_RUN_ID=")
        return next((int(number) for number in named if number.isdigit()), 0)


def _command(pid: int) -> str:
    words = processes.command_line(pid)
    row = None if words else processes.look(pid)
    text = " ".join(words) if words else (row.comm if row else "")
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
