"""The unified interface over this machine's own scheduler, on a real daemon, and over a Slurm."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import HpcError, NotFound, Unreachable, Wrong
from hpcshell.jobs.surroundings import here
from hpcshell.schedulers import (
    FINISHED,
    ClusterScheduler,
    JobInfo,
    JobManager,
    JobStatus,
    LocalScheduler,
    LSFScheduler,
    PBSScheduler,
    ResourceRequirements,
    Scheduler,
    SLURMScheduler,
)
from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.faces import slurm_cluster as slurm_cluster

Script = Callable[..., str]
Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def script(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Writes a script into an empty working directory and gives its path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "4")

    def write(*lines: str, name: str = "job.sh", shebang: str = "#!/bin/sh") -> str:
        path = tmp_path / name
        path.write_text("\n".join([*([shebang] if shebang else []), *lines, ""]))
        return str(path)

    return write


@pytest.fixture
def local(script: Script) -> LocalScheduler:
    return LocalScheduler()


# ---------------------------------------------------------------------------------- the records


def test_requirements_have_the_documented_fields_and_defaults():
    assert dataclasses.asdict(ResourceRequirements()) == {
        "nodes": 1,
        "tasks_per_node": 1,
        "cpus_per_task": 1,
        "gpus_per_node": 0,
        "memory_gb": 8,
        "time_hours": 1.0,
        "partition": None,
        "qos": None,
        "account": None,
        "constraint": None,
    }


def test_a_status_is_one_of_seven():
    assert [status.name for status in JobStatus] == [
        "PENDING",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "TIMEOUT",
        "UNKNOWN",
    ]


def test_information_has_the_documented_fields():
    names = [field.name for field in dataclasses.fields(JobInfo)]
    assert names == [
        "job_id",
        "name",
        "status",
        "submit_time",
        "start_time",
        "end_time",
        "exit_code",
        "stdout_path",
        "stderr_path",
        "dependencies",
    ]
    info = JobInfo("12", "train", JobStatus.RUNNING, 1.0)
    assert info.dependencies == []
    assert info.exit_code is None


def test_the_interface_is_abstract_and_has_the_documented_signatures():
    with pytest.raises(TypeError):
        Scheduler("x")  # type: ignore[abstract]
    submit = list(inspect.signature(Scheduler.submit_job).parameters)
    assert submit == ["self", "script_path", "job_name", "resources", "dependencies", "kwargs"]
    waiting = inspect.signature(Scheduler.wait_for_job).parameters
    assert waiting["poll_interval"].default == 30.0
    assert waiting["timeout"].default is None


# --------------------------------------------------------------------------- the local scheduler


def test_a_new_local_scheduler_has_submitted_nothing():
    scheduler = LocalScheduler()
    assert scheduler.name == "Local"
    assert scheduler.jobs == {}
    assert scheduler.get_queue_info() == []


def test_a_script_is_run_and_everything_about_it_is_known(local, script):
    path = script("echo hello", "echo trouble >&2")
    job_id = local.submit_job(path, "greet", ResourceRequirements())
    assert job_id.startswith("local_")
    assert job_id in local.jobs
    assert local.wait_for_job(job_id, poll_interval=0.5, timeout=30.0) is JobStatus.COMPLETED
    info = local.jobs[job_id]
    assert (info.job_id, info.name, info.status) == (job_id, "greet", JobStatus.COMPLETED)
    assert info.exit_code == 0
    assert info.start_time is not None
    assert info.end_time is not None
    assert info.submit_time <= info.start_time <= info.end_time
    assert Path(info.stdout_path).read_text() == "hello\n"
    assert Path(info.stderr_path).read_text() == "trouble\n"


def test_a_job_that_can_start_has_started_when_submit_returns(local, script):
    job_id = local.submit_job(script("exec sleep 60"), "long", ResourceRequirements())
    assert local.get_job_status(job_id) is JobStatus.RUNNING
    assert local.cancel_job(job_id)


def test_a_failure_is_a_failure_with_its_exit_code(local, script):
    job_id = local.submit_job(script("exit 3"), "bad", ResourceRequirements())
    assert local.wait_for_job(job_id) is JobStatus.FAILED
    assert local.jobs[job_id].exit_code == 3


def test_a_script_without_a_first_line_is_run_by_bash(local, script):
    path = script('[[ -n "$BASH_VERSION" ]] && echo bash', shebang="")
    job_id = local.submit_job(path, "plain", ResourceRequirements())
    local.wait_for_job(job_id)
    assert Path(local.jobs[job_id].stdout_path).read_text() == "bash\n"


def test_a_cancelled_job_is_gone_when_cancel_returns(local, script):
    job_id = local.submit_job(script("exec sleep 60"), "long", ResourceRequirements())
    assert local.cancel_job(job_id) is True
    assert local.get_job_status(job_id) is JobStatus.CANCELLED
    assert local.cancel_job(job_id) is False


def test_an_unknown_id_has_an_unknown_status(local):
    for job_id in ("local_999999", "local_x", "12", ""):
        assert local.get_job_status(job_id) is JobStatus.UNKNOWN
        assert local.wait_for_job(job_id) is JobStatus.UNKNOWN
        assert local.cancel_job(job_id) is False


def test_a_wait_that_times_out_raises_and_leaves_the_job_alone(local, script):
    job_id = local.submit_job(script("exec sleep 60"), "long", ResourceRequirements())
    with pytest.raises(TimeoutError, match=job_id):
        local.wait_for_job(job_id, timeout=0.1)
    assert local.get_job_status(job_id) is JobStatus.RUNNING
    assert local.cancel_job(job_id)


def test_a_time_limit_that_passes_is_a_timeout(local, script):
    resources = ResourceRequirements(time_hours=1.0 / 3600)
    job_id = local.submit_job(script("exec sleep 60"), "long", resources)
    assert local.wait_for_job(job_id) is JobStatus.TIMEOUT


def test_a_submit_with_dependencies_returns_when_they_have_ended(local, script, tmp_path):
    first = local.submit_job(script("sleep 0.3; date > first"), "one", ResourceRequirements())
    second = local.submit_job(
        script("cat first", name="two.sh"), "two", ResourceRequirements(), [first]
    )
    assert local.get_job_status(first) is JobStatus.COMPLETED
    assert local.jobs[second].dependencies == [first]
    assert local.wait_for_job(second) is JobStatus.COMPLETED


def test_what_depends_on_a_failure_never_runs(local, script):
    first = local.submit_job(script("exit 1"), "one", ResourceRequirements())
    second = local.submit_job(script("true", name="2.sh"), "two", ResourceRequirements(), [first])
    assert local.wait_for_job(second) is JobStatus.CANCELLED
    assert local.jobs[second].start_time is None


def test_dependencies_need_not_be_waited_for(script):
    eager = LocalScheduler(wait_for_dependencies=False)
    first = eager.submit_job(script("exec sleep 60"), "one", ResourceRequirements())
    second = eager.submit_job(script("true", name="2.sh"), "two", ResourceRequirements(), [first])
    assert eager.get_job_status(second) is JobStatus.PENDING
    assert eager.cancel_job(first)
    assert eager.wait_for_job(second) is JobStatus.CANCELLED


def test_an_array_has_an_id_for_each_element(local, script):
    path = script('echo "$HPC_ARRAY_TASK_ID $SLURM_ARRAY_TASK_ID"', "exit $((HPC_ARRAY_TASK_ID))")
    ids = local.submit_job_array(path, "sweep", ResourceRequirements(), 3)
    whole = ids[0].rpartition("_")[0]
    assert ids == [f"{whole}_0", f"{whole}_1", f"{whole}_2"]
    assert [local.wait_for_job(job_id) for job_id in ids] == [
        JobStatus.COMPLETED,
        JobStatus.FAILED,
        JobStatus.FAILED,
    ]
    assert [info.exit_code for info in local.get_queue_info()] == [0, 1, 2]
    assert Path(local.jobs[ids[2]].stdout_path).read_text() == "2 2\n"


@pytest.mark.parametrize("size", [0, -1])
def test_an_array_has_at_least_one_element(local, script, size):
    with pytest.raises(Wrong):
        local.submit_job_array(script("true"), "none", ResourceRequirements(), size)


def test_what_is_asked_for_beyond_the_machine_is_asked_for_as_far_as_it_goes(local, script):
    local.submit_job(script("true"), "small", ResourceRequirements())
    needs = ResourceRequirements(
        nodes=16, cpus_per_task=10_000, gpus_per_node=99, memory_gb=100_000_000, partition="gpu"
    )
    with pytest.warns(UserWarning, match="which is what it gets"):
        job_id = local.submit_job(script("true"), "huge", needs)
    assert local.wait_for_job(job_id) is JobStatus.COMPLETED


@pytest.mark.parametrize(
    "resources",
    [
        ResourceRequirements(nodes=0),
        ResourceRequirements(gpus_per_node=-1),
        ResourceRequirements(cpus_per_task=0),
        ResourceRequirements(time_hours=float("nan")),
        ResourceRequirements(time_hours=-1),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_submitted(local, script, resources):
    with pytest.raises(HpcError):
        local.submit_job(script("true"), "never", resources)
    assert local.jobs == {}


def test_a_missing_script_is_refused(local):
    with pytest.raises(Wrong, match="no script"):
        local.submit_job("nowhere.sh", "never", ResourceRequirements())


def test_keywords_are_options_of_the_scheduler(local, script):
    path = script("echo to a file of its own")
    job_id = local.submit_job(path, "x", ResourceRequirements(), stdout="own.txt", tag="mine")
    local.wait_for_job(job_id)
    assert Path("own.txt").read_text() == "to a file of its own\n"


def test_a_partition_of_another_machine_is_no_obstacle(local, script):
    resources = ResourceRequirements(partition="gpu", constraint="fast")
    job_id = local.submit_job(script("true"), "moved", resources)
    assert local.wait_for_job(job_id) is JobStatus.COMPLETED


def test_another_object_knows_the_jobs_of_this_one(local, script):
    job_id = local.submit_job(script("true"), "shared", ResourceRequirements())
    other = LocalScheduler()
    assert other.wait_for_job(job_id) is JobStatus.COMPLETED
    assert other.jobs == {}


# ------------------------------------------------------------------------------------ the manager


def test_a_manager_uses_the_scheduler_it_is_given_or_finds_one(monkeypatch):
    monkeypatch.setenv("HPC_DEFAULTS__ON", "local")
    scheduler = LocalScheduler()
    assert JobManager(scheduler=scheduler, auto_detect=False).scheduler is scheduler
    assert isinstance(JobManager().scheduler, Scheduler)
    assert JobManager(auto_detect=False).scheduler.name == "Local"


def test_a_manager_does_a_whole_study(local, script):
    manager = JobManager(local)
    before = len(manager.queue())
    prepare = manager.submit(script("echo 5 > n", name="prep.sh"), "prep")
    sweep = manager.submit_array(script("exit 0", name="sweep.sh"), "sweep", 3)
    merge = manager.submit(
        script("cat n", name="merge.sh"), "merge", ResourceRequirements(), [prepare, *sweep]
    )
    statuses = manager.wait_all([prepare, *sweep, merge], poll_interval=0.5, timeout=60.0)
    assert set(statuses.values()) == {JobStatus.COMPLETED}
    assert len(manager.queue()) == before + 5
    info = manager.get_info(merge)
    assert info is not None
    assert (info.name, info.exit_code) == ("merge", 0)
    assert manager.status(merge) in FINISHED
    assert manager.get_info("local_999999") is None


def test_a_manager_cancels(local, script):
    manager = JobManager(local)
    job_id = manager.submit(script("exec sleep 60"), "long")
    assert manager.cancel(job_id) is True
    assert manager.wait(job_id) is JobStatus.CANCELLED


def test_outputs_lie_where_the_job_was_submitted(local, script):
    job_id = local.submit_job(script("true"), "a/b", ResourceRequirements())
    local.wait_for_job(job_id)
    assert os.path.dirname(local.jobs[job_id].stdout_path) == os.getcwd()


def test_a_star_brings_the_promised_names_and_no_others():
    found: dict[str, object] = {}
    exec("from hpcshell.schedulers import *", found)
    promised = (
        "JobStatus ResourceRequirements JobInfo Scheduler LocalScheduler JobManager"
        " ClusterScheduler SLURMScheduler PBSScheduler LSFScheduler SGEScheduler"
    )
    assert found.keys() - {"__builtins__"} == set(promised.split())


# ----------------------------------------------------------------------- what there is is found


@pytest.mark.parametrize(
    ("kind", "name"),
    [(SLURMScheduler, "Slurm"), (PBSScheduler, "PBS"), (LSFScheduler, "LSF")],
)
def test_a_scheduler_that_is_not_here_says_so(home, monkeypatch, kind, name):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unreachable, match=f"there is no {name} on this machine: there is no "):
        kind()


def test_a_cluster_of_another_kind_or_of_no_name_is_refused(home):
    config = Path(here().config_file)
    config.parent.mkdir(parents=True)
    config.write_text('[clusters.mine]\nbackend = "slurm"\n')
    with pytest.raises(Wrong, match="mine is a Slurm cluster"):
        PBSScheduler(cluster="mine")
    with pytest.raises(NotFound, match="no cluster"):
        SLURMScheduler(cluster="yours")
    with pytest.raises(Wrong, match="no cluster was named"):
        ClusterScheduler()
    with pytest.raises(Wrong, match="local is no cluster"):
        ClusterScheduler("local")


def test_a_manager_uses_what_is_configured_then_what_is_here_then_this_machine(
    on_slurm, monkeypatch
):
    assert isinstance(JobManager().scheduler, SLURMScheduler)
    assert isinstance(JobManager(auto_detect=False).scheduler, LocalScheduler)
    monkeypatch.setenv("HPC_DEFAULTS__ON", "local")
    assert isinstance(JobManager().scheduler, LocalScheduler)
    monkeypatch.setenv("HPC_DEFAULTS__ON", "slurm")
    assert isinstance(JobManager().scheduler, SLURMScheduler)


def test_without_any_cluster_a_manager_uses_this_machine(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert isinstance(JobManager().scheduler, LocalScheduler)


# --------------------------------------------------------------------------------- on a cluster


@pytest.fixture
def slurm(on_slurm: Path) -> SLURMScheduler:
    return SLURMScheduler()


def test_a_script_runs_there_and_everything_about_it_is_known(slurm, on_slurm):
    (on_slurm / "job.sh").write_text("echo hello; echo trouble >&2; exit 3\n")
    needs = ResourceRequirements(cpus_per_task=2, memory_gb=1, time_hours=0.1, partition="cpu")
    job_id = slurm.submit_job("job.sh", "greet", needs)
    assert job_id.isdecimal()
    assert slurm.wait_for_job(job_id, timeout=60.0) is JobStatus.FAILED
    (info,) = slurm.get_queue_info()
    assert (info.job_id, info.name, info.exit_code) == (job_id, "greet", 3)
    assert info.start_time is not None
    assert info.end_time is not None
    assert Path(info.stdout_path).read_text() == "hello\n"
    assert Path(info.stderr_path).read_text() == "trouble\n"


def test_keywords_are_options_there_too(slurm, on_slurm):
    (on_slurm / "job.sh").write_text("echo $SLURM_ARRAY_TASK_ID\n")
    needs = ResourceRequirements(time_hours=0.1)
    job_id = slurm.submit_job("job.sh", "own", needs, array="3,5%1", stdout="own-%a.txt")
    assert slurm.wait_for_job(job_id) is JobStatus.COMPLETED
    assert [Path(f"own-{index}.txt").read_text() for index in (3, 5)] == ["3\n", "5\n"]


def test_jobs_there_are_cancelled_and_known_to_other_objects(slurm, on_slurm):
    (on_slurm / "job.sh").write_text("exec sleep 60\n")
    job_id = slurm.submit_job("job.sh", "long", ResourceRequirements(time_hours=0.1))
    with pytest.raises(TimeoutError, match=job_id):
        slurm.wait_for_job(job_id, timeout=0.1)
    assert SLURMScheduler().cancel_job(job_id) is True
    assert slurm.get_job_status(job_id) is JobStatus.CANCELLED
    assert slurm.cancel_job(job_id) is False


def test_an_id_that_is_unknown_there_has_an_unknown_status(slurm):
    for job_id in ("999999999", "local_1", "-x", "1 2", ""):
        assert slurm.get_job_status(job_id) is JobStatus.UNKNOWN
        assert slurm.wait_for_job(job_id) is JobStatus.UNKNOWN
        assert slurm.cancel_job(job_id) is False


def test_what_the_site_does_not_take_is_refused_in_its_words(slurm, on_slurm):
    (on_slurm / "job.sh").write_text("true\n")
    with pytest.raises(Wrong, match="partition"):
        slurm.submit_job("job.sh", "never", ResourceRequirements(partition="nowhere"))
    with pytest.raises(Wrong, match="no possible number"):
        slurm.submit_job("job.sh", "never", ResourceRequirements(nodes=0))
    assert slurm.get_queue_info() == []


# ------------------------------------------------------------------ programs as people have them

SWEEP = """
manager = JobManager(auto_detect=True)

