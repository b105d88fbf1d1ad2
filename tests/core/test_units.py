"""Durations, sizes, counts: what is written is what is meant, and slips are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.units import (
    LARGEST,
    LONGEST,
    count,
    duration,
    factor,
    format_clock,
    format_duration,
    format_gpus,
    format_size,
    gpus,
    short_size,
    size,
    time_limit,
)
from tests.support.refusals import refusal

# ---------------------------------------------------------------------------------------- laws


@given(st.integers(1, int(LONGEST)))
def test_a_formatted_duration_reads_back_as_the_same(seconds: int):
    assert duration(format_duration(seconds)) == seconds


@given(st.integers(1, 10**9))
def test_a_formatted_duration_keeps_microseconds(microseconds: int):
    seconds = microseconds / 1_000_000
    assert math.isclose(duration(format_duration(seconds)), seconds, abs_tol=1e-6)


@given(st.integers(1, int(LONGEST)))
def test_a_clock_reads_back_as_the_same(seconds: int):
    assert duration(format_clock(seconds)) == seconds


@given(st.integers(1, LARGEST))
def test_a_formatted_size_reads_back_as_the_same(number: int):
    assert size(format_size(number)) == number


@given(st.integers(1, LARGEST))
def test_a_short_size_is_within_a_half_percent(number: int):
    assert math.isclose(size(short_size(number)), number, rel_tol=0.006)


@given(st.integers(0, 10**9))
def test_gpus_are_read_and_written_in_hundredths_exactly(hundredths: int):
    assert gpus(f"{hundredths // 100}.{hundredths % 100:02}") == hundredths
    assert gpus(format_gpus(hundredths)) == hundredths


@pytest.mark.parametrize(
    "words", ["", "x", "-1", "0.001", "nan", "inf", "1e9", "1/2", ".5", "5.", "9" * 10]
)
def test_what_is_no_number_of_gpus_is_refused(words: str):
    error = refusal(gpus, words, "--gpus")
    assert error is not None
    assert "no number of GPUs" in error.message


@given(st.integers(1, 10**9))
def test_a_count_is_the_number_its_digits_say(number: int):
    assert count(str(number)) == number


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line_with_a_hint(text: str):
    for read in (duration, size, count, factor, time_limit):
        error = refusal(read, text, "--option")
        assert error is None or error.message.startswith("--option: ")
        assert error is None or error.hint


@given(st.integers(0, 30), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_all_forms_of_one_duration_agree(days: int, hours: int, minutes: int, seconds: int):
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    for text in (
        f"{days}-{hours}:{minutes}:{seconds}",
        f"{days}-{hours:02d}:{minutes:02d}:{seconds:02d}",
        f"{days * 24 + hours}:{minutes}:{seconds}",
        f"{days}d{hours}h{minutes}m{seconds}s",
        f"{days}d {hours}h {minutes}min {seconds} sec",
    ):
        assert duration(text, zero=True) == expected


# --------------------------------------------------------------------------------------- cases


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("30", 1800),
        ("0.5", 30),
        ("2:30", 150),
        ("0:3600", 3600),
        ("0:10:0", 600),
        ("1:00:00", 3600),
        ("1-12", 129600),
        ("1-02:03", 93780),
        ("1-02:03:04", 93784),
        ("2 hours", 7200),
        (" 5m ", 300),
        ("100ms", None),
    ],
)
def test_durations(text: str, seconds: float | None):
    if seconds is None:
        with pytest.raises(Wrong):
            duration(text)
    else:
        assert duration(text) == seconds


BAD_NUMBERS = [
    *("", " ", "0", "-1", "nan", "inf", "-inf", "1e400", "1e3", "0x10", "1_000", "1,5", "+5"),
    *("٣", "٣٠m", "५", "1" * 5000, "9" * 20, "--", "1 2", "\x1b[2J", "1;2"),
]


@pytest.mark.parametrize("text", BAD_NUMBERS)
def test_what_is_no_number_is_no_duration_size_or_count(text: str):
    for read in (duration, size, count):
        assert refusal(read, text, "--option"), read


@pytest.mark.parametrize("text", ["5x", "1h1h", "30m1h", "m", "1:2:3:4", "1-2-3", "5 mm", "100y"])
def test_what_is_no_duration(text: str):
    with pytest.raises(Wrong, match=r"no duration"):
        duration(text)


def test_more_than_a_hundred_years_is_a_slip():
    with pytest.raises(Wrong, match="hundred years"):
        duration("36501d")


def test_zero_can_be_allowed():
    assert duration("0", zero=True) == 0
    assert size("0", zero=True) == 0
    assert count("0", least=0) == 0


@pytest.mark.parametrize("text", ["unlimited", "UNLIMITED", "infinite", " infinite "])
def test_a_time_limit_can_be_none(text: str):
    assert time_limit(text) is None


def test_a_time_limit_names_its_option_and_what_would_be_right():
    with pytest.raises(Wrong) as caught:
        time_limit("soon", "--time")
    assert caught.value.message == "--time: 'soon' is no duration"
    assert "30m" in (caught.value.hint or "")
    assert "unlimited" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (45, "45s"),
        (90, "1m 30s"),
        (1800, "30m 0s"),
        (7200, "2h 0m"),
        (7205, "2h 0m 5s"),
        (86400, "1d 0h"),
        (93784, "1d 2h 3m 4s"),
        (None, "unlimited"),
    ],
)
def test_formatted_durations(seconds: float | None, text: str):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (59.9, "00:00:59"), (93784, "1-02:03:04"), (None, "UNLIMITED")],
)
def test_formatted_clocks(seconds: float | None, text: str):
    assert format_clock(seconds) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("512M", 512 << 20),
        ("8G", 8 << 30),
        ("8GiB", 8 << 30),
        ("8GB", 8 << 30),
        ("8gb", 8 << 30),
        ("4g", 4 << 30),
        ("1.5G", 3 << 29),
        ("100", 100 << 20),
        ("102400K", 100 << 20),
        ("100B", 100),
        ("1T", 1 << 40),
        ("1P", 1 << 50),
        ("2 G", 2 << 30),
    ],
)
def test_sizes(text: str, number: int):
    assert size(text) == number


@pytest.mark.parametrize(
    "text", ["8e3", "8iB", "8X", "8GG", "GB", "8 G B", "1.5.5G", "1e18G", "2E"]
)
def test_what_is_no_size(text: str):
    with pytest.raises(Wrong):
        size(text, "--memory")


def test_other_dialects_count_sizes_otherwise():
    assert size("1024", bare=1) == 1024
    assert size("4g", small=1000) == 4 * 1000**3
    assert size("4G", small=1000) == 4 << 30


def test_blanks_around_a_number_are_no_part_of_it():
    for blank in (" ", "\t", "\x1f", "\u3000"):
        assert count(f"{blank}5{blank}") == factor(f"{blank}5{blank}") == 5
        assert duration(f"{blank}5{blank}") == 300


def test_counts_say_what_would_be_right():
    for text, words in (
        ("0", "too small"),
        ("2000000000", "too large"),
        ("1.5", "no whole number"),
    ):
        with pytest.raises(Wrong, match=words):
            count(text, "--cpus")
    assert count("-5", least=-10) == -5


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1536, "1.5K"),
        (3 << 29, "1.5G"),
        (8 << 30, "8G"),
        (1234567, "1234567B"),
    ],
)
def test_formatted_sizes(number: int, text: str):
    assert format_size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1023, "1K"),
        (1 << 20, "1M"),
        (70475776, "67.2M"),
        (10239 << 20, "10G"),
    ],
)
def test_short_sizes(number: int, text: str):
    assert short_size(number) == text


@pytest.mark.parametrize(("text", "said"), [("1" * 30, "too large"), ("-" + "1" * 30, "too small")])
def test_a_count_beyond_all_bounds_is_said_to_be_that(text, said):
    with pytest.raises(Wrong, match=said):
        count(text)
