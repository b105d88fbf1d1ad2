"""How much a request may ask."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.web.requests.errors import TooLarge
from hpcshell.web.security import limits
from hpcshell.web.security.heads import Head

plain = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
documents = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=60,
)


def depth_of(document: object) -> int:
    if isinstance(document, list):
        return 1 + max(map(depth_of, document), default=0)
    if isinstance(document, dict):
        return 1 + max(map(depth_of, document.values()), default=0)
    return 0


@given(documents, st.booleans())
def test_a_document_of_any_shape_is_let_through(document: object, ascii: bool) -> None:
    for each in (document, [document] * 40):
        limits.check_depth(json.dumps(each, ensure_ascii=ascii).encode())


@given(st.integers(1, 150), st.text(alphabet='[]{}"\\a', max_size=12), st.booleans())
def test_what_is_too_deep_is_refused_whatever_its_texts_say(
    depth: int, text: str, named: bool
) -> None:
    document: object = [text] * 70
    for _ in range(depth):
        document = {text: document, "": text} if named else [text, document]
    body = json.dumps(document).encode()
    if depth_of(document) > limits.DEEPEST:
        with pytest.raises(Wrong):
            limits.check_depth(body)
    else:
        limits.check_depth(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * (4 << 20) + b"]" * (4 << 20),
        (b"[" * 63 + b"]" * 63 + b",") * (1 << 16),
        b'{"a":[' * (1 << 20) + b"]}" * (1 << 20),
        b'"[",' * (2 << 20),
    ],
    ids=["one", "many", "mixed", "texts"],
)
def test_how_deep_it_is_is_found_out_in_time_whatever_it_is(body: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(Wrong):
        limits.check_depth(body)
    assert time.process_time() - began < 0.5  # 0.1 s; what grows with the depth takes seconds


def test_a_method_in_an_address_is_told_from_a_key_of_that_name() -> None:
    for query, refused in (
        ("_method=DELETE", True),
        ("a=1&%5Fmethod=DELETE", True),
        ("filter=params.train_method='a'", False),
        ("filter=params._method='a'", False),
    ):
        asked = Head("POST", "/api/v1/runs", query, {}, "127.0.0.1", ("127.0.0.1", 80), "http")
        with pytest.raises(Wrong) if refused else contextlib.nullcontext():
            limits.check_address(asked)


@given(st.binary(max_size=5000), st.integers(0, 6000))
def test_unpacking_gives_the_body_or_says_that_it_is_too_large(body: bytes, most: int) -> None:
    packed = gzip.compress(body)
    if len(body) > most:
        with pytest.raises(TooLarge):
            limits.unpacked(packed, b"gzip", most)
    else:
        assert limits.unpacked(packed, b"GZIP", most) == body


@given(st.binary(max_size=200))
def test_what_is_no_gzip_is_wrong_and_nothing_else(body: bytes) -> None:
    try:
        found = limits.unpacked(body, b"gzip", 1000)
    except HpcError:
        return
    assert zlib.decompress(body, 31) == found


def test_a_caller_gets_a_burst_and_then_so_many_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    rates = limits.Rates(rate=10, burst=20)
    assert [rates.take("ann") for _ in range(20)] == [0.0] * 20
    assert rates.take("ann") == pytest.approx(0.1)
    assert rates.take("bob") == 0.0
    now += 1.0
    assert [bool(rates.take("ann")) for _ in range(11)] == [False] * 10 + [True]


def test_no_more_callers_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PEERS", 3)
    rates = limits.Rates(rate=1, burst=1)
    for who in range(10):
        rates.take(who)
    assert rates.take(9) > 0
    assert rates.take(0) == 0
