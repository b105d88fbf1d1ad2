"""Sweeps on PBS and Slurm: the scripts to the letter, and a real Slurm that runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import NotFound, Unreachable, Wrong
from hpcshell.hpc import HPCJobManager, PBSJobManager, SlurmJobManager
from hpcshell.hpc.resources import directive_lines
from hpcshell.hpc.scripts import array_script, single_script
from hpcshell.sweeps.wanted import wanted
from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.faces import slurm_cluster as slurm_cluster
from tests.support.runners import eventually

PARAMS: dict[str, Any] = {"lr": 0.001, "batch_size": 32}


def test_the_script_for_pbs_is_the_documented_one():
    manager = PBSJobManager(resources="select=1:ncpus=4:mem=16gb", script_path="train.py")
    text = manager.single_script(PARAMS, "sweep_task_001", "sweep")
    assert (
        text
        == """\
#!/bin/bash
#PBS -N sweep_task_001
#PBS -l walltime=04:00:00
#PBS -l select=1:ncpus=4:mem=16gb
#PBS -j oe
#PBS -o logs/task_001.log

cd $PBS_O_WORKDIR
python train.py "lr=0.001" "batch_size=32"
"""
    )


def test_the_script_for_slurm_is_the_documented_one():
    manager = SlurmJobManager(
        resources="--nodes=1 --ntasks-per-node=4 --mem=16G", script_path="train.py"
    )
    text = manager.single_script(PARAMS, "sweep_task_001", "sweep")
    assert (
        text
        == """\
#!/bin/bash
#SBATCH --job-name=sweep_task_001
#SBATCH --time=04:00:00
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --mem=16G
#SBATCH --output=logs/task_001.log

python train.py "lr=0.001" "batch_size=32"
"""
    )


def test_the_script_of_an_array_picks_its_parameters_by_the_index():
    manager = PBSJobManager(script_path="train.py", queue="normal", account="my_project")
    text = manager.array_script([PARAMS, {"lr": 1}], "big")
    assert (
        text
        == """\
#!/bin/bash
#PBS -N big
#PBS -l walltime=04:00:00
#PBS -q normal
#PBS -A my_project
#PBS -J 1-2
#PBS -j oe
#PBS -o logs/task_^array_index^.log

