"""`hpc` with --on, and `hpc cluster`: exit codes, words and documents, on a real Slurm that is here
and may fall silent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.cli import reach
from hpcshell.clusters import lookout
from tests.cli.conftest import call
from tests.conftest import Hpc
from tests.support import disks
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.support.homes import processes_of, wait_for_exit
from tests.support.runners import eventually

ON = ("--on", "here")


@pytest.fixture(autouse=True)
def here(
    slurm_cluster: SlurmCluster, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Slurm as the cluster `here`."""
    monkeypatch.setenv("SLURM_CONF", slurm_cluster.env["SLURM_CONF"])
    monkeypatch.chdir(tmp_path)
    configure(home)


def configure(home: Path, *lines: str) -> None:
    text = ["[clusters.here]", 'backend = "slurm"', 'poll = "1s"', *lines]
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "hpcshell.toml").write_text("\n".join(text) + "\n")


@pytest.fixture
def submitted(hpc: Hpc) -> Iterator[Callable[..., str]]:
    """Submits and tells the id; what has not ended by the end of the test is cancelled."""
    made: list[str] = []

    def submit(*words: str) -> str:
        done = hpc("submit", *ON, "--quiet", "--mem", "32M", *words, check=True)
        made.append(done.stdout.strip())
        return made[-1]

    yield submit
    if made:
        hpc("cancel", *ON, *made)


# ----------------------------------------------------------------------------------- exit codes


def test_a_job_ends_with_the_documented_codes(hpc: Hpc, submitted: Callable[..., str]):
    good = submitted("--", "true")
    bad = submitted("--", "sh", "-c", "exit 3")
    mixed = submitted("--array", "0-1", "--", "sh", "-c", "exit $HPC_ARRAY_TASK_ID")
    long = submitted("--", "sleep", "300")
    assert hpc("wait", *ON, good).returncode == 0
    assert hpc("wait", *ON, bad).returncode == 1
    assert hpc("wait", *ON, bad, "--propagate").returncode == 3
    assert hpc("wait", *ON, mixed).returncode == 8
    assert hpc("wait", *ON, long, "--timeout", "1").returncode == 6
    assert hpc("rerun", *ON, long).returncode == 4
    assert hpc("cancel", *ON, long).returncode == 0
    assert hpc("wait", *ON, long).returncode == 7
    assert hpc("cancel", *ON, "--quiet", good, bad).returncode in (0, 4)
    assert hpc("submit", *ON, "--wait", "--quiet", "--", "false").returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("show --on here 999999999", 3, "no job '999999999'"),
        ("show --on nowhere 1", 3, "no cluster 'nowhere'"),
        ("logs --on here 999999999", 3, "no job"),
        ("fetch --on here 999999999", 3, "no job"),
        ("queue --on here --nonsense", 2, "no option --nonsense"),
        ("priority --on here", 2, "no option --on"),
        ("submit --on here --partition cpuu -- true", 2, "cpu"),
        ("submit --on here --test-only --partition cpuu -- true", 4, "cannot run it"),
        ("submit --on here --time nonsense -- true", 2, "nonsense"),
        ("cluster remove nowhere", 3, "nowhere"),
        ("cluster add any", 2, "it means something else"),
        ("cluster add here --backend slurm", 4, "has a [clusters.here]"),
        ("cluster show nowhere", 3, "no cluster 'nowhere'"),
        ("cluster status nowhere", 3, "no cluster 'nowhere'"),
    ],
)
def test_what_cannot_be_is_said_with_its_code(hpc: Hpc, words: str, code: int, told: str):
    done = hpc(*words.split())
    assert done.returncode == code, done
    assert told in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_command_is_run_there_as_if_it_ran_here(hpc: Hpc):
    said = ("--mem", "32M", "--", "sh", "-c")
    done = hpc("run", *ON, *said, "echo out; sleep 1; echo late; exit 3")
    assert (done.returncode, done.stdout) == (3, "out\nlate\n"), done
    apart = hpc("run", *ON, "--error", "err.txt", *said, "echo out; echo err >&2")
    assert (apart.returncode, apart.stdout) == (0, "out\n")
    assert "err" in apart.stderr
    assert "#SBATCH" in hpc("run", *ON, "--dry-run", *said, "true", check=True).stdout
    array = hpc("run", *ON, "--array", "0-1", *said, "true")
    assert (array.returncode, "takes no array" in array.stderr) == (2, True)


