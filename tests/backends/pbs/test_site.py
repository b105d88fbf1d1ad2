"""Who answers as PBS, and what a site tells of itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Partition, Site, Trouble
from hpcshell.backends.pbs import PbsBackend
from hpcshell.backends.pbs.site import flavour
from tests.support.clusters.pbs_recordings import recorded

WRAPPER = """Unknown option: Bf
Usage:
    qstat [-f] [-a|-i|-r] [-n [-1]] [-G|-M] [-u user_list] [-? | --help]
    [--man] [job_id...]

    qstat -Q [-f]

    qstat -q

"""
"""Of the qstat in Debian's slurm-wlm-torque."""
NO_QMASTER = (
    'error: unable to read qmaster name: qmaster hostname in "/var/lib/gridengine/default/common/'
    'act_qmaster" has zero length\n'
)
"""Of the qstat in Debian's gridengine-client."""


def answer(command: str, file: str = "*") -> Answer:
    record = recorded(command, file)
    return Answer(code=record.code, out=record.out, err=record.err)


@pytest.mark.parametrize(("command", "name"), [("qstat -Bf", "pbshost"), ("qstat --version", "")])
def test_a_living_server_is_recognised(command, name):
    backend, site = PbsBackend(), Site(version="23.06.06", flavour="openpbs", identity=name)
    assert backend.read_probe(answer(command)) == site
    assert backend.site == site


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("23.06.06", "openpbs"),
        ("20.0.1", "openpbs"),
        ("19.1.3", "pbspro"),
        ("14.1.0", "pbspro"),
        ("2021.1.3", "pbspro"),
        ("6.1.2", "torque"),
        ("2.5.13", "torque"),
    ],
)
def test_flavours_are_told_by_their_versions(version, kind):
    assert flavour(version) == kind


def test_a_server_that_does_not_answer_is_no_other_scheduler():
    found = PbsBackend().read_probe(answer("qstat -B", "10-server-down"))
    assert isinstance(found, Trouble)
    assert found.kind == "busy"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (Answer(code=2, err=WRAPPER), "slurm"),
        (Answer(code=2, err="Can't locate Slurmdb.pm in @INC at /usr/bin/qstat"), "slurm"),
        (Answer(code=1, err=NO_QMASTER), "sge"),
        (Answer(code=1, err="error: commlib: SGE_ROOT is not set"), "sge"),
        (Answer(code=0, out="GE 8.1.9\nusage: qstat [options]\n"), "sge"),
        (Answer(code=0, out="<html></html>"), "PATH"),
        (Answer(code=0), "PATH"),
        (Answer(code=127, missing=True), "PATH"),
    ],
)
def test_a_qstat_of_somebody_else_is_told_apart(said, name):
    found = PbsBackend().read_probe(said)
    assert isinstance(found, Trouble)
    assert name in found.hint


def test_a_fresh_server_keeps_no_history_and_has_no_gpus():
    fresh = [
        answer("qstat -Bf"),
        answer("qstat -Qf"),
        answer("pbsnodes -a", "00-fresh-server"),
    ]
    site = PbsBackend().read_site(fresh)
    assert not site.accounting
    assert site.most_elements == 10_000
    assert site.partitions == (
        Partition(
            name="workq",
            default=True,
            nodes=1,
            cpus_per_node=2,
            memory_per_node=24684092 << 10,
            gpus_per_node=0,
            features=("arch=linux",),
        ),
    )


def test_gpus_are_seen_where_the_site_has_defined_them():
    site = PbsBackend().read_site(
        [answer("qstat -Bf"), answer("qstat -Qf"), answer("pbsnodes -a", "04-states")]
    )
    assert site.partitions[0].gpus_per_node == 2


def test_what_is_not_answered_is_left_as_it_was():
    known = Site(
        version="23.06.06",
        flavour="openpbs",
        partitions=(Partition(name="workq"),),
        most_elements=10,
    )
    for accounting in (False, True):
        before = replace(known, accounting=accounting)
        assert PbsBackend(before).read_site([Answer(code=None)] * 3) == before
