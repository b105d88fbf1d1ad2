"""Where the installed command begins; an interruption while Python loads ends it quietly."""

from __future__ import annotations

import gc
import signal

GARBAGE = 100_000
"""Objects that may come to be before garbage is searched for: what is loaded at the start stays."""


def main(name: str = "hpc") -> None:
    """Load `hpc` and run it, under the name that was typed."""
    gc.set_threshold(GARBAGE)
    caught = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if caught:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from hpcshell.cli.main import main as hpc

    if caught:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hpc(name)
