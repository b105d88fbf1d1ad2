"""What the daemon does for itself: it forgets old jobs, leaves when idle, and mends its copies."""

from __future__ import annotations

import json
import os
import select
from pathlib import Path

from tests.conftest import Hpc


def test_an_idle_daemon_leaves_after_its_time_and_takes_the_runner_along(
    home: Path, hpc: Hpc
) -> None:
    hpc("run", "--", "true", check=True, env={"HPC_DAEMON__LINGER": "0.2s"})
    pid = int((home / "state" / "hpcd.lock").read_text())
    descriptor = pidfd_or_none(pid)
    if descriptor is not None:
        assert wait_for_end(descriptor), "an idle daemon stays"
    log = [json.loads(line) for line in (home / "state" / "hpcd.log").read_text().splitlines()]
    assert "idle for long enough" in [line["message"] for line in log]


def test_a_script_copy_that_was_removed_is_put_back_before_it_is_run(
    home: Path, hpc: Hpc, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\necho from the copy\n")
    held = hpc("submit", "--quiet", "--hold", script, check=True, cwd=tmp_path).stdout.strip()
    script.unlink()
    for copy in (home / "state" / "scripts").iterdir():
        copy.unlink()
    hpc("release", held, check=True)
    hpc("wait", held, check=True)
    assert hpc("logs", held, check=True).stdout == "from the copy\n"


def pidfd_or_none(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def wait_for_end(descriptor: int) -> bool:
    ended = bool(select.select([descriptor], [], [], 20)[0])
    os.close(descriptor)
    return ended
