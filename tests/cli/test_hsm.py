"""`hsm`: the commands of `hpc` under a second name, and what it calls otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from hpcshell.cli.main import VERBS
from tests.cli.conftest import Cli, Said, call
from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.faces import slurm_cluster as slurm_cluster
from tests.support.homes import HPC

HSM = str(Path(HPC).with_name("hsm"))
SPEC = {
    "script": "train.py",
    "sweep": {"grid": {"seed": [1, 2]}, "paired": [{"sizes": {"a": [1, 2], "b": [3, 4]}}]},
    "metadata": {"description": "as hsm has it", "tags": ["hpc"]},
}


def call_hsm(*words: str | int | Path, input: str = "", check: bool = False) -> Said:
    """Run `hsm WORDS` here."""
    return call(*words, input=input, check=check, name="hsm")


@pytest.fixture
def hsm(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`hsm` in a project of its own, on a machine of 64 CPUs."""
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")
    monkeypatch.setenv("HPC_RESOURCES__MEMORY", "256G")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "sweep.yaml").write_text(yaml.safe_dump(SPEC))
    (tmp_path / "train.py").write_text("import sys; print(sys.argv)")
    return call_hsm


def asked(hsm: Cli, *words: str) -> dict:
    """What a point would ask for."""
    told = hsm("sweep", "run", "--dry-run", "--json", *words, check=True).json
    found: dict = told["places"][0]["request"]
    return found


def test_every_command_of_the_page_runs(hsm):
    words = ("--walltime", "08:00:00", "--resources", "select=2:ncpus=8:mem=32gb")
    array = hsm("sweep", "run", "--mode", "array", *words, "--sweep-id", "hpc_sweep")
    assert "4 of 4 points submitted" in array.out
    single = ("--mode", "individual", "--walltime", "04:00:00", "--sweep-id", "individual_sweep")
    assert "submitted to local: 4 jobs" in hsm("sweep", "run", *single, check=True).out
    watched = hsm("monitor", "--mode", "hpc", "--sweep-id", "hpc_sweep", check=True)
    assert watched.out.startswith("sweep hpc_sweep: 4 points: 4 completed\n")
    hsm("monitor", check=True)
    assert hsm("queue", "--watch", check=True).err.endswith("no jobs\n")
    jobs = hsm("history", "--name", "hpc_sweep", "--json", check=True).json["rows"]
    assert [(job["cpus"], job["memory"], job["time_limit"]) for job in jobs] == [
        (16, 64 << 30, 8 * 3600)
    ]


def test_whoever_types_it_is_called_by_it(hsm):
    assert hsm("--version").out.startswith("hsm ")
    assert hsm("sweep", "run", "--help").out.startswith("Usage: hsm sweep run ")
    said = hsm("swep")
    assert (
        said.err
        == "hsm: there is no command 'swep'; did you mean 'sweep'?\n  hint: see: hsm --help\n"
    )
    assert hsm("show", "1").err.startswith("hsm: ")


def test_hints_name_commands_as_they_were_typed(hsm):
    ran = hsm("sweep", "run", "--wait", "--max-runs", 1, "--dry-run", "--sweep-id", "x")
    assert "hpc " not in ran.err
    assert hsm("sweep", "status", "nothing").err.endswith("hint: hsm sweep recent lists them\n")
    assert hsm("sweep", "recent").err == "no sweeps here: hsm sweep init, hsm sweep run\n"
    assert "hsm sweep watch\n" in hsm("sweep", "run", check=True).err
    hsm("sweep", "watch", check=True)
    assert hsm("sweep", "status", check=True).out.endswith(
        "next: hsm sweep report, hsm sweep best\n"
    )


def test_all_that_hpc_can_is_there_and_what_is_called_otherwise(hsm):
    listed = hsm("--help").out
    for name in [name for group in VERBS.values() for name in group] + ["monitor", "setup"]:
        assert f"  {name} " in listed
    assert "  queue " in hsm("sweep", "--help").out
    assert hsm("sweep", "queue", check=True).err == "no jobs\n"
    assert hsm("setup", "init", "--dry-run", check=True).out.count("command: python3 train.py") == 1


