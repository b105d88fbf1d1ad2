"""Hostile epilogs: replayed, out of order, forged, too large, too late; each with its outcome."""

from __future__ import annotations

import os
import time

import pytest

from hpcshell.track.joining.signing import HEADER, sign, webhook_key
from tests.support.web_fixtures import api, context, new_token, store
from tests.web.api.test_webhooks import every_run, node, only_run, post, send

__all__ = ["api", "context", "new_token", "node", "store"]

END = b"job_id=12&event=end&exit_code=3"


def signed(context, body, *, kind="slurm", id="event-0001", off=0.0, key=None):
    key = webhook_key(context.places) if key is None else key
    return str(sign(key, kind, int(time.time() + off), id, body))


def refused(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_without_a_signature_nothing_is_heard(node, context):
    refused(post(node, END, None), 401)
    assert every_run(context) == []


@pytest.mark.parametrize(
    "forged",
    [
        "t=1,id=event-0001,v1=" + "0" * 64,
        "",
        "t=,id=,v1=",
        "t=1,id=event-0001",
        "v1=" + "0" * 64,
        "t=1e9,id=event-0001,v1=" + "0" * 64,
        "t=1,id=../../etc,v1=" + "0" * 64,
        "t=99999999999999999999,id=event-0001,v1=" + "f" * 64,
        "x" * 5000,
    ],
)
def test_a_forged_signature_is_none(node, context, forged):
    refused(post(node, END, forged), 401)
    assert every_run(context) == []


def test_nor_is_one_of_another_key_body_time_or_event(node, context):
    genuine = signed(context, END)
    refused(post(node, END, signed(context, END, key=b"k" * 32)), 401)
    refused(post(node, END + b"&name=x", genuine), 401)
    refused(post(node, END, genuine.replace("event-0001", "event-0002")), 401)
    refused(post(node, END, genuine.replace("t=1", "t=2", 1)), 401)
    assert every_run(context) == []


@pytest.mark.parametrize(("off", "words"), [(-3600.0, "behind"), (3600.0, "ahead")])
def test_a_clock_that_is_off_is_told_by_how_much(node, context, off, words):
    problem = refused(post(node, END, signed(context, END, off=off)), 401)
    assert "1h" in problem["detail"] or "59m" in problem["detail"]
    assert words in problem["detail"]
    assert "webhook_skew" in problem["hint"]


def test_a_clock_that_is_off_by_less_is_borne(node, context):
    assert post(node, END, signed(context, END, off=-200.0)).status_code == 202


def test_a_replay_changes_nothing(node, context):
    signature = signed(context, END)
    assert post(node, END, signature).status_code == 202
    before = every_run(context)
    again = post(node, END, signature)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert every_run(context) == before


def test_an_end_before_its_start_stays_an_end(node, context):
    send(node, context, id="event-0002", job_id=12, event="end", exit_code=3, time=2000)
    send(node, context, id="event-0001", job_id=12, event="start", time=1000, name="train")
    run = only_run(context)
    assert (run.status, run.started_at, run.ended_at) == ("FAILED", 1000, 2000)
    assert run.name == "train"


def test_the_same_said_under_two_ids_is_the_same(node, context):
    for id in ("event-0001", "event-0002"):
        send(node, context, id=id, job_id=12, event="end", exit_code=3, time=2000)
    assert only_run(context).status == "FAILED"


def test_a_body_of_ten_megabytes_is_not_taken_in(node, context):
    large = b"job_id=12&event=end&name=" + b"x" * (10 << 20)
    refused(post(node, large, signed(context, large)), 413)
    assert every_run(context) == []


def test_a_body_above_the_limit_is_not_either(node, context):
    large = b"job_id=12&event=end&name=" + b"x" * (64 << 10)
    refused(post(node, large, signed(context, large)), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"job_id=",
        b"job_id=-12&event=end",
        b"job_id=1.5e3&event=end",
        b"job_id=12%00&event=end",
        b"job_id=12%0a13&event=end",
        b"job_id=99999999999999999999&event=end",
        b"job_id=../12&event=end",
        b"job_id=12'--&event=end",
        b"job_id=\xd9\xa1&event=end",
        b"job_id=12&job_id=13&event=end",
        b"job_id=12",
        b"job_id=12&status=exploded",
        b"job_id=12&event=end&exit_code=NaN",
        b"job_id=12&event=end&exit_code=-1",
        b"job_id=12&event=end&exit_code=1e400",
        b"job_id=12&event=end&end_time=NaN",
        b"job_id=12&event=end&end_time=-5",
        b"job_id=12&event=end&end_time=1e300",
        b"job_id=12&event=end&gpus=inf",
        b"job_id=12&event=end&cpus=-4",
        b"job_id=12&event=end&memory=" + b"9" * 30,
        b"job_id=12&event=end&user=a%1bb",
        b"job_id=12&event=end&cluster=a%0d%0ab",
        b"job_id=12&event=end&cluster=" + b"x" * 300,
        b"job_id=12&event=end&nodes=a%3brm",
        b"job_id=12&event=end&element=-1",
        b"job_id=12&event=end&" + b"&".join(b"f%d=1" % number for number in range(300)),
        b'{"job_id": 12, "status": "failed"',
    ],
)
def test_forged_fields_are_refused(node, context, body):
    refused(post(node, body, signed(context, body)), 400)
    assert every_run(context) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"job_id": 12, "event": "end", "end_time": NaN}',
        b'{"job_id": true, "event": "end"}',
        b'{"job_id": [12], "event": "end"}',
        b'{"job_id": {"$ne": 1}, "event": "end"}',
        b'{"job_id": 12, "event": "end", "nodes": [1]}',
        b"[12]",
        b"[" * 5000,
    ],
)
def test_forged_json_is_refused(node, context, body):
    kind = {"content-type": "application/json", HEADER: signed(context, body)}
    refused(node.post("/webhooks/slurm", content=body, headers=kind), 400)
    assert every_run(context) == []


