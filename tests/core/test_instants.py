"""Points in time, in a zone with daylight saving until 25 October 2026, 01:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.instants import format_instant, instant
from tests.support.refusals import refusal

SUMMER_BEGINS = datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()
SUMMER_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()
NOW = datetime(2026, 9, 21, 13, 0, tzinfo=UTC).timestamp()  # 15:00 local, a Monday


def offset(unix: float) -> float:
    return 7200.0 if SUMMER_BEGINS <= unix < SUMMER_ENDS else 3600.0


def local(text: str) -> str:
    return format_instant(instant(text, NOW, offset), offset)


@given(st.integers(int(NOW) - 10**9, int(NOW) + 10**9))
def test_a_written_instant_reads_back_as_the_same(unix: int):
    text = format_instant(unix, offset).replace(" ", "T")
    again = instant(text, NOW, offset)
    # the hour that clocks show twice has two readings
    assert again == unix or abs(again - SUMMER_ENDS) <= 3600


@given(st.integers(0, 10**9))
def test_seconds_from_now(seconds: int):
    assert instant(f"now+{seconds}", NOW, offset) == NOW + seconds
    assert instant(f"@{seconds}", NOW, offset) == seconds


@given(st.text(max_size=25))
def test_any_text_is_read_or_refused_in_one_line(text: str):
    error = refusal(instant, text, NOW, offset, "--begin")
    assert error is None or error.message.startswith("--begin: ")


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_its_next_occurrence(hour: int, minute: int):
    found = instant(f"{hour}:{minute:02d}", NOW, offset)
    assert NOW < found <= NOW + 86400
    assert format_instant(found, offset).endswith(f" {hour:02d}:{minute:02d}:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-09-21 15:00:00"),
        ("now+1h", "2026-09-21 16:00:00"),
        ("now+30", "2026-09-21 15:00:30"),
        ("now + 2 days", "2026-09-23 15:00:00"),
        ("now-1d", "2026-09-20 15:00:00"),
        ("+1h30m", "2026-09-21 16:30:00"),
        ("18:30", "2026-09-21 18:30:00"),
        ("06:30", "2026-09-22 06:30:00"),
        ("6:30 pm", "2026-09-21 18:30:00"),
        ("12:00am", "2026-09-22 00:00:00"),
        ("15:00", "2026-09-22 15:00:00"),
        ("midnight", "2026-09-22 00:00:00"),
        ("noon", "2026-09-22 12:00:00"),
        ("teatime", "2026-09-21 16:00:00"),
        ("today", "2026-09-21 00:00:00"),
        ("tomorrow", "2026-09-22 00:00:00"),
        ("yesterday", "2026-09-20 00:00:00"),
        ("2026-11-30", "2026-11-30 00:00:00"),
        ("2026-11-30T18:30", "2026-11-30 18:30:00"),
        ("2026-11-30 18:30:15", "2026-11-30 18:30:15"),
        ("2026-11-30T18:30Z", "2026-11-30 19:30:00"),
        ("2026-11-30T18:30+05:30", "2026-11-30 14:00:00"),
        ("11/30", "2026-11-30 00:00:00"),
        ("03/01", "2027-03-01 00:00:00"),
        ("11/30/26-08:00", "2026-11-30 08:00:00"),
        ("11/30/2027", "2027-11-30 00:00:00"),
        ("2028-02-29", "2028-02-29 00:00:00"),
    ],
)
def test_instants(text: str, expected: str):
    assert local(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "25:00", "12:60", "13:00pm", "0:30am", "2026-13-01", "2026-02-30", "02/29"),
        *(
            "1969-12-31",
            "9999-12-31",
            "2200-01-01",
            "@99999999999",
            "now+99999999999",
            "now-9999999999",
        ),
        *("now+1y", "now*2", "2026-11-30T", "2026-11-30T25:00", "٣:٣٠", "nan", "1e400", "12"),
    ],
)
def test_what_is_no_point_in_time(text: str):
    with pytest.raises(Wrong) as caught:
        instant(text, NOW, offset, "--begin")
    assert caught.value.message.startswith("--begin: ")
    assert caught.value.hint


def test_across_the_change_of_the_clocks_wall_time_counts():
    assert local("2026-10-25T12:00") == "2026-10-25 12:00:00"
    assert instant("2026-10-26", NOW, offset) - instant("2026-10-25", NOW, offset) == 25 * 3600
