"""Scripts as a whole, beside this file, and laws about what may stand in one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Order, Parent
from hpcshell.backends.slurm import SlurmBackend
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Gang, Notify, Request, WarnSignal
from hpcshell.core.submission import Submission
from hpcshell.core.units import MIB

HERE = Path(__file__).parent / "scripts"
BACKEND = SlurmBackend()


def order(
    *, layout: Layout | None = None, spec: dict[str, Any] | None = None, **fields: Any
) -> Order:
    of_order = {
        name: fields.pop(name)
        for name in ("indices", "throttle", "parents", "any")
        if name in fields
    }
    usual: dict[str, Any] = {"argv": ("python", "train.py"), "cwd": "/home/ada/work", "env": {}}
    submission = Submission(**usual | fields)
    return Order(
        spec=JobSpec(submission=submission, layout=layout or Layout(), **spec or {}),
        key="k7",
        directory="/home/ada/.hpc/jobs/k7",
        **of_order,
    )


ORDERS = {
    "plain": order(name="train", stdout="%x-%j.out"),
    "array": order(
        name="sweep/1",
        array="0-99%4",
        indices="0-49",
        throttle=4,
        stdout="logs/%x-%j.out",
        stderr="logs/%A_%3a.err",
        append=True,
        stdin="in-%a.txt",
        script=b"#!/bin/sh\n",
    ),
    "gpus": order(
        name="train",
        stdout="out/%A/%b.txt",
        layout=Layout(
            nodes=2,
            nodes_most=4,
            tasks_per_node=8,
            cpus_per_task=4,
            memory_per_gpu=16384 * MIB,
            gpus_per_node=8,
            gpu_type="a100",
            gres={"nvme": 1},
            exclusive="user",
            constraint="ib&rack1",
        ),
        spec={
            "modules": ("gcc/13", "cuda"),
            "conda": "torch",
            "setup": ("ulimit -c 0",),
            "native": ("--switches=1", "--comment", "two words"),
        },
    ),
    "everything": order(
        name='it\'s "all" $(of it)',
        comment="back\\slash",
        partition="long",
        account="physics",
        qos="high",
        reservation="course",
        request=Request(
            cpus=3, memory=1500 * MIB + 1, gpus=1, time_limit=5400.5, others={"idl": 2}
        ),
        hold=True,
        begin=1795682000.5,
        deadline=1795692000.0,
        warn=WarnSignal(number=10, before=120.0),
        priority=450,
        nice=3,
        requeue=False,
        notify=Notify(on=("begin", "fail", "time_limit"), mail="ada@example.org"),
        stdout="a b/%j.out",
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_script_is_the_one_that_was_agreed(name: str) -> None:
    assert BACKEND.script(ORDERS[name]) == (HERE / f"{name}.sh").read_text()


def directive(line: str) -> list[str]:
    """The words of a line as Slurm reads it: quotes and backslashes, nothing is expanded."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="")
    lexer.whitespace_split, lexer.commenters, lexer.escapedquotes = True, "#", '"'
    return list(lexer)


ANY = st.text(max_size=60)


@given(
    st.sampled_from(["name", "comment", "partition", "account", "qos", "reservation", "cwd"]), ANY
)
def test_a_value_arrives_or_is_refused(field: str, value: str) -> None:
    fields: dict[str, Any] = {field: value}
    try:
        text = BACKEND.script(order(**fields))
    except Wrong:
        return
    said = [directive(line[8:]) for line in text.splitlines() if line.startswith("#SBATCH ")]
    assert all(len(words) == 1 for words in said)
    values = dict(word.removeprefix("--").partition("=")[::2] for (word,) in said)
    option = {"name": "job-name", "cwd": "chdir"}.get(field, field)
    if field == "comment":
        assert values[option] == f"hpc:k7 {value}".rstrip()
    elif value:
        assert values[option] == value


@given(st.sampled_from(["name", "comment", "partition", "stdout", "stderr", "cwd"]), ANY)
def test_no_value_brings_an_option_of_its_own(field: str, value: str) -> None:
    fields: dict[str, Any] = {field: value + "\n#SBATCH --hold"}
    try:
        text = BACKEND.script(order(**fields))
    except Wrong:
        return
    pytest.fail(text)


@given(st.text(alphabet="%jAaxNutnbsr0123456789/\\ -_.z", min_size=1, max_size=30))
def test_a_pattern_is_slurms_own_or_the_job_opens_its_file(pattern: str) -> None:
    text = BACKEND.script(order(stdout=pattern, name="a"))
    opened, told = "exec >" in text, re.search(r"^#SBATCH --output=(.*)$", text, re.M)
    assert told is not None
    assert opened == (told[1] == "/dev/null")


@pytest.mark.parametrize(
    ("pattern", "array", "told"),
    [
        ("back\\slash", False, "/dev/null"),
        ("%r.out", False, "/dev/null"),
        ("%A/%a.out", True, "/dev/null"),
        ("%x-%j.out", False, "a_b-%A.out"),
        ("%x-%j.out", True, "a_b-%A_%a.out"),
        ("%5j-%4a-%u-%N-%%", True, "%5A-%4a-%u-%N-%%"),
        ("%t-%3n-%s", False, "0-000-batch"),
    ],
)
def test_patterns_mean_the_same_to_slurm(pattern: str, array: bool, told: str) -> None:
    text = BACKEND.script(order(stdout=pattern, name="a/b", array="0-1" if array else ""))
    assert f"#SBATCH --output={told}\n" in text


def test_dependencies_are_said_on_the_command_line() -> None:
    parents = (
        Parent(kind="afterok", ids=("12", "13_4")),
        Parent(kind="after", ids=("14",), delay=600.0),
        Parent(kind="singleton"),
    )
    argv = BACKEND.submit(order(parents=parents)).argv
    assert "--dependency=afterok:12:13_4,after:14+10,singleton" in argv
    assert "--kill-on-invalid-dep=yes" in argv
    either = BACKEND.submit(order(parents=parents[:2], any=True, on_never="hold")).argv
    assert "--dependency=afterok:12:13_4?after:14+10" in either
    assert "--kill-on-invalid-dep=no" in either


@pytest.mark.parametrize(
    "asked",
    [
        {"gang": Gang(name="g", size=2)},
        {"checkpoint": WarnSignal(number=10)},
        {"request": Request(gpu_share=50)},
        {"name": "a\nb"},
    ],
)
def test_what_slurm_cannot_be_asked_for_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        BACKEND.script(order(**asked))


def test_a_delay_after_an_end_is_refused_with_the_nearest_thing() -> None:
    parents = (Parent(kind="afterok", ids=("12",), delay=60.0),)
    with pytest.raises(Wrong) as refused:
        BACKEND.submit(order(parents=parents))
    assert refused.value.hint == "write after:12+30"


def test_directories_are_made_before_slurm_needs_them() -> None:
    argv = BACKEND.submit(order(stdout="logs/%j.out", stderr="/tmp/e/%j.err")).argv
    assert argv[:2] == ("sh", "-c")
    assert argv[4:6] == ("/home/ada/work/logs", "/tmp/e")
    assert BACKEND.submit(order(stdout="%j.out")).argv[0] == "sbatch"


def test_nothing_to_change_is_refused() -> None:
    with pytest.raises(Refused):
        BACKEND.edit(["12"], {})


def test_no_limit_is_said_as_such() -> None:
    (words,) = BACKEND.edit(["12", "13"], {"time_limit": None})
    assert words.argv == ("scontrol", "update", "JobId=12,13", "TimeLimit=UNLIMITED")
