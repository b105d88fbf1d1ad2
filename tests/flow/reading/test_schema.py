"""The schema that editors check a sweep's file with."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from jsonschema import Draft202012Validator

from hpcshell.flow.reading import schema
from hpcshell.flow.reading.study import KEYS
from tests.flow.documents import documents
from tests.flow.reading.test_reading import TEXTS

VALIDATOR = Draft202012Validator(schema())


def test_the_schema_is_one_and_says_every_key():
    Draft202012Validator.check_schema(schema())
    assert set(schema()["properties"]) == set(KEYS)


@given(documents)
def test_what_can_be_read_passes(document: dict[str, Any]):
    VALIDATOR.validate(document)


@pytest.mark.parametrize("text", TEXTS)
def test_the_examples_pass(text: str):
    VALIDATOR.validate(yaml.safe_load(text.replace("1e-", "1.0e-")))


@pytest.mark.parametrize(
    "text",
    [
        "command: t",
        "sweep: {grid: {a: [1]}}",
        "{command: t, sweep: {gird: {a: [1]}}}",
        "{command: t, sweep: {grid: {}}}",
        "{command: t, sweep: {grid: {a: []}}}",
        "{command: t, sweep: {grid: {a: {values: [1], range: [2]}}}}",
        "{command: t, sweep: {grid: {a: {linspace: [0, 1]}}}}",
        "{command: t, sweep: {grid: {m: {a: {range: [x]}}}}}",
        "{command: t, sweep: {random: {samples: 1}}}",
        "{command: t, sweep: {random: {samples: 1, parameters: {a: {uniform: [1]}}}}}",
        "{command: t, sweep: []}",
        "{command: t, sweep: {grid: {a: [1]}}, throttle: 0}",
        "{command: t, sweep: {grid: {a: [1]}}, passing: args}",
        "{command: t, sweep: {grid: {a: [1]}}, search: {metric: l, parameters: {a: [1]}}}",
        "{command: t, search: {metric: l}}",
        "{command: t, sweep: {grid: {a: [1]}}, name: a/b}",
    ],
)
def test_what_is_wrong_does_not_pass(text: str):
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
