"""The job of a run, by environments that were recorded in real jobs."""

from __future__ import annotations

import pytest

from hpcshell.track.client.surroundings import host, job_of, rank_of

SLURM = """
SLURM_CLUSTER_NAME=demo
SLURM_JOBID=41
SLURM_JOB_ID=41
SLURM_JOB_NAME=wrap
SLURM_PROCID=0
"""
SLURM_ARRAY = """
SLURM_ARRAY_JOB_ID=130
SLURM_ARRAY_TASK_ID=3
SLURM_CLUSTER_NAME=demo
SLURM_JOBID=131
SLURM_JOB_ID=131
SLURM_PROCID=0
"""
PBS = """
PBS_ENVIRONMENT=PBS_BATCH
PBS_JOBID=21.pbshost
PBS_JOBNAME=r2
PBS_O_HOST=pbshost
PBS_QUEUE=workq
"""
PBS_ARRAY = """
PBS_ARRAY_ID=106[].pbshost
PBS_ARRAY_INDEX=4
PBS_JOBID=106[4].pbshost
"""
SGE = """
JOB_ID=17
JOB_NAME=envnone
NSLOTS=1
SGE_CELL=default
SGE_ROOT=/tmp/sge-cluster/root
SGE_TASK_FIRST=undefined
SGE_TASK_ID=undefined
"""
SGE_ARRAY = "JOB_ID=104\nSGE_CELL=default\nSGE_TASK_ID=3\n"
LSF = "LSB_JOBID=812\nLSB_JOBINDEX=0\nLSB_QUEUE=normal\n"
LSF_ARRAY = "LSB_JOBID=813\nLSB_JOBINDEX=7\n"
OURS = """
HPC_JOB_ID=12
HPC_RUN_ID=40
SLURM_JOB_ID=12
SLURM_JOBID=12
PBS_JOBID=12
LSB_JOBID=12
JOB_ID=12
SGE_O_WORKDIR=/home/alice
"""
OURS_ARRAY = (
    OURS
    + """
HPC_ARRAY_JOB_ID=12
HPC_ARRAY_TASK_ID=5
SLURM_ARRAY_JOB_ID=12
SLURM_ARRAY_TASK_ID=5
PBS_ARRAY_INDEX=5
LSB_JOBINDEX=5
SGE_TASK_ID=5
"""
)


def environment(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if line)


@pytest.mark.parametrize(
    ("text", "kind", "cluster", "number", "element"),
    [
        (SLURM, "slurm", "demo", "41", None),
        (SLURM_ARRAY, "slurm", "demo", "130", 3),
        (PBS, "pbs", "pbs", "21", None),
        (PBS_ARRAY, "pbs", "pbs", "106", 4),
        ("PBS_JOBID=7-2.torque\nPBS_ARRAYID=2", "pbs", "pbs", "7", 2),
        (SGE, "sge", "sge", "17", None),
        (SGE_ARRAY, "sge", "sge", "104", 3),
        (LSF, "lsf", "lsf", "812", None),
        (LSF_ARRAY, "lsf", "lsf", "813", 7),
        (OURS, "local", host(), "12", None),
        (OURS_ARRAY, "local", host(), "12", 5),
    ],
)
def test_a_job_is_known_by_its_environment(text, kind, cluster, number, element):
    found = job_of(environment(text))
    assert found == {"kind": kind, "cluster": cluster, "id": number, "element": element}


@pytest.mark.parametrize("own", [OURS, OURS_ARRAY])
@pytest.mark.parametrize("native", [SLURM, SLURM_ARRAY, PBS, PBS_ARRAY, LSF, SGE])
def test_a_cluster_s_job_that_one_of_ours_has_submitted_is_the_cluster_s(own, native):
    found = job_of(environment(own) | environment(native))
    if native is SGE:  # whose JOB_ID is a name that anybody may use
        assert found is not None
    else:
        assert found == job_of(environment(own) | environment(native))
        assert found is not None
        assert found["kind"] != "local"


@pytest.mark.parametrize(("text", "kind"), [(SLURM, "slurm"), (PBS, "pbs"), (SGE, "sge")])
def test_a_job_that_we_handed_to_a_cluster_is_the_cluster_s(text, kind):
    """There the script names the site's number, and there is no run of our daemon's."""
    env = environment(text)
    number = job_of(env)
    assert number is not None
    found = job_of({**env, "HPC_JOB_ID": number["id"], "HPC_SUBMISSION": "key"})
    assert found is not None
    assert found["kind"] == kind


@pytest.mark.parametrize(
    "text", ["", "JOB_ID=5", "SLURM_JOB_ID=x", "PBS_JOBID=", "LSB_JOBID=-1", "HPC_JOB_ID=3"]
)
def test_outside_of_jobs_there_is_none(text):
    assert job_of(environment(text)) is None


def test_ranks_are_those_of_the_innermost_starter():
    assert rank_of({}) == 0
    assert rank_of({"SLURM_PROCID": "3"}) == 3
    assert rank_of({"SLURM_PROCID": "0", "OMPI_COMM_WORLD_RANK": "2"}) == 2
    assert rank_of({"SLURM_PROCID": "1", "RANK": "9"}) == 9
    assert rank_of({"RANK": "x", "PMI_RANK": "4"}) == 4
