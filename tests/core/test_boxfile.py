"""The JSON configuration of a GPU box: what it may say, and what that means in our own keys."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.boxfile import layer_of, read_box, said
from hpcshell.core.boxkeys import BoxFile, BoxKey, keys, sample, schema
from hpcshell.core.errors import Wrong
from hpcshell.core.settings import keys as our_keys
from hpcshell.core.settings_read import Loaded, read_layers
from tests.support.refusals import refusal

KEYS = list(keys())
SHOWN = [key for key in KEYS if key.example is not None]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)


def loaded(text: str) -> Loaded:
    return read_layers([layer_of(read_box(text, "gpu.json"), "gpu.json")])


def one(key: BoxKey, value: Any) -> str:
    return json.dumps({key.part: {key.name: value}})


# ------------------------------------------------------------------------------------------ laws


@given(st.text())
def test_any_text_is_a_configuration_or_is_refused(text: str):
    refusal(read_box, text, "gpu.json")


@given(key=st.sampled_from(KEYS), value=JSON)
def test_any_value_of_any_key_is_taken_or_refused_by_name(key: BoxKey, value: Any):
    text = one(key, value)
    found = refusal(read_box, text, "gpu.json")
    if found is None:
        loaded(text)
    else:
        assert f"{key.part}.{key.name}" in found.message


@given(st.sets(st.sampled_from([(key.part, key.name) for key in SHOWN])))
def test_any_part_of_the_example_is_one(chosen: set[tuple[str, str]]):
    tables: dict[str, dict[str, Any]] = {}
    for key in KEYS:
        if (key.part, key.name) in chosen:
            tables.setdefault(key.part, {})[key.name] = key.example
    box = read_box(json.dumps(tables), "gpu.json")
    assert {(key.part, key.name) for key, _ in said(box)} == chosen
    assert read_box(msgspec.json.encode(box).decode(), "again") == box


# --------------------------------------------------------------------------------- the example


def test_the_complete_example_sets_our_own_keys():
    settings = loaded(sample()).settings
    assert settings.gpus.count == 8
    assert settings.gpus.memory_threshold == settings.gpus.load_threshold == 0.8
    assert (settings.gpus.interval, settings.gpus.window) == (5.0, 60.0)
    assert settings.defaults.time == 3600.0
    assert settings.limits.max_jobs == 100
    assert settings.limits.max_memory_per_job == 32 << 30
    assert settings.security.allowed_script_paths == ("/data3/", "/home/user/", "/tmp/test/")
    assert settings.daemon.log_level == "info"
    assert (settings.daemon.log_size, settings.daemon.log_files) == (100 << 20, 5)
    assert (settings.box.jobs_file, settings.box.jobs_interval) == ("jobs.txt", 30.0)
    assert (settings.box.attempts, settings.box.retry_wait) == (5, 5.0)
    assert (settings.box.queue_limit, settings.box.stop_within) == (1000, 30.0)


def test_the_origin_of_a_value_names_file_and_key():
    origins = loaded(sample()).origins
    assert origins["gpus.count"] == "gpu.json scheduler.num_gpus"
    assert origins["box.jobs_interval"] == "gpu.json files.monitor_interval_s"


def test_every_key_has_a_meaning_and_sets_a_key_that_there_is():
    known = {key.name for key in our_keys()}
    for key in KEYS:
        assert key.doc
        assert key.sets in known or key.doc.startswith(("nothing: ", "whether `max_memory")), key


def test_without_resource_limits_the_memory_of_jobs_has_none():
    text = '{"security": {"max_memory_per_job_gb": 1, "enable_resource_limits": false}}'
    assert loaded(text).settings.limits.max_memory_per_job is None


def test_the_schema_names_every_key_and_allows_no_other():
    definitions = schema()["$defs"]
    for key in KEYS:
        record = type(getattr(BoxFile(), key.part)).__name__
        assert definitions[record]["additionalProperties"] is False
        assert definitions[record]["properties"][key.name]["description"] == key.doc


@pytest.mark.parametrize("written", ["8.0", "8", "0.8e1"])
def test_a_whole_number_may_be_written_as_the_schema_has_it(written: str):
    box = read_box(f'{{"scheduler": {{"num_gpus": {written}}}}}', "gpu.json")
    assert box.scheduler.num_gpus == 8
    assert type(box.scheduler.num_gpus) is int


def test_a_byte_order_mark_is_no_harm():
    assert read_box("\ufeff" + sample(), "gpu.json") == read_box(sample(), "gpu.json")


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "gpu.json: it is empty", "write {}"),
        ("[]", "gpu.json: expected an object {...}, found []", "config-sample"),
        ('{"gpu": 3}', "gpu.json: gpu: expected an object {...}, found 3", "config-sample"),
        ('{"gpus": {}}', "gpu.json: there is no key 'gpus'", "did you mean gpu?"),
        ('{"num_gpus": 8}', "there is no key 'num_gpus'", "it belongs to scheduler.num_gpus"),
        (
            '{"gpu": {"memory_treshold": 1}}',
            "there is no key 'gpu.memory_treshold'",
            "did you mean memory_threshold?",
        ),
        (
            '{"gpu": {"memory_threshold": "0.8"}}',
            'gpu.json: gpu.memory_threshold: expected a number from 0 to 1, found "0.8"',
            "for example 0.8",
        ),
        ('{"scheduler": {"num_gpus": true}}', "found true", "for example 8"),
        ('{"scheduler": {"num_gpus": -1}}', "from 1 to 64, found -1", "for example 8"),
        ('{"scheduler": {"num_gpus": 8.5}}', "from 1 to 64, found 8.5", "for example 8"),
        ('{"scheduler": {"num_gpus": 1e300}}', "from 1 to 64, found 1", "for example 8"),
        ('{"scheduler": {"num_gpus": 65}}', "from 1 to 64, found 65", "for example 8"),
        ('{"gpu": {"memory_threshold": NaN}}', "found NaN", "for example 0.8"),
        ('{"gpu": {"load_threshold": Infinity}}', "found Infinity", "for example 0.8"),
        ('{"scheduler": {"job_timeout_s": 1e999}}', "found inf", "for example 3600.0"),
        ('{"gpu": {}, "gpu": {}}', "gpu.json: gpu is there twice", "take one of them out"),
        (
            '{"gpu": {"load_threshold": 1, "load_threshold": 1}}',
            "gpu.json: gpu.load_threshold is there twice",
            "take one of them out",
        ),
        ('{\n  // cards\n  "gpu": {}}', "gpu.json line 2 column 3: JSON has no comments", "take"),
        ('{"gpu": {}} # cards', "gpu.json line 1 column 13: JSON has no comments", "take it"),
        ('{"gpu": {},}', "gpu.json line 1 column 12: it is no JSON", "config-sample"),
        ("[" * 10_000, "gpu.json: it is nested too deeply", "config-sample"),
        ('{"gpu": {"allocation_precision": 0.015}}', "a multiple of 0.01, found 0.015", "0.01"),
        ('{"logging": {"level": "info"}}', 'one of "DEBUG", "INFO"', 'for example "INFO"'),
        ('{"logging": {"structured": 1}}', "expected true or false, found 1", "true"),
        ('{"security": {"allowed_script_paths": "/data"}}', "expected a list such as", "/data3/"),
        ('{"security": {"allowed_script_paths": [""]}}', "expected a path, found", "/data3/"),
        ('{"files": {"jobs_file": "a\\u0000b"}}', "expected a path", "jobs.txt"),
    ],
)
def test_what_is_wrong_is_said_with_path_key_and_what_was_expected(
    text: str, message: str, hint: str
):
    with pytest.raises(Wrong) as caught:
        read_box(text, "gpu.json")
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
