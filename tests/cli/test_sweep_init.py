"""`hpc sweep init`: a project is looked at, and nothing of it is run."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.expand import points
from hpcshell.flow.reading import read
from hpcshell.sweeps.arguments import Argument, Interface, read_python
from hpcshell.sweeps.candidates import Candidate
from hpcshell.sweeps.starting import first_spec
from tests.cli.conftest import Cli

ARGPARSE = """
import argparse
open("it was run", "w")
parser = argparse.ArgumentParser()
parser.add_argument("--lr", "-l", type=float, default=1e-5, help="learning rate: how fast")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--opt", choices=["sgd", "adam"], default="sgd")
parser.add_argument("--amp", action="store_true")
parser.add_argument("--sizes", nargs="+", default=[1, 2])
parser.add_argument("--out")
"""
CLICK = """
import click
@click.command()
@click.option("--lr", default=0.1)
@click.option("--fast/--slow", default=True)
@click.argument("data")
def main(lr, fast, data): pass
"""
ABSL = """
from absl import app, flags
flags.DEFINE_float("lr", 0.1, "Learning rate")
flags.DEFINE_bool("amp", False, "Mixed precision")
app.run(main)
"""
TYPER = """
import typer
app = typer.Typer()
@app.command()
def main(lr: float = typer.Option(0.1), epochs: int = 3, quick: bool = False): pass
"""
FIRE = """
import fire
def train(lr=0.1, name="a"): pass
fire.Fire(train)
"""


@pytest.fixture
def project(cli: Cli, tmp_path: Path):
    """`sweep init` in a project of these files."""

    def init(files: Mapping[str, str | bytes], *words: str):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return cli("sweep", "init", *words)

    return init


def spec() -> dict:
    document: dict = yaml.safe_load(Path("sweep.yaml").read_text())
    return document


def scripts_found(project, files: Mapping[str, str | bytes]) -> list[str]:
    out: str = project({**files, "train.py": "", "main.py": ""}, "--quiet").out
    return out.split("\n")[:-1]


def test_one_script_is_taken_with_its_arguments_and_their_defaults(project, tmp_path):
    said = project({"src/go.py": ARGPARSE, "README.md": "", "lib.py": "x = 1"})
    assert said.code == 0, said
    assert "script: src/go.py (reads its arguments with argparse)" in said.err
    assert spec()["command"] == "python3 src/go.py --lr {lr} --batch-size {batch_size} --opt {opt}"
    assert spec()["sweep"] == {"grid": {"lr": [1e-5], "batch_size": [32], "opt": ["sgd"]}}
    text = Path("sweep.yaml").read_text()
    for left_out in ("# --amp: a switch", "# --sizes: a switch or a list", "# --out: no default"):
        assert left_out in text
    assert not (tmp_path / "it was run").exists()


@pytest.mark.parametrize(
    ("text", "sign", "command", "grid"),
    [
        (CLICK, "click", "{lr} {data}", {"lr": [0.1], "data": ["FILL-IN"]}),
        (ABSL, "absl", "--lr {lr}", {"lr": [0.1]}),
        (TYPER, "typer", "--lr {lr} --epochs {epochs}", {"lr": [0.1], "epochs": [3]}),
        (FIRE, "fire", "--lr {lr} --name {name}", {"lr": [0.1], "name": ["a"]}),
    ],
)
def test_arguments_are_found_however_they_are_declared(project, text, sign, command, grid):
    assert sign in project({"go.py": text}).err
    assert spec()["command"].endswith(command)
    assert spec()["sweep"]["grid"] == grid


def test_hydra_is_given_the_keys_of_its_configuration(project):
    script = "import hydra\n@hydra.main(config_path='conf', config_name='config')\ndef f(c): pass\n"
    config = "defaults: [x]\nlr: 0.1\nmodel: {depth: 3, name: '${x}', of: '???'}\nseed: 3\n"
    assert project({"a/go.py": script, "a/conf/config.yaml": config}).code == 0
    assert spec()["output_key"] == "hydra.run.dir"
    assert spec()["sweep"]["grid"] == {"seed": [3]}
    shown = [line.strip() for line in Path("sweep.yaml").read_text().splitlines()]
    assert [line for line in shown if "lr: [0.1]" in line or "depth" in line] == [
        "# lr: [0.1]",
        "# model.depth: [3]",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("go.py", "if __name__ == '__main__': pass"),
        ("go.py", "import sys; print(sys.argv[1])"),
        ("run_it.sh", "echo"),
        ("go.sh", "echo $1"),
        ("go.jl", "println(ARGS)"),
        ("go.R", "commandArgs()"),
    ],
)
def test_of_other_scripts_nobody_knows_what_they_take(project, name, text):
    assert project({name: text}).code == 0
    assert spec()["command"].split()[1] == name
    assert (spec()["passing"], spec()["sweep"]["grid"]) == ("environment", {"seed": [0]})


def test_of_several_scripts_none_is_chosen_silently(project, cli):
    said = project({"train.py": ARGPARSE, "eval.py": "import sys\nsys.argv"})
    assert said.code == 2
    assert [line.split()[0] for line in said.out.splitlines()] == ["SCRIPT", "train.py", "eval.py"]
    assert "argparse" in said.out
    assert said.err.endswith("hint: choose one: hpc sweep init --script train.py\n")
    assert not Path("sweep.yaml").exists()
    assert cli("sweep", "init", "--script", "eval.py").code == 0
    assert spec()["command"] == "python3 eval.py"


def test_without_a_script_there_is_a_template_that_says_nothing_by_itself(project):
    said = project({"notes.txt": "", "lib.py": "x = 1"})
    assert said.code == 0
    assert "no script was found" in said.err
    assert spec() is None


def test_what_is_there_is_replaced_only_where_that_is_said(project, cli):
    said = project({"sweep.yaml": "mine", "train.py": ""})
    assert (said.code, Path("sweep.yaml").read_text()) == (4, "mine")
    assert "--force" in said.err
    assert cli("sweep", "init", "--force").code == 0
    assert spec()["command"] == "python3 train.py"
    assert sorted(os.listdir(".")) == ["sweep.yaml", "train.py"]


def test_a_file_that_is_taken_no_more_is_mentioned(project):
    said = project({"sweeps/sweep.yaml": "x: 1", "train.py": ""})
    assert "note: sweeps/sweep.yaml is there, too" in said.err


def test_a_dry_run_shows_what_would_be_written(project):
    said = project({"train.py": ""}, "--dry-run")
    assert yaml.safe_load(said.out)["command"] == "python3 train.py"
    assert not Path("sweep.yaml").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere"], 3, "there is no directory 'nowhere'"),
        (["--script", "trian.py"], 3, "did you mean train.py?"),
        (["--script", "../other.py"], 2, "is not in the project"),
    ],
)
def test_what_is_misspelt_is_told(project, tmp_path, words, code, told):
    (tmp_path.parent / "other.py").touch()
    said = project({"train.py": ""}, *words)
    assert said.code == code
    assert told in said.err


@pytest.mark.parametrize("folder", ["venv", "tests", ".git", "node_modules", "a/__pycache__"])
def test_what_is_no_part_of_the_project_is_passed_by(project, folder):
    assert scripts_found(project, {f"{folder}/train.py": "", "run.py": ""}) == [
        "main.py",
        "run.py",
        "train.py",
    ]


def test_an_environment_is_known_whatever_it_is_called(project):
    files = {"my-python/pyvenv.cfg": "", "my-python/lib/train.py": ""}
    assert scripts_found(project, files) == ["main.py", "train.py"]


def test_a_hostile_project_is_survived(project, tmp_path):
    os.symlink(tmp_path, tmp_path / "loop")
    os.symlink("nowhere", tmp_path / "train_gone.py")
    os.mkfifo(tmp_path / "train_pipe.py")
    os.mkdir(tmp_path / "train_folder.py")
    (tmp_path / "locked").mkdir(mode=0)
    files: dict[str, str | bytes] = {
        "train_binary.py": b"\x7fELF\0\0",
        "train_huge.py": b"#" * (2 << 20),
        "deep.py": "(" * 100_000,
        "old.py": "print 'sys.argv'",
        "odd_\udcff.py".encode(errors="surrogateescape").decode("latin-1"): "",
        "run a b.py": "",
        "train_\x1b[2J.py": "",
    }
    assert scripts_found(project, files) == ["main.py", "run a b.py", "train.py"]


def test_of_a_large_project_what_is_near_its_top_is_looked_at(project, tmp_path, monkeypatch):
    monkeypatch.setattr("hpcshell.sweeps.candidates.ENTRIES", 50)
    (tmp_path / "many").mkdir()
    for number in range(100):
        (tmp_path / "many" / f"train{number}.py").touch()
    said = project({"train.py": ""}, "--quiet", "--json")
    assert said.code == 2
    assert said.json["candidates"][0]["script"] == "train.py"
    assert len(said.json["candidates"]) < 52


def test_a_name_that_a_shell_would_read_is_quoted(project):
    name = "train $(touch pwned) {x}'.py"
    project({name: ""})
    printed = subprocess.run(
        ["sh", "-c", "set -- " + spec()["command"] + '; printf %s "$2"'],
        capture_output=True,
        check=True,
        text=True,
    )
    assert printed.stdout == name
    assert not Path("pwned").exists()


values = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())


names = st.sampled_from(["lr", "yes", "null", "n1", "lambda", "range", "values", "when", "output"])


@given(st.dictionaries(names, values, min_size=1), st.sampled_from(["flags", "keys", "none"]))
def test_what_is_written_can_be_read_and_says_each_default_as_what_it_is(defaults, style):
    arguments = tuple(
        Argument(name=name, flag=f"--{name}", default=value, help="a: b # c\n{d}")
        for name, value in defaults.items()
    )
    interface = Interface(style=style, arguments=arguments)
    text = first_spec(Candidate(path="go {x}.py", why=(), interface=interface))
    (point,) = points(read(text))
    assert point == {name: defaults.get(name, 0) for name in point}


@given(st.text())
def test_any_text_is_read_without_a_complaint(text):
    assert isinstance(read_python(text, "."), Interface)
