"""Jobs on a real Slurm behind a real ssh server: everything a user does, from another machine."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from tests.conftest import Hpc
from tests.support.clusters.over_ssh import Gate, slurm_jobs
from tests.support.clusters.over_ssh import gate as gate
from tests.support.clusters.over_ssh import mycluster as mycluster
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.support.clusters.sshd import Sshd
from tests.support.receivers import script

SECRET = "s3 'cr\"et $(id)"
ON = ("--on", "mycluster")
LARGE = 96 << 20
"""Bytes that take long enough to be interrupted on their way."""


def submitted(hpc: Hpc, *words: str, env: dict[str, str] | None = None) -> str:
    return hpc("submit", "--quiet", *ON, *words, check=True, env=env).stdout.strip()


def test_a_cluster_that_was_added_answers_and_tells_what_it_is(mycluster: Gate, hpc: Hpc):
    status = hpc("cluster", "status", check=True).stdout
    assert {"mycluster", "Slurm", "answers"} <= set(status.split())
    shown = json.loads(hpc("cluster", "show", "mycluster", "--json", check=True).stdout)
    assert {"cpu", "gpu", "debug"} <= {one["name"] for one in shown["partitions"]}


def test_a_job_runs_in_the_far_home_and_its_output_and_exit_code_come_back(
    mycluster: Gate, hpc: Hpc
):
    job = submitted(hpc, "--", "sh", "-c", 'echo "$HOME|$PWD"; exit 3')
    assert hpc("wait", *ON, job, "--propagate").returncode == 3
    assert hpc("logs", *ON, job, check=True).stdout == f"{mycluster.home}|{mycluster.home}\n"
    view = json.loads(hpc("show", *ON, job, "--json", check=True).stdout)
    assert (view["state"], view["exit_code"], view["cluster"]) == ("FAILED", 3, "mycluster")
    assert job in hpc("history", *ON, "--quiet", check=True).stdout.split()
    assert "Slurm" not in hpc("queue", *ON, check=True).stdout


def test_start_up_files_that_print_and_join_the_streams_spoil_no_answer(mycluster: Gate, hpc: Hpc):
    noise = "echo Welcome; echo beware >&2; exec 2>&1; set -x; cd /; alias cat='echo no'\n"
    (mycluster.home / ".bashrc").write_text(noise)
    try:
        job = submitted(hpc, "--", "sh", "-c", "pwd; echo told >&2; exit 3")
        assert hpc("wait", *ON, job, "--propagate").returncode == 3
        assert hpc("logs", *ON, job, check=True).stdout == f"{mycluster.home}\ntold\n"
        view = json.loads(hpc("show", *ON, job, "--json", check=True).stdout)
        assert (view["user"], view["exit_code"]) == (getpass.getuser(), 3)
        refused = hpc("submit", *ON, "--partition", "cpuu", "--", "true")
        assert (refused.returncode, "cpuu" in refused.stderr) == (2, True)
    finally:
        (mycluster.home / ".bashrc").unlink()


def test_what_is_piped_into_a_command_goes_along_and_is_read_again_by_a_second_run(
    mycluster: Gate, hpc: Hpc
):
    assert hpc("run", *ON, "--name", "reads", "--", "cat", input=SECRET).stdout == SECRET
    again = hpc("rerun", "--quiet", *ON, "reads", check=True).stdout.strip()
    assert hpc("wait", *ON, again).returncode == 0
    assert hpc("logs", *ON, again, check=True).stdout == SECRET


def test_an_array_is_followed_to_its_end(mycluster: Gate, hpc: Hpc):
    job = submitted(hpc, "--array", "1-3", "--", "sh", "-c", "echo part $HPC_ARRAY_TASK_ID")
    followed = hpc("logs", "-f", *ON, job, check=True).stdout
    assert sorted(line for line in followed.splitlines() if line.startswith("part")) == [
        "part 1",
        "part 2",
        "part 3",
    ]
    assert hpc("wait", *ON, job).returncode == 0


def test_a_job_that_runs_is_seen_and_cancelled(mycluster: Gate, hpc: Hpc):
    job = submitted(hpc, "--", "sleep", "600")
    rows = json.loads(hpc("queue", *ON, "--json", check=True).stdout)["rows"]
    assert job in [row["label"] for row in rows]
    hpc("cancel", *ON, job, check=True)
    assert hpc("wait", *ON, job).returncode == 7


def test_only_what_was_named_of_the_environment_goes_along(mycluster: Gate, hpc: Hpc):
    job = submitted(
        hpc,
        "--export",
        "GIVEN",
        "--env",
        "SAID=a,b=c d",
        "--",
        "sh",
        "-c",
        'echo "${GIVEN-none}|${SAID-none}|${LEFT-none}|${HPCSHELL_HOME-none}"',
        env={"GIVEN": SECRET, "LEFT": "stays"},
    )
    hpc("wait", *ON, job, check=True)
    assert hpc("logs", *ON, job, check=True).stdout == f"{SECRET}|a,b=c d|none|none\n"


@pytest.fixture
def sbatch(gate: Gate, tmp_path: Path) -> Iterator[Path]:
    """An sbatch that begins over there only when it has been seen, for whoever gets there later."""
    program = tmp_path / "sbatch"
    script(program, f'until [ -e {program}.seen ]; do :; done\nexec {which("sbatch")} "$@"\n')
    profile = gate.home / ".profile"
    usual = profile.read_text()
    profile.write_text(f"{usual}PATH={tmp_path}:$PATH\n")
    yield program
    profile.write_text(usual)


def test_no_secret_is_in_a_command_line_a_log_or_a_dry_run(
    sbatch: Path, mycluster: Gate, hpc: Hpc, home: Path, slurm_cluster: SlurmCluster
):
    seen: set[str] = set()
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(seen, over, sbatch))
    watcher.start()
    env = {"TOKEN": "verysecret"}
    dry = hpc("submit", *ON, "--export", "TOKEN", "--dry-run", "--", "true", env=env, check=True)
    job = submitted(hpc, "--export", "TOKEN", "--", "sh", "-c", "echo $TOKEN", env=env)
    hpc("wait", *ON, job, check=True)
    over.set()
    watcher.join()
    assert hpc("logs", *ON, job, check=True).stdout == "verysecret\n"
    assert "verysecret" not in dry.stdout + dry.stderr
    assert any(str(sbatch) in line for line in seen)
    assert not [line for line in seen if "verysecret" in line]
    assert "verysecret" not in (mycluster.sshd.here / "log").read_text()
    scontrol = ["scontrol", "show", "job", job]
    told = subprocess.run(scontrol, capture_output=True, env=os.environ | slurm_cluster.env)
    assert b"verysecret" not in told.stdout
    for path in [*home.rglob("*"), *mycluster.jobs.rglob("*")]:
        if path.is_file() and b"verysecret" in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert path.name == "env" or path.name.startswith("clusters.db")


def _watch(seen: set[str], over: threading.Event, program: Path) -> None:
    """Command lines of all processes, as `ps` shows them; and tells this program that it is seen."""
    while not over.is_set():
        if any(str(program) in line for line in seen):
            Path(f"{program}.seen").touch()
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    seen.add(Path("/proc", entry, "cmdline").read_text(errors="replace"))
                except OSError:
                    continue


def test_what_we_write_there_is_nobody_elses_to_read_whatever_the_far_umask(
    mycluster: Gate, hpc: Hpc
):
    job = submitted(hpc, "--", "true")
    hpc("wait", *ON, job, check=True)
    ours = [path for path in mycluster.jobs.rglob("*") if path.parent.name != "record"]
    assert ours
    assert not [path for path in [mycluster.jobs, *ours] if path.stat().st_mode & 0o077]


def test_directories_are_those_of_the_far_side(mycluster: Gate, hpc: Hpc):
    (mycluster.home / "sub").mkdir(exist_ok=True)
    for chdir in ("~/sub", "sub", f"{mycluster.home}/sub"):
        job = submitted(hpc, f"--chdir={chdir}", "--", "pwd")
        hpc("wait", *ON, job, check=True)
        assert hpc("logs", *ON, job, check=True).stdout == f"{mycluster.home}/sub\n"


def test_a_directory_that_is_not_there_is_refused_at_once(mycluster: Gate, hpc: Hpc):
    before = sorted(mycluster.jobs.glob("*"))
    done = hpc("submit", *ON, "--chdir", "/not/there", "--", "true")
    assert done.returncode == 2
    assert "there is no directory '/not/there' to run in" in done.stderr
    assert sorted(mycluster.jobs.glob("*")) == before


def test_a_link_that_breaks_in_the_midst_of_a_submission_neither_loses_nor_doubles_the_job(
    mycluster: Gate, hpc: Hpc, slurm_cluster: SlurmCluster
):
    """It is broken again and again, wherever the submission happens to be."""
    hpc("queue", *ON, check=True)
    for number in range(4):
        name = f"once{os.getpid()}-{number}"
        over = threading.Event()
        breaker = threading.Timer(0.35 + 0.12 * number, mycluster.sshd.drop)
        breaker.start()
        done = hpc("submit", *ON, "--quiet", "--name", name, "--", "true")
        over.set()
        breaker.join()
        if done.returncode == 0:
            assert hpc("wait", *ON, name, "--timeout", "100").returncode == 0
        assert slurm_jobs(slurm_cluster, name) == (done.returncode == 0), done


def test_where_there_is_no_way_the_exit_code_says_so(mycluster: Gate, hpc: Hpc):
    job = submitted(hpc, "--", "sleep", "0")
    hpc("wait", *ON, job, check=True)
    mycluster.sshd.stop()
    try:
        sent = hpc("submit", *ON, "--", "true")
        assert sent.returncode == 5, sent
        assert "refuses the connection" in sent.stderr
        shown = hpc("show", *ON, job)
        assert (shown.returncode, "COMPLETED" in shown.stdout) == (0, True)
    finally:
        mycluster.sshd.start()
    assert submitted(hpc, "--", "true")


# --------------------------------------------------------------------------------------- files


def test_files_go_along_and_results_come_back_by_themselves(
    mycluster: Gate, hpc: Hpc, tmp_path: Path
):
    (tmp_path / "data").mkdir()
    name = "it's $(id) `x`\nand more"
    (tmp_path / "data" / name).write_text("in")
    work = "mkdir out && cp data/* out && ln -s /etc/passwd out/evil && touch 'b c.csv'"
    words = ("--stage-in", "data", "--stage-out", "out", "--stage-out", "*.csv")
    done = hpc("submit", *ON, "--wait", *words, "--", "sh", "-c", work, cwd=tmp_path)
    assert done.returncode == 0, done
    assert (tmp_path / "out" / name).read_text() == "in"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [name]
    assert (tmp_path / "b c.csv").exists()
    assert "left out" in done.stderr
    (tmp_path / "else").mkdir()
    fetched = hpc("fetch", *ON, "@", "data", "--to", "else", "--quiet", cwd=tmp_path, check=True)
    assert (tmp_path / "else" / "data" / name).read_text() == "in", fetched
    cleaned = hpc("cluster", "clean", "mycluster", "--quiet", check=True).stdout.splitlines()
    assert len(cleaned) == 1
    assert not Path(cleaned[0]).exists()


def breaking(sshd: Sshd, tree: Path, over: threading.Event, breaks: list[int]) -> None:
    """Cuts the connection twice while a large file comes into a tree, each time it has grown."""
    while not over.wait(0.01) and len(breaks) < 2:
        least = breaks[-1] + (8 << 20) if breaks else 1 << 20
        for size in sizes_below(tree):
            if least <= size < LARGE:
                sshd.drop()
                breaks.append(size)
                break


def sizes_below(tree: Path) -> Iterator[int]:
    """Sizes of the files in a tree that may change meanwhile."""
    for directory, _, names in os.walk(tree):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(f"{directory}/{name}").st_size


def test_a_transfer_whose_connection_breaks_is_gone_on_with(
    mycluster: Gate, hpc: Hpc, tmp_path: Path
):
    """It is broken while much is on its way, both ways."""
    (tmp_path / "big").write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
    for tree, words in (
        (
            mycluster.home,
            ("submit", *ON, "--quiet", "--stage-in", "big", "--stage-out", "big", "--", "true"),
        ),
        (tmp_path, ("wait", *ON, "@")),
    ):
        over, breaks = threading.Event(), list[int]()
        breaker = threading.Thread(target=breaking, args=(mycluster.sshd, tree, over, breaks))
        breaker.start()
        done = hpc(*words, cwd=tmp_path)
        over.set()
        breaker.join()
        assert breaks
        assert done.returncode == 0, done
        before = (tmp_path / "big").read_bytes()
        (tmp_path / "big").unlink()
    hpc("fetch", *ON, "@", check=True)
    assert (tmp_path / "big").read_bytes() == before
