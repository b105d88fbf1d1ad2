"""The runner does what it is ordered, once, and tells the truth about it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.daemon.runner import wire
from hpcshell.machine import processes
from tests.support.runners import Driver, eventually, running


@pytest.fixture
def runner() -> Iterator[Driver]:
    with running() as driver:
        yield driver


def test_exit_codes_are_those_of_the_command(runner: Driver) -> None:
    codes = [0, 1, 2, 125, 126, 127, 128, 255]
    for run, code in enumerate(codes, 1):
        runner.start(run, f"exit {code}")
    assert [runner.exit_code(run) for run in range(1, len(codes) + 1)] == codes


def test_a_signal_is_told_apart_from_an_exit_code(runner: Driver) -> None:
    runner.start(1, "kill -USR1 $$")
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.exit_code, end.signal, end.stopped_by) == (None, signal.SIGUSR1, None)


def test_output_goes_where_it_was_told(runner: Driver) -> None:
    runner.start(1, "echo out; echo err >&2", stdout="deep/er/o", stderr="deep/e")
    runner.start(2, "echo out; echo err >&2", stdout="both")
    assert runner.exit_code(1) == runner.exit_code(2) == 0
    runner.start(3, "echo again", stdout="both", append=True)
    assert runner.exit_code(3) == 0
    runner.start(4, "cat", stdin="both", stdout="copy")
    assert runner.exit_code(4) == 0
    assert (runner.home / "deep/er/o").read_text() == "out\n"
    assert (runner.home / "deep/e").read_text() == "err\n"
    assert (runner.home / "both").read_text() == "out\nerr\nagain\n"
    assert not (runner.home / "both").stat().st_mode & 0o033


def test_a_run_inherits_nothing_but_its_three_streams(runner: Driver) -> None:
    script = "ls /proc/self/fd | wc -l; umask; grep -E 'Sig(Blk|Ign)' /proc/self/status; pwd"
    runner.start(1, script, stdout="o", umask=0o027)
    assert runner.exit_code(1) == 0
    count, umask, blocked, ignored, where = (runner.home / "o").read_text().split("\n")[:5]
    assert int(count) == 4  # the fourth is ls's own
    assert umask == "0027"
    libc_own = 0b11 << 31  # signals 32 and 33, which no program can name
    assert int(blocked.split()[1], 16) == int(ignored.split()[1], 16) & ~libc_own == 0
    assert where == str(runner.home)


def test_a_run_leads_its_own_session_and_is_marked(runner: Driver) -> None:
    runner.start(7, "sleep 60")
    started = runner.started(7)
    row = processes.look(started.pid)
    assert row is not None
    assert row.session == row.pgrp == started.pid
    assert row.ticks == started.start_ticks
    assert processes.environment_has(started.pid, [b"HPC_RUN_ID=7"])


def test_peak_memory_is_true_or_said_to_be_a_bound(runner: Driver) -> None:
    runner.start(1, "/bin/true", "x")
    runner.start(2, sys.executable, "-c", "b'x' * (100 << 20)")
    small, large = runner.ended(1), runner.ended(2)
    assert isinstance(small, wire.Ended)
    assert isinstance(large, wire.Ended)
    assert small.max_rss_at_most
    assert not large.max_rss_at_most
    assert 100 << 20 <= large.max_rss < 200 << 20
    # what the runner itself once had is told of every small run from then on
    runner.start(3, "/bin/true", "x", env={"LONG": "x" * (48 << 20)})
    runner.ended(3)
    runner.start(4, "/bin/true", "x")
    bloated = runner.ended(4)
    assert isinstance(bloated, wire.Ended)
    assert bloated.max_rss > 48 << 20
    assert bloated.max_rss_at_most


def test_a_start_of_a_known_run_is_answered_and_not_repeated(runner: Driver) -> None:
    os.mkfifo(runner.home / "wait")
    runner.start(1, "echo x >> once; read line < wait; exit 4", stdout="o")
    runner.started(1)
    for _ in range(3):
        runner.start(1, "echo x >> once")
    runner.order()
    (runner.home / "wait").write_text("go\n")
    assert runner.exit_code(1) == 4
    runner.start(1, "echo x >> once")
    runner.order()
    assert (runner.home / "once").read_text() == "x\n"


def test_what_cannot_be_started_says_why(runner: Driver) -> None:
    (runner.home / "plain").write_text("echo\n")
    (runner.home / "crlf").write_text("#!/bin/sh\r\necho\r\n")
    (runner.home / "crlf").chmod(0o755)
    (runner.home / "empty").touch(0o755)
    runner.start(1, "no-such-command", "x")
    runner.start(2, "./plain", "x")
    runner.start(3, "./crlf", "x")
    runner.start(4, "./empty", "x")
    runner.start(5, "/tmp", "x")
    runner.start(6, "true", "x", cwd="/no/where")
    runner.start(7, "true", "x", stdout="/tmp")
    wanted = {
        1: (127, "not found in PATH"),
        2: (126, "not executable"),
        3: (126, "carriage return"),
        4: (126, "no program for this machine"),
        5: (126, "is a directory"),
        6: (126, "does not exist"),
        7: (126, "is a directory"),
    }
    for run, (code, words) in wanted.items():
        report = runner.ended(run)
        assert isinstance(report, wire.FailedToStart), report
        assert (report.exit_code, report.transient) == (code, False)
        assert words in report.message


def test_bad_orders_are_complained_of_and_harm_nothing(runner: Driver) -> None:
    assert runner.link.connection is not None
    runner.link.connection.send(b'nonsense\n{"order":"fly"}\n')
    runner.start(1, "true", "x", env={"A": "nul\0byte"})
    runner.start(2, "exit 3")
    runner.say(wire.Signal(run=2, signal="NOSUCH"), wire.Stop(run=99, cause="cancel"))
    assert isinstance(runner.ended(1), wire.FailedToStart)
    assert runner.exit_code(2) == 3
    runner.hear_until(lambda: len(runner.complaints) >= 2 and runner.unknown == [99])


def test_the_time_limit_kills_what_ignores_term(runner: Driver) -> None:
    script = "trap '' TERM; echo up > up; while :; do sleep 0.05; done"
    runner.start(1, script, grace=0.2)
    eventually((runner.home / "up").exists)
    runner.say(wire.Limit(run=1, time_limit=0.2))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.signal, end.stopped_by) == (signal.SIGKILL, "timeout")


def test_the_warning_comes_first_then_term(runner: Driver) -> None:
    traps = "trap 'echo warned' USR1; trap 'echo termed; exit 9' TERM"
    script = f"{traps}; echo up > up; while :; do sleep 0.02; done"
    runner.start(1, script, stdout="o", time_limit=3600.0, warn=wire.Warn("USR1", 0.2))
    eventually((runner.home / "up").exists)
    runner.say(wire.Limit(run=1, time_limit=0.4))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.exit_code, end.stopped_by) == (9, "timeout")
    words = (runner.home / "o").read_text().replace("Terminated", "").split()
    assert "".join(words) == "warnedtermed"


def test_a_changed_limit_holds(runner: Driver) -> None:
    os.mkfifo(runner.home / "wait")
    runner.start(1, "sleep 60", time_limit=3600.0)
    runner.start(2, "read line < wait; exit 5", time_limit=3600.0)
    runner.order(wire.Suspend(run=2), wire.Limit(run=2, time_limit=0.1))
    runner.order(wire.Limit(run=2, time_limit=None), wire.Resume(run=2))
    runner.say(wire.Limit(run=1, time_limit=0.4))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.stopped_by == "timeout"
    (runner.home / "wait").write_text("\n")
    assert runner.exit_code(2) == 5


NAP = f"sleep 61.{os.getpid()}"
"""Known from the sleepers of tests that run beside this one."""

HIDERS = {
    "double fork": f"(setsid {NAP} &) ; {NAP}",
    "no environment": f"(env -i setsid {NAP} &) ; {NAP}",
    "stopped": f"{NAP} & sleep 0.2; kill -STOP $!; {NAP}",
    "tree": f"for i in 1 2 3; do ({NAP} & {NAP} & wait) & done; wait",
    "ignores": f"trap '' TERM HUP INT; (trap '' TERM; setsid sh -c '{NAP}; {NAP}') & wait",
}


def sleepers() -> list[int]:
    rows = processes.snapshot().values()
    found = [row.pid for row in rows if row.comm == "sleep" and row.state not in processes.ZOMBIE]
    return [pid for pid in found if NAP.replace(" ", "\0").encode() in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("how", HIDERS)
def test_a_cancelled_run_leaves_nothing_alive(runner: Driver, how: str) -> None:
    runner.start(1, f"{HIDERS[how]}", stdout="o")
    runner.start(2, "exec sleep 62")
    runner.started(2)
    runner.hear_until(lambda: 1 in runner.reports)
    wanted = {"tree": 6, "ignores": 1}.get(how, 2)
    eventually(lambda: len(sleepers()) == wanted)
    runner.say(wire.Stop(run=1, cause="cancel", grace=0.2))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.stopped_by == "cancel"
    assert sleepers() == []
    assert not runner.is_over(2)
    runner.say(wire.Stop(run=2, cause="cancel", grace=0.0))
    runner.ended(2)
    assert sleepers() == []


@pytest.mark.parametrize("how", ["double fork", "no environment"])
def test_what_outlives_its_leader_is_killed_before_the_end_is_told(
    runner: Driver, how: str
) -> None:
    runner.start(1, HIDERS[how].removesuffix(NAP) + "exit 3")
    assert runner.exit_code(1) == 3
    assert sleepers() == []


def test_a_fork_bomb_is_ended(runner: Driver) -> None:
    script = f"for i in $(seq 60); do ({NAP} &) ; setsid {NAP} & sleep 0.01; done; wait"
    runner.start(1, f"({script}) & ({script}) & ({script}) & wait", time_limit=0.7, grace=0.0)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.stopped_by == "timeout"
    assert sleepers() == []


def test_ends_wait_for_a_daemon_that_is_away(runner: Driver) -> None:
    os.mkfifo(runner.home / "wait")
    runner.start(1, "read line < wait; exit 6", time_limit=60.0)
    runner.started(1)
    runner.link.close()
    (runner.home / "wait").write_text("\n")
    assert runner.exit_code(1) == 6
    runner.say(wire.Ack(runs=[1]))
    runner.connect()
    runner.say(wire.Stop(run=1, cause="cancel"))
    runner.hear_until(lambda: runner.unknown == [1])


def test_the_newest_connection_wins(runner: Driver) -> None:
    other = Driver(runner.home)
    other.connect()
    other.start(1, "exit 8")
    assert other.exit_code(1) == 8
    runner.hear_until(lambda: runner.standings == 2)
    assert runner.exit_code(1) == 8


def test_a_socket_whose_name_was_taken_away_comes_back(runner: Driver) -> None:
    os.mkfifo(runner.home / "wait")
    runner.start(1, "read line < wait; exit 2")
    runner.started(1)
    pid = runner.link.runner_pid
    os.unlink(runner.places.runner_socket)
    runner.link.close()
    runner.connect()
    assert runner.link.runner_pid == pid
    (runner.home / "wait").write_text("\n")
    assert runner.exit_code(1) == 2


def test_an_idle_runner_uses_no_cpu_and_few_descriptors(runner: Driver) -> None:
    for run in range(1, 200):
        runner.start(run, "/bin/true", "x", stdout=f"o{run}")
    for run in range(1, 200):
        assert runner.exit_code(run) == 0
    runner.say(wire.Ack(runs=list(range(1, 200))))
    for pid in (runner.link.runner_pid, runner.link.keeper_pid):
        assert len(os.listdir(f"/proc/{pid}/fd")) < 20
    switches = Path(f"/proc/{runner.link.runner_pid}/schedstat")
    runner.connect()
    eventually(lambda: (row := processes.look(runner.link.runner_pid)) and row.state == "S")
    before = switches.read_text().split()[2]
    with pytest.raises(AssertionError):
        runner.hear_until(lambda: False, patience=1.0)
    assert int(switches.read_text().split()[2]) - int(before) <= 1


def test_a_full_disk_refuses_new_runs_loudly_and_harms_nothing_old() -> None:
    with running(disk="3m") as runner:
        os.mkfifo(runner.home / "gate")
        runner.start(1, "read line < gate; exit 21")
        runner.started(1)
        fill(runner.home / "ballast")
        for run in range(2, 40):  # the journal's reserve is used up by the first of them
            runner.start(run, "/bin/true", "x", tag="y" * 60_000)
        runner.hear_until(lambda: all(run in runner.reports for run in range(2, 40)))
        refused = [each for each in runner.reports.values() if isinstance(each, wire.FailedToStart)]
        assert refused
        assert all(each.transient and each.exit_code == 75 for each in refused)
        assert "disk full" in refused[0].message
        (runner.home / "gate").write_text("\n")
        assert runner.exit_code(1) == 21
        (runner.home / "ballast").unlink()
        again = refused[0].run
        del runner.reports[again]
        runner.start(again, "exit 22")
        assert runner.exit_code(again) == 22
        runner.kill_worker()
        runner.connect()
        assert not runner.missing


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1 << 12, 1):
            while file.write(b"x" * size):
                pass


def test_few_descriptors_are_enough() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with running() as runner:
        for pid in (runner.link.keeper_pid, runner.link.runner_pid):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (40, limits[1]))
        for run in range(1, 30):
            runner.start(run, "sleep 0.3; exit 5")
        runner.hear_until(lambda: len(runner.reports) == 29)
        victim = runner.link.runner_pid
        runner.kill_worker()
        runner.hear_until(lambda: runner.link.runner_pid != victim)
        runner.kill_keeper()
        for run in range(1, 30):
            report = runner.ended(run)
            if isinstance(report, wire.Ended):
                assert report.exit_code == 5
            else:
                assert isinstance(report, wire.Lost)


def test_a_daemon_born_inside_a_run_is_no_stray(runner: Driver) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(1, "read line < gate; exit 0")
    runner.started(1)
    code = (
        "import os, sys, time; from tests.support.runners import Driver; from pathlib import Path;"
        "driver = Driver(Path(sys.argv[1])); driver.connect();"
        "driver.start(3, 'exit 3'); code = driver.exit_code(3);"
        "driver.hear_until(lambda: driver.is_over(2));"
        "Path(sys.argv[1], 'code').write_text(str(code))"
    )
    inner = f'setsid {sys.executable} -c "{code}" {runner.home} > inner.log 2>&1 &'
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    script = f"{inner} while [ ! -S never ] && ! grep -q . began; do sleep 0.01; done; exit 0"
    runner.start(2, script, env=env)
    runner.hear_until(lambda: runner.link.closed)  # the daemon inside took the connection
    (runner.home / "began").write_text("x")
    code_at = runner.home / "code"
    eventually(lambda: code_at.exists() and code_at.read_text())
    assert code_at.read_text() == "3"
    (runner.home / "gate").write_text("\n")
    assert runner.exit_code(2) == 0


def test_a_guarded_script_is_looked_at_again_when_it_starts(runner: Driver) -> None:
    (runner.home / "approved").mkdir()
    script = runner.home / "approved" / "job.sh"
    script.write_text("echo ran")
    roots = [str(script.parent)]
    runner.start(1, f". {script}", guarded=str(script), roots=roots)
    assert runner.exit_code(1) == 0
    (runner.home / "other.sh").write_text("touch executed")
    script.unlink()
    script.symlink_to(runner.home / "other.sh")
    runner.start(2, f". {script}", guarded=str(script), roots=roots)
    end = runner.ended(2)
    assert isinstance(end, wire.FailedToStart)
    assert (end.exit_code, end.transient) == (126, False)
    assert "is in none of the directories that scripts may lie in" in end.message
    assert not (runner.home / "executed").exists()
