"""What the log keeps to itself."""

from __future__ import annotations

import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.web.masking import MASK, Masking, masked

SECRET = "hpc_" + "Ab3-_" * 8 + "xyz"
letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(before=letters, after=letters)
def test_no_token_is_ever_written(before: str, after: str) -> None:
    assert SECRET not in masked(f"{before}{SECRET}{after}")


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {SECRET}",
        "Authorization: Basic YW5uOnMzY3JldA==",
        "authorization=Bearer s3cret",
        "Cookie: hpc_session_1=s3cret; other=s3cret",
        "{'x-hpc-signature': 's3cret'}",
        "GET /x?token=s3cret&limit=3",
        "GET /x?access%5Ftoken=s3cret",
        f"GET /x?{quote('password')}=s3cret",
        "GET /x?access%255Ftoken=s3cret",
        f"GET /x?a={SECRET.replace('_', '%25255f')}",
        f"GET /x?a={SECRET.replace('_', '%%32%%335%35f')}",
        "x-hpc-proxy-secret: s3cret",
        "postgresql://ann:s3cret@db.example.org/track",
        "(b'cookie', b's3cret')",
    ],
)
def test_no_secret_is_ever_written(line: str) -> None:
    found = masked(line)
    assert "s3cret" not in found
    assert SECRET not in found
    assert "YW5u" not in found
    assert MASK in found


@pytest.mark.parametrize(
    "line", ["GET /api/v1/runs?limit=3&filter=a%20b HTTP/1.1 200", "the disk is 100% full", ""]
)
def test_all_else_is_written_as_it_is(line: str) -> None:
    assert masked(line) == line


@given(st.integers(0, 40))
def test_however_often_a_token_is_encoded_it_is_not_written(times: int) -> None:
    text = SECRET
    for number in range(times):
        text = "".join(f"%{ord(each):02x}" for each in text) if number < 2 else quote(text)
    assert MASK in masked(f"GET /{text}")


def test_a_line_of_the_log_is_one_line_of_printable_text() -> None:
    record = logging.LogRecord(
        "x", logging.INFO, "x", 1, "GET /\x1b[31m\x07%s", ("?token=a",), None
    )
    assert Masking("%(message)s").format(record) == f"GET /\\x1b[31m\\x07?token={MASK}"