def test_a_kind_that_there_is_not_is_told(node, context):
    body = END
    problem = refused(post(node, body, signed(context, body), kind="slrum"), 400)
    assert "did you mean slurm?" in problem["hint"]


@pytest.mark.parametrize("other", ["pbs", "lsf", "sge", "local"])
def test_an_event_of_one_scheduler_is_none_of_another(node, context, other):
    genuine = signed(context, END)
    problem = refused(post(node, END, genuine, kind=other), 401)
    assert other in problem["detail"]
    assert every_run(context) == []
    assert post(node, END, genuine).status_code == 202
    refused(post(node, END, genuine, kind=other), 401)
    job = only_run(context).job
    assert job is not None
    assert job.kind == "slurm"


def test_a_kind_cannot_be_hidden_in_what_else_is_signed(node, context):
    """What is signed may be read in one way only, wherever it is cut."""
    shifted = b"event-0001." + END
    genuine = signed(context, shifted, id="12345678")
    body = genuine.replace("id=12345678", "id=12345678.event-0001")
    refused(post(node, END, body), 401)
    assert every_run(context) == []


def test_what_was_refused_may_be_sent_again(node, context):
    wrong = b"job_id=12&status=exploded"
    refused(post(node, wrong, signed(context, wrong)), 400)
    assert post(node, END, signed(context, END)).status_code == 202


def test_a_token_without_the_right_to_tell_is_refused(node, context, new_token):
    token = {"authorization": f"Bearer {new_token('user')}"}
    refused(post(node, END, None, **token), 403)


def test_the_key_is_its_owners_alone(context):
    webhook_key(context.places)
    with open(context.places.track.webhook_key, "rb") as file:
        assert len(file.read()) == 32

    assert os.stat(context.places.track.webhook_key).st_mode & 0o777 == 0o600
