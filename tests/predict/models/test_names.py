"""Models by the names that people give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.predict.models.names import ALIASES, MODELS, known, match, nearest_names

names = st.sampled_from(sorted({*MODELS, *ALIASES}))


@given(
    names,
    st.sampled_from(["", "org/", "org/more/"]),
    st.sampled_from(["", "-instruct", "-Inst", "-chat", "-hf", "-it", "-chat-hf", "-instruct-AWQ"]),
    st.booleans(),
    st.booleans(),
)
def test_how_a_name_is_written_does_not_count(name, before, after, upper, under):
    written = before + name + after
    written = written.upper() if upper else written
    written = written.replace("-", "_") if under else written
    assert match(written).model == MODELS[ALIASES.get(name, name)]


@given(st.text(max_size=40))
def test_any_text_is_a_model_or_refused_in_words(text):
    assert said(text)


def said(text: str) -> int | str | None:
    """The parameters of the model, or the hint of the refusal."""
    try:
        return match(text).model.parameters
    except Wrong as wrong:
        return wrong.hint


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b"),
        ("qwen2.5-vl-32b-inst", "qwen2.5-vl-32b"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama-3-8b"),
        ("llama3:8b", "llama-3-8b"),
        ("meta-llama/Llama-2-7b-chat-hf", "llama-2-7b"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b"),
        ("mistralai/Mistral-7B-v0.1", "mistral-7b-v0.1"),
        ("google/gemma-3-27b-it", "gemma-3-27b"),
        ("gemma2-9b", "gemma-2-9b"),
        ("microsoft/Phi-3-mini-4k-instruct", "phi-3-mini"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "deepseek-r1-distill-qwen-7b"),
        ("deepseek-ai/DeepSeek-V3-0324", "deepseek-v3"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4-scout"),
        ("google-bert/bert-base-uncased", "bert-base"),
        ("google/vit-base-patch16-224", "vit-base"),
        ("openai/whisper-large-v3", "whisper-large-v3"),
        ("stabilityai/stable-diffusion-xl-base-1.0", "sdxl"),
        ("black-forest-labs/FLUX.1-dev", "flux.1"),
        ("lmsys/vicuna-7b-v1.5", "llama-2-7b"),
    ],
)
def test_a_name_as_it_is_published_is_known(written, name):
    assert known(written) == MODELS[name]


@pytest.mark.parametrize(
    ("written", "dtype"),
    [
        ("Qwen2.5-7B-Instruct-AWQ", "int4"),
        ("Qwen2.5-7B-Instruct-GPTQ-Int4", "int4"),
        ("llama-3.1-8b-instruct-bnb-4bit", "nf4"),
        ("Meta-Llama-3.1-405B-Instruct-FP8", "fp8"),
        ("llama-3-8b", ""),
    ],
)
def test_the_format_in_a_name_is_the_type_of_the_weights(written, dtype):
    assert match(written).dtype == dtype


@pytest.mark.parametrize(
    ("written", "parameters"),
    [
        ("myllm-13b", 13 * 10**9),
        ("lab/our_350m_model", 350 * 10**6),
        ("mine-1.5B-chat", 1_500_000_000),
        ("mine-8x7b", 56 * 10**9),
    ],
)
def test_a_size_in_an_unknown_name_is_reckoned_with_and_said(written, parameters):
    found = match(written)
    assert found.model.parameters == parameters
    assert found.model.guessed
    assert "by its size alone" in found.note


def test_a_dash_never_makes_one_size_of_another():
    assert match("llama-38b").model.parameters == 38 * 10**9
    assert match("gemma-29b").model.guessed


@pytest.mark.parametrize("written", ["qwen", "mylm", "", "   ", "-", "0b", "x-99999999b", "a/b/"])
def test_a_name_that_says_nothing_is_refused(written):
    with pytest.raises(Wrong) as refused:
        match(written)
    assert "is known" in refused.value.message
    assert refused.value.hint


def test_near_names_are_offered():
    with pytest.raises(Wrong) as refused:
        match("whisper-larg")
    assert refused.value.hint is not None
    assert "whisper-large" in refused.value.hint
    assert len(nearest_names("llama-3-8")) == 3


def test_a_family_is_the_name_without_the_size():
    families = {name: MODELS[name].family for name in MODELS}
    assert families["qwen2.5-7b"] == families["qwen2.5-72b"] == "qwen2.5"
    assert families["qwen2.5-vl-7b"] == "qwen2.5-vl"
    assert families["mixtral-8x7b"] == "mixtral"
    assert families["bert-base"] == "bert-base"
    assert match("mine-13b").model.family == "mine"
