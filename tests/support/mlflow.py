"""MLflow's own client, unmodified, as child processes of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.web import Server

PROGRAMS = Path(__file__).parents[1] / "web" / "mlflow" / "programs"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


def start(server: Server, program: str, *words: str) -> subprocess.Popen[str]:
    """The program as a process; MLflow knows the server by its environment alone."""
    address = {"MLFLOW_TRACKING_URI": server.url, "MLFLOW_TRACKING_TOKEN": server.token}
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / program), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | QUIET | address,
        cwd="/",
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out
