"""From the model that a job runs to the GPUs that it asks for."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.options.build import Built, build
from hpcshell.core.options.parse import parse_flags
from hpcshell.core.options.place import Sized
from hpcshell.core.options.read import Place
from hpcshell.core.options.row import Setting
from hpcshell.core.options.sizing import named_in
from hpcshell.core.options.spec import BuiltSpec, build_spec
from hpcshell.core.records import ModelAsk
from tests.support.refusals import refusal


def three(ask: ModelAsk, whole: bool) -> Sized:
    """Every model needs three GPUs, but one called `nothing`."""
    if ask.name == "nothing":
        return Sized(ask=ask, notes=("nothing is known of nothing",))
    filled = replace(ask, dtype=ask.dtype or "bf16", cards=3, predicted=7)
    return Sized(ask=filled, gpus=300, told=f"{ask.name} needs 3", lines=("a", "b"))


PLACE = Place(now=0.0, offset=lambda unix: 0.0, cwd="/work", env={}, sizer=three)


def built(flags: str, *argv: str, place: Place = PLACE) -> Built:
    return build([parse_flags(flags.split(), "hpc").settings], place, ("job", *argv))


def for_a_cluster(flags: str, *argv: str) -> BuiltSpec:
    settings = parse_flags(flags.split(), "hpc").settings
    return build_spec([settings], PLACE, ("job", *argv), dialect="sbatch")


# ------------------------------------------------------------------------ what follows from it


def test_a_model_asks_for_the_gpus_that_it_needs():
    found = built("--model big --mode lora --ctx 9 --batch 2 --dtype bfloat16")
    assert found.submission.request.gpus == 3
    assert found.submission.model == ModelAsk(
        name="big", mode="lora", dtype="bf16", ctx=9, batch=2, cards=3, predicted=7
    )
    assert found.sizing == ("big needs 3", "a", "b")
    assert "3 GPUs" in found.meaning
    assert found.notes == ()


def test_the_directive_of_our_own_dialect_says_the_same():
    from hpcshell.core.options.parse import directives

    script = b"#!/bin/sh\n#HPC --model big --mode full\n"
    found = build(directives(script, "job.sh").layers, PLACE, ("job.sh",), script=script)
    assert found.submission.request.gpus == 3
    assert found.submission.model is not None
    assert found.submission.model.mode == "full"


@pytest.mark.parametrize("flags", ["--gpus 1", "--gpus 0.5", "--gpus 0", "--gres gpu:2"])
def test_gpus_that_are_asked_for_stand_and_the_formula_is_only_told(flags: str):
    with_it, without = built(f"{flags} --model big"), built(flags)
    assert with_it.submission.request == without.submission.request
    assert with_it.notes == ("GPUs are asked for, and that stands; by its model, big needs 3",)
    assert with_it.sizing == ()
    assert with_it.submission.model is not None


def test_on_a_cluster_it_asks_for_whole_gpus_of_the_job():
    found = for_a_cluster("--model big --nodes 2")
    assert found.spec.layout.gpus == 3
    assert found.spec.submission.request.gpus == 3
    assert found.sizing == ("big needs 3", "a", "b")


def test_gpus_in_the_words_of_the_site_stand_as_well():
    own = Setting(option="gpus", text="--gpus=odd:1", origin="job.sh line 2", native=True)
    settings = [own, *parse_flags(["--model", "big"], "hpc").settings]
    found = build_spec([settings], PLACE, ("job",), dialect="sbatch")
    assert found.spec.layout.gpus == 0
    assert found.spec.native == ("--gpus=odd:1",)
    assert "GPUs are asked for, and that stands; by its model, big needs 3" in found.notes


def test_the_sizer_is_told_where_only_whole_gpus_can_be_had():
    asked: list[bool] = []

    def sizer(ask: ModelAsk, whole: bool) -> Sized:
        asked.append(whole)
        return three(ask, whole)

    place = replace(PLACE, sizer=sizer)
    settings = parse_flags(["--model", "big"], "hpc").settings
    build([settings], place, ("job",))
    build_spec([settings], place, ("job",), dialect="pbs")
    assert asked == [False, True]


def test_without_anybody_who_knows_models_what_is_said_is_kept():
    found = built("--model big", "--llm", "other", place=replace(PLACE, sizer=None))
    assert found.submission.model == ModelAsk(name="big")
    assert found.submission.request == built("").submission.request


@pytest.mark.parametrize("flag", ["--mode lora", "--dtype fp8", "--ctx 9", "--batch 9"])
def test_to_say_how_and_not_which_is_worth_a_note(flag: str):
    found = built(flag)
    assert found.notes == (f"{flag.split()[0]} says how a model is used, and --model names none",)
    assert found.submission == built("").submission


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model big --ctx 0", "--ctx: 0 is too small"),
        ("--model big --batch -3", "--batch: -3 is too small"),
        ("--model big --batch 10000000000", "--batch: 10000000000 is too large"),
        ("--model big --dtype bf17", "--dtype: 'bf17' is no type of weights"),
        ("--model big --mode infre", "--mode: 'infre' is no way to use a model"),
    ],
)
def test_what_cannot_be_meant(flags: str, message: str):
    error = refusal(built, flags)
    assert error is not None
    assert error.message == message
    assert error.hint


# -------------------------------------------------------------------- seen in the command line


def test_a_model_in_the_command_is_sized_as_one_that_is_named():
    found = built("", "--llm", "big")
    assert found.submission.request.gpus == 3
    assert found.submission.model == ModelAsk(
        name="big", seen=True, dtype="bf16", cards=3, predicted=7
    )


def test_what_is_named_to_the_scheduler_comes_before_the_command():
    found = built("--model small", "--llm", "big")
    assert found.submission.model is not None
    assert (found.submission.model.name, found.submission.model.seen) == ("small", False)


def test_one_in_the_command_that_nothing_is_known_of_asks_for_nothing_and_that_is_said():
    found = built("", "--llm", "nothing")
    assert found.submission.request == built("").submission.request
    assert found.submission.model is None
    assert found.notes == ("nothing is known of nothing",)


@pytest.mark.parametrize("words", [["--llm"], ["--llm", ""], ["--llm="], ["--llm", "--x"]])
def test_an_option_that_names_no_model_asks_for_nothing_and_that_is_said(words: list[str]):
    found = built("", *words)
    assert found.submission.request == built("").submission.request
    assert found.notes == ("--llm names no model, so no GPUs are asked for by one",)
    assert built("--gpus 1", *words).notes == ()
    assert built("--model big", *words).notes == ()


def test_on_a_cluster_the_command_is_looked_at_as_well():
    assert for_a_cluster("", "--llm=big").spec.layout.gpus == 3


names = st.text(min_size=1, max_size=20).filter(lambda name: name.strip() and name[0] != "-")
other_words = st.lists(st.text(max_size=10).filter(lambda word: "--llm" not in word), max_size=4)


@given(other_words, names, other_words, st.booleans())
def test_a_name_is_found_wherever_it_stands(before, name, after, joined):
    option = [f"--llm={name}"] if joined else ["--llm", name]
    assert named_in([*before, *option, *after]) == name


@given(names, st.booleans())
def test_a_name_is_found_in_a_line_for_a_shell_whatever_it_is_quoted_like(name, joined):
    option = [f"--llm={name}"] if joined else ["--llm", name]
    line = shlex.join(["python", "train.py", *option, "--epochs", "3"])
    assert named_in(["bash", "-c", line]) == name


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_command_can_be_looked_at(words):
    assert isinstance(named_in(words), str)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("train.py", ""),
        ("train.py --llm", ""),
        ("train.py --llm --mode test", ""),
        ("train.py --llm=", ""),
        ("train.py --llms big --my-llm big --model big", ""),
        ("train.py --llm qwen2.5-7b-inst --mode test", "qwen2.5-7b-inst"),
        ("train.py --llm small --llm big", "big"),
    ],
)
def test_only_the_option_itself_names_a_model(command: str, name: str):
    assert named_in(command.split()) == name


def test_a_line_with_an_open_quote_names_nothing():
    assert named_in(["sh", "-c", "python x.py --llm 'big"]) == ""
