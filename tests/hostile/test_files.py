"""Files that are not what they seem: devices, pipes, other people's, our own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.core.submission import Submission
from hpcshell.jobs.looking import check_submission
from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.paths import places
from tests.conftest import Hpc


def submitted(hpc: Hpc, *words: str | Path) -> str:
    return hpc("submit", "--quiet", *words, check=True).stdout.strip()


def test_what_a_device_gives_without_end_is_not_read_as_a_log(hpc: Hpc) -> None:
    endless = submitted(hpc, "--output", "/dev/full", "--", "true")
    hpc("wait", endless)
    shown = hpc("logs", endless, timeout=20)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert "/dev/full is a device and keeps nothing" in shown.stderr


def test_where_a_directory_has_come_to_lie_the_log_says_why_nothing_ran(
    hpc: Hpc, tmp_path: Path
) -> None:
    job = submitted(hpc, "--hold", "--output", tmp_path / "log", "--", "true")
    (tmp_path / "log").mkdir()
    hpc("release", job, check=True)
    hpc("wait", job)
    shown = hpc("logs", job)
    assert (shown.returncode, "is no plain file" in shown.stderr) == (3, True)
    assert "is a directory" in shown.stderr


def test_a_job_cannot_be_told_to_write_over_the_queue(hpc: Hpc, home: Path) -> None:
    kept = submitted(hpc, "--hold", "--", "true")
    for option in ("--output", "--error"):
        for name in ("state/hpcshell.db", "state/../state/runs.journal", "run/hpcd.sock"):
            refused = hpc("submit", option, home / name, "--", "echo", "gone")
            assert refused.returncode == 2
            assert "the scheduler's own directory" in refused.stderr
            assert "hint: name a file somewhere else" in refused.stderr
    assert hpc("queue", "--quiet", check=True).stdout.split() == [kept]


def config_of(home: Path) -> Path:
    (home / "config").mkdir(mode=0o700)
    return home / "config" / "hpcshell.toml"


def test_a_pipe_in_place_of_the_configuration_is_refused_and_not_waited_for(
    hpc: Hpc, home: Path
) -> None:
    os.mkfifo(config_of(home))
    refused = hpc("submit", "--", "true", timeout=20)
    assert refused.returncode == 2
    assert "is no plain file" in refused.stderr
    assert not (home / "state" / "hpcshell.db").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_configuration_is_not_trusted(home: Path) -> None:
    config = config_of(home)
    config.write_text("[resources]\ncpus = 64\n")
    os.chown(config, 65534, 65534)
    with pytest.raises(Wrong, match="belongs to user 65534"):
        daemon_settings(places({"HPCSHELL_HOME": str(home)}), {})


def test_a_directory_where_the_default_output_cannot_lie_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Submission(argv=("true",), cwd=str(home), env={})
    check_submission(made)
    may = os.access
    monkeypatch.setattr(  # root may write everywhere
        "os.access",
        lambda path, mode: may(path, mode) and not (path == made.cwd and mode & os.W_OK),
    )
    with pytest.raises(Wrong, match="where you cannot write") as caught:
        check_submission(made)
    assert caught.value.hint == "name a file: --output FILE"
