"""The GPU box for programs, against a real daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hpcshell
from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.gpu import FakeProvider, GPUScheduler, SchedulerConfig
from hpcshell.jobs import call, wait
from tests.support.runners import eventually


@pytest.fixture
def lab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, on a machine of four cards."""
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "fake")
    monkeypatch.setenv("HPC_GPUS__COUNT", "4")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "show.py").write_text(
        "import os, sys\n"
        "print(sys.argv[1:], os.environ.get('HPC_GPU_SHARE'), os.environ.get('CONDA'))\n"
    )
    return tmp_path


@pytest.fixture
def scheduler(lab: Path) -> GPUScheduler:
    found = GPUScheduler()
    assert found.start()
    return found


def test_a_script_runs_with_its_arguments_and_its_share(scheduler: GPUScheduler):
    job_id = scheduler.add_job("show.py", args=["--mode", "a b"], gpus=0.25)
    assert isinstance(job_id, str)
    assert hpcshell.job(job_id).result() == "['--mode', 'a b'] 0.25 None\n"


def test_priorities_environment_and_name_are_those_of_the_job(
    scheduler: GPUScheduler, lab: Path, monkeypatch: pytest.MonkeyPatch
):
    conda = lab / "bin" / "conda"
    conda.parent.mkdir()
    conda.write_text("#!/bin/sh\necho 'conda() { export CONDA=\"$2\"; }'\n")
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{conda.parent}:{os.environ['PATH']}")
    first = hpcshell.job(scheduler.add_job("show.py", priority=0, conda_env="ml", name="x"))
    other = hpcshell.job(scheduler.add_job("show.py", priority=2))
    assert (first.show()["priority"], other.show()["priority"]) == (750, 250)
    assert (first.show()["name"], other.show()["name"]) == ("x", "show.py")
    assert first.show()["tags"] == ["gpubox"]
    assert first.result() == "[] None ml\n"
    assert first.show()["gpus"] == 1


def test_scripts_of_shells_and_programs_run_by_themselves(scheduler: GPUScheduler, lab: Path):
    (lab / "a.sh").write_text("echo shell $1\n")
    (lab / "tool").write_text("#!/bin/sh\necho tool $1\n")
    (lab / "tool").chmod(0o755)
    (lab / "data").write_text("1,2\n")
    assert hpcshell.job(scheduler.add_job("a.sh", args=["x"])).result() == "shell x\n"
    assert hpcshell.job(scheduler.add_job("tool", args=["y"])).result() == "tool y\n"
    with pytest.raises(Wrong, match="is no program"):
        scheduler.add_job("data")
    with pytest.raises(NotFound, match="there is no script"):
        scheduler.add_job("none.py")
    with pytest.raises(Wrong, match="priority '7'"):
        scheduler.add_job("show.py", priority=7)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"script": None}, "add_job: script: None is no path"),
        ({"script": b"a.py"}, "add_job: script: b'a.py' is no path"),
        ({"script": "show.py", "args": "--mode test"}, "args='--mode test' is no list"),
        ({"script": "show.py", "args": None}, "args=None is no list"),
        ({"script": "show.py", "args": ["--n", None]}, "args: None is no argument"),
    ],
)
def test_what_is_no_script_or_no_argument_is_refused(words, said: str):
    with pytest.raises(Wrong) as caught:
        GPUScheduler().add_job(**words)
    assert said in caught.value.message


def test_numbers_and_paths_are_arguments(scheduler: GPUScheduler):
    job_id = scheduler.add_job(Path("show.py"), args=["--n", 3, 0.5, Path("x")])
    assert hpcshell.job(job_id).result() == "['--n', '3', '0.5', 'x'] None None\n"


def test_its_configuration_is_that_of_the_daemon(lab: Path):
    config = SchedulerConfig(
        queue_size_limit=1, job_timeout_s=120, max_assignment_attempts=3, assignment_retry_wait_s=1
    )
    scheduler = GPUScheduler(config)
    assert scheduler.start()
    (lab / "wait.py").write_text("import time; time.sleep(600)")
    blocking = hpcshell.job(scheduler.add_job("wait.py", gpus=4))
    assert blocking.show()["time_limit"] == 120
    assert blocking.show()["retries"] == 2
    eventually(lambda: blocking.state == "RUNNING")
    scheduler.add_job("wait.py", gpus=4)
    with pytest.raises(Refused, match="the queue is full: 1 jobs wait"):
        scheduler.add_job("wait.py", gpus=4)
    assert scheduler.get_status()["queue"] == {
        "total": 1,
        "high": 0,
        "normal": 1,
        "low": 0,
        "running": 1,
    }
    assert [row["id"] for row in scheduler.get_status()["active_jobs"]] == [blocking.id]


