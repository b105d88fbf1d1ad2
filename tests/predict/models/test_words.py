"""The arithmetic in words: every figure of it is there, and it adds up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.models import MODES
from hpcshell.core.units import short_size, size
from hpcshell.predict.models.fitting import fit
from hpcshell.predict.models.formula import estimate
from hpcshell.predict.models.measured import Measured, corrected
from hpcshell.predict.models.names import MODELS, match
from hpcshell.predict.models.words import giga, lines, sentence

published = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)


@given(published, st.sampled_from(MODES), st.integers(1, 1 << 20))
def test_the_terms_that_are_shown_add_up_to_the_sum_that_is_shown(model, mode, ctx):
    found = estimate(model, mode, ctx=ctx)
    shown = lines(found, fit(found))
    terms = [size(line.rpartition("= ")[2]) for line in shown if " = " in line]
    (together,) = [size(line.split()[1]) for line in shown if line.startswith("together")]
    assert abs(sum(terms) - together) <= 0.01 * together
    assert short_size(found.needed) in sentence(found, fit(found))


def test_the_arithmetic_of_a_line_gives_what_stands_behind_it():
    found = estimate(match("qwen2.5-7b-instruct").model, ctx=32768, batch=4)
    cache = next(line for line in lines(found, fit(found)) if line.startswith("KV cache"))
    assert cache == ("KV cache    2 x 4 heads x 128 x 28 layers x 32,768 tokens x 4 x 2 bytes = 7G")
    assert 2 * 4 * 128 * 28 * 32768 * 4 * 2 == 7 << 30 == found.cache


def test_each_way_to_use_a_model_is_told_of():
    model = MODELS["llama-2-7b"]
    infer, lora, full = (
        "\n".join(lines(found, fit(found)))
        for found in (estimate(model, mode, ctx=512) for mode in MODES)
    )
    assert "6.74 G parameters x 2 bytes (fp16) = 12.6G" in infer
    assert "40 M parameters (rank 16) x 16 bytes (with gradients, Adam) = 610M" in lora
    assert "6.74 G parameters x 14 bytes (gradients, Adam) = 87.9G" in full
    assert "state" not in lora
    assert "adapters" not in full


def test_special_shapes_are_told_of():
    def told(name: str, dtype: str = "", mode: str = "infer") -> str:
        found = estimate(MODELS[name], mode, dtype)
        return "\n".join(lines(found, fit(found, 24 << 30)))

    assert "576 numbers x 61 layers" in told("deepseek-v3")
    assert "94,208 tokens of all layers" in told("gemma-3-27b")
    assert "1 x 2G of image" in told("sdxl")
    assert "0.53125 bytes (int4) + 1.09 G of words x 2 bytes" in told("qwen2.5-7b", "int4")
    assert "1 byte (fp8)" in told("deepseek-v3")
    assert "of KV cache and a layer, when it is evaluated" in told("llama-2-7b", mode="lora")
    assert "3 whole cards of 24G, 18.5G on each" in told("gemma-3-27b")
    assert "share 0.07 of a card of 24G" in told("gpt2")


def test_it_is_said_on_how_many_runs_it_rests():
    found = estimate(MODELS["qwen2.5-7b"])
    run = Measured(
        family="qwen2.5",
        mode="infer",
        dtype="bf16",
        ctx=1,
        batch=1,
        cards=1,
        peak=2,
        predicted=1,
    )
    one, two = (corrected(found, [run] * times) for times in (1, 2))
    assert "34.9G by what 1 earlier run used" in sentence(one, fit(one))
    assert any("34.9G by what 2 earlier runs used" in line for line in lines(two, fit(two)))


def test_parameters_are_counted_as_people_do():
    assert [giga(number) for number in (7_615_616_512, 350_000_000, 2_000_000_000_000)] == [
        "7.62 G",
        "350 M",
        "2,000 G",
    ]
