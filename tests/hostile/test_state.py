"""A state directory that is damaged, unfit, or cannot be used just now."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken
from hpcshell.store.store import Store
from tests.conftest import Hpc
from tests.support.homes import wait_for_exit


def test_a_home_whose_name_is_no_text_is_refused(hpc: Hpc, home: Path) -> None:
    refused = hpc("submit", "--", "true", env={"HPCSHELL_HOME": f"{home}/\udcff"})
    assert refused.returncode == 2
    assert "is not UTF-8" in refused.stderr
    assert os.listdir(home) == []


def test_a_database_whose_schema_is_damaged_is_refused_in_words(hpc: Hpc, home: Path) -> None:
    hpc("submit", "--hold", "--", "true", check=True)
    hpc("daemon", "stop", check=True)
    database = home / "state" / "hpcshell.db"
    content = bytearray(database.read_bytes())
    at = content.find(b"CREATE TABLE")
    content[at : at + 7] = b"\x9a\xff\x9a\xff\x9a\xff\x9a"
    database.write_bytes(content)
    for words in (("submit", "--", "true"), ("queue",)):
        refused = hpc(*words)
        assert refused.returncode == 1
        assert "is damaged" in refused.stderr
        assert "Unicode" not in refused.stderr
        assert "Traceback" not in refused.stderr
    assert database.read_bytes() == content


def test_a_daemon_without_a_runner_keeps_the_queue_until_there_is_one(hpc: Hpc, home: Path) -> None:
    obstacle = home / "state" / "runner.lock"
    obstacle.mkdir(parents=True)
    obstacle.parent.chmod(0o700)
    job = hpc("submit", "--quiet", "--", "true", check=True, cwd=home).stdout.strip()
    assert hpc("queue", "--quiet", check=True).stdout.split() == [job]
    obstacle.rmdir()
    assert hpc("wait", job, "--timeout", "20s").stdout == f"job {job} COMPLETED\n"


def test_a_database_that_may_only_be_read_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hpcshell.db"
    Store.open(path).close()
    monkeypatch.setattr("os.access", lambda path, mode: mode & os.W_OK == 0)  # root may write all
    with pytest.raises(Broken, match="cannot be written by you"):
        Store.open(path)


def running_job(hpc: Hpc, home: Path) -> int:
    """A job that runs on after its daemon was stopped; its process."""
    job = hpc("submit", "--quiet", "--", "sleep", "600", check=True, cwd=home).stdout.strip()
    pid = None
    while pid is None:
        pid = json.loads(hpc("show", "--json", job, check=True).stdout)["pid"]
    hpc("daemon", "stop", check=True)
    return int(pid)


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_a_lost_database_is_refused_and_what_runs_goes_on(hpc: Hpc, home: Path, how: str) -> None:
    pid = running_job(hpc, home)
    database = home / "state" / "hpcshell.db"
    kept = database.read_bytes()
    if how == "deleted":
        database.unlink()
    else:
        database.write_bytes(b"")
    before = sorted(os.listdir(home / "state"))
    for words in (("submit", "--", "true"), ("queue",), ("daemon", "stop", "--cancel")):
        refused = hpc(*words)
        assert refused.returncode == 1
        assert "there was one" in refused.stderr
        assert f"process {pid} (running)" in refused.stderr
        assert "hint: put a copy of it back" in refused.stderr
    assert "is lost" in hpc("doctor").stdout
    assert sorted(os.listdir(home / "state")) == before
    assert Path(f"/proc/{pid}").exists()
    database.write_bytes(kept)
    assert hpc("queue", "--quiet", check=True).stdout == "1\n"
    assert json.loads(hpc("show", "--json", "1", check=True).stdout)["pid"] == pid


def test_what_is_begun_anew_ends_what_ran_and_uses_no_run_id_again(hpc: Hpc, home: Path) -> None:
    pid = running_job(hpc, home)
    (home / "state" / "hpcshell.db").unlink()
    hpc("daemon", "start", "--new", check=True)
    assert wait_for_exit(pid, 20)
    assert f"process={pid}" in hpc("daemon", "logs", check=True).stdout
    hpc("run", "--", "true", check=True, cwd=home)
    assert json.loads(hpc("show", "--json", "@", check=True).stdout)["run"] == 2
    again = hpc("daemon", "start", "--new")
    assert (again.returncode, "runs: nothing is begun anew" in again.stderr) == (4, True)
    hpc("daemon", "stop", check=True)
    again = hpc("daemon", "start", "--new")
    assert (again.returncode, "is there: nothing is begun anew" in again.stderr) == (4, True)
    assert json.loads(hpc("show", "--json", "@", check=True).stdout)["state"] == "COMPLETED"


@pytest.mark.parametrize("journal", ["there", "gone"])
def test_an_older_copy_of_the_database_gives_out_no_run_id_that_the_runner_knows(
    hpc: Hpc, home: Path, journal: str
) -> None:
    hpc("submit", "--hold", "--", "true", check=True, cwd=home)
    hpc("daemon", "stop", check=True)
    database = home / "state" / "hpcshell.db"
    copy = database.read_bytes()
    pid = running_job(hpc, home)
    database.write_bytes(copy)
    if journal == "gone":
        (home / "state" / "runs.journal").unlink()
    job = hpc("submit", "--quiet", "--", "sh", "-c", "exit 3", check=True, cwd=home).stdout.strip()
    assert hpc("wait", "--propagate", job).returncode == 3
    assert json.loads(hpc("show", "--json", job, check=True).stdout)["run"] == 2
    assert wait_for_exit(pid, 20)
    assert f"process={pid}" in hpc("daemon", "logs", check=True).stdout
