"""What is made of a command line: a submission for here, a specification for a cluster."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.core.jobspec import Layout
from hpcshell.core.options.parse import parse_flags
from hpcshell.core.records import Request
from hpcshell.jobs.prepare import Prepared, PreparedSpec, prepare, prepare_spec
from tests.support.refusals import refusal

SCRIPT = b"#!/bin/sh\n#SBATCH -N 2 --nodelist=n1\ntrue\n"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def settings(*flags: str):
    return parse_flags(flags, "hpc").settings


def prepared(*flags: str, script: bytes | None = None) -> Prepared:
    return prepare(["job.sh", "x"], script, settings(*flags))


def spec(*flags: str, script: bytes | None = SCRIPT, **more) -> PreparedSpec:
    return prepare_spec(["job.sh", "x"], script, settings(*flags), **{"dialect": "sbatch"} | more)


# ------------------------------------------------------------------------------------- clusters


def test_directives_and_the_command_line_are_read_for_the_cluster():
    found = spec("--time", "1h").spec
    assert found.layout == Layout(nodes=2)
    assert found.native == ("--nodelist=n1",)
    assert found.submission.request.time_limit == 3600
    assert (found.submission.argv, found.submission.script) == (("job.sh", "x"), SCRIPT)
    assert found.submission.cwd == str(Path.cwd())
    assert spec("--time", "1h").meaning == ("2 nodes", "2 tasks", "2 CPUs", "time limit 1h 0m")


def test_what_this_machine_gives_by_default_is_not_asked_of_a_cluster(monkeypatch):
    for name, value in {
        "CPUS": "4",
        "MEMORY": "4G",
        "TIME": "1h",
        "ACCOUNT": "ours",
        "QOS": "ours",
        "PARTITION": "main",
        "PRIORITY": "500",
        "PROFILE": "compute",
        "OUTPUT": "logs/%j.out",
    }.items():
        monkeypatch.setenv(f"HPC_DEFAULTS__{name}", value)
    assert prepared().submission.request.cpus == 16
    found = spec(script=None).spec
    assert found.layout == Layout()
    assert found.submission.request == Request()
    said = found.submission
    assert (said.account, said.qos, said.partition, said.priority, said.profile) == (
        *("", "", ""),
        *(None, ""),
    )
    assert said.stdout == "logs/%j.out"


def test_the_clusters_own_defaults_are_the_weakest_layer():
    defaults = {"partition": "long", "nodes": "3", "account": "a"}
    found = spec("--account", "b", defaults=defaults).spec
    assert found.layout.nodes == 2
    assert (found.submission.partition, found.submission.account) == ("long", "b")


def test_a_profile_that_is_named_counts_on_a_cluster_too():
    assert spec("--profile", "standard", script=None).spec.layout.cpus_per_task == 4


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (b"true\n", "job.sh does not begin with #!"),
        (b"#!/bin/sh\r\ntrue\r\n", "job.sh line 1 ends in CRLF"),
        (b"", "job.sh is empty"),
    ],
)
def test_a_script_that_could_run_nowhere_is_refused(script: bytes, message: str):
    error = refusal(spec, script=script)
    assert error is not None
    assert error.message.startswith(message)


def test_a_script_without_a_first_line_gets_the_interpreter_that_is_named():
    found = spec(script=b"true\n", interpreter="sh").spec
    assert found.submission.script == b"#!/bin/sh\ntrue\n"


@pytest.mark.parametrize(
    ("flags", "script"),
    [
        (("--chdir", "/no/such/place"), SCRIPT),
        (("--input", "/no/such/file"), SCRIPT),
        ((), b"#!/opt/theirs/bin/python\n"),
    ],
)
def test_what_lies_on_another_machine_is_looked_at_only_if_it_is_this_one(flags, script):
    assert spec(*flags, script=script).spec.submission.script == script
    assert refusal(spec, *flags, script=script, here=True)


# ------------------------------------------------------------------------------------------ here


def run(found: Prepared, tmp_path: Path) -> str:
    """What the submission writes, run as the scheduler does."""
    words = list(found.submission.argv)
    if found.submission.script is not None:
        path = tmp_path / "spooled"
        path.write_bytes(found.submission.script)
        path.chmod(0o700)
        words[0] = str(path)
    with os.popen(" ".join("'" + word.replace("'", "'\\''") + "'" for word in words)) as pipe:
        return pipe.read()


def test_lines_of_setup_run_before_a_command(tmp_path):
    words = ["/bin/sh", "-c", 'echo "$A" "$1"', "sh", "it's  x"]
    found = prepare(words, None, settings("--setup", "A='1 2'", "--setup", "export A"))
    assert run(found, tmp_path) == "1 2 it's  x\n"
    assert found.submission.name == "sh"


def test_lines_of_setup_run_before_the_script_of_a_shell(tmp_path):
    script = b"#!/bin/sh -e\n#HPC --cpus 2\necho $A $1\n"
    found = prepared("--setup", "A=1", script=script)
    assert found.submission.request.cpus == 2
    assert found.submission.argv == ("job.sh", "x")
    assert run(found, tmp_path) == "1 x\n"


def test_a_virtual_environment_is_activated(tmp_path):
    activate = tmp_path / "env" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("export VIRTUAL_ENV=here\n")
    found = prepare(["/bin/sh", "-c", "echo $VIRTUAL_ENV"], None, settings("--venv", "env"))
    assert run(found, tmp_path) == "here\n"


def test_what_is_no_script_of_a_shell_runs_as_it_is_and_that_is_noted():
    script = b"#!/usr/bin/env python3\nprint()\n"
    found = prepared("--module", "gcc", script=script)
    assert found.submission.script == script
    assert found.notes == (
        "'job.sh' is no script of a shell: no module, environment or line of --setup goes "
        "before it",
    )


def test_without_any_of_them_nothing_changes():
    assert prepared("--cpus", "2").submission.argv == ("job.sh", "x")
    assert prepared(script=b"#!/bin/sh\n").submission.script == b"#!/bin/sh\n"
