"""The site's own table: read whole or refused with what is at fault."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.predict.models.site import SiteTable, read_table

SEED = """
{
    "default_requirement": 1.0,
    "models": {
        "qwen2.5-3b-inst": 0.5,
        "qwen2.5-7b-inst": 1.0,
        "qwen2.5-32b-inst": 2.0,
        "qwen2.5-vl-3b-inst": 1.0,
        "qwen2.5-vl-7b-inst": 1.0,
        "qwen2.5-vl-32b-inst": 2.0
    }
}
"""
WHERE = "llm_config.json"

gpus = st.integers(1, 6400)
tables = st.dictionaries(st.from_regex(r"[a-z]{1,8}-[0-9]{1,3}b", fullmatch=True), gpus)


@given(tables, st.none() | gpus)
def test_what_is_written_is_read(models, default):
    table = {"models": {name: count / 100 for name, count in models.items()}}
    if default is not None:
        table["default_requirement"] = default / 100
    found = read_table(json.dumps(table), WHERE)
    assert found == SiteTable(models=models, default=default or 0)
    assert all(found.of(name) == count for name, count in models.items())


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["models", "default_requirement", "x"]), inner, max_size=3
            )
        ),
    ).map(json.dumps)
)
def test_any_text_is_a_table_or_refused_in_words(text):
    refused = refusal(text)
    assert refused is None or (refused.message.startswith(WHERE) and refused.hint)


def refusal(text: str) -> Wrong | None:
    """What is said against the text; None: it is a table."""
    try:
        read_table(text, WHERE)
    except Wrong as wrong:
        return wrong
    return None


def test_the_example_is_read_and_answers_to_other_spellings():
    table = read_table(SEED, WHERE)
    assert table.default == 100
    assert table.of("qwen2.5-3b-inst") == 50
    assert table.of("Qwen/Qwen2.5-32B-Instruct") == 200
    assert table.of("llama-3-8b") == 0


def test_what_is_no_json_is_told_how_a_table_is_written():
    error = refusal("x")
    assert error is not None
    assert error.hint == 'write {"models": {"qwen2.5-7b-inst": 1.0}}'


def test_a_name_as_it_stands_comes_before_the_same_in_other_words():
    table = SiteTable(models={"qwen2.5-7b": 100, "qwen2.5-7b-inst": 50})
    assert table.of("qwen2.5-7b-inst") == 50
    assert table.of("qwen2.5-7b") == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "llm_config.json, line 1, column 1: this is no JSON: Expecting value"),
        ("[]", "llm_config.json: the whole file is a list, and a table is expected"),
        ('{"model": {}}', "llm_config.json: 'model' is no key of it"),
        ('{"models": []}', "llm_config.json: models is a list, and a table is expected"),
        ('{"models": {"a": 1, "a": 2}}', "llm_config.json: 'a' stands there twice"),
        ('{"models": {}, "models": {}}', "llm_config.json: 'models' stands there twice"),
        ('{"models": {"a": NaN}}', "llm_config.json: NaN is no number of GPUs"),
        ('{"models": {"a": Infinity}}', "llm_config.json: Infinity is no number of GPUs"),
        ('{"models": {"a": 0}}', "llm_config.json: models.'a': 0 GPUs cannot be given"),
        ('{"models": {"a": -1}}', "llm_config.json: models.'a': -1 GPUs cannot be given"),
        ('{"models": {"a": 65}}', "llm_config.json: models.'a': 65 GPUs cannot be given"),
        ('{"models": {"a": 0.001}}', "llm_config.json: models.'a': 0.001 GPUs are too fine"),
        (
            '{"models": {"a": true}}',
            "llm_config.json: models.'a' is yes or no, and a number of GPUs is expected",
        ),
        (
            '{"models": {"a": "1"}}',
            "llm_config.json: models.'a' is text, and a number of GPUs is expected",
        ),
        (
            '{"default_requirement": {}}',
            "llm_config.json: default_requirement is a table, and a number of GPUs is expected",
        ),
        (
            '{"default_requirement": 0}',
            "llm_config.json: default_requirement: 0 GPUs cannot be given",
        ),
        ("[" * 100_000, "llm_config.json: a number too long or tables too deep to read"),
        (
            '{"default_requirement": 1' + "0" * 5000 + "}",
            "llm_config.json: a number too long or tables too deep to read",
        ),
    ],
)
def test_what_is_at_fault_is_named(text, said):
    with pytest.raises(Wrong) as refused:
        read_table(text, WHERE)
    assert refused.value.message == said
    assert refused.value.hint


def test_the_nearest_key_is_offered():
    with pytest.raises(Wrong, match="default_requirements") as refused:
        read_table('{"default_requirements": 1}', WHERE)
    assert refused.value.hint == "did you mean default_requirement?"
