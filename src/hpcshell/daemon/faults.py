"""Points at which a test may have the daemon die: before and after every write to the store."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.store.change import OnWrite

VARIABLE: Final = "HPCSHELL_FAULT"


def fault_point(environ: Mapping[str, str]) -> OnWrite | None:
    """`HPCSHELL_FAULT=before:17` kills this process with SIGKILL before its 17th write; None if
    unset."""
    text = environ.get(VARIABLE)
    if not text:
        return None
    moment, _, number = text.partition(":")
    if moment not in ("before", "after") or not number.isdigit():
        raise Wrong(f"{VARIABLE}={text!r} is no fault point", "write before:N or after:N")

    def on_write(when: str, count: int, kind: str) -> None:
        if when == moment and count == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    return on_write