cd $PBS_O_WORKDIR
case "${PBS_ARRAY_INDEX:-$PBS_ARRAYID}" in
1) set -- "lr=0.001" "batch_size=32" ;;
2) set -- "lr=1" ;;
*) echo no parameters for this index >&2; exit 2 ;;
esac
python train.py "$@"
"""
    )


@pytest.mark.parametrize(
    ("resources", "pbs", "slurm"),
    [
        ("", [], []),
        (
            "select=1:ncpus=4:mem=16gb",
            ["-l select=1:ncpus=4:mem=16gb"],
            ["--nodes=1", "--cpus-per-task=4", "--mem=16384M"],
        ),
        (
            "select=2:ncpus=8:mem=32gb:ngpus=1",
            ["-l select=2:ncpus=8:mem=32gb:ngpus=1"],
            ["--nodes=2", "--cpus-per-task=8", "--mem=32768M", "--gres=gpu:1"],
        ),
        (
            "select=1:ncpus=4:mem=16gb+1:ncpus=8:mem=32gb",
            ["-l select=1:ncpus=4:mem=16gb+1:ncpus=8:mem=32gb"],
            ["--cpus-per-task=12", "--mem=49152M"],
        ),
        (
            "--nodes=1 --ntasks-per-node=4 --mem=16G --gres=gpu:1",
            ["-l select=1:ncpus=4:mpiprocs=4:ompthreads=1:mem=16gb:ngpus=1"],
            ["--nodes=1", "--ntasks-per-node=4", "--mem=16G", "--gres=gpu:1"],
        ),
        (
            "--partition=gpu --nodes=1 --gres=gpu:v100:2",
            ["-q gpu", "-l select=1:ncpus=1:ngpus=2:gpu_type=v100"],
            ["--partition=gpu", "--nodes=1", "--gres=gpu:v100:2"],
        ),
        ("--nodes 2", ["-l select=2:ncpus=1", "-l place=scatter"], ["--nodes 2"]),
    ],
)
def test_resources_are_said_in_the_words_of_either_on_both(home, resources, pbs, slurm):
    assert directive_lines(resources, "pbs") == pbs
    assert directive_lines(resources, "slurm") == slurm


@pytest.mark.parametrize("resources", ["--nodes=1 --nonsense", "cpus", "'"])
@pytest.mark.parametrize("kind", ["pbs", "slurm"])
def test_resources_that_make_no_sense_are_refused(home, resources, kind):
    with pytest.raises(Wrong):
        directive_lines(resources, kind)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(params=st.dictionaries(texts, texts, max_size=4))
def test_parameters_arrive_as_they_are_given(params):
    said = [f"{name}={value}" for name, value in params.items()]
    for text in (
        single_script("slurm", [], r"printf '%s\0' x", params),
        array_script("slurm", [], r"printf '%s\0' x", [{"a": 1}, params]),
    ):
        env = {"SLURM_ARRAY_TASK_ID": "2", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", "-c", text], env=env, capture_output=True, check=True)
        assert done.stdout == "\0".join(["x", *said, ""]).encode()


@pytest.mark.parametrize("field", ["walltime", "resources", "queue", "account"])
def test_no_value_brings_a_line_of_its_own(field):
    with pytest.raises(Wrong):
        PBSJobManager(**{field: "1\n#PBS -q other"})


@pytest.mark.parametrize("field", ["walltime", "resources", "queue", "account"])
@pytest.mark.parametrize("value", [{"cpus": 1}, 3600, b"a", None])
def test_what_is_no_text_is_refused_with_an_example(field, value):
    with pytest.raises(Wrong, match=f"{field}=.* is no text") as wrong:
        SlurmJobManager(**{field: value})
    assert f'{field}="' in str(wrong.value)


def test_what_cannot_be_run_is_refused(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manager = SlurmJobManager()
    with pytest.raises(Wrong, match="no script"):
        manager.submit_sweep([PARAMS], "array", "sweep", "x")
    with pytest.raises(Wrong, match="no parameters"):
        manager.submit_sweep([], "array", "sweep", "x")
    with pytest.raises(Wrong, match="is no way") as caught:
        manager.submit_sweep([PARAMS], "arrays", "sweep", "x")
    assert caught.value.hint == "did you mean array?"
    manager = SlurmJobManager(script_path="train.py")
    with pytest.raises(Wrong, match="no table"):
        manager.submit_single_job(["lr"], "x", "sweep", "x")  # type: ignore[arg-type]
    with pytest.raises(Wrong, match="NUL"):
        manager.submit_single_job({"x": "\0"}, "x", "sweep", "x")
    assert not Path("sweep").exists()


# ------------------------------------------------------------------------------ the configuration

CONFIG = """
hpc:
  default_walltime: "06:00:00"
  default_resources: "select=1:ncpus=4:mem=16gb"
  python_interpreter: "python3"
  system: "pbs"  # or "auto", "slurm"

  # PBS-specific settings
  pbs:
    queue: "normal"
    account: "my_project"

  # Slurm-specific settings
  slurm:
    partition: "compute"
    account: "my_account"