# Submit array of 100 jobs
resources = ResourceRequirements(cpus_per_task=4, memory_gb=16, time_hours=2.0)
job_ids = manager.submit_array("sweep.sh", "param_sweep", 100, resources)

# Wait for all
statuses = manager.wait_all(job_ids)
"""

STAGES = """
manager = JobManager()

# Stage 1: Generate training data
resources = ResourceRequirements(cpus_per_task=8, time_hours=4.0)
job1 = manager.submit("generate_data.sh", "data_gen", resources)

# Stage 2: Train model (depends on stage 1)
resources_gpu = ResourceRequirements(
    cpus_per_task=8, gpus_per_node=1, memory_gb=32, time_hours=12.0
)
job2 = manager.scheduler.submit_job(
    "train_model.sh", "training", resources_gpu, dependencies=[job1]
)

# Stage 3: Evaluate (depends on stage 2)
job3 = manager.scheduler.submit_job(
    "evaluate.sh", "eval", resources, dependencies=[job2]
)

# Monitor
for job_id in [job1, job2, job3]:
    manager.wait(job_id)
"""

GPUS = """
manager = JobManager()

# Request GPU resources
resources = ResourceRequirements(
    nodes=1,
    cpus_per_task=8,
    gpus_per_node=4,      # 4 GPUs
    memory_gb=128,
    time_hours=24.0,
    partition="gpu",
    qos="high",
    account="proj123"
)

