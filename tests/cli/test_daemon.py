"""`hpc daemon`, `doctor` and `config`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.homes import processes_of, wait_for_exit


def test_status_says_whether_it_runs(cli):
    said = cli("daemon", "status")
    assert (said.code, "does not run" in said.err) == (5, True)
    assert cli("daemon", "status", "--json").json["running"] is False
    cli("daemon", "start", check=True)
    status = cli("daemon", "status", "--json", check=True).json
    assert status["running"] is True
    assert {"pid", "runner_pid", "version", "protocol"} <= status.keys()
    assert os.path.exists(f"/proc/{status['runner_pid']}")
    assert f"process {status['pid']}" in cli("daemon", "status", check=True).out


def test_start_and_stop_may_be_said_twice(cli, home):
    first = cli("daemon", "start", "--quiet", check=True).out
    assert cli("daemon", "start", "--quiet", check=True).out == first
    assert "has stopped" in cli("daemon", "stop", "--cancel", check=True).err
    assert processes_of(home) == {}
    assert "does not run" in cli("daemon", "stop", check=True).err


def test_a_stop_leaves_running_jobs_alone_and_a_stop_with_cancel_does_not(cli, home):
    job = cli("submit", "--quiet", "--", "sleep", "600", check=True).out.strip()
    while (pid := cli("show", job, "--json").json["pid"]) is None:
        pass
    cli("daemon", "stop", check=True)
    assert os.path.exists(f"/proc/{pid}")
    assert cli("show", job, "--json").json["state"] == "RUNNING"
    cli("daemon", "stop", check=True)
    cli("daemon", "stop", "--cancel", check=True)  # there is none: one is started to cancel
    assert wait_for_exit(pid, 10)
    assert processes_of(home) == {}
    assert cli("show", job, "--json").json["state"] == "CANCELLED"


@pytest.mark.parametrize("spoilt", ["run/runner.sock", "state/runs.journal"])
def test_a_stop_says_what_it_could_not_end_for_want_of_a_runner(cli, home, spoilt):
    job = cli("submit", "--quiet", "--", "sleep", "600", check=True).out.strip()
    while (pid := cli("show", job, "--json").json["pid"]) is None:
        pass
    status = cli("daemon", "status", "--json").json
    ends = [status[each] for each in ("pid", "runner_pid", "keeper_pid")]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for each in ends:
            os.kill(each, number)
    assert all(wait_for_exit(each, 10) for each in ends)
    (home / spoilt).rename(home / "good")
    (home / spoilt).mkdir()
    said = cli("daemon", "stop", "--cancel")
    assert said.code == 5
    assert f"job {job} has not ended" in said.err
    assert "may still run" in said.err
    assert "does not run" in cli("daemon", "status").err
    assert not wait_for_exit(pid, 0), "it is as it was said"
    (home / spoilt).rmdir()
    (home / "good").rename(home / spoilt)
    cli("daemon", "stop", "--cancel", check=True)
    assert wait_for_exit(pid, 10)
    assert cli("show", job, "--json").json["state"] == "CANCELLED"


def test_a_dry_stop_stops_nothing(cli):
    first = cli("daemon", "start", "--quiet", check=True).out
    assert "would stop" in cli("daemon", "stop", "--dry-run", check=True).out
    assert cli("daemon", "status", "--quiet", check=True).out == first


def test_restart_puts_another_in_its_place(cli):
    first = cli("daemon", "start", "--quiet", check=True).out
    second = cli("daemon", "restart", "--quiet", check=True).out
    assert first != second
    assert cli("daemon", "status", "--quiet", check=True).out == second


def test_the_log_is_for_people_or_for_programs(cli):
    assert cli("daemon", "logs").code == 3
    cli("daemon", "start", check=True)
    assert "info ready" in cli("daemon", "logs", check=True).out
    assert '"message":"ready"' in cli("daemon", "logs", "--json", check=True).out


def test_reload_reads_the_configuration_again(cli, home):
    cli("daemon", "start", check=True)
    (home / "config").mkdir(exist_ok=True)
    file = home / "config" / "hpcshell.toml"
    file.write_text("[resources.others]\nmatlab = 2\n")
    file.chmod(0o644)
    cli("daemon", "reload", check=True)
    assert cli("resources", "--json").json["total"]["others"] == {"matlab": 2}
    file.write_text("[resources]\nothers = 3\n")
    assert cli("daemon", "reload").code == 2
    assert cli("resources", "--json").json["total"]["others"] == {"matlab": 2}


# -------------------------------------------------------------------------------------- doctor


def test_a_healthy_machine_has_nothing_wrong(cli):
    said = cli("doctor", "--json", check=True)
    assert said.json["ok"] is True
    names = {check["name"] for check in said.json["checks"]}
    looked_at = "python kernel sqlite clock limits lingering daemon resources".split()  # noqa: SIM905
    assert set(looked_at) <= names
    assert {"state directory", "file system", "disk space", "socket path"} <= names


def test_the_doctor_tells_of_what_the_last_daemon_died_of(cli, home):
    cli("daemon", "start", check=True)
    cli("daemon", "stop", check=True)
    (home / "state/hpcd.stderr").write_text("Traceback\nOSError: no such luck\n")
    [daemon] = [c for c in cli("doctor", "--json").json["checks"] if c["name"] == "daemon"]
    assert (daemon["verdict"], "no such luck" in daemon["found"]) == ("warning", True)
    assert "hpcd.stderr" in daemon["mend"]


def test_the_doctor_tells_what_shows_sessions(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    def told() -> dict[str, str]:
        return next(c for c in cli("doctor", "--json").json["checks"] if c["name"] == "sessions")

    none = "neither screen nor tmux is installed, so --screen is refused"
    assert (told()["verdict"], told()["found"]) == ("ok", none)
    for program in ("tmux", "screen"):
        (tmp_path / program).touch(mode=0o755)
    assert told()["found"] == "screen and tmux"


def test_the_doctor_starts_nothing(cli, home):
    cli("doctor", check=True)
    assert processes_of(home) == {}


def found(cli: Cli, name: str) -> dict[str, str]:
    checks = cli("doctor", "--json").json["checks"]
    return next(check for check in checks if check["name"] == name)


def test_a_damaged_database_is_seen_and_left_as_it_is(cli, home):
    cli("submit", "--hold", "--", "true", check=True)
    assert found(cli, "database")["verdict"] == "ok"
    cli("daemon", "stop", check=True)
    assert found(cli, "database")["verdict"] == "ok"
    database = home / "state" / "hpcshell.db"
    content = bytearray(database.read_bytes())
    content[8192:12288] = bytes(4096)
    database.write_bytes(content)
    before = sorted(os.listdir(home / "state"))
    seen = found(cli, "database")
    assert (seen["verdict"], "is damaged" in seen["found"]) == ("wrong", True)
    assert "begin anew" in seen["mend"]
    assert len(seen["found"].splitlines()) == 1
    assert sorted(os.listdir(home / "state")) == before
    assert database.read_bytes() == content


def test_a_stale_socket_is_seen(cli):
    pid = int(cli("daemon", "start", "--quiet", check=True).out)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_exit(pid, 10)
    assert "stale socket" in found(cli, "daemon")["found"]


def test_a_lost_socket_is_seen(cli, home):
    cli("daemon", "start", check=True)
    (home / "run" / "hpcd.sock").unlink()
    assert "lost its socket" in found(cli, "daemon")["found"]
    assert cli("daemon", "status").code == 5
    cli("queue", check=True)


def test_a_state_directory_others_may_write_is_wrong(cli, home):
    (home / "state").mkdir()
    (home / "state").chmod(0o777)
    assert cli("doctor").code == 1
    check = found(cli, "state directory")
    assert check["verdict"] == "wrong"
    assert check["mend"].startswith("chmod 700")
    (home / "state").chmod(0o700)


def test_a_wrong_configuration_is_wrong(cli, monkeypatch):
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "many")
    check = found(cli, "configuration")
    assert check["verdict"] == "wrong"
    assert "HPC_RESOURCES__CPUS" in check["found"]


@pytest.mark.parametrize(
    ("patch", "value", "name", "expected"),
    [
        ("hpcshell.machine.host.network_file_system", "NFS", "file system", "NFS"),
        ("hpcshell.machine.host.free_space", 1 << 20, "disk space", "refused"),
        ("hpcshell.machine.host.lingering", False, "lingering", "log out"),
        ("time.time", 1.0, "clock", "cannot be right"),
        ("os.geteuid", 12345678, "user", "no name"),
    ],
)
def test_what_can_be_wrong_with_a_machine(cli, monkeypatch, patch, value, name, expected):
    if name == "lingering":
        monkeypatch.setattr("os.geteuid", lambda: 1)
    monkeypatch.setattr(patch, lambda *args: value)
    check = found(cli, name)
    assert expected in check["found"]
    assert check["verdict"] != "ok"
    assert check["mend"]


def test_a_clock_that_went_back_is_seen(cli, home):
    cli("daemon", "start", check=True)
    log = home / "state" / "hpcd.log"
    future = log.stat().st_mtime + 7200
    os.utime(log, (future, future))
    assert "before the queue's last change" in found(cli, "clock")["found"]


# -------------------------------------------------------------------------------------- config


def test_config_shows_what_counts_and_where_it_comes_from(cli):
    text = cli("config", "show", "--origin", "resources", check=True).out
    assert "resources.cpus" in text
    assert "HPC_RESOURCES__CPUS" in text
    assert cli("config", "show", "resources.cpus", check=True).out == "4\n"
    values = cli("config", "show", "--json", check=True).json["config"]
    assert values["resources.cpus"] == 4
    assert values["profiles.light.memory"] == "2G"


def test_a_key_nobody_knows_names_the_nearest(cli):
    said = cli("config", "show", "resources.cpsu")
    assert (said.code, "resources.cpus" in said.err) == (3, True)


def test_config_path_names_the_files(cli, home):
    assert cli("config", "path", "--quiet", check=True).out == f"{home}/config/hpcshell.toml\n"
    files = cli("config", "path", "--json", check=True).json["files"]
    assert [file["which"] for file in files] == ["project", "box", "user", "site"]


def test_config_check_names_file_line_and_key(cli):
    assert "right" in cli("config", "check", check=True).out
    project = Path("hpcshell.toml")
    project.write_text("[defaults]\n\ncpus = 'few'\n")
    project.chmod(0o644)
    said = cli("config", "check")
    assert said.code == 2
    assert "hpcshell.toml line 3" in said.err
    assert "cpus" in said.err


def test_a_restart_with_a_wrong_configuration_leaves_the_daemon_alone(cli, home):
    pid = cli("daemon", "start", "--quiet", check=True).out
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "hpcshell.toml").write_text("[resources]\ncpu = 1\n")
    said = cli("daemon", "restart")
    assert said.code == 2
    assert "did you mean cpus?" in said.err
    assert cli("daemon", "status", "--quiet").out == pid
