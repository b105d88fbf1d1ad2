"""A day at a GPU box, as its users were promised it: files, commands, Python, and what is shown."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import hpcshell
import hpcshell.jobs
from hpcshell.core.boxkeys import sample
from hpcshell.gpu import FakeProvider, GPUScheduler, SchedulerConfig
from tests.support.runners import eventually
from tests.support.terminals import programs_needed

JOBS = """\
# Priority, Script, Conda_Env, Arguments, Allowed_GPUs
0,/data3/experiments/evaluate.py,ml_env,--llm qwen2.5-3b-inst --mode test,0-3
1,/data3/experiments/train.py,ml_env,--llm qwen2.5-7b-inst --epochs 10,4-7
2,/data3/experiments/inference.py,,--model large --batch_size 32,
"""

CONFIGURATION = """\
{
    "scheduler": {
        "num_gpus": 8,
        "max_workers": 8,
        "worker_timeout_s": 300.0,
        "job_timeout_s": 3600.0,
        "graceful_shutdown_timeout_s": 30.0
    },
    "gpu": {
        "memory_threshold": 0.8,
        "load_threshold": 0.8,
        "allocation_precision": 0.01,
        "monitor_interval_s": 5.0,
        "utilization_window_s": 60.0
    },
    "jobs": {
        "max_assignment_attempts": 5,
        "assignment_retry_wait_s": 5.0,
        "queue_size_limit": 1000,
        "max_concurrent_jobs": 100
    },
    "files": {
        "jobs_file": "jobs.txt",
        "llm_config_file": "llm_config.json",
        "state_file": "gpu_scheduler_state.json",
        "log_file": "gpu_scheduler.log",
        "monitor_interval_s": 30.0
    },
    "logging": {
        "level": "INFO",
        "structured": true,
        "max_log_size_mb": 100.0,
        "backup_count": 5,
        "metrics_enabled": true
    },
    "security": {
        "allowed_script_paths": ["/data3/", "/home/user/", "/tmp/test/"],
        "max_memory_per_job_gb": 32.0,
        "enable_resource_limits": true
    }
}
"""

LLM_CONFIGURATION = """\
{
    "default_requirement": 1.0,
    "models": {
        "qwen2.5-3b-inst": 0.5,
        "qwen2.5-7b-inst": 1.0,
        "qwen2.5-32b-inst": 2.0,
        "qwen2.5-vl-3b-inst": 1.0,
        "qwen2.5-vl-7b-inst": 1.0,
        "qwen2.5-vl-32b-inst": 2.0
    }
}
"""

SCRIPT = """\
import os, sys
print(sys.argv[1:], os.environ.get("CONDA_DEFAULT_ENV"))
"""

CONDA = """\
#!/bin/sh
echo 'conda() { export CONDA_DEFAULT_ENV="$2"; }'
"""


class Box:
    """The lab's directory, where `/data3` of the files lies; its user is in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data3" / "experiments"
        self.data.mkdir(parents=True)
        for name in ("evaluate.py", "train.py", "inference.py"):
            (self.data / name).write_text(SCRIPT)
        (self.data / "forever.py").write_text("import time; time.sleep(3600)\n")
        (root / "jobs.txt").write_text(self.here(JOBS))
        (root / "llm_config.json").write_text(LLM_CONFIGURATION)
        (root / "bin").mkdir()
        (root / "bin" / "conda").write_text(CONDA)
        (root / "bin" / "conda").chmod(0o755)
        (root / "bin" / "python").symlink_to(sys.executable)

    def here(self, text: str) -> str:
        return text.replace("/data3", str(self.root / "data3"))

    def log(self) -> list[dict[str, Any]]:
        lines = (self.root / "gpu_scheduler.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def box(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "fake")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return Box(tmp_path)


def test_the_sample_configuration_is_the_complete_example():
    assert json.loads(sample()) == json.loads(CONFIGURATION)


def test_a_day_at_the_box(hpc, box: Box):
    # generate a configuration, and start with it in the background
    (box.root / "config.json").write_text(box.here(hpc("gpu", "config-sample").stdout))
    started = hpc("gpu", "start", "--daemon", "--config", "config.json", check=True)
    assert "following in process" in started.stdout
    assert hpcshell.jobs.call("resources")["total"]["gpus"] == 8

    # the three lines of the file of jobs run, each as it says
    eventually(lambda: len(hpc("gpu", "list-jobs", "--status", "completed").stdout.split()) > 3)
    hpc("wait", "1", "2", "3", check=True)
    rows = {row["name"]: row for row in _rows(hpc("gpu", "list-jobs", "--json"))}
    assert [rows[name]["priority"] for name in ("evaluate.py", "train.py", "inference.py")] == [
        750,
        500,
        250,
    ]
    assert all(row["state"] == "COMPLETED" for row in rows.values()), rows
    assert [rows[name]["gpus"] for name in ("evaluate.py", "train.py", "inference.py")] == [
        0.5,
        1,
        1,
    ]
    assert all(row["time_limit"] == 3600 for row in rows.values())
    told = [hpcshell.job(row["id"]).logs() for row in rows.values()]
    assert "['--llm', 'qwen2.5-3b-inst', '--mode', 'test'] ml_env\n" in told
    assert "['--model', 'large', '--batch_size', '32'] None\n" in told

    # the log says on which cards
    assigned = {
        line["job_id"]: line for line in box.log() if line["message"] == "Job assigned successfully"
    }
    first, second = (assigned[str(rows[name]["id"])] for name in ("evaluate.py", "train.py"))
    assert set(first["gpu_ids"]) <= {0, 1, 2, 3}
    assert set(second["gpu_ids"]) <= {4, 5, 6, 7}

    # a job by hand, listed while it runs, and cancelled
    words = ("--args", "--llm qwen2.5-7b-inst --mode test", "--priority", "1", "--gpus", "0,1")
    added = hpc("gpu", "add", box.data / "forever.py", *words, "--quiet", check=True).stdout.strip()
    eventually(lambda: added in hpc("gpu", "list-jobs", "--status", "running", "--quiet").stdout)
    hpc("gpu", "cancel-job", added, check=True)
    hpc("wait", added)

    _pause_and_resume(hpc)

    # figures, sessions, and the end
    metrics = hpc("gpu", "metrics", check=True).stdout
    assert re.search(r"Total Jobs: 4\nAvg Execution Time: [0-9.]+s\nMedian Exec", metrics)
    assert re.search(r"GPU Utilization:\n  GPU 0: [0-9.]+% avg, [0-9.]+% peak\n", metrics)
    assert hpc("gpu", "screens").returncode == 0
    assert "has stopped" in hpc("gpu", "stop", check=True).stdout
    assert json.loads((box.root / "gpu_scheduler_state.json").read_text())["submitted"]


def _pause_and_resume(hpc) -> None:
    """A card is paused and let go again; what is shown says so."""
    hpc("gpu", "pause", "3", check=True)
    status = hpc("gpu", "status", "--detailed", check=True).stdout
    assert "GPU 3: PAUSED" in status
    assert "Status: running" in status
    assert "High priority: 0" in status
    assert "GPU 3: 0.0% avg, 0.0% peak (PAUSED)" in hpc("gpu", "metrics").stdout
    hpc("gpu", "resume", "3", check=True)
    cards = json.loads(hpc("gpu", "status", "--json", check=True).stdout)["resources"]["cards"]
    assert [card["state"] for card in cards] == ["up"] * 8
    assert "HEALTHY" in hpc("gpu", "health", check=True).stdout
    assert "placement" in hpc("gpu", "topology", check=True).stdout


def _rows(done: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return rows


def test_a_script_that_lies_elsewhere_is_refused(hpc, box: Box):
    (box.root / "config.json").write_text(box.here(CONFIGURATION))
    (box.root / "other.py").write_text(SCRIPT)
    hpc("gpu", "start", "--daemon", "--config", "config.json", check=True)
    refused = hpc("gpu", "add", box.root / "other.py")
    assert (refused.returncode, "none of the directories" in refused.stderr) == (4, True)
    hpc("gpu", "stop", check=True)


def test_for_a_program(box: Box):
    config = SchedulerConfig(num_gpus=2, queue_size_limit=10)
    scheduler = GPUScheduler(config=config, gpu_provider=FakeProvider(count=2))
    assert scheduler.start()
    job_id = scheduler.add_job(str(box.data / "inference.py"), args=["--test"])
    assert job_id is not None
    assert hpcshell.job(job_id).result() == "['--test'] None\n"
    assert scheduler.get_status()["jobs_processed"] == 1
    assert scheduler.stop()


def test_a_session_can_be_joined_by_its_name(hpc, box: Box):
    programs_needed()
    job = hpc("gpu", "add", box.data / "forever.py", "--screen", "--quiet", check=True)
    eventually(lambda: hpc("gpu", "screens", "--quiet").stdout == job.stdout)
    shown = hpc("gpu", "screens", check=True).stdout
    number = job.stdout.strip()
    assert f"hpc attach {number}" in shown
    (session,) = json.loads(hpc("gpu", "screens", "--json").stdout)["screens"]
    assert session["name"] in shown
    hpc("gpu", "cancel-job", number, check=True)


def test_each_element_of_an_array_has_a_session_that_can_be_joined(hpc, box: Box):
    programs_needed()
    words = ("--screen", "--array", "0-2", "--gpus", "0.1", "--", "sleep", "600")
    number = hpc("submit", "--quiet", *words, check=True).stdout.strip()
    labels = [f"{number}_{index}" for index in range(3)]
    eventually(lambda: hpc("gpu", "screens", "--quiet").stdout.split() == labels)
    shown = hpc("gpu", "screens", check=True).stdout
    assert all(f"hpc attach {label}" in shown for label in labels)
    found = json.loads(hpc("gpu", "screens", "--json").stdout)["screens"]
    assert [session["label"] for session in found] == labels
    assert {session["id"] for session in found} == {int(number)}
    hpc("cancel", number, check=True)
