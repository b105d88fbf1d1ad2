"""examples/census leaves nothing behind, however it ends. (`make demo` runs it to its end.)"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import clean_environment, processes_of

CENSUS = Path(__file__).resolve().parents[2] / "examples" / "census" / "run.py"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_census_stops_its_jobs_and_its_daemon(number):
    census = subprocess.Popen(
        [sys.executable, str(CENSUS), "--shards", "500"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert census.stdout is not None
    home = Path(census.stdout.readline().strip().partition("=")[2])
    assert home.is_dir()
    while "shards ended" not in census.stdout.readline():
        assert census.poll() is None
    os.kill(census.pid, number)
    _, said = census.communicate(timeout=60)
    assert census.returncode == 130
    assert said == "census: interrupted; its jobs are cancelled, its daemon is stopped\n"
    assert not home.exists()
    assert processes_of(home) == {}
