"""Work that takes long and all of a CPU, in a process of its own: the command's, as at the prompt.

The server answers others meanwhile, and whatever becomes of it becomes of that process only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Sequence
from typing import Final

from hpcshell.core.errors import Broken, HpcError, NotFound, NotYet, Refused, Unreachable, Wrong

BUDGET: Final = 60.0
"""Seconds that one piece of work may take."""
AT_ONCE: Final = 2
WAITING: Final = 16
"""So many wait for their turn; whoever comes then is told to come again."""
MEMORY: Final = 8 << 30
"""Bytes of address space."""
_BY_CODE: Final[dict[int, type[HpcError]]] = {
    cls.exit_code: cls for cls in (Wrong, NotFound, Refused, Unreachable, NotYet)
}


class TooLong(Wrong):
    """It was stopped since it would have taken too long."""


class Apart:
    """So much of it at once, and the rest in line. Belongs to the loop that it is used in."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def document(self, words: Sequence[str], content: bytes = b"") -> bytes:
        """What `hpc WORDS --json` prints, given this on stdin. Raises the error that it says, and
        `TooLong`; `NotYet` where too many wait."""
        if self._waiting >= WAITING:
            raise NotYet("too many simulations wait for their turn", "ask again in a while")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            return await _run(words, content)
        finally:
            self._turns.release()


async def _run(words: Sequence[str], content: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "hpcshell", *words, "--json"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        out, err = await asyncio.wait_for(process.communicate(content), BUDGET)
    except TimeoutError:
        raise TooLong(
            f"this takes longer than {BUDGET:g} s", "ask for less of it, or use hpc at the prompt"
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        raise error_said(process.returncode or 0, err.decode(errors="replace"))
    return out


def error_said(code: int, told: str) -> HpcError:
    """The error that a command ended with, by what it wrote to stderr."""
    lines = told.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("hpc: ")]
    if not starts or code < 0:
        return Broken(f"the command ended with {code}", "use hpc at the prompt, with --debug")
    said = "\n".join(lines[starts[-1] :]).removeprefix("hpc: ")
    message, _, hint = said.partition("\n  hint: ")
    return _BY_CODE.get(code, Broken)(message, hint or "see hpc --help")
