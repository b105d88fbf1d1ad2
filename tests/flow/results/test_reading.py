"""Metrics are found in what programs write, and no bytes do any harm."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.reading import MOST, curve, document, last, printed, records

nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


@given(st.binary())
def test_no_bytes_do_any_harm(content: bytes) -> None:
    for read in (document(content), records(content), printed(content)):
        repr(read).encode()


@given(nested)
def test_any_json_gives_values_that_a_cell_holds(value: object) -> None:
    for metric in document(json.dumps(value).encode()).metrics.values():
        assert isinstance(metric, float | int | str)
        assert not isinstance(metric, int) or -(1 << 63) <= metric < 1 << 63


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), st.floats() | st.booleans())
)
def test_a_flat_object_is_read_as_it_is(value: dict[str, float]) -> None:
    read = document(json.dumps(value).encode())
    assert read.trouble == ""
    assert repr(dict(read.metrics)) == repr(value)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_./-]{0,9}", fullmatch=True), st.floats(), min_size=1
    )
)
def test_printed_values_are_read_back(value: dict[str, float]) -> None:
    line = " ".join(f"{name}={number!r}" for name, number in value.items())
    [found] = printed(line.encode())
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"lr=0.1 loss=0.25", {"lr": 0.1, "loss": 0.25}),
        (b"epoch 3: loss=.5, acc=1e-3;", {"loss": 0.5, "acc": 1e-3}),
        (b"step=12 loss=-inf", {"step": 12, "loss": -math.inf}),
        (b"\x1b[32mloss=\x1b[1m0.5\x1b[0m", {"loss": 0.5}),
        (b"\xff\xfe\x00 loss=2 \x80", {"loss": 2}),
        (b"100%|##| 10/10 [00:01<00:00, 9.8it/s, loss=0.25]", {"loss": 0.25}),
        (b"val/acc=0.9 val.loss=1 top-1=2", {"val/acc": 0.9, "val.loss": 1, "top-1": 2}),
        (b"the loss is loss=0.5.", {"loss": 0.5}),
        (b"n=123456789012345678901", {"n": 123456789012345678901.0}),
    ],
)
def test_a_printed_line_says_its_values(line: bytes, expected: dict[str, float]) -> None:
    assert printed(line) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        b"http://x?a=1", b"f(a=1)", b"loss = 0.5", b"x==1", b"a=1b", b"time=3.2s", b"v=1.2.3",
        b"a=0x10", b"--lr=0.1", b"=3", b"3a=1", b"name=adam",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_says_nothing(line: bytes) -> None:
    assert printed(line) == []


def test_a_progress_bar_is_read_at_each_of_its_states() -> None:
    rows = printed(b"\r 10% loss=3\r 50% loss=2\r100% loss=1\n")
    assert [row["loss"] for row in rows] == [3, 2, 1]


@pytest.mark.parametrize(
    "junk",
    [
        b"a" * 3_000_000,
        b"a=" * 500_000,
        b"x=" + b"1" * 2_000_000,
        b"\x1b[" * 500_000,
        b"x=1.e" * 400_000,
    ],
)
def test_long_junk_is_passed_over_in_time(junk: bytes) -> None:
    printed(junk)


@pytest.mark.parametrize(
    ("content", "metrics", "trouble"),
    [
        (b'{"a": {"b": {"c": 1}}, "d": null}', {"a.b.c": 1}, ""),
        (b'{"loss": NaN, "x": Infinity}', {"loss": math.nan, "x": math.inf}, ""),
        (b'{"n": ' + b"9" * 30 + b"}", {"n": 1e30}, ""),
        (b'{"n": ' + b"9" * 400 + b"}", {"n": math.inf}, ""),
        (b'{"ok": true, "best": "model.pt"}', {"ok": True, "best": "model.pt"}, ""),
        (b'{"a": [1, 2], "b": 1}', {"b": 1}, "has 'a', which no cell of a table holds: left out"),
        (b"[1, 2]", {}, "is not a JSON object"),
        (b'{"loss": 0.5', {}, "is not JSON"),
        (b"", {}, "is not JSON"),
        (b"[" * 100_000, {}, "is not JSON"),
        (b'{"n": ' + b"9" * 5000 + b"}", {}, "is not JSON"),
    ],
)  # fmt: skip
def test_a_document_is_read_or_what_is_wrong_is_told(
    content: bytes, metrics: dict[str, float], trouble: str
) -> None:
    read = document(content)
    assert repr(dict(read.metrics)) == repr(metrics)
    assert read.trouble == trouble


def test_very_many_metrics_are_cut() -> None:
    read = document(json.dumps({f"m{at}": at for at in range(MOST + 5)}).encode())
    assert len(read.metrics) == MOST
    assert read.trouble.startswith(f"has 'm{MOST}' and 4 more")


def test_of_lines_the_last_value_of_each_name_counts() -> None:
    read = records(b'{"step": 1, "loss": 3, "lr": 1}\n{"step": 2, "loss": 2}\n\n{"step": 3, "lo')
    assert last(read.rows) == {"step": 2, "loss": 2, "lr": 1}
    assert read.trouble == ""


def test_lines_that_are_no_objects_are_counted() -> None:
    read = records(b'{"loss": 3}\nwarning\n[1]\n{"loss": 2}\n')
    assert last(read.rows) == {"loss": 2}
    assert read.trouble == "has 2 lines that are no JSON object"


def test_a_curve_follows_its_steps() -> None:
    rows: list[dict[str, float]] = [
        {"step": 2, "loss": 5.0},
        {"step": 1, "loss": 9.0},
        {"step": 2, "loss": 4.0},
        {"acc": 1},
    ]
    assert curve(rows, "loss") == [(1, 9.0), (2, 4.0)]
    assert curve([{"loss": 3.0}, {"acc": 1}, {"loss": 2.0}], "loss") == [(0, 3.0), (1, 2.0)]
    assert curve([{"epoch": 5, "loss": 3.0}, {"epoch": 6, "loss": math.nan}], "loss") == [(5, 3.0)]
