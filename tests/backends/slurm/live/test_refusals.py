"""What a real Slurm refuses: its own sentence is kept, understood, and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcshell.backends.contract import Parent
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Request
from hpcshell.core.units import MIB
from tests.backends.slurm.live.conftest import Jobs

GIB = 1024 * MIB


def layout(**fields: Any) -> dict[str, Any]:
    return {"of_spec": {"layout": Layout(**fields)}}


@pytest.mark.parametrize(
    ("asked", "kind", "said", "hinted"),
    [
        ({"partition": "debgu"}, "wrong", "Invalid partition name", "did you mean debug?"),
        ({"partition": "x"}, "wrong", "invalid partition specified: x", "cpu, gpu, debug"),
        ({"account": "nosuch"}, "wrong", "Invalid account", "science"),
        ({"qos": "nosuch"}, "wrong", "Invalid qos", "high, low, normal"),
        ({"reservation": "nosuch"}, "wrong", "reservation is invalid", "scontrol show res"),
        (layout(cpus_per_task=5), "wrong", "CPU count per node", "cpu: 4 cpus, 4G"),
        (layout(memory=8 * GIB), "wrong", "Memory specification", "cpu: 4 cpus, 4G"),
        (layout(gpus_per_node=3), "wrong", "not available", "gpu: 4 cpus, 4G, 2 fake gpus"),
        (layout(gpus_per_node=1, gpu_type="a100"), "wrong", "not available", "2 fake gpus"),
        (layout(gres={"tpu": 1}), "wrong", "generic resource", ""),
        (layout(licenses={"nosuch": 1}), "wrong", "Invalid license", "scontrol show licenses"),
        (layout(constraint="nosuch"), "wrong", "Invalid feature", "features: gpu"),
        ({"array": "0-1001"}, "wrong", "Invalid job array", "1,000"),
        ({"deadline": 1.6e9}, "wrong", "time limit is invalid", "cpu 7d 0h"),
    ],
)
def test_the_trouble_is_explained(
    jobs: Jobs, asked: dict[str, Any], kind: str, said: str, hinted: str
) -> None:
    trouble = jobs.refusal(**asked)
    assert trouble.kind == kind
    assert said in trouble.message
    assert hinted in trouble.hint


@pytest.mark.parametrize("ids", [("abc",), ("0",), ("1", "x")])
def test_a_dependency_on_what_is_no_job_is_wrong(jobs: Jobs, ids: tuple[str, ...]) -> None:
    trouble = jobs.refusal(of_order={"parents": (Parent(kind="afterok", ids=ids),)})
    assert (trouble.kind, trouble.message) == ("wrong", "Job dependency problem")


def test_what_can_never_run_waits_and_says_why(jobs: Jobs) -> None:
    long = jobs.submit(partition="debug", request=Request(time_limit=31 * 60.0))
    wide = jobs.submit(**layout(nodes=9))
    job = jobs.when(long, lambda job: job.reason_code == "PartitionTimeLimit")
    assert "time limit" in job.reason
    jobs.when(wide, lambda job: job.reason_code == "PartitionConfig")


def test_as_many_as_allowed_is_not_wrong(jobs: Jobs) -> None:
    """The account of this user takes two jobs."""
    first = jobs.submit(user="news", begin=4e9)
    jobs.submit(user="news", begin=4e9)
    trouble = jobs.refusal(user="news", begin=4e9)
    assert trouble.kind == "limit"
    assert "AssocMaxSubmitJobLimit" in trouble.message
    assert jobs.changed("cancel", first) == {}


def test_a_higher_priority_is_for_operators(jobs: Jobs) -> None:
    trouble = jobs.refusal(user="games", priority=600)
    assert trouble.kind == "denied"


def test_no_controller_is_not_a_refusal(jobs: Jobs, tmp_path: Path) -> None:
    order = jobs.order()
    env = jobs.cluster.deaf(tmp_path)
    trouble = jobs.backend.read_estimate(
        jobs.cluster.ask(jobs.backend.estimate(order), **env)
    ).trouble
    assert trouble is not None
    assert trouble.kind == "busy"
    seen = jobs.backend.read_queue([jobs.cluster.ask(jobs.backend.queue(None)[0], **env)])
    assert not seen.whole
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"


def test_a_change_that_is_not_possible_now_says_so(jobs: Jobs) -> None:
    waits = jobs.submit(hold=True)
    assert jobs.changed("requeue", waits)[waits].kind == "wrong"
    done = jobs.submit()
    jobs.ended(done)
    assert jobs.changed("hold", done)[done].kind == "gone"
    assert jobs.changed("edit", waits, changes={"partition": "nosuch"})[waits].kind == "wrong"
    assert jobs.changed("edit", waits, changes={"qos": "nosuch"})[waits].kind == "wrong"
