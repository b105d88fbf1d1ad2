"""Where the installed command begins; an interruption while Python loads ends it quietly."""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Iterator

GARBAGE = 100_000
"""Objects that may come to be before garbage is searched for: what is loaded at the start stays."""


def main(name: str = "hpc") -> None:
    """Load `hpc` and run it, under the name that was typed."""
    gc.set_threshold(GARBAGE)
    with loading():
        from hpcshell.cli.main import main as hpc
    hpc(name)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """For imports that take a while: an interruption ends the process, for there is nothing to be
    tidied up, and it would leave a half-loaded module with a traceback."""
    caught = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if caught:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if caught:
            signal.signal(signal.SIGINT, signal.default_int_handler)
