"""Policies with a real daemon, its runner and processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hpcshell.client.client import Client
from hpcshell.daemon.admission import user_name
from hpcshell.machine.paths import places
from tests.support.daemons import Daemon
from tests.support.runners import eventually

ME = user_name(os.geteuid())
SLEEPS = ["/bin/sh", "-c", "echo begun; exec sleep 300"]


def configure(text: str) -> None:
    config = Path(places(os.environ).config_file)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)


@pytest.fixture
def daemon(home: Path) -> Daemon:
    return Daemon(home)


def submit(client: Client, home: Path, *argv: str, **fields: Any) -> int:
    told = {"argv": list(argv or SLEEPS), "cwd": str(home), "env": {}, "grace": 5.0, **fields}
    return int(client.call("submit", submissions=[told])["jobs"][0]["id"])


def await_state(client: Client, job: int, *states: str) -> dict[str, Any]:
    """Until the job is in one of the states; nothing is slept through."""
    for said in client.stream("events", since=0, follow=True):
        shown = show(client, job)
        if shown["state"] in states:
            while shown["state"] == "RUNNING" and not shown["pid"]:
                shown = show(client, job)  # of this there is no event
            return shown
        assert said
    raise AssertionError("the daemon has left")


def show(client: Client, job: int) -> dict[str, Any]:
    shown: dict[str, Any] = client.call("show", ids=[str(job)])["jobs"][0]
    return shown


def stands_still(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("mode", ["suspend", "requeue", "cancel"])
def test_a_qos_preempts_processes(home: Path, daemon: Daemon, mode: str) -> None:
    configure(
        "[resources]\ncpus = 2\n[qos.low]\n"
        f'preempt_mode = "{mode}"\n[qos.high]\npreempts = ["low"]\n'
    )
    daemon.start()
    assert daemon.told == "ok"
    client = daemon.client()
    victim = submit(client, home, qos="low", request={"cpus": 2})
    pid = await_state(client, victim, "RUNNING")["pid"]
    maker = submit(client, home, "true", qos="high", request={"cpus": 2})
    assert await_state(client, maker, "COMPLETED", "FAILED")["state"] == "COMPLETED"
    after = await_state(client, victim, "RUNNING", "PREEMPTED")
    if mode == "suspend":
        assert after["pid"] == pid
        assert after["attempt"] == 1
        eventually(lambda: not stands_still(pid))
    elif mode == "requeue":
        assert (after["state"], after["attempt"], after["preempted"]) == ("RUNNING", 2, 1)
        assert after["pid"] != pid
    else:
        assert after["state"] == "PREEMPTED"
    if mode != "suspend":
        eventually(lambda: not Path(f"/proc/{pid}").exists())
    client.call("cancel", ids=[str(victim)])
    assert not daemon.complaints


def test_the_victim_stands_still_while_the_other_runs(home: Path, daemon: Daemon) -> None:
    configure(
        '[resources]\ncpus = 1\n[scheduler]\npreempt_mode = "suspend"\n'
        "[partitions.urgent]\ntier = 1\n"
    )
    daemon.start()
    client = daemon.client()
    victim = submit(client, home)
    pid = await_state(client, victim, "RUNNING")["pid"]
    maker = submit(client, home, partition="urgent")
    await_state(client, maker, "RUNNING")
    assert show(client, victim)["state"] == "SUSPENDED"
    eventually(lambda: stands_still(pid))
    client.call("cancel", ids=[str(maker)])
    await_state(client, victim, "RUNNING")
    client.call("cancel", ids=[str(victim)])
    assert not daemon.complaints


def test_who_has_used_less_starts_first_after_a_kill_too(home: Path, daemon: Daemon) -> None:
    configure(
        '[resources]\ncpus = 1\n[scheduler]\norder = "fairshare"\nrerank = "0s"\n'
        f"[accounts.physics]\nusers = {{ {ME} = 1 }}\n[accounts.biology]\nusers = {{ {ME} = 1 }}\n"
    )
    daemon.start()
    client = daemon.client()
    used = submit(client, home, "sh", "-c", "sleep 0.3", account="physics")
    await_state(client, used, "COMPLETED")
    daemon.kill()
    daemon.start()
    client = daemon.client()
    blocker = submit(client, home, account="physics")
    await_state(client, blocker, "RUNNING")
    first = submit(client, home, "true", account="physics")
    second = submit(client, home, "true", account="biology")
    listed = [row["id"] for row in client.call("priority")["rows"]]
    assert listed == [second, first]
    daemon.kill()
    daemon.start()
    client = daemon.client()
    assert [row["id"] for row in client.call("priority")["rows"]] == [second, first]
    client.call("cancel", ids=[str(blocker)])
    later = await_state(client, first, "COMPLETED")
    sooner = show(client, second)
    assert sooner["end_time"] <= later["start_time"]
    assert not daemon.complaints


def test_another_policy_while_it_runs(home: Path, daemon: Daemon) -> None:
    configure("[resources]\ncpus = 1\n")
    daemon.start()
    client = daemon.client()
    blocker = submit(client, home)
    pid = await_state(client, blocker, "RUNNING")["pid"]
    long = submit(client, home, "true", request={"time_limit": 900.0})
    short = submit(client, home, "true", request={"time_limit": 60.0})
    configure('[resources]\ncpus = 1\n[scheduler]\norder = "sjf"\nbackfill = "none"\n')
    client.call("reload")
    assert show(client, blocker)["pid"] == pid
    client.call("cancel", ids=[str(blocker)])
    later = await_state(client, long, "COMPLETED")
    sooner = show(client, short)
    assert sooner["end_time"] <= later["start_time"]
    assert not daemon.complaints


@pytest.mark.parametrize("pin", [True, False])
def test_jobs_that_run_together_run_on_cpus_of_their_own_if_they_are_pinned(
    home: Path, daemon: Daemon, pin: bool
) -> None:
    allowed = os.sched_getaffinity(0)
    configure(f"[resources]\ncpus = {len(allowed)}\n[scheduler]\npin = {str(pin).lower()}\n")
    daemon.start()
    client = daemon.client()
    jobs = [submit(client, home) for _ in allowed]
    pids = [await_state(client, job, "RUNNING")["pid"] for job in jobs]
    found = [os.sched_getaffinity(pid) for pid in pids]
    if pin:
        assert sorted(found, key=min) == [{cpu} for cpu in sorted(allowed)]
    else:
        assert found == [allowed] * len(allowed)
    client.call("cancel", ids=[str(job) for job in jobs])
    assert not daemon.complaints
