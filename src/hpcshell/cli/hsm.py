"""Where the installed command `hsm` begins: `hpc` under a second name."""

from __future__ import annotations

from hpcshell.cli.entry import main as start


def main() -> None:
    """Load `hsm` and run it."""
    start("hsm")