def test_the_installed_command_is_it():
    done = subprocess.run([HSM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hsm ")


def test_variables_count_where_nobody_says_otherwise(hsm, monkeypatch):
    assert asked(hsm)["time_limit"] is None
    monkeypatch.setenv("HSM_HPC_WALLTIME", "08:00:00")
    monkeypatch.setenv("HSM_HPC_RESOURCES", "select=2:ncpus=8:mem=32gb")
    found = asked(hsm)
    assert (found["cpus"], found["memory"], found["time_limit"]) == (16, 64 << 30, 8 * 3600)
    said = asked(hsm, "--cpus", "2", "--walltime", "1h")
    assert (said["cpus"], said["memory"], said["time_limit"]) == (2, 0, 3600)
    Path("sweeps/sweep.yaml").write_text(yaml.safe_dump({**SPEC, "resources": {"cpus": 3}}))
    said = asked(hsm)
    assert (said["cpus"], said["time_limit"]) == (3, 8 * 3600)
    own = {**SPEC, "resources": {"time_limit": "10m"}}
    Path("sweeps/sweep.yaml").write_text(yaml.safe_dump(own))
    assert asked(hsm)["time_limit"] == 600


def test_the_file_of_hsm_counts_below_the_variables(hsm, monkeypatch):
    section = {"default_walltime": "02:00:00", "default_resources": "--mem=2G -c 2"}
    Path("hsm_config.yaml").write_text(yaml.safe_dump({"hpc": section}))
    assert (asked(hsm)["time_limit"], asked(hsm)["cpus"]) == (2 * 3600, 2)
    monkeypatch.setenv("HSM_HPC_WALLTIME", "01:00:00")
    assert asked(hsm)["time_limit"] == 3600


def test_the_scheduler_that_a_variable_names_is_the_one_that_is_asked(hsm, monkeypatch):
    monkeypatch.setenv("HSM_HPC_SYSTEM", "pbs")
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", "/nowhere")  # what is not there needs no time to say so
        said = hsm("sweep", "run")
    assert said.code != 0
    assert "PBS" in said.err or "qsub" in said.err or "qstat" in said.err
    assert hsm("sweep", "run", "--mode", "local", check=True).code == 0


def test_what_a_file_says_that_cannot_be_meant_is_told_with_the_file(hsm, monkeypatch):
    monkeypatch.setenv("HSM_HPC_RESOURCES", "cpus=2 memroy=1G")
    assert "HSM_HPC_RESOURCES: 'memroy' is no option" in hsm("sweep", "run").err


# ------------------------------------------------------------------------------- on a real Slurm


def test_on_slurm_the_page_runs_as_it_stands(on_slurm):
    """The commands of the page, with what the nodes of the test have."""
    hpc = {"slurm": {"partition": "debug"}, "default_walltime": "00:10:00", "system": "slurm"}
    Path("hsm_config.yaml").write_text(yaml.safe_dump({"hpc": hpc}))
    Path("sweeps").mkdir()
    Path("sweeps/sweep.yaml").write_text(yaml.safe_dump(SPEC))
    Path("train.py").write_text("import sys; print('loss=1'); print(sys.argv)")
    words = ("--resources", "select=2:ncpus=1:mem=100mb")
    told = call_hsm("sweep", "run", "--dry-run", *words, check=True).out
    for line in ("--partition=debug", "--nodes=2", "--mem=100M", "--time=00:10:00"):
        assert any(line in each for each in told.splitlines() if "#SBATCH" in each), (line, told)
    ran = call_hsm("sweep", "run", "--mode", "array", "--resources", "--mem=100M", check=True)
    assert "submitted to slurm: job " in ran.out
    watched = call_hsm("monitor", "--mode", "hpc", check=True)
    assert watched.out.splitlines()[0].endswith("4 completed")
    one = ("--mode", "individual", "--walltime", "00:05:00", "--sweep-id", "one", "--max-runs", "1")
    call_hsm("sweep", "run", *one, "--resources", "-N 1 --mem=100M", "--wait", check=True)
