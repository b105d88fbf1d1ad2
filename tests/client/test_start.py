"""Bringing the daemon up: by many at once, after it was killed, when its socket was wiped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcshell.client.client import Client
from hpcshell.client.start import daemon_pid
from hpcshell.core.errors import HpcError, Unreachable, Wrong
from hpcshell.machine.paths import Places, places
from tests.support.homes import HPC, processes_of, wait_for_exit


@pytest.fixture
def where(home: Path) -> Places:
    return places(os.environ)


def daemons(home: Path) -> list[int]:
    return [pid for pid, command in processes_of(home).items() if "daemon.hpcd" in command]


def test_many_clients_that_find_it_down_start_one_daemon(home, where):
    def ask(number: int) -> int:
        return int(Client(where).call("hello")["pid"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_many_processes_that_find_it_down_start_one_daemon(home):
    started = [
        subprocess.Popen([HPC, "queue", "--quiet"], stdout=subprocess.PIPE) for _ in range(5)
    ]
    assert [process.wait(60) for process in started] == [0] * 5
    assert len(daemons(home)) == 1


def test_after_a_kill_the_next_call_starts_another(home, where):
    client = Client(where)
    first = client.call("hello")["pid"]
    os.kill(first, signal.SIGKILL)
    assert wait_for_exit(first, 10)
    assert os.path.exists(where.daemon_socket)
    second = client.call("hello")["pid"]
    assert second != first
    assert daemon_pid(where) == second


def test_a_daemon_whose_socket_was_wiped_is_asked_to_put_it_back(home, where):
    first = Client(where).call("hello")["pid"]
    os.unlink(where.daemon_socket)
    assert Client(where).call("hello")["pid"] == first


def test_a_daemon_whose_whole_runtime_directory_was_wiped_is_found_again(home, where):
    first = Client(where).call("hello")["pid"]
    shutil.rmtree(where.runtime)
    assert Client(where).call("hello")["pid"] == first


def test_a_daemon_that_is_stopping_is_followed_by_another(home, where):
    client = Client(where)
    first = client.call("hello")["pid"]
    client.call("stop", cancel=False)
    while client.call("hello")["pid"] == first:  # it still answers while it leaves
        pass
    assert daemons(home) == [client.call("hello")["pid"]]


def test_a_home_with_a_relative_name_is_the_same_for_the_daemon(home, monkeypatch):
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("HPCSHELL_HOME", home.name)
    hello = Client(places(os.environ)).call("hello")
    assert hello["state_dir"] == str(home / "state")


def test_the_state_directory_is_private_from_the_first_moment(home, monkeypatch):
    for name in ("HPCSHELL_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    where = places(os.environ)
    assert where.runtime.startswith(where.state)
    daemon = Client(where)
    daemon.call("hello")
    try:
        assert os.stat(where.state).st_mode & 0o777 == 0o700
    finally:
        pid = daemon.call("hello")["pid"]
        daemon.call("stop", cancel=True)
        assert wait_for_exit(pid, 10)


def test_a_daemon_started_from_a_job_does_not_look_like_a_part_of_it(home, where, monkeypatch):
    monkeypatch.setenv("HPC_RUN_ID", "77")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "3")
    pid = Client(where).call("hello")["pid"]
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert b"HPC_RESOURCES__CPUS=3" in environment
    assert not [each for each in environment if each.startswith((b"HPC_RUN_ID", b"SLURM_"))]


def test_the_daemon_holds_nothing_of_who_started_it(home):
    done = subprocess.run([HPC, "daemon", "start", "--quiet"], capture_output=True, timeout=60)
    pid = int(done.stdout)  # that it returned shows that the pipes are closed
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


def test_what_the_daemon_says_is_wrong_is_what_the_user_is_told(home, where):
    os.makedirs(where.config)
    Path(where.config_file).write_text("[resources]\ncpsu = 3\n")
    with pytest.raises(Wrong, match="cpsu"):
        Client(where).call("hello")


def test_a_path_that_is_too_long_is_the_user_s_to_shorten(monkeypatch, tmp_path):
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path / ("x" * 100)))
    with pytest.raises(HpcError, match="HPCSHELL_HOME"):
        Client(places(os.environ)).call("hello")


def test_a_daemon_that_dies_at_once_leaves_its_last_words(home, where, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(home / "shadow"))
    broken = home / "shadow" / "hpcshell"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('shadowed')\n")
    with pytest.raises(Unreachable, match="shadowed"):
        Client(where).call("hello")


def test_without_a_daemon_nothing_is_started_to_look(home, where):
    with pytest.raises(Unreachable):
        Client(where, autostart=False).call("hello")
    assert processes_of(home) == {}
