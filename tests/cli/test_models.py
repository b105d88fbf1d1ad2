"""Jobs that say which model they run: what they ask for, what is said of it, what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcshell.predict.models.formula import estimate
from hpcshell.predict.models.names import MODELS
from tests.cli.conftest import Cli


@pytest.fixture
def cli(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """On a machine of two GPUs of which nothing more is known."""
    monkeypatch.setenv("HPC_RESOURCES__GPUS", "2")
    return cli


def job(cli: Cli, *words: str) -> dict[str, object]:
    number = cli("submit", "--quiet", *words, check=True).out.strip()
    document: dict[str, object] = cli("show", number, "--json", check=True).json
    return document


def test_a_model_is_sized_and_that_is_said_and_kept(cli: Cli):
    said = cli("submit", "--model", "qwen2.5-7b-instruct", "--", "true", check=True)
    assert "model: qwen2.5-7b (infer, bf16, 4,096 tokens x 1) needs 15.9G" in said.err
    assert "0.2 GPUs" in said.err
    assert "parameters x" not in said.err
    document = cli("show", "@", "--json", check=True).json
    assert document["gpus"] == 0.2
    assert document["model"] == {
        "name": "qwen2.5-7b-instruct",
        "mode": "infer",
        "dtype": "bf16",
        "ctx": 4096,
        "batch": 1,
        "seen": False,
        "family": "qwen2.5",
        "predicted": estimate(MODELS["qwen2.5-7b"]).needed,
        "cards": 1,
    }
    shown = cli("show", "@", check=True).out
    assert "qwen2.5-7b-instruct (infer, bf16, 4,096 tokens x 1)" in shown
    assert "7.62 G parameters x 2 bytes (bf16) = 14.2G" in shown


def test_a_dry_run_shows_all_of_the_arithmetic(cli: Cli):
    said = cli("submit", "--dry-run", "--model", "llama-3-70b", "--", "true", check=True)
    assert "70.6 G parameters x 2 bytes (bf16) = 131G" in said.err
    assert "2 whole cards of 80G (assumed)" in said.err
    answer = cli("submit", "--dry-run", "--json", "--model", "gpt2", "--", "true", check=True)
    assert answer.json["sizing"][0].startswith("gpt2 (infer, fp32, 1,024 tokens x 1) needs")


def test_one_that_is_too_large_is_refused_with_the_reason_before_it(cli: Cli):
    said = cli("submit", "--model", "llama-3-70b", "--mode", "full", "--", "true")
    assert said.code == 2
    assert "14 whole cards of 80G (assumed)" in said.err
    assert "asks for 14 gpus; this machine has 2" in said.err


def test_gpus_that_are_asked_for_stand(cli: Cli):
    said = cli("submit", "--gpus", "1", "--model", "gpt2", "--", "true", check=True)
    assert "note: GPUs are asked for, and that stands; by its model, gpt2" in said.err
    assert cli("show", "@", "--json", check=True).json["gpus"] == 1


def test_a_model_in_the_command_line_is_sized_every_time_anew(cli: Cli):
    plain = job(cli, "--", "true")
    first = job(cli, "--", "true", "--llm", "qwen2.5-7b-inst")
    second = job(cli, "--", "true", "--llm", "qwen2.5-14b-inst")
    third = job(cli, "--", "true")
    assert [each["gpus"] for each in (plain, first, second, third)] == [0, 0.2, 0.38, 0]
    assert third["model"] is None
    assert "qwen2.5-7b-inst (infer, bf16, 4,096 tokens x 1), from --llm" in (
        cli("show", str(first["id"]), check=True).out
    )


def test_where_there_are_no_gpus_the_command_line_asks_for_none(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HPC_RESOURCES__GPUS", "0")
    said = cli("submit", "--", "true", "--llm", "gpt2", check=True)
    assert "note: no GPUs are asked for by --llm: this machine has none" in said.err


def test_the_sites_table_comes_before_the_formula(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = tmp_path / "llm_config.json"
    monkeypatch.setenv("HPC_BOX__LLM_CONFIG", str(table))
    said = cli("submit", "--model", "gpt2", "--", "true", check=True)
    assert "note: box.llm_config: there is no file" in said.err
    table.write_text('{"models": {"qwen2.5-7b-inst": 0.75}}')
    said = cli("submit", "--", "true", "--llm", "Qwen/Qwen2.5-7B-Instruct", check=True)
    assert "gets 0.75 GPUs by the site's table, for this model" in said.err
    document = cli("show", "@", "--json", check=True).json
    assert (document["gpus"], document["model"]["predicted"]) == (0.75, 0)
    assert "Memory of GPUs" not in cli("show", "@", check=True).out
    for gpus in (0.5, 0.25):  # a program that submits the same twice has it sized twice
        table.write_text(f'{{"models": {{"gpt2": {gpus}}}}}')
        cli("submit", "--model", "gpt2", "--", "true", check=True)
        assert cli("show", "@", "--json", check=True).json["gpus"] == gpus
    table.write_text('{"models": {"gpt2": 65}}')
    said = cli("submit", "--model", "gpt2", "--", "true")
    assert said.code == 2
    assert "llm_config.json: models.'gpt2': 65 GPUs cannot be given" in said.err


def test_an_unknown_model_is_refused_with_near_names(cli: Cli):
    said = cli("submit", "--model", "whisper-larg", "--", "true")
    assert said.code == 2
    assert "did you mean whisper-large" in said.err
