"""How a point is told its parameters."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.arguments import check_folder, check_folders, folder, handed
from hpcshell.flow.reading import from_document
from hpcshell.flow.templates import Template
from tests.support.refusals import refusal

PARAMS = {"lr": 0.001, "model.depth": 2, "layers": [1, 2], "amp": True, "seed": None, "opt": "a b"}


def given_to(params: dict[str, Any] = PARAMS, **keys: Any) -> tuple[str, ...]:
    grid = {name: [value] for name, value in params.items()}
    spec = from_document({"command": "python3 train.py", "sweep": {"grid": grid}, **keys})
    return handed(spec, params, "/out/x", "S", "x").argv


def filled(text: str) -> str | None:
    return Template(text, PARAMS).fill(PARAMS)


# ------------------------------------------------------------------------------------- arguments


def test_parameters_are_words_as_hydra_reads_them_and_the_folder_is_the_last():
    assert given_to() == (
        "python3",
        "train.py",
        "lr=0.001",
        "model.depth=2",
        "layers=[1,2]",
        "amp=true",
        "seed=null",
        "opt=a b",
        "output.dir=/out/x",
    )


def test_without_a_key_no_folder_is_told():
    assert given_to(output_key=None)[-1] == given_to(output_key="")[-1] == "opt=a b"
    assert given_to(output_key="hydra.run.dir")[-1] == "hydra.run.dir=/out/x"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_reads_back_as_the_same(number: float):
    (word,) = given_to({"x": number}, output_key=None)[2:]
    assert float(word.removeprefix("x=")) == number


# ------------------------------------------------------------------------------------- templates


def test_a_command_with_placeholders_is_a_template_and_each_word_stays_one():
    words = given_to(
        command="run --lr {lr:.1e} -n {model.depth * 2} '{opt}' --to={output}/m {id} {{}}"
    )
    assert words == ("run", "--lr", "1.0e-03", "-n", "4", "a b", "--to=/out/x/m", "x", "{}")


def test_a_word_with_a_parameter_that_a_point_lacks_is_left_out_with_its_option():
    grid = {"opt": ["sgd", "adam"], "m": {"values": [0.9], "when": "opt == 'sgd'"}}
    command = "t --opt {opt} --m {m} --also={m} -v"
    spec = from_document({"command": command, "sweep": {"grid": grid}})
    argv = [
        handed(spec, params, "", "", "").argv for params in ({"opt": "sgd", "m": 1}, {"opt": "b"})
    ]
    assert argv[0] == ("t", "--opt", "sgd", "--m", "1", "--also=1", "-v")
    assert argv[1] == ("t", "--opt", "b", "-v")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{lr:.3g}", "0.001"),
        ("{model.depth:04d}", "0002"),
        ("{layers}", "[1,2]"),
        ("{opt:>5}", "  a b"),
        ("{'}'}{amp}", "}true"),
        ("{layers[1]:3}|", "  2|"),
        ("a{{b}}{model.depth != 2}", "a{b}false"),
    ],
)
def test_placeholders_are_filled(text: str, word: str):
    assert filled(text) == word


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{lr.__class__}", "no parameter"),
        ("{lr:1000000000}", "too wide"),
        ("{lr:.999999f}", "too wide"),
        ("{lr:{n}}", "a brace is not closed"),
        ("{lr!r}", "is no expression"),
        ("{", "a brace is not closed"),
        ("{}", "nothing between braces"),
        ("{lr:x}", "cannot be written as"),
        ("{depth}", "no parameter is called 'depth'"),
    ],
)
def test_templates_reach_nothing_but_parameters(text: str, what: str):
    error = refusal(filled, text)
    assert error is not None
    assert what in error.message


@given(st.text("{}:.lr0[]'\"x ", max_size=15))
def test_whatever_a_template_says_it_is_filled_or_refused(text: str):
    with suppress(Wrong):
        assert isinstance(filled(text), str)


# ------------------------------------------------------------------------- environment, document


def test_variables_are_upper_case():
    spec = from_document(
        {
            "command": "t",
            "passing": "environment",
            "environment": {"OMP_NUM_THREADS": 1},
            "sweep": {"grid": {"model.depth": [2], "2nd": [True]}},
        }
    )
    found = handed(spec, {"model.depth": 2, "2nd": True}, "/out", "S", "x")
    assert found.argv == ("t",)
    assert found.env == {"OMP_NUM_THREADS": "1", "MODEL_DEPTH": "2", "_2ND": "true"}


@pytest.mark.parametrize("names", [("a.b", "a_b"), ("path",), ("ld_preload",), ("hpc_sweep_id",)])
def test_variables_that_collide_or_that_programs_need_are_refused(names: tuple[str, ...]):
    document = {"passing": "environment", "sweep": {"grid": {name: [1] for name in names}}}
    error = refusal(from_document, {"command": "t", **document})
    assert error is not None
    assert "variable" in error.message


def test_a_document_is_told_by_its_path():
    spec = from_document({"command": "t", "passing": "json", "sweep": {"grid": {"a": [1]}}})
    found = handed(spec, {"a": 1}, "/out", "S", "x")
    assert (found.argv, found.document) == (("t", "/out/params.json"), {"a": 1})
    assert given_to(command="t --c={params} v", passing="json") == (
        "t",
        "--c=/out/x/params.json",
        "v",
    )


# --------------------------------------------------------------------------------------- folders


def folder_of(output: str, params: dict[str, Any]) -> str:
    grid = {name: [value] for name, value in params.items()}
    spec = from_document({"command": "t", "output": output, "sweep": {"grid": grid}})
    return folder(spec, params, "S", "0123")


def test_a_folder_is_called_by_the_id_or_the_template():
    assert folder_of("", {"a": 1}) == "0123"
    assert folder_of("a={a:02d},{id}", {"a": 1}) == "a=01,0123"


@pytest.mark.parametrize("value", ["a/b", "..", "", ".hidden", "x\ny", "x" * 300])
def test_a_folder_leads_nowhere_else(value: str):
    with pytest.raises(Wrong, match="output"):
        folder_of("{a}", {"a": value})


@given(st.text(max_size=8))
def test_a_name_of_a_folder_is_one_step_down(name: str):
    try:
        check_folder(name)
    except Wrong:
        return
    assert name not in ("", ".", "..")
    assert not {"/", "\0"} & set(name)


def test_two_points_do_not_share_a_folder():
    check_folders(["a", "b"])
    with pytest.raises(Wrong, match="share the folder 'A'"):
        check_folders(["a", "b", "A"])
