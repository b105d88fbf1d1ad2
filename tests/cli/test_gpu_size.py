"""`hpc gpu size`: the arithmetic of a model, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hpcshell.cli.gpu_size import size
from hpcshell.core.errors import Wrong
from tests.support.refusals import refusal

Ask = Callable[..., tuple[str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """What it prints, and what it says beside that."""

    def asked(*words: str) -> tuple[str, str]:
        assert size.main([*words], standalone_mode=False) == 0
        said = capsys.readouterr()
        return said.out, said.err

    return asked


def refused(*words: str) -> Wrong:
    error = refusal(lambda: size.main([*words], standalone_mode=False))
    assert isinstance(error, Wrong)
    return error


def test_the_arithmetic_is_shown_a_term_a_line(ask: Ask):
    out, err = ask("Qwen/Qwen2.5-7B-Instruct", "--card", "24G")
    assert err == ""
    first, *terms = out.splitlines()
    assert first == "qwen2.5-7b (infer, bf16, 4,096 tokens x 1)"
    assert [line[2:14].strip() for line in terms] == [
        *("weights", "KV cache", "activations", "CUDA", "together", "that is")
    ]
    assert terms[0].endswith("7.62 G parameters x 2 bytes (bf16) = 14.2G")
    assert terms[-1].endswith("share 0.67 of a card of 24G")


def test_how_it_is_used_counts(ask: Ask):
    out, _ = ask("llama-3.1-70b", "--mode", "lora", "--dtype", "nf4", "--card", "48G")
    assert "2 whole cards of 48G" in out
    out, _ = ask("llama-3.1-70b", "--mode", "full")
    assert "14 whole cards of 80G (assumed)" in out
    out, _ = ask("llama-3-8b", "--ctx", "8192", "--batch", "16")
    assert "8,192 tokens x 16 x 2 bytes = 16G" in out


def test_the_document_has_every_term_in_bytes(ask: Ask):
    answer = json.loads(ask("llama-2-7b", "--json", "--card", "24G")[0])
    assert answer["schema"] == 1
    assert answer["terms"]["weights"] == 2 * 6_738_415_616
    assert sum(answer["terms"].values()) == answer["needed"]
    assert (answer["cards"], answer["assumed"], answer["share"]) == (1, False, 0.68)
    assert answer["card"] == 24 << 30
    assert answer["lines"]


def test_quiet_is_the_bytes_alone(ask: Ask):
    out, err = ask("mine-13b", "--quiet")
    assert int(out) > 26 * 10**9
    assert err == ""


def test_what_is_worth_a_note_is_talk(ask: Ask):
    assert "note: 'mine-13b' is known by its size alone" in ask("mine-13b")[1]
    assert "the longest context of gpt2 is 1,024 tokens" in ask("gpt2", "--ctx", "2048")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gpt9",), "MODEL: no model 'gpt9' is known"),
        (("gpt2", "--ctx", "0"), "--ctx: 0 is too small"),
        (("gpt2", "--batch", "1000000000"), "--batch: 1,000,000,000 is out of range"),
        (("gpt2", "--dtype", "fp7"), "--dtype: 'fp7' is no type of weights"),
        (("gpt2", "--mode", "train"), "--mode: 'train' is no way to use a model"),
        (("gpt2", "--card", "1G"), "a card of 1G holds no model: CUDA alone takes 1G"),
        (("gpt2", "--card", "big"), "--card: 'big' is no size"),
    ],
)
def test_what_cannot_be_is_refused_in_words(words: tuple[str, ...], said: str):
    error = refused(*words)
    assert error.message == said
    assert error.hint
