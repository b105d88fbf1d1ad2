"""What a model needs: more work never needs less, and what is published comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.models import DTYPES, LARGEST_BATCH, LONGEST_CONTEXT, MODES
from hpcshell.predict.models.fitting import ASSUMED, fit
from hpcshell.predict.models.formula import (
    BITS,
    OVERHEAD,
    TRAINED,
    adapter_parameters,
    cache_bytes,
    estimate,
    weight_bytes,
)
from hpcshell.predict.models.names import MODELS, SMALLEST, typical

GB = 10**9

published = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)
sizes = st.integers(SMALLEST, 10**13)
models = published | sizes.map(lambda size: typical("mine", size))
contexts = st.integers(1, LONGEST_CONTEXT)
batches = st.integers(1, LARGEST_BATCH)
modes = st.sampled_from(MODES)
trained = st.sampled_from(TRAINED)
memories = st.integers(OVERHEAD + 1, 1 << 45)


def test_every_type_of_weights_has_its_bits():
    assert set(BITS) == set(DTYPES)


@given(models, modes, trained, contexts, contexts, batches)
def test_more_context_never_needs_less(model, mode, dtype, one, other, batch):
    shorter, longer = (
        estimate(model, mode, dtype, ctx=ctx, batch=batch).needed for ctx in sorted((one, other))
    )
    assert shorter <= longer


@given(models, modes, trained, contexts, batches, batches)
def test_a_larger_batch_never_needs_less(model, mode, dtype, ctx, one, other):
    smaller, larger = (
        estimate(model, mode, dtype, ctx=ctx, batch=batch).needed for batch in sorted((one, other))
    )
    assert smaller <= larger


@given(st.sampled_from(DTYPES), st.sampled_from(("infer", "lora")), contexts, sizes, sizes)
def test_more_parameters_of_the_same_kind_never_need_less(dtype, mode, ctx, one, other):
    fewer, more = (
        estimate(typical("mine", size), mode, dtype, ctx=ctx).needed
        for size in sorted((one, other))
    )
    assert fewer <= more


@given(models, trained, contexts, batches)
def test_adapters_need_no_less_than_inference_and_full_training_no_less_than_adapters(
    model, dtype, ctx, batch
):
    infer, lora, full = (
        estimate(model, mode, dtype, ctx=ctx, batch=batch).needed for mode in MODES
    )
    assert infer <= lora <= full


@given(models, modes, trained, contexts, batches)
def test_the_terms_are_all_there_is_and_none_is_below_nothing(model, mode, dtype, ctx, batch):
    found = estimate(model, mode, dtype, ctx=ctx, batch=batch)
    terms = (found.weights, found.state, found.adapters, found.cache, found.activations)
    assert min(terms) >= 0
    assert sum(terms) + found.overhead == found.needed
    assert found == estimate(model, mode, dtype, ctx=ctx, batch=batch)


@given(models, contexts)
def test_fewer_bits_never_need_more(model, ctx):
    needed = [estimate(model, dtype=dtype, ctx=ctx).needed for dtype in ("int4", "int8", "bf16")]
    assert needed == sorted(needed)
    assert needed[-1] <= estimate(model, dtype="fp32", ctx=ctx).needed


@given(models, modes, contexts, batches, memories)
def test_so_many_cards_hold_it_and_one_fewer_does_not(model, mode, ctx, batch, memory):
    found = estimate(model, mode, "bf16", ctx=ctx, batch=batch)
    placed = fit(found, memory)
    assert placed.each <= memory
    assert placed.cards * (placed.each - found.overhead) >= found.spread
    fewer = placed.cards - 1
    assert not fewer or found.spread > fewer * (memory - found.overhead)


@given(models, modes, contexts, memories)
def test_a_share_is_of_one_card_and_enough(model, mode, ctx, memory):
    placed = fit(estimate(model, mode, "bf16", ctx=ctx), memory)
    assert 1 <= placed.share <= 100
    assert placed.share == 100 or placed.cards == 1
    assert placed.share * memory >= placed.each * 100


@given(models, memories, memories)
def test_larger_cards_are_never_more(model, one, other):
    found = estimate(model)
    small, large = (fit(found, memory).cards for memory in sorted((one, other)))
    assert large <= small


# ------------------------------------------------------------------------- published figures


@pytest.mark.parametrize(
    ("name", "dtype", "gigabytes"),
    [
        ("qwen2.5-7b", "bf16", 15.2),
        ("llama-2-7b", "fp16", 13.5),
        ("llama-3-8b", "bf16", 16.1),
        ("llama-3.1-70b", "bf16", 141.1),
        ("llama-3.1-405b", "bf16", 811.7),
        ("mixtral-8x7b", "bf16", 93.4),
        ("qwen2.5-7b", "int4", 5.57),
        ("llama-3-8b", "int4", 5.73),
        ("deepseek-v3", "fp8", 673.0),
        ("bert-base", "fp32", 0.438),
        ("whisper-large-v3", "fp16", 3.09),
    ],
)
def test_weights_are_as_large_as_the_files_that_are_published(name, dtype, gigabytes):
    assert weight_bytes(MODELS[name], dtype) / GB == pytest.approx(gigabytes, rel=0.03)


@pytest.mark.parametrize(
    ("name", "kib"),
    [
        ("llama-3-8b", 128),
        ("llama-2-7b", 512),
        ("llama-3-70b", 320),
        ("qwen2.5-7b", 56),
        ("mistral-7b", 128),
        ("deepseek-v3", 68.625),
    ],
)
def test_what_is_kept_of_a_token_is_what_is_published(name, kib):
    assert cache_bytes(MODELS[name], 1, 1, 2) == kib * 1024


@pytest.mark.parametrize(
    ("name", "rank", "parameters"),
    [
        ("llama-2-7b", 16, 39_976_960),
        ("llama-2-7b", 64, 159_907_840),
        ("llama-3-8b", 16, 41_943_040),
        ("mistral-7b", 16, 41_943_040),
    ],
)
def test_adapters_have_the_parameters_that_their_library_counts(name, rank, parameters):
    assert adapter_parameters(MODELS[name], rank) == parameters


def test_an_encoder_has_adapters_at_its_keys_and_values_too():
    each = 4 * (768 + 768) + 3 * (768 + 3072)
    assert adapter_parameters(MODELS["bert-base"]) == 12 * 16 * each


def test_full_training_keeps_sixteen_bytes_of_each_parameter():
    found = estimate(MODELS["llama-2-7b"], "full", "bf16")
    assert found.weights + found.state == 16 * MODELS["llama-2-7b"].parameters


def test_a_70b_model_needs_two_cards_of_80_and_its_training_more_than_a_server_of_8():
    model = MODELS["llama-3-70b"]
    assert fit(estimate(model)).cards == 2
    assert fit(estimate(model, dtype="int4")).cards == 1
    assert fit(estimate(model, "full")).cards > 8


@pytest.mark.parametrize("name", ["qwen2.5-7b", "llama-2-13b", "yi-34b", "phi-4", "opt-6.7b"])
def test_the_typical_shape_is_near_to_what_models_have(name):
    model = MODELS[name]
    like = estimate(typical("x", model.parameters), dtype="bf16").needed
    assert like == pytest.approx(estimate(model, dtype="bf16").needed, rel=0.2)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_shape_of_a_model_has_as_many_parameters_as_are_published(name):
    model = MODELS[name]
    if not model.ffn or name in WITH_MORE:
        assert model.active or name in WITH_MORE
        return
    keys = 2 * (model.kv_heads or model.heads)
    attention = model.hidden * model.head_size * (2 * model.heads + keys)
    counted = [
        model.layers * (attention + matrices * model.hidden * model.ffn) + model.embeddings
        for matrices in (2, 3)
    ]
    nearest = min(counted, key=lambda count: abs(count - model.parameters))
    assert nearest == pytest.approx(model.parameters, rel=0.02)


WITH_MORE = {
    *(name for name in MODELS if "vl" in name or "vision" in name or "t5" in name),
    *(name for name in MODELS if "whisper" in name or "clip" in name or MODELS[name].image),
    *("gemma-3-4b", "gemma-3-12b", "gemma-3-27b"),
}
"""What has parts beside its layers: eyes, cross attention, text encoders."""


# -------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ctx": -1}, "--ctx: -1 is out of range"),
        ({"ctx": LONGEST_CONTEXT + 1}, "--ctx: 16,777,217 is out of range"),
        ({"batch": 10**9}, "--batch: 1,000,000,000 is out of range"),
        ({"dtype": "bf17"}, "--dtype: 'bf17' is no type of weights"),
        ({"mode": "inferr"}, "--mode: 'inferr' is no way to use a model"),
        ({"mode": "full", "dtype": "int4"}, "--dtype: weights in int4 cannot be trained"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options, said):
    with pytest.raises(Wrong) as refused:
        estimate(MODELS["gpt2"], **options)
    assert refused.value.message == said
    assert refused.value.hint


def test_what_is_not_said_is_as_the_model_is_published():
    assert estimate(MODELS["bert-base"]).ctx == 512
    assert estimate(MODELS["llama-3-8b"]).ctx == 4096
    assert estimate(MODELS["deepseek-v3"]).dtype == "fp8"
    assert estimate(MODELS["deepseek-v3"], "full").dtype == "bf16"
    assert estimate(MODELS["gpt2"], dtype="torch.bfloat16").dtype == "bf16"


def test_a_card_that_cuda_fills_is_refused():
    with pytest.raises(Wrong, match="holds no model"):
        fit(estimate(MODELS["gpt2"]), OVERHEAD)


def test_a_card_nobody_knows_is_assumed_to_have_80g_and_that_is_said():
    placed = fit(estimate(MODELS["gpt2"]))
    assert placed.assumed
    assert placed.memory == ASSUMED == 80 << 30
