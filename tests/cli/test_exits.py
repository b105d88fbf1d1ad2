"""One table of exit codes, and the codes for how jobs ended."""

from __future__ import annotations

import pytest

from hpcshell.cli import exits
from hpcshell.core.errors import KINDS


def end(state: str, code: int | None = 0, signal: int | None = None, **more: object) -> dict:
    return {"state": state, "exit_code": code, "signal": signal, **more}


def test_every_error_has_a_documented_code():
    assert {kind.exit_code for kind in KINDS.values()} <= exits.EXITS.keys()


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([end("COMPLETED")], 0),
        ([end("FAILED", 3)], 1),
        ([end("TIMEOUT", None, 15)], 1),
        ([end("CANCELLED", None)], 7),
        ([end("FAILED", 3), end("FAILED", 1)], 1),
        ([end("COMPLETED"), end("FAILED", 3)], 8),
        ([end("COMPLETED"), end("CANCELLED", None)], 7),
        ([end("CANCELLED", None), end("FAILED", 1)], 8),
        ([end("FAILED", 1, counts={"COMPLETED": 3, "FAILED": 1})], 8),
        ([end("FAILED", 1, counts={"FAILED": 4})], 1),
        ([], 0),
    ],
)
def test_the_code_says_how_they_ended(ends, code):
    assert exits.of_ends(ends) == code


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([end("COMPLETED")], 0),
        ([end("FAILED", 3)], 3),
        ([end("FAILED", None, 9)], 137),
        ([end("CANCELLED", None)], 7),
        ([end("FAILED", None)], 1),
        ([end("FAILED", 3), end("FAILED", 5)], 5),
        ([end("TIMEOUT", 0)], 1),
        ([end("CANCELLED", 0, counts={"COMPLETED": 3, "CANCELLED": 1})], 7),
    ],
)
def test_the_code_can_be_the_job_s_own(ends, code):
    assert exits.of_ends(ends, propagate=True) == code
