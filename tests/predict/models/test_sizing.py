"""From what a submission says of its model to the GPUs that it needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.models import MODES
from hpcshell.core.records import ModelAsk
from hpcshell.predict.models.fitting import fit
from hpcshell.predict.models.formula import estimate
from hpcshell.predict.models.measured import Measured, measured_of
from hpcshell.predict.models.names import MODELS
from hpcshell.predict.models.site import SiteTable
from hpcshell.predict.models.sizing import Cards, size

GIB = 1 << 30
asks = st.builds(
    ModelAsk,
    name=st.sampled_from(sorted(MODELS)),
    mode=st.sampled_from(MODES),
    ctx=st.integers(0, 1 << 20),
    batch=st.integers(0, 64),
)
memories = st.lists(st.sampled_from([8 * GIB, 24 * GIB, 80 * GIB]), max_size=9).map(tuple)
cards = st.builds(Cards, memory=memories)
SITE = SiteTable(models={"qwen2.5-7b-inst": 50, "house-model": 150}, default=100)


@given(asks, cards, st.booleans())
def test_a_job_gets_a_part_of_one_card_or_whole_cards_and_is_told_why(ask, there, whole):
    sized = size(ask, there, whole=whole)
    assert sized.gpus or sized.gpu_mem
    assert sized.gpus % 100 == 0 or (sized.gpus < 100 and not there.memory and not whole)
    assert (sized.gpu_mem == 0) == (whole or not there.memory)
    assert sized.gpu_mem <= max(there.memory, default=0)
    assert sized.told
    assert sized.lines
    assert sized == size(ask, there, whole=whole)


@given(asks, cards)
def test_what_is_kept_gives_the_same_again(ask, there):
    first = size(ask, there)
    assert size(first.ask, there).ask == first.ask
    assert first.ask.dtype
    assert first.ask.ctx >= 1
    assert first.ask.batch >= 1
    assert first.ask.family


def test_a_model_that_fits_asks_for_bytes_and_one_that_does_not_for_whole_cards():
    small = size(ModelAsk(name="Qwen/Qwen2.5-7B-Instruct"), Cards(memory=(24 * GIB,)))
    assert (small.gpus, small.ask.cards) == (0, 1)
    assert 15.5 * GIB < small.gpu_mem < 16.5 * GIB
    large = size(ModelAsk(name="llama-3.3-70b-instruct"), Cards(memory=(24 * GIB,)))
    assert (large.gpus, large.ask.cards) == (600, 6)
    assert 22 * GIB < large.gpu_mem <= 24 * GIB


@given(asks, memories.filter(bool))
def test_what_the_cards_can_hold_is_asked_of_so_few_that_they_are_there(ask, memory):
    sized = size(ask, Cards(memory=memory))
    able = sum(each >= sized.gpu_mem for each in memory)
    found = estimate(MODELS[ask.name], ask.mode, ctx=ask.ctx, batch=ask.batch)
    can = [fit(found, each).cards <= sum(other >= each for other in memory) for each in memory]
    assert (sized.ask.cards <= able) == any(can)


def test_of_mixed_cards_the_large_one_is_taken_where_it_is_enough():
    mixed = Cards(memory=(24 * GIB,) * 6 + (80 * GIB,))
    assert size(ModelAsk(name="qwen2.5-32b"), mixed).ask.cards == 1
    assert size(ModelAsk(name="llama-3-70b"), mixed).ask.cards == 6


def test_of_cards_that_nobody_knows_a_model_asks_for_a_share_as_of_80g():
    sized = size(ModelAsk(name="qwen2.5-7b"), Cards())
    assert (sized.gpus, sized.gpu_mem) == (20, 0)
    assert "share 0.2 of a card of 80G (assumed)" in sized.told


def test_on_a_cluster_a_model_that_fits_asks_for_one_whole_card():
    sized = size(ModelAsk(name="gpt2"), Cards(), whole=True)
    assert (sized.gpus, sized.gpu_mem) == (100, 0)


def test_a_format_in_the_name_counts_unless_a_type_is_said():
    name = "Qwen2.5-7B-Instruct-AWQ"
    assert size(ModelAsk(name=name), Cards()).ask.dtype == "int4"
    assert size(ModelAsk(name=name, dtype="int8"), Cards()).ask.dtype == "int8"


def test_what_is_worth_a_note_is_said():
    guessed = size(ModelAsk(name="ours-13b"), Cards())
    assert "by its size alone" in guessed.notes[0]
    long = size(ModelAsk(name="gpt2", ctx=4096), Cards())
    assert long.notes == ("--ctx 4,096: the longest context of gpt2 is 1,024 tokens",)


# -------------------------------------------------------------------------- the site's table


def test_the_sites_table_comes_before_the_formula():
    sized = size(ModelAsk(name="Qwen2.5-7B-Instruct"), Cards(site=SITE))
    assert (sized.gpus, sized.gpu_mem, sized.ask.cards) == (50, 0, 1)
    assert sized.told == ("Qwen2.5-7B-Instruct gets 0.5 GPUs by the site's table, for this model")


def test_a_model_that_the_table_lacks_is_reckoned():
    sized = size(ModelAsk(name="qwen2.5-3b"), Cards(site=SITE))
    assert sized == size(ModelAsk(name="qwen2.5-3b"), Cards())


def test_a_model_that_nobody_knows_gets_what_the_table_gives_to_all():
    sized = size(ModelAsk(name="strange"), Cards(site=SITE))
    assert sized.gpus == 100
    assert "as for every model that is not known here" in sized.told
    assert "'strange' is not known" in sized.notes[0]


def test_on_a_cluster_parts_of_a_gpu_are_rounded_up():
    assert size(ModelAsk(name="house-model"), Cards(site=SITE)).gpus == 150
    assert size(ModelAsk(name="house-model"), Cards(site=SITE), whole=True).gpus == 200


# -------------------------------------------------------------------------------- not known


def test_an_unknown_model_is_refused_with_near_names():
    with pytest.raises(Wrong, match="--model: no model 'whisper-larg' is known") as refused:
        size(ModelAsk(name="whisper-larg"), Cards())
    assert "whisper-large" in (refused.value.hint or "")


def test_one_that_was_only_seen_is_not_refused():
    sized = size(ModelAsk(name="strange", seen=True), Cards())
    assert (sized.gpus, sized.gpu_mem, sized.ask.cards) == (0, 0, 0)
    assert sized.notes == ("no GPUs are asked for by --llm: no model 'strange' is known",)


def test_one_that_was_only_seen_asks_for_nothing_where_there_are_no_cards():
    seen = ModelAsk(name="qwen2.5-7b", seen=True)
    without = size(seen, Cards(number=0))
    assert (without.gpus, without.gpu_mem) == (0, 0)
    assert without.notes == ("no GPUs are asked for by --llm: this machine has none",)
    assert size(seen, Cards(number=1)).gpus > 0
    assert size(replace(seen, seen=False), Cards(number=0)).gpus > 0


def test_what_is_said_wrongly_of_a_model_is_refused_whatever_the_table_gives():
    with pytest.raises(Wrong, match="--batch"):
        size(ModelAsk(name="gpt2", batch=10**9), Cards(site=SITE))
    with pytest.raises(Wrong, match="cannot be trained"):
        size(ModelAsk(name="gpt2", mode="full", dtype="nf4", seen=True), Cards())


# ------------------------------------------------------------------------------ earlier runs


def test_earlier_runs_of_the_family_correct_it():
    ask = size(ModelAsk(name="qwen2.5-3b", ctx=1024), Cards()).ask
    ran = tuple(measured_of(ask, peak=2 * ask.predicted) for _ in range(3))
    before = size(ModelAsk(name="qwen2.5-7b"), Cards(memory=(80 * GIB,)))
    after = size(ModelAsk(name="qwen2.5-7b"), Cards(memory=(80 * GIB,), measured=ran))
    assert after.gpu_mem == pytest.approx(2.2 * before.gpu_mem, rel=1e-3)
    assert "by what 3 earlier runs used" in after.told
    assert after.ask.predicted == before.ask.predicted


def test_a_run_is_measured_by_what_its_job_kept():
    ask = size(ModelAsk(name="llama-3-70b", mode="full"), Cards()).ask
    found = estimate(MODELS["llama-3-70b"], "full")
    assert ask.cards == 14
    assert ask.predicted == found.spread + 14 * found.overhead
    assert measured_of(ask, peak=5) == Measured(
        family="llama-3",
        mode="full",
        dtype="bf16",
        ctx=4096,
        batch=1,
        cards=ask.cards,
        peak=5,
        predicted=ask.predicted,
    )
