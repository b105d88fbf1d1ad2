"""Jobs are named as their schedulers write them, and as fields of requests say them."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.track.joining.refs import native, ref_of
from hpcshell.track.store.jobs import JobRef


@pytest.mark.parametrize(
    ("kind", "text", "id", "element"),
    [
        ("slurm", "12", "12", None),
        ("slurm", 12, "12", None),
        ("slurm", "12_3", "12", 3),
        ("slurm", "12.batch", "12", None),
        ("pbs", "12.server", "12", None),
        ("pbs", "12[3].server.example.org", "12", 3),
        ("pbs", "12[].server", "12", None),
        ("lsf", "12[3]", "12", 3),
        ("sge", "12.3", "12", 3),
        ("local", "007", "7", None),
    ],
)
def test_what_a_scheduler_writes_is_read(kind, text, id, element):
    assert native(kind, text) == JobRef(kind, id, kind, element)


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5e3", "12_", "12[a]", "12\n13", "１２", "9" * 30, "12;rm", "@", "12[1-3]"]
)
def test_what_no_scheduler_writes_is_refused(text):
    with pytest.raises(Wrong):
        native("slurm", text)


@pytest.mark.parametrize(
    ("fields", "ref"),
    [
        ({}, None),
        ({"slurm_job_id": None, "job": None}, None),
        ({"slurm_job_id": ""}, None),
        ({"slurm_job_id": 12}, JobRef("slurm", "12", "slurm")),
        ({"slurm_job_id": 12.0}, JobRef("slurm", "12", "slurm")),
        ({"slurm_job_id": "12_3", "cluster": "frontier"}, JobRef("slurm", "12", "frontier", 3)),
        ({"pbs_job_id": "12[3].server"}, JobRef("pbs", "12", "pbs", 3)),
        ({"lsf_job_id": 12, "element": 3}, JobRef("lsf", "12", "lsf", 3)),
        ({"job": {"kind": "local", "id": "5", "element": 0}}, JobRef("local", "5", "local", 0)),
        ({"job": {"kind": "sge", "id": 5, "cluster": "c"}}, JobRef("sge", "5", "c")),
    ],
)
def test_a_request_names_its_job(fields, ref):
    assert ref_of(fields) == ref


@pytest.mark.parametrize(
    "fields",
    [
        {"slurm_job_id": True},
        {"slurm_job_id": 12.5},
        {"slurm_job_id": float("nan")},
        {"slurm_job_id": [12]},
        {"slurm_job_id": 12, "pbs_job_id": 12},
        {"slurm_job_id": 12, "job": {"kind": "slurm", "id": "12"}},
        {"job": "12"},
        {"job": {"kind": "slrum", "id": "12"}},
        {"job": {"id": "12"}},
        {"job": {"kind": "slurm"}},
        {"slurm_job_id": 12, "element": -1},
        {"slurm_job_id": 12, "element": "x"},
        {"slurm_job_id": 12, "cluster": 7},
    ],
)
def test_what_names_no_job_or_several_is_refused(fields):
    with pytest.raises(Wrong) as error:
        ref_of(fields)
    assert error.value.hint