"""


@pytest.fixture
def project(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HSM_CONFIG", "HSM_HPC_WALLTIME", "HSM_HPC_RESOURCES", "HSM_HPC_SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "hsm_config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_argument_wins_over_a_variable_over_the_file_over_what_is_usual(project, monkeypatch):
    found = HPCJobManager.auto_detect()
    assert isinstance(found, PBSJobManager)
    assert (found.walltime, found.resources) == ("06:00:00", "select=1:ncpus=4:mem=16gb")
    assert (found.python_path, found.queue, found.account) == ("python3", "normal", "my_project")
    monkeypatch.setenv("HSM_HPC_WALLTIME", "08:00:00")
    monkeypatch.setenv("HSM_HPC_RESOURCES", "select=2:ncpus=8:mem=32gb")
    monkeypatch.setenv("HSM_HPC_SYSTEM", "slurm")
    found = HPCJobManager.auto_detect()
    assert isinstance(found, SlurmJobManager)
    assert (found.walltime, found.resources) == ("08:00:00", "select=2:ncpus=8:mem=32gb")
    assert (found.queue, found.account) == ("compute", "my_account")
    found = HPCJobManager.auto_detect("1:00:00", "--mem=1G", "python9", system="pbs")
    assert isinstance(found, PBSJobManager)
    assert (found.walltime, found.resources, found.python_path) == (
        "1:00:00",
        "--mem=1G",
        "python9",
    )
    (project / "hsm_config.yaml").unlink()
    for name in ("HSM_HPC_WALLTIME", "HSM_HPC_RESOURCES"):
        monkeypatch.delenv(name)
    found = HPCJobManager.auto_detect()
    assert (found.walltime, found.resources, found.python_path) == ("04:00:00", "", "python")


def test_another_file_may_be_named(project, monkeypatch):
    (project / "other.yaml").write_text("hpc: {default_walltime: 8:00:00}\nparadigms: 3\n")
    assert wanted(project, "other.yaml").walltime == "08:00:00"
    monkeypatch.setenv("HSM_CONFIG", str(project / "other.yaml"))
    assert wanted(project).walltime == "08:00:00"
    with pytest.raises(NotFound, match="no file"):
        wanted(project, "missing.yaml")


@pytest.mark.parametrize("text", ["hpc: [", "hpc: {system: 3}", "hpc: 7", "hpc: {pbs: x}", "\x01"])
def test_a_file_that_makes_no_sense_is_refused(project, text):
    (project / "hsm_config.yaml").write_text(text)
    with pytest.raises(Wrong, match=r"hsm_config\.yaml"):
        wanted(project)


def test_who_has_neither_scheduler_is_told_so(project, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotFound, match="no PBS and no Slurm"):
        HPCJobManager.auto_detect(system="auto")
    with pytest.raises(Wrong, match="is no scheduler") as caught:
        HPCJobManager.auto_detect(system="slrum")
    assert caught.value.hint == "did you mean slurm?"
    with pytest.raises(Unreachable, match="there is no PBS"):
        HPCJobManager.auto_detect(script_path="train.py").submit_single_job({}, "x", "sweep", "x")


def test_the_names_of_the_schedulers_are_theirs():
    with pytest.raises(TypeError):
        HPCJobManager()  # type: ignore[abstract]
    names = ("scheduler_name", "submit_command", "status_command")
    assert [getattr(PBSJobManager(), name) for name in names] == ["pbs", "qsub", "qstat"]
    assert [getattr(SlurmJobManager(), name) for name in names] == ["slurm", "sbatch", "squeue"]


# ------------------------------------------------------------------------------- on a real Slurm

HOSTILE: dict[str, Any] = {"x": "a'\"$(id)`id`\\ \n! *~%s", "y y": "=,;|&"}


@pytest.fixture
def found(on_slurm: Path) -> HPCJobManager:
    Path("train.py").write_text(
        "import json, os, sys\nprint(json.dumps([os.getcwd(), *sys.argv[1:]]))\n"
        "sys.exit('fail=1' in sys.argv)\n"
    )
    return HPCJobManager.auto_detect(
        walltime="00:10:00", resources="select=1:ncpus=1:mem=100mb", python_path="python3"
    )


def ended(manager: HPCJobManager, *ids: str) -> list[str]:
    """How the jobs have ended."""

    def over() -> bool:
        return not {"queued", "running"} & {manager.get_job_status(each) for each in ids}

    eventually(over, 100)
    return [manager.get_job_status(each) for each in ids]


def read(path: str) -> list[str]:
    words: list[str] = json.loads(Path(path).read_text())
    return words


def test_individual_jobs_run_with_their_parameters(found, on_slurm):
    assert isinstance(found, SlurmJobManager)
    several = [PARAMS, HOSTILE, {"fail": 1}]
    ids = found.submit_sweep(several, mode="individual", sweep_dir="out/one", sweep_id="one")
    assert ended(found, *ids) == ["completed", "completed", "failed"]
    text = found.single_script(PARAMS, "one_task_001", "one")
    assert Path("out/one/one_task_001.sh").read_text() == text
    assert read("out/one/logs/task_001.log") == [str(on_slurm), "lr=0.001", "batch_size=32"]
    said = [f"{name}={value}" for name, value in HOSTILE.items()]
    assert read("out/one/logs/task_002.log") == [str(on_slurm), *said]


def test_an_array_runs_with_the_parameters_of_each_element(found, on_slurm):
    (job_id,) = found.submit_sweep(
        [PARAMS, HOSTILE, {"fail": 1}], mode="array", sweep_dir=Path("out/all"), sweep_id="all"
    )
    assert ended(found, job_id) == ["failed"]
    states = [found.get_job_status(f"{job_id}_{index}") for index in (1, 2, 3)]
    assert states == ["completed", "completed", "failed"]
    said = [f"{name}={value}" for name, value in HOSTILE.items()]
    assert read("out/all/logs/task_2.log") == [str(on_slurm), *said]


def test_a_job_that_is_cancelled_or_unknown_is_said_to_be(found):
    Path("train.py").write_text("import time; time.sleep(60)\n")
    job_id = found.submit_single_job({}, "sweep_task_0", Path("out/s"), "s")
    assert found.get_job_status(job_id) in ("queued", "running")
    assert found.scheduler.cancel_job(job_id)
    assert found.get_job_status(job_id) == "cancelled"
    assert found.get_job_status("999999999") == "unknown"
