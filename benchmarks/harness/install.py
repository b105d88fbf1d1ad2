"""`--install`: the peers that come from PyPI, in a virtual environment that may be thrown away."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ("dask[distributed]", "ray", "parsl", "huey", "hyperqueue")
SYSTEM = "apt-get install gcc libc6-dev make ninja-build moreutils parallel task-spooler"


def install_peers(directory: Path) -> None:
    """Make the environment if it is not there, and put the peers in."""
    python = directory / "bin/python"
    if not python.exists():
        print(f"making {directory}", file=sys.stderr)
        venv.create(directory, with_pip=True)
    for package in PACKAGES:
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=False)
        if done.returncode != 0:
            print(f"could not install {package}; its turns will be skipped", file=sys.stderr)
    print(f"the others come from the system: {SYSTEM}", file=sys.stderr)
