"""The real Slurm behind a real sshd on loopback, as `mycluster` of a test's own home.

``gate`` is the server with one account; its home directory is not ours, and its login shell knows
where Slurm is. ``mycluster`` has been added to the configuration of ``home`` with `hpc cluster
add`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hpcshell.machine.link import SshLink
from tests.conftest import Hpc
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.sshd import Account, Sshd, need_sshd

HOST = "127.0.0.1"


class Gate(NamedTuple):
    """The server, and the account that leads to the cluster."""

    sshd: Sshd
    account: Account

    @property
    def home(self) -> Path:
        return self.account.home

    @property
    def jobs(self) -> Path:
        """Where the directories of jobs lie."""
        return self.home / ".hpcshell" / "jobs"


@pytest.fixture(scope="module")
def gate(slurm_cluster: SlurmCluster) -> Iterator[Gate]:
    need_sshd()
    directory = Path(tempfile.mkdtemp(prefix="gate-", dir="/tmp"))
    with Sshd(directory) as sshd:
        account = sshd.account("ann")
        conf = slurm_cluster.env["SLURM_CONF"]
        (account.home / ".profile").write_text(f"export SLURM_CONF={conf}\numask 000\n")
        yield Gate(sshd, account)


@pytest.fixture
def mycluster(gate: Gate, home: Path, hpc: Hpc) -> Iterator[Gate]:
    link = SshLink(HOST, options=gate.account.options, control=f"{home}/run/ssh")
    words = [f"--ssh-option={word}" for word in gate.account.options]
    hpc("cluster", "add", "mycluster", "--ssh", HOST, *words, check=True)
    with (home / "config" / "hpcshell.toml").open("a") as file:
        file.write('poll = "1s"\n')
    yield gate
    link.close()


def slurm_jobs(cluster: SlurmCluster, name: str) -> int:
    """How many jobs of a name Slurm has, or had: the accounting hears of a new one late, and the
    controller forgets an old one."""
    asked = (
        ["squeue", "-h", "-t", "all", "-o", "%A", f"--name={name}"],
        ["sacct", "-n", "-X", "-P", "-o", "jobid", f"--name={name}"],
    )
    env = os.environ | cluster.env
    ids: set[str] = set()
    for words in asked:
        done = subprocess.run(words, capture_output=True, text=True, env=env, check=True)
        ids.update(done.stdout.split())
    return len(ids)
