"""The benchmark of MLflow's client measures both of the servers that it is given, by rounds. Here
both are ours: MLflow's own takes half a minute to start."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import track_mlflow as bench

SERVING = """
import signal, sys, track_mlflow
from pathlib import Path
signal.signal(signal.SIGTERM, track_mlflow.terminated)
with track_mlflow.ours(Path(sys.argv[1])) as served:
    print(served.url, flush=True)
    signal.pause()
"""


def test_every_goal_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "")
    options = argparse.Namespace(calls=2, clients=2, rounds=1)
    with bench.ours(tmp_path / "one") as one, bench.ours(tmp_path / "another") as another:
        figures = bench.measure((one, another), options)
    assert {goal.figure for goal in bench.GOALS} <= figures.keys()
    assert all(figure > 0 for name, figure in figures.items() if "cpu" not in name)


def test_told_to_end_it_leaves_no_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVING, str(tmp_path)]
    found = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=found, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    with socket.socket() as probe:
        assert probe.connect_ex((str(address.hostname), int(address.port or 0))) != 0
