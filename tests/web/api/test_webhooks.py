"""What epilogs say of jobs is heard: signed or with a token, once, in any order."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from hpcshell.track.joining.signing import HEADER, sign, webhook_key
from hpcshell.track.records import Run
from hpcshell.track.store import runs
from hpcshell.track.store.paging import Wanted


@pytest.fixture
def node(api: httpx.Client) -> httpx.Client:
    """A machine of a cluster: it has no token."""
    del api.headers["Authorization"]
    return api


def send(
    node: httpx.Client, context: Any, *, kind: str = "slurm", id: str = "event-0001", **fields: Any
) -> httpx.Response:
    body = urlencode(fields).encode()
    signature = sign(webhook_key(context.places), kind, int(time.time()), id, body)
    return post(node, body, str(signature), kind)


def post(
    node: httpx.Client, body: bytes, signature: str | None, kind: str = "slurm", **headers: str
) -> httpx.Response:
    signed = {} if signature is None else {HEADER: signature}
    form = {"content-type": "application/x-www-form-urlencoded"}
    return node.post(f"/webhooks/{kind}", content=body, headers=form | signed | headers)


def every_run(context: Any) -> list[Run]:
    with context.store.reading() as connection:
        return runs.page(connection, Wanted()).rows


def only_run(context: Any) -> Run:
    (run,) = every_run(context)
    return run


def test_a_job_that_ended_is_known_from_then_on(node, context):
    answer = send(node, context, job_id="12", event="end", exit_code=0, cluster="frontier")
    assert (answer.status_code, answer.json()["job"]) == (202, "12")
    run = only_run(context)
    assert run.job is not None
    assert (run.status, run.job.cluster, run.job.kind) == ("COMPLETED", "frontier", "slurm")


def test_a_job_starts_and_ends(node, context):
    send(node, context, id="event-start", job_id="12_3", event="start", name="train", user="ann")
    assert only_run(context).status == "RUNNING"
    answer = send(node, context, id="event-end", job_id="12_3", event="end", wait_status=0x300)
    assert answer.json() == {"job": "12_3", "duplicate": False, "known": True}
    run = only_run(context)
    assert (run.status, run.exit_code, run.name, run.user) == ("FAILED", 3, "train", "ann")


@pytest.mark.parametrize(
    ("kind", "id", "element"),
    [
        ("slurm", "12_3", 3),
        ("slurm", "12", None),
        ("pbs", "12[3].server", 3),
        ("pbs", "12.server", None),
        ("lsf", "12[3]", 3),
        ("sge", "12.3", 3),
        ("local", "12_3", 3),
    ],
)
def test_every_scheduler_is_heard_in_its_own_words(node, context, kind, id, element):
    assert send(node, context, kind=kind, job_id=id, status="completed").status_code == 202
    job = only_run(context).job
    assert job is not None
    assert (job.kind, job.id, job.element, job.state) == (kind, "12", element, "COMPLETED")


def test_a_token_with_the_right_to_tell_needs_no_signature(api, context, new_token):
    api.headers["Authorization"] = f"Bearer {new_token('operator', scopes=['events'])}"
    answer = post(api, b"job_id=12&status=completed", None)
    assert answer.status_code == 202
    assert only_run(context).status == "COMPLETED"


def test_json_is_read_as_well(api, context):
    said = {"job_id": 12, "status": "FAILED", "exit_code": 7, "nodes": ["n1", "n2"]}
    assert api.post("/webhooks/slurm", json=said).status_code == 202
    job = only_run(context).job
    assert job is not None
    assert (job.exit_code, job.nodes) == (7, ["n1", "n2"])


def test_an_end_of_which_nobody_says_how_is_on_its_way_only(node, context):
    send(node, context, job_id="12", event="end")
    run = only_run(context)
    assert run.job is not None
    assert (run.status, run.job.state) == ("RUNNING", "COMPLETING")


def test_a_restarted_job_is_alive_again(node, context):
    send(node, context, id="event-1-end", job_id="12", event="end", exit_code=1)
    send(node, context, id="event-2-run", job_id="12", event="start", restarts=1)
    run = only_run(context)
    assert run.job is not None
    assert (run.status, run.job.attempt) == ("RUNNING", 2)


def test_a_name_that_is_no_text_is_shown_as_its_bytes(node, context):
    body = b"job_id=12&event=start&name=%1b%5b2J%ff"
    signature = sign(webhook_key(context.places), "slurm", int(time.time()), "event-0001", body)
    assert post(node, body, str(signature)).status_code == 202
    assert only_run(context).name == "\\x1b[2J\\xff"


@pytest.mark.parametrize("signature", ["", "v1=00", "t=1,id=short,v1=" + "0" * 64])
def test_what_is_no_signature_is_told_how_one_is_written(node, signature):
    answer = post(node, b"job_id=1&event=end", signature)
    assert answer.status_code == 401
    assert "an id of 8 to 64" in answer.json()["hint"]
