"""YAML as people mean it, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from hpcshell.core.errors import Wrong
from hpcshell.flow.reading.entry import Entry
from hpcshell.flow.reading.tree import from_objects, from_text
from tests.flow.documents import plain
from tests.support.refusals import refusal


def value(text: str) -> Any:
    return Entry(from_text(text, "sweep.yaml"), "sweep.yaml").value()


def said(text: str) -> str:
    error = refusal(value, text)
    assert error is not None, f"{text[:80]!r} was read"
    return error.message


# ---------------------------------------------------------------------------------------- laws


@given(plain)
def test_all_json_is_read_as_json(document: Any):
    for indent in (None, 2, "\t"):
        text = json.dumps(document, indent=indent)
        if not (indent == "\t" and text[0] not in "{["):
            assert json.dumps(value(text)) == json.dumps(document)


@given(plain)
def test_objects_are_read_as_they_are(document: Any):
    assert Entry(from_objects(document, "spec"), "spec").value() == document


# --------------------------------------------------------------------------------------- cases


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("+1", 1),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("0", 0),
        ("-0.0", 0.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("007", "007"),
        ("8:00:00", "8:00:00"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("'1'", "1"),
        ('"true"', "true"),
        ('"2020-01-01"', "2020-01-01"),
        ("=", "="),
    ],
)
def test_words_are_read_as_people_mean_them(text: str, meant: Any):
    found = value(text)
    assert found == meant
    assert type(found) is type(meant)


def test_aliases_and_merge_keys_are_followed():
    text = "base: &b {lr: 1, seed: 2}\nnew: {<<: *b, lr: 3}\nsame: *b"
    assert value(text) == {
        "base": {"lr": 1, "seed": 2},
        "new": {"lr": 3, "seed": 2},
        "same": {"lr": 1, "seed": 2},
    }


def test_numpys_values_are_pythons():
    numpy = pytest.importorskip("numpy")
    found = from_objects({"lr": numpy.linspace(0, 1, 3), "n": numpy.int64(2)}, "spec")
    assert Entry(found, "spec").value() == {"lr": [0.0, 0.5, 1.0], "n": 2}


_LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: 1\nb: 2\na: 3", "sweep.yaml:3: the key 'a' is given twice (first in line 1)"),
        ("a: !!python/object:os.system x", "sweep.yaml:1: the tag"),
        ("a: !x 1", "the tag '!x' is not allowed"),
        ("a:\n\tb: 1", "sweep.yaml:2: a tab"),
        ("a: [1, 2", "no YAML"),
        ("a: 'x", "no YAML"),
        ("a: *b", "'*b' names nothing above"),
        ("a: &a [*a]", "'*a' names nothing above"),
        (_LAUGHS, "more than 2,000,000 values"),
        ("[" * 100 + "]" * 100, "more than 40 levels"),
        ("{a: " * 900 + "}" * 900, "more than 40 levels"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("? [1, 2]\n: 3", "a key that is no word"),
        ("a: .nan", "no number that a parameter can be"),
        ("a: -.inf", "no number that a parameter can be"),
        ("a: 1e999", "infinite"),
        ("a: 2020-01-01", "'2020-01-01' is a date"),
        ("a: 2020-01-01 10:00:00", "is a date"),
        ("a: 99999999999999999999999", "more than 64 bits"),
        ("a: " + "9" * 5000, "more than 64 bits"),
        ('a: "\\0"', "a NUL character"),
        ("a: \x07", "a character that is no text"),
        ("<<: 1", "takes in mappings"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_by_its_line(text: str, what: str):
    assert what in said(text)


def test_a_date_is_to_be_quoted():
    with pytest.raises(Wrong, match='quote it: "2020-01-01"'):
        value("a: 2020-01-01")


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({"a": {"b": float("nan")}}, "spec: a.b: a number that is infinite"),
        ({"a": object()}, "spec: a: a object is nothing that JSON can say"),
        ({"a": {1, 2}}, "a set is nothing"),
        ({1: 2}, "the key '1' is no text"),
        ({"a": "\ud800"}, "half a character"),
        ({"a": 1 << 70}, "more than 64 bits"),
    ],
)
def test_objects_that_json_cannot_say_are_refused_by_their_path(document: Any, what: str):
    error = refusal(from_objects, document, "spec")
    assert error is not None
    assert what in error.message


def test_an_object_within_itself_is_refused():
    document: list[Any] = []
    document.append(document)
    error = refusal(from_objects, document, "spec")
    assert error is not None
    assert "too deep" in error.message
