"""Whole job scripts, line by line: the files beside are what is submitted.

After a wanted change of the scripts: HPC_PIN=1 pytest tests/backends/sge/test_scripts.py
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from hpcshell.backends.contract import Order, Parent, Site
from hpcshell.backends.sge import SgeBackend
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Notify, Request, WarnSignal
from hpcshell.core.submission import Submission

SCRIPTS = Path(__file__).with_name("scripts")
GB = 1024**3
SITE = Site(
    accounts=("physics",),
    details={
        "pe smp": "$pe_slots",
        "pe mpi": "$fill_up",
        "pe mpi-16": "16",
        "queue all.q": "smp mpi mpi-16",
        "resource mem_free": "MEMORY <= YES",
        "resource gpu": "INT <= YES",
        "resource gpu_type": "STRING == NO",
        "resource ssd": "BOOL == NO",
        "resource matlab": "INT <= JOB",
        "resource excl": "BOOL EXCL YES",
    },
)
HOME = "/home/ada"


def order(
    number: int,
    layout: Layout | None = None,
    native: tuple[str, ...] = (),
    parents: tuple[Parent, ...] = (),
    throttle: int = 0,
    capture: bool = True,
    **submission: object,
) -> Order:
    said: dict = {"argv": ("./run", "a b"), "cwd": f"{HOME}/w", "env": {}, "name": "run"}
    spec = JobSpec(
        submission=Submission(**{**said, **submission}), layout=layout or Layout(), native=native
    )
    return Order(
        spec=spec,
        key=f"k{number}",
        directory=f"{HOME}/.hpc/jobs/k{number}",
        indices=str(submission.get("array", "")),
        throttle=throttle,
        parents=parents,
        capture=capture,
        now=1_790_000_000.0,
    )


ORDERS: Mapping[str, Order] = {
    "plain": order(1, stdout="out-%j.txt", request=Request(time_limit=5400.5)),
    "threads": order(
        2,
        Layout(nodes=1, cpus_per_task=8, memory=16 * GB, gpus=8, gpu_type="a100"),
        partition="all.q",
        account="physics",
        priority=400,
        request=Request(time_limit=3600.0),
        warn=WarnSignal(number=10, before=120.0),
        stdout="logs/%x-%A.out",
        stderr="logs/%x-%A.err",
    ),
    "tasks": order(3, Layout(tasks=64, memory_per_cpu=2 * GB, constraint="ssd"), account="grant-7"),
    "nodes": order(
        4, Layout(nodes=4, tasks_per_node=16, licenses={"matlab": 2}, exclusive="yes"), hold=True
    ),
    "array": order(5, array="0-99:2", throttle=4, stdout="out-%a.txt", requeue=False),
    "holes": order(6, array="1,3,5-8", script=b"#!/bin/bash\n", stdout="%A_%a.log"),
    "after": order(
        7,
        array="0-3",
        parents=(
            Parent(kind="afterok", ids=("11", "12.3"), directories=("/h/jobs/a b", "/h/jobs/12")),
            Parent(kind="afternotok", ids=("13",), directories=("/h/jobs/13",)),
            Parent(kind="aftercorr", ids=("14",), directories=("/h/jobs/14",)),
            Parent(kind="afterany", ids=("15",)),
            Parent(kind="singleton"),
        ),
    ),
    "times": order(
        8,
        begin=1_800_000_000.0,
        deadline=1_800_086_400.0,
        reservation="17",
        notify=Notify(on=("begin", "end", "fail"), mail="ada@example.org"),
        native=("-R", "y"),
    ),
    "uncaptured": order(9, stdout="logs/%x-%j.out", stderr="%A.err", capture=False),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_script_is_the_one_that_was_agreed_on(name: str) -> None:
    text = SgeBackend(SITE).script(ORDERS[name])
    pinned = SCRIPTS / f"{name}.sh"
    if "HPC_PIN" in os.environ:
        pinned.write_text(text)
    assert text == pinned.read_text()


@pytest.mark.parametrize("name", ORDERS)
def test_the_script_is_good_bash(name: str) -> None:
    text = SgeBackend(SITE).script(ORDERS[name])
    subprocess.run(["bash", "-n"], input=text.encode(), check=True)


@pytest.mark.parametrize("asked", [{"cwd": "/$USER"}, {"stdout": "$USER"}, {"stdout": "%N-%3a"}])
def test_an_output_file_that_grid_engine_would_name_otherwise_is_refused(asked: dict) -> None:
    said = order(9, capture=False, **{"stdout": "out", **asked})
    with pytest.raises(Wrong, match="cannot be told of the output file"):
        SgeBackend(SITE).script(said)


def test_native_words_stand_in_the_command_and_win_over_the_script() -> None:
    words = SgeBackend(SITE).submit(ORDERS["times"])
    assert words.argv == ("qsub", "-terse", "-R", "y", f"{HOME}/.hpc/jobs/k8/job.sh")


def test_an_environment_named_in_native_words_sets_the_slots_that_memory_is_divided_by() -> None:
    one = order(10, Layout(memory=8 * GB), native=("-pe openmp 4",))
    lines = SgeBackend(SITE).script(one).splitlines()
    assert "#$ -l mem_free=2048M" in lines
    assert not any(line.startswith("#$ -pe") for line in lines)


def test_a_site_of_which_nothing_is_known_is_spoken_to_in_the_usual_words() -> None:
    layout = Layout(cpus_per_task=4, memory=8 * GB, gpus=4)
    lines = SgeBackend().script(order(11, layout)).splitlines()
    assert {"#$ -pe smp 4", "#$ -l h_vmem=2048M", "#$ -l gpu=1"} <= set(lines)
