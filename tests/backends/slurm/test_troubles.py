"""Every refusal that was recorded of a real Slurm is understood; any text gives some trouble."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpcshell.backends.contract import Answer, Kind, Partition, Site, Trouble
from hpcshell.backends.slurm import SlurmBackend
from hpcshell.backends.slurm.troubles import by_job, classify, sentence

HERE = Path(__file__).parent
ASKED = re.compile(r"^\w+[$#] (?:.*[ ;])?(sbatch|scontrol|scancel|squeue|sacct)\b")
SITE = Site(
    partitions=(
        Partition(name="cpu", max_time=3600.0, cpus_per_node=4, memory_per_node=4 << 30),
        Partition(name="gpu", cpus_per_node=8, gpus_per_node=2, gpu_types=("a100",)),
    ),
    accounts=("science",),
    qos=("normal", "high"),
    highest_index=1000,
)


def refusals() -> Iterator[str]:
    """What was said on the error stream by commands that failed."""
    for file in sorted((HERE / "transcripts").glob("*.txt")):
        for part in file.read_text().split("\n\n"):
            command, _, rest = part.lstrip("#- \n").partition("\n")
            if ASKED.match(command) and "[stderr]\n" in rest and "[exit 0]" not in rest:
                yield rest.partition("[stderr]\n")[2].partition("[exit ")[0].strip()


def test_every_recorded_refusal_has_its_kind() -> None:
    """`refusals.txt` holds them all: the kind, and the first line of what Slurm said."""
    found = {f"{sentence(text).kind}: {text.splitlines()[0]}" for text in refusals()}
    assert len(found) > 70
    assert sorted(found) == (HERE / "refusals.txt").read_text().splitlines()


@given(st.text())
@example("")
@example("job submit limit")
def test_any_text_is_some_trouble(text: str) -> None:
    for answer in (Answer(code=1, err=text), Answer(code=0, out=text), Answer(code=None, err=text)):
        trouble = classify(answer, SITE)
        assert trouble.kind in get_args(Kind)
        assert trouble.message


@given(st.text(alphabet="0123456789_:;\n abc", max_size=60))
def test_any_answer_to_a_submission_is_an_id_or_a_trouble(text: str) -> None:
    got = SlurmBackend().read_submit(Answer(code=0, out=text))
    if isinstance(got, str):
        assert got.isdecimal()
        assert got in text
    else:
        assert got.kind == "busy"  # it may have been taken: the key is looked for


def test_no_answer_may_hide_a_submission() -> None:
    backend = SlurmBackend()
    for answer in (
        Answer(code=None),
        Answer(code=1, err="sbatch: error: Batch job submission failed: Socket timed out on send"),
    ):
        got = backend.read_submit(answer)
        assert not isinstance(got, str)
        assert got.kind == "busy"


def test_an_id_is_found_behind_a_banner() -> None:
    backend = SlurmBackend()
    assert backend.read_submit(Answer(code=0, out="Welcome to 2026!\n12;main\n")) == "12"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            "sbatch: error: invalid partition specified: gpus",
            "did you mean gpu? partitions: cpu, gpu",
        ),
        ("Invalid qos specification for job 3", "your QOS: normal, high"),
        ("Invalid account or account/partition combination specified", "your accounts: science"),
        (
            "Requested node configuration is not available",
            "cpu: 4 cpus, 4G; gpu: 8 cpus, 2 a100 gpus",
        ),
        ("Invalid job array specification", "the highest index is 1,000"),
        ("Requested time limit is invalid", "the longest: cpu 1h 0m, gpu unlimited"),
    ],
)
def test_the_nearest_right_value_is_named(said: str, hint: str) -> None:
    assert hint in sentence(said, SITE).hint


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("AssocMaxSubmitJobLimit", "limit"),
        ("QOSMaxSubmitJobPerUserLimit", "limit"),
        ("QOSGrpSubmitJobsLimit", "limit"),
        ("QOSMaxWallDurationPerJobLimit", "wrong"),
        ("AssocMaxNodePerJobLimit", "wrong"),
    ],
)
def test_a_limit_on_one_job_is_not_one_on_how_many(said: str, kind: str) -> None:
    policy = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
    text = f"sbatch: error: {said}\nsbatch: error: Batch job submission failed: {policy}"
    assert sentence(text).kind == kind


def test_a_trouble_belongs_to_the_job_that_its_line_names() -> None:
    text = (
        "Invalid job id specified for job 999999\n"
        "slurm_suspend error: Invalid job id specified\n"
        "scancel: error: Kill job error on job id 12_3: Access/permission denied\n"
    )
    kinds = {job: trouble.kind for job, trouble in by_job(text).items()}
    assert kinds == {"999999": "gone", "12_3": "denied"}


def test_a_command_that_fails_as_a_whole_fails_for_all_of_its_ids() -> None:
    ids = [str(number) for number in range(1500)]
    broken = Answer(code=1, err="Unable to contact slurm controller (connect failure)")
    change = SlurmBackend().read_change(ids, [Answer(code=0), broken])
    assert set(change.troubles) == set(ids[1000:])
    assert {trouble.kind for trouble in change.troubles.values()} == {"busy"}


NO_CONFIGURATION = (
    "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
    "sbatch: error: fetch_config: DNS SRV lookup failed\n"
    "sbatch: error: _establish_config_source: failed to fetch config\n"
    "sbatch: fatal: Could not establish a configuration source\n",
    "sbatch: error: s_p_parse_file: cannot stat file /none/slurm.conf: No such file or directory, "
    "retrying in 1sec up to 60sec\n",
    "sbatch: error: ClusterName needs to be specified\n"
    "sbatch: fatal: Unable to process configuration file\n",
)


@pytest.mark.parametrize("code", [1, None])
@pytest.mark.parametrize("text", NO_CONFIGURATION)
def test_commands_without_a_configuration_have_asked_nobody(text: str, code: int | None) -> None:
    backend, answer = SlurmBackend(), Answer(code=code, err=text)
    seen = backend.read_queue([answer])
    for found in (backend.read_submit(answer), backend.read_probe(answer), seen.trouble):
        assert isinstance(found, Trouble)
        assert found.kind == "unset"
        assert "SLURM_CONF" in found.hint


def test_a_machine_without_slurm_has_none() -> None:
    found = SlurmBackend().read_probe(Answer(code=None, missing=True, err="scontrol: not found"))
    assert not isinstance(found, Site)
    assert found.kind == "unset"
    assert "login node" in found.hint
