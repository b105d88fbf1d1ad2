"""The sampler as its parent holds it: a process, and the pipe that it writes to."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final

import msgspec

from hpcshell.core.gpus import Survey
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine import clock
from hpcshell.machine.spawn import spawn_own

PLAY: Final = "fake-gpus.json"
"""In the state directory: what made-up cards play."""
_CHUNK: Final = 64 * 1024
_LONGEST_LINE: Final = 4 << 20
_MODULE: Final = "hpcshell.machine.gpus"


class Child:
    """One sampler, from its start (which raises `Broken` or `OSError`) to its end."""

    def __init__(self, provider: str, settings: GpuSettings, state: str) -> None:
        self.heard = clock.monotonic()
        """When it was last heard, by the monotonic clock; at first, when it was started."""
        self.count = 0
        self.last: Survey | None = None
        self.ended = False
        self.garbled = False
        self._buffer = b""
        self.pid, self.pipe = _started(_words(provider, settings, state))

    def read(self) -> list[Survey]:
        """What it has said since the last time; a line that is not whole is kept. Never blocks."""
        found: list[Survey] = []
        while not (self.ended or self.garbled):
            try:
                chunk = os.read(self.pipe, _CHUNK)
            except BlockingIOError:
                break
            self.ended = not chunk
            *lines, self._buffer = (self._buffer + chunk).split(b"\n")
            try:
                found += [msgspec.json.decode(line, type=Survey) for line in lines]
            except msgspec.DecodeError:
                self.garbled = True
            self.garbled = self.garbled or len(self._buffer) > _LONGEST_LINE
        if found:
            self.heard, self.last = clock.monotonic(), found[-1]
            self.count += len(found)
        return found

    def kill(self) -> None:
        """End it, and hear no more of it. Whether it is dead by then, `waitpid` says."""
        os.close(self.pipe)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _words(provider: str, settings: GpuSettings, state: str) -> list[str]:
    words = [_MODULE, provider, f"--state={state}", f"--interval={settings.interval}"]
    if settings.count is not None:
        words.append(f"--count={settings.count}")
    made_up = (settings.memory, settings.model, os.path.join(state, PLAY))
    return [*words, *map("--{}={}".format, ("memory", "model", "play"), made_up)]


def _started(words: list[str]) -> tuple[int, int]:
    """Its pid, and the end of its pipe that is ours."""
    with contextlib.ExitStack() as opened:
        reader, writer = os.pipe()
        opened.callback(os.close, writer)
        with contextlib.ExitStack() as failed:
            failed.callback(os.close, reader)
            os.set_blocking(reader, False)
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, null)
            actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, writer, 1)]
            pid = spawn_own(words, actions)
            failed.pop_all()
    return pid, reader