job_id = manager.submit("gpu_control.sh", "gpu_job", resources)

# Monitor with short poll interval
status = manager.wait(job_id, poll_interval=10.0)
"""

SMALLER = {
    "memory_gb=16": "memory_gb=1",
    "memory_gb=32": "memory_gb=1",
    "memory_gb=128": "memory_gb=1",
    "cpus_per_task=8": "cpus_per_task=1",
    "cpus_per_task=4": "cpus_per_task=1",
    "gpus_per_node=4": "gpus_per_node=2",
    "proj123": "science",
    " 100,": " 10,",
    "time_hours=12.0\n": "time_hours=12.0, partition='gpu'\n",
}
"""What is smaller in a cluster for tests."""


@pytest.fixture(params=["local", "slurm"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a program in a directory with the scripts it submits; what its names are in the end."""
    on = request.param
    place: Path = request.getfixturevalue("on_slurm" if on == "slurm" else "tmp_path")
    request.getfixturevalue("home")
    monkeypatch.chdir(place)
    monkeypatch.setenv("HPC_DEFAULTS__ON", on)
    Path("params.txt").write_text("".join(f"p{number}\n" for number in range(1, 101)))
    Path("solve_control.py").write_text("import sys; print(*sys.argv[1:])\n")
    Path("sweep.sh").write_text(
        '#!/bin/bash\nPARAM=$(awk "NR==$SLURM_ARRAY_TASK_ID" params.txt)\n'
        "python3 solve_control.py --param $PARAM\n"
    )
    for name in ("generate_data", "train_model", "evaluate", "gpu_control"):
        Path(f"{name}.sh").write_text(f"#!/bin/bash\necho {name} >>done.txt\n")

    def run(program: str) -> dict[str, Any]:
        for ours, theirs in (SMALLER if on == "slurm" else {}).items():
            program = program.replace(ours, theirs)
        names: dict[str, Any] = {}
        exec("from hpcshell.schedulers import *\n" + program, names)
        return names

    return run


@pytest.mark.filterwarnings("ignore:asks for")
def test_a_parameter_sweep_runs_as_it_is_written(run):
    names = run(SWEEP)
    assert set(names["statuses"].values()) == {JobStatus.COMPLETED}
    outputs = [Path(info.stdout_path).read_text() for info in names["manager"].queue()]
    assert outputs[1:3] == ["--param p1\n", "--param p2\n"]


@pytest.mark.filterwarnings("ignore:asks for")
def test_stages_run_one_after_the_other_as_they_are_written(run):
    names = run(STAGES)
    assert {info.status for info in names["manager"].queue()} == {JobStatus.COMPLETED}
    assert Path("done.txt").read_text().split() == ["generate_data", "train_model", "evaluate"]


@pytest.mark.filterwarnings("ignore:asks for")
def test_a_program_for_gpus_runs_as_it_is_written(run):
    assert run(GPUS)["status"] is JobStatus.COMPLETED