def test_a_provider_that_is_given_is_the_kind_that_the_daemon_asks(
    lab: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("HPC_GPUS__PROVIDER")
    monkeypatch.delenv("HPC_GPUS__COUNT")
    config = SchedulerConfig(queue_size_limit=10)
    scheduler = GPUScheduler(config, gpu_provider=FakeProvider(count=2))
    assert scheduler.start()
    assert call("resources")["total"]["gpus"] == 2
    again = GPUScheduler(SchedulerConfig(num_gpus=3), gpu_provider="fake")
    assert again.start(replace=True)
    assert call("resources")["total"]["gpus"] == 3


@pytest.mark.parametrize(
    ("said", "spelt"),
    [
        ({"gpus": "x"}, "gpus=: "),
        ({"conda_env": "a\nb"}, "conda_env=: "),
        ({"name": " "}, "name=: "),
    ],
)
def test_what_is_wrong_is_named_as_the_program_said_it(
    scheduler: GPUScheduler, said: dict[str, str], spelt: str
):
    with pytest.raises(Wrong) as caught:
        scheduler.add_job("show.py", **said)  # type: ignore[arg-type]
    assert caught.value.message.startswith(spelt)


def test_another_configuration_of_the_box_is_replaced_only_where_that_is_said(
    lab: Path, home: Path
):
    (lab / "prod.json").write_text('{"security": {"allowed_script_paths": ["."]}}')
    production = SchedulerConfig.from_file("prod.json")
    assert GPUScheduler(production).start()
    stands = (home / "config" / "gpu.json").read_bytes()
    for config, provider in ((SchedulerConfig(num_gpus=2), None), (None, FakeProvider(count=2))):
        with pytest.raises(Refused, match=r"gpu\.json says something else") as caught:
            GPUScheduler(config, provider).start()
        assert "start(replace=True)" in (caught.value.hint or "")
    assert (home / "config" / "gpu.json").read_bytes() == stands
    assert GPUScheduler(production).start(), "the same again is no other one"
    assert GPUScheduler().start()
    assert GPUScheduler(SchedulerConfig(num_gpus=2)).start(replace=True)
    assert (home / "config" / "gpu.json~").read_bytes() == stands


def test_a_script_outside_the_allowed_directories_is_refused_and_again_when_it_starts(lab: Path):
    approved = lab / "approved"
    approved.mkdir()
    for path in (approved / "job.py", lab / "other.py"):
        path.write_text(f"open({str(lab / 'ran')!r}, 'a').write({path.name!r})")
    scheduler = GPUScheduler(SchedulerConfig(allowed_script_paths=[str(approved)]))
    assert scheduler.start()
    with pytest.raises(Refused, match="none of the directories"):
        scheduler.add_job("other.py")
    with pytest.raises(Refused, match="none of the directories"):
        scheduler.add_job("approved/../other.py")
    swapped = hpcshell.job(scheduler.add_job("approved/job.py", gpus=4))
    assert swapped.wait() == "COMPLETED"
    waiting = hpcshell.submit(["sleep", "600"], gpus=4)
    late = hpcshell.job(scheduler.add_job("approved/job.py", gpus=4))
    (approved / "job.py").unlink()
    (approved / "job.py").symlink_to(lab / "other.py")
    waiting.cancel()
    assert late.wait() == "FAILED"
    assert "none of the directories that scripts may lie in" in late.show()["reason"]
    assert (lab / "ran").read_text() == "job.py"


def test_one_that_was_not_started_or_was_stopped_takes_no_jobs(lab: Path):
    scheduler = GPUScheduler()
    assert not scheduler.stop()
    assert scheduler.get_status() == {"status": "stopped"}
    with pytest.raises(Refused, match="was not started"):
        scheduler.add_job("show.py")
    assert scheduler.start()
    job = hpcshell.job(scheduler.add_job("show.py"))
    assert scheduler.stop()
    assert job.wait() == "COMPLETED", "what was added goes on"


def test_what_has_ended_is_counted(scheduler: GPUScheduler):
    job_ids = [scheduler.add_job("show.py", gpus=0.5) for _ in range(3)]
    wait(job_ids)
    status = scheduler.get_status()
    assert status["jobs_processed"] == 3
    assert (status["status"], status["health"]["healthy"]) == ("running", True)
    assert status["uptime"] >= 0