def test_a_command_there_reads_what_we_would_read(hpc: Hpc):
    cat = ("run", *ON, "--mem", "32M", "--", "cat")
    assert hpc(*cat, input="a b\n").stdout == "a b\n"
    Path("in").write_text("c\n")
    assert hpc("run", *ON, "--mem", "32M", "--input", "in", "--", "cat").stdout == "c\n"
    much = hpc(*cat, input="x" * (1 << 20) + "y")
    assert much.returncode == 2
    assert "--input FILE" in much.stderr


def test_who_leaves_a_command_there_takes_it_along():
    command = [sys.executable, "-m", "hpcshell", "run", *ON, "--mem", "32M", "--name", "left"]
    command += ["--", "sh", "-c", "echo begun; exec sleep 300"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert call("show", *ON, "left", "--json").json["state"] in ("CANCELLED", "COMPLETING")


def test_what_has_not_begun_has_no_output_yet(hpc: Hpc, submitted: Callable[..., str]):
    held = submitted("--hold", "--", "true")
    assert hpc("logs", *ON, held).returncode == 75
    assert "held" in hpc("explain", *ON, held, check=True).stdout.lower()
    hpc("cancel", *ON, held, check=True)


def test_where_slurm_has_no_configuration_the_code_says_that_it_is_not_reached(
    tmp_path: Path, hpc: Hpc
):
    """Before and after something is known of the cluster."""
    (tmp_path / "slurm.conf").touch()
    env = {"SLURM_CONF": str(tmp_path / "slurm.conf")}
    name = f"unset{os.getpid()}"
    for _ in range(2):
        done = hpc("submit", *ON, "--name", name, "--", "true", env=env)
        assert done.returncode == 5, done
        assert "ClusterName needs to be specified" in done.stderr
        assert "set SLURM_CONF" in done.stderr
        assert hpc("show", *ON, name).returncode == 3
        hpc("cluster", "show", "here", check=True)


def test_a_dry_run_shows_that_a_job_is_to_be_held(hpc: Hpc):
    told = hpc("submit", *ON, "--hold", "--dry-run", "--", "true", check=True)
    assert "#SBATCH --hold\n" in told.stdout
    assert "--hold" not in hpc("submit", *ON, "--dry-run", "--", "true", check=True).stdout


# ------------------------------------------------------------------------------- a silent cluster


def test_a_silent_cluster_is_told_of_and_what_is_known_is_shown(
    tmp_path: Path, submitted: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    job = submitted("--", "sleep", "300")
    assert call("queue", *ON).code == 0
    (tmp_path / "slurm.conf").write_text("ClusterName=nobody\n")
    with monkeypatch.context() as silent:
        silent.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
        while (said := call("queue", *ON)).code == 0:
            assert job in said.out  # the last answer is still fresh
        assert said.code == 5
        assert job in said.out
        assert "here does not answer" in said.err
        assert "as it was at" in said.err
        silent.setattr(lookout, "FRESH", 0.0)
        told = call("queue", *ON, "--json").json
        (row,) = [row for row in told["rows"] if row["label"] == job]
        assert row["state"] == "UNKNOWN"
        assert row["unknown_since"] > 0
        assert told["trouble"]["cluster"] == "here"
        assert "UNKNOWN" in call("queue", *ON).out
        assert call("cluster", "status").code == 5
        assert "questions in the last hour, circuit" in call("doctor").out


# -------------------------------------------------------------------------------- a full disk


@pytest.mark.parametrize("spoil", [disks.fill, disks.close], ids=["full", "read-only"])
def test_where_nothing_can_be_written_jobs_are_looked_at_and_cancelled_all_the_same(
    hpc: Hpc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
):
    with disks.small_disk(tmp_path / "small") as disk:
        monkeypatch.setenv("HPCSHELL_HOME", str(disk))
        configure(disk)
        said = ("submit", *ON, "--quiet", "--mem", "32M", "--", "sleep", "300")
        job = hpc(*said, check=True).stdout.strip()
        spoil(disk)
        for verb in (("queue",), ("show", job), ("history",), ("explain", job), ("logs", job)):
            done = hpc(verb[0], *ON, *verb[1:])
            assert done.returncode in ((0, 75) if verb[0] == "logs" else (0,)), done
        refused = hpc(*said)
        assert refused.returncode in (1, 75), refused
        assert "hint" in refused.stderr
        assert "internal" not in refused.stderr
        cancelled = hpc("cancel", *ON, job)
        assert cancelled.returncode == 0, cancelled
        assert "what was learned is not kept" in cancelled.stderr
        assert hpc("wait", *ON, job).returncode == 7
        named = hpc("queue", *ON, "--json", check=True).stdout
        assert job not in named


# ------------------------------------------------------------------------------ what waits here


def keepers(home: Path) -> list[int]:
    return [pid for pid, line in processes_of(home).items() if "--stay" in line]


def keeper_of(home: Path) -> int:
    """The only one that stays; one that finds another there is soon gone."""
    eventually(lambda: len(keepers(home)) == 1)
    (only,) = keepers(home)
    return only


def ran(cluster: SlurmCluster, name: str, least: int) -> int:
    """How many jobs of a name there were; the accounting is a while behind, so at least so many."""
    words = ["sacct", "-n", "-X", "-P", "-o", "jobid", f"--name={name}"]
    found = 0
    for _ in range(100):
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
        found = len(done.stdout.split())
        if found >= least:
            break
        time.sleep(0.2)
    return found


def test_what_waits_here_is_sent_in_the_background_and_each_only_once(
    hpc: Hpc, home: Path, submitted: Callable[..., str], slurm_cluster: SlurmCluster
):
    configure(home, "max_jobs = 1")
    name = f"line{os.getpid()}"
    jobs = [submitted("--name", name, "--", "sleep", "1") for _ in range(3)]
    keeper = keeper_of(home)
    others = [hpc("cluster", "tend", "--once", "here") for _ in range(2)]
    assert {done.returncode for done in others} <= {0, 75}
    hpc("cluster", "tend", "--stay", "here", check=True)
    assert keepers(home) == [keeper]
    assert wait_for_exit(keeper, 60)
    assert not keepers(home)
    for job in jobs:
        assert hpc("wait", *ON, job).returncode == 0
    assert ran(slurm_cluster, name, 3) == 3
    log = (home / "state" / "clusters" / "here" / "tend.log").read_text()
    assert "stays with what waits for here" in log


def test_nothing_is_lost_if_the_one_that_stays_is_killed(
    hpc: Hpc, home: Path, submitted: Callable[..., str], slurm_cluster: SlurmCluster
):
    configure(home, "max_jobs = 1")
    name = f"kill{os.getpid()}"
    for _ in range(2):
        submitted("--name", name, "--", "sleep", "1")
        for pid in keepers(home):
            os.kill(pid, signal.SIGKILL)
            assert wait_for_exit(pid, 10)
    last = submitted("--name", name, "--", "true")
    keeper = keeper_of(home)
    assert wait_for_exit(keeper, 60)
    assert hpc("wait", *ON, last).returncode == 0
    assert ran(slurm_cluster, name, 3) == 3


# ------------------------------------------------------------------------------- words, documents


def test_a_cluster_is_added_shown_and_removed(hpc: Hpc, home: Path):
    added = hpc("cluster", "add", "two", "--backend", "slurm", "--option=--time=5", "--json")
    assert added.returncode == 0, added
    assert json.loads(added.stdout)["name"] == "two"
    assert 'options = ["--time=5"]' in (home / "config" / "hpcshell.toml").read_text()
    assert hpc("cluster", "list", "--quiet", check=True).stdout.split() == ["here", "two"]
    assert "would remove two" in hpc("cluster", "remove", "two", "--dry-run", check=True).stdout
    removed = json.loads(hpc("cluster", "remove", "two", "--json", check=True).stdout)
    assert (removed["name"], removed["dry_run"]) == ("two", False)
    assert hpc("cluster", "list", "--quiet", check=True).stdout.split() == ["here"]


def status_of_here() -> dict[str, Any]:
    (row,) = call("cluster", "status", "here", "--json").json["clusters"]
    found: dict[str, Any] = row
    return found


def test_what_has_ended_is_not_counted_whether_somebody_has_looked_or_not(
    submitted: Callable[..., str],
):
    submitted("--", "true")
    held = submitted("--hold", "--", "true")
    eventually(lambda: status_of_here()["jobs"] == 1)
    call("cancel", *ON, held, check=True)
    eventually(lambda: status_of_here()["jobs"] == 0)


def test_a_cluster_that_was_used_and_is_configured_no_more_is_shown(
    home: Path, submitted: Callable[..., str]
):
    job = submitted("--hold", "--", "true")
    (home / "config" / "hpcshell.toml").write_text("")
    row = status_of_here()
    assert (row["backend"], row["jobs"], row["answers"]) == ("slurm", 1, False)
    assert "no cluster 'here'" in row["trouble"]
    removed = call("cluster", "remove", "here", "--give-up")
    assert removed.code == 0, removed
    assert "give up 1 of your submissions" in removed.out
    assert status_of_here()["jobs"] == 0
    subprocess.run(["scancel", job], check=True)


def test_clusters_are_described_in_documents(hpc: Hpc):
    def document(*words: str) -> Any:
        told = json.loads(hpc("cluster", *words, "--json", check=True).stdout)
        assert told["schema"] == 1
        return told

    assert document("detect")["chosen"] == "slurm"
    (status,) = document("status")["clusters"]
    assert (status["name"], status["circuit"], status["answers"]) == ("here", "closed", True)
    assert {one["name"] for one in document("show", "here")["partitions"]} >= {"cpu"}
    assert document("tend", "here") == {"schema": 1, "left": 0}
    assert document("clean", "here") == {
        "schema": 1,
        "dry_run": False,
        "removed": [],
        "kept": [],
    }
    assert document("list")["clusters"]


def test_where_jobs_go_can_be_configured(hpc: Hpc, home: Path, submitted: Callable[..., str]):
    job = submitted("--", "true")
    hpc("wait", *ON, job, check=True)
    assert hpc("show", job, env={"HPC_DEFAULTS__ON": "here"}).returncode == 0
    with (home / "config" / "hpcshell.toml").open("a") as file:
        file.write('[defaults]\non = "here"\n')
    assert hpc("show", job).returncode == 0
    assert hpc("queue", "--on", "local").returncode == 0


def test_ids_are_completed_from_what_is_on_record(hpc: Hpc, submitted: Callable[..., str]):
    job = submitted("--hold", "--name", "somename", "--", "true")
    typed = {"_HPC_COMPLETE": "bash_complete", "COMP_WORDS": "hpc cancel --on here "}
    shown = hpc(env=typed | {"COMP_CWORD": "4", "SLURM_CONF": "/not/asked"}).stdout.split()
    assert {f"plain,{job}", "plain,somename"} <= set(shown)
    hpc("cancel", *ON, job, check=True)


def test_when_it_would_start_is_told_without_submitting(hpc: Hpc):
    told = hpc("submit", *ON, "--test-only", "--time", "5", "--", "true", check=True).stdout
    assert "its own estimate" in told
    document = hpc("submit", *ON, "--test-only", "--json", "--time", "5", "--", "true", check=True)
    (offer,) = json.loads(document.stdout)["offers"]
    assert offer["cluster"] == "here"
    assert offer["start"] > 0
    assert hpc("submit", "--on", "any", "--test-only", "--", "true").returncode == 0
    assert hpc("history", *ON, "--quiet", check=True).stdout == ""


def test_files_of_a_cluster_that_is_here_are_here_already(
    hpc: Hpc, tmp_path: Path, submitted: Callable[..., str]
):
    done = hpc("submit", *ON, "--stage-in", "x", "--stage-out", "y", "--", "true", check=True)
    assert "has the files of this machine" in done.stderr
    fetched = hpc("fetch", *ON, "@", check=True).stdout
    assert str(tmp_path) in fetched


# ------------------------------------------------------------------------------ a slow scheduler


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A squeue that says nothing for a while, which is longer than anybody here is patient."""
    squeue = tmp_path / "slow" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text(f'#!/bin/sh\nsleep 0.5\nexec {shutil.which("squeue")} "$@"\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(squeue.parent), prepend=":")
    monkeypatch.setattr(reach, "PATIENCE", 0.1)


@pytest.mark.usefixtures("slow")
def test_it_is_said_once_that_a_cluster_is_waited_for():
    said = call("queue", *ON, "--user", "nobody", check=True)
    assert said.err.count("waiting for here to answer") == 1
    before, _, after = said.err.partition("hpc: waiting for here to answer\n")
    assert (before, after.strip()) == ("", "no jobs")
    assert call("queue", *ON, "--json", "--user", "nobody", check=True).json["rows"] == []
    assert "waiting" not in call("queue", *ON, "--quiet", "--user", "nobody", check=True).err


def test_who_is_answered_at_once_is_told_nothing_of_waiting(monkeypatch: pytest.MonkeyPatch):
    before = signal.getsignal(signal.SIGALRM)
    assert "waiting" not in call("queue", *ON, check=True).err
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
