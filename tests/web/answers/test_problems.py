"""Every error of HPCShell as an answer over HTTP."""

from __future__ import annotations

import json

import pytest

from hpcshell.core.errors import (
    Broken,
    HpcError,
    NotFound,
    NotYet,
    Refused,
    Unreachable,
    WaitTimedOut,
    Wrong,
)
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.trouble import Full
from hpcshell.web.answers.problems import answer_of, told
from hpcshell.web.requests import errors
from hpcshell.web.security.callers import Unauthenticated


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Wrong("m", "h"), 400, "wrong"),
        (Unauthenticated("m", "h"), 401, "unauthenticated"),
        (Refused("m", "h"), 403, "refused"),
        (errors.HostNotAllowed("m", "h"), 403, "host-not-allowed"),
        (NotFound("m", "h"), 404, "not-found"),
        (errors.MethodNotAllowed("m", "h", ("GET",)), 405, "method-not-allowed"),
        (errors.Slow("m", "h"), 408, "slow"),
        (Exists("m", "h"), 409, "exists"),
        (errors.TooLarge("m", "h"), 413, "too-large"),
        (errors.Unsupported("m", "h"), 415, "unsupported"),
        (errors.TooMany("m", "h", 2.5), 429, "too-many"),
        (errors.HeadTooLarge("m", "h"), 431, "head-too-large"),
        (Broken("m", "h"), 500, "broken"),
        (WaitTimedOut("m", "h"), 500, "wait-timed-out"),
        (NotYet("m", "h"), 503, "not-yet"),
        (Unreachable("m", "h"), 503, "unreachable"),
        (Full("m", "h"), 507, "full"),
    ],
)
def test_each_error_has_its_status(error: HpcError, status: int, kind: str) -> None:
    answer = answer_of(error, "/x")
    problem = json.loads(answer.body)
    assert answer.status == problem["status"] == status
    assert problem["type"] == f"urn:hpcshell:{kind}"
    assert (problem["detail"], problem["hint"]) == ("m", "h")
    assert problem["instance"] == "/x"
    assert dict(answer.headers)[b"content-type"] == b"application/problem+json"


def test_who_may_try_again_is_told_when() -> None:
    assert dict(answer_of(errors.TooMany("m", "h", 2.5), "/").headers)[b"retry-after"] == b"3"
    assert b"retry-after" in dict(answer_of(NotYet("m", "h"), "/").headers)
    assert dict(answer_of(Full("m", "h"), "/").headers)[b"retry-after"] == b"60"
    assert b"retry-after" not in dict(answer_of(Wrong("m", "h"), "/").headers)
    assert b"retry-after" not in dict(answer_of(Broken("m", "h"), "/").headers)


def test_a_defect_is_told_without_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    answer = answer_of(told(ZeroDivisionError("s3cret path /root")), "/")
    assert answer.status == 500
    assert b"s3cret" not in answer.body
    assert "ZeroDivisionError" in caplog.text
