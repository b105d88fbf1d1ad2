"""A sweep's file: what it says, and what it cannot."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from json import dumps
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import HpcError
from hpcshell.flow.arguments import folder, handed
from hpcshell.flow.expand import exact, most, points
from hpcshell.flow.identity import point_id, salt
from hpcshell.flow.reading import from_document, read
from hpcshell.flow.spec import Care, Dist, EarlyStop, Snapshot, Spec
from tests.flow.documents import documents
from tests.support.refusals import refusal

WHOLE = """\
name: lr-study
command: python3 train.py
sweep:
  parameters: {epochs: 10}
  grid: {lr: [0.1, 1e-2], model: {depth: [2, 4]}, opt: [sgd, adam],
         momentum: {values: [0.9, 0.99], when: "opt == 'sgd'"}}
  paired: [{sizes: {width: [1, 2], heads: [2, 4]}}]
  random: {samples: 2, seed: 7, parameters: {decay: {loguniform: [1e-5, 1e-1]}}}
  exclude: ["lr > 0.05 and width > 1", {lr: 0.1, opt: [adam]}]
metric: loss
resources: {cpus: 2, memory: 4G, time_limit: 1h, gpus: 0.5}
max_failures: 10
same_error: 3
throttle: 8
priority: 400
retries: 2
retry_on: [OUT_OF_MEMORY, TIMEOUT]
retry_grow: {memory: 2}
snapshot: {exclude: ["*.log"], link: [data]}
environment: {OMP_NUM_THREADS: 1}
"""
SEARCH = """\
command: python3 train.py --lr {lr} --layers {layers}
search:
  method: tpe
  metric: loss
  trials: 50
  parameters: {lr: {loguniform: [1e-5, 1]}, layers: {int: [1, 5]}, opt: {choice: [a, b]}}
  early_stop: {method: asha, resource: step, min: 1, max: 27, reduction: 3}
"""
TEXTS = (WHOLE, SEARCH)


def said(text: str) -> str:
    error = refusal(read, text, "sweep.yaml")
    assert error is not None, "it was read"
    return error.message


def block(text: str) -> str:
    return f"command: t\nsweep:\n{text}"


# ---------------------------------------------------------------------------------------- laws


@given(documents)
def test_a_document_is_the_same_in_python_in_yaml_and_in_json(document: dict[str, Any]):
    spec = from_document(document)
    assert read(dumps(document)) == spec
    assert read(dumps(document, indent="\t")) == spec


@given(st.text() | st.text("{}[]:,-#&*!|>'\"%@` \n\ta0.~", max_size=40))
def test_whatever_the_text_it_is_read_or_refused(text: str):
    with suppress(HpcError):
        read(text)


_WORDS = (
    "null [] {} -1 1e400 .nan ' \" { } [ ] : , &a *a !!str 0 1e-3 true when values range a.b .. / é"
    " 9**9**9 {lr.__class__} 2020-01-01 << --- | ((((( ~"
)
_TOKENS = st.sampled_from([*_WORDS.split(), "\t", "\n", "  ", "\0", "x" * 300])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A right text, with some of its words replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        word = draw(st.sampled_from(list(re.finditer(r"[\w.]+|[{}\[\]:,]|\n", text))))
        text = text[: word.start()] + draw(_TOKENS) + text[word.end() :]
    return text


@given(mutated())
def test_a_text_with_slips_is_read_and_used_or_refused_in_a_line(text: str):
    error = refusal(_use, text)
    assert error is None or error.message.startswith("sweep.yaml:") or "cannot" in error.message


def _use(text: str) -> None:
    spec = read(text, "sweep.yaml")
    assert most(spec) >= 0
    exact(spec)
    for params in islice(points(spec), 20):
        point = point_id(params, salt(spec, ""))
        handed(spec, params, "/out", "S", point)
        folder(spec, params, "S", point)


# --------------------------------------------------------------------------------------- cases


def test_a_whole_file_is_understood():
    spec = read(WHOLE)
    assert (spec.name, spec.command, spec.passing) == (
        "lr-study",
        ("python3", "train.py"),
        "arguments",
    )
    assert spec.options == {"cpus": 2, "memory": "4G", "time_limit": "1h", "gpus": 0.5}
    assert spec.care == Care(
        max_failures=10,
        same_error=3,
        throttle=8,
        priority=400,
        retries=2,
        retry_on=("OUT_OF_MEMORY", "TIMEOUT"),
        retry_grow={"memory": 2.0},
    )
    assert spec.snapshot == Snapshot(exclude=("*.log",), link=("data",))
    assert spec.environment == {"OMP_NUM_THREADS": "1"}
    assert (spec.metric, spec.direction, spec.notes) == ("loss", "minimize", ())
    assert most(spec) == 64
    assert sum(1 for _ in points(spec)) == 32


def test_a_search_is_understood():
    search = read(SEARCH).search
    assert search is not None
    assert (search.method, search.metrics, search.directions) == ("tpe", ("loss",), ("minimize",))
    assert search.parameters["layers"] == Dist(kind="int", low=1, high=5)
    assert search.early_stop == EarlyStop(most=27)


def test_two_lines_are_a_whole_file():
    spec = read("command: python3 train.py\nsweep: {grid: {seed: [1, 2, 3]}}")
    assert [dict(point) for point in points(spec)] == [{"seed": 1}, {"seed": 2}, {"seed": 3}]


def test_a_grid_at_the_top_metadata_and_hydras_defaults_are_accepted():
    spec = read(
        "script: train.py\nstrategy: grid\nparameters: {lr: {values: [1, 2]}, seed: [3]}\n"
        "metadata: {description: why, tags: [a, b]}\ndefaults: [base]"
    )
    assert spec.command == ("python3", "train.py")
    assert (spec.description, spec.tags) == ("why", ("a", "b"))
    assert list(points(spec)) == [{"lr": 1, "seed": 3}, {"lr": 2, "seed": 3}]
    assert any("defaults" in note for note in spec.notes)


def test_resources_are_ours_or_anothers_words():
    text = "command: t\nsweep: {grid: {a: [1]}}\nresources: select=2:ncpus=8:mem=32gb"
    assert read(text).resources == "select=2:ncpus=8:mem=32gb"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "python3 train.py --lr {lr:.3g} {lr * 2}",
            ("python3", "train.py", "--lr", "{lr:.3g}", "{lr * 2}"),
        ),
        ("t 'a {lr} b' c\\ d {{x y}}", ("t", "a {lr} b", "c d", "{{x", "y}}")),
        (["t", "a b"], ("t", "a b")),
    ],
)
def test_a_command_is_parted_as_a_shell_does_but_not_within_braces(
    command: Any, words: tuple[str, ...]
):
    spec = from_document({"command": command, "sweep": {"grid": {"lr": [1]}}})
    assert spec.command == words
    assert spec.passing == ("template" if "lr" in str(command) else "arguments")


def test_with_passing_said_braces_are_as_they_are():
    document = {"command": ["t", "{x}"], "passing": "arguments", "sweep": {"grid": {"lr": [1]}}}
    spec = from_document(document)
    assert handed(spec, {"lr": 1}, "/o", "S", "x").argv[:2] == ("t", "{x}")


def test_a_template_that_leaves_out_a_parameter_is_noted():
    spec = read("command: t {a}\nsweep: {grid: {a: [1], b: [2]}}")
    assert spec.notes == ("the command does not mention b",)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "sweep.yaml:1: no sweep in it"),
        ("[1]", "no sweep in it"),
        ("command: t", "nothing says which points run"),
        ("sweep: {grid: {a: [1]}}", "nothing says what runs"),
        ("comand: t", "sweep.yaml:1: 'comand' is no key"),
        ("command: t\ngrid: {a: [1]}", "sweep.yaml:2: grid stands below sweep"),
        ("command: t\nscript: b\nsweep: {grid: {a: [1]}}", "both command and script"),
        ("command: ''\nsweep: {grid: {a: [1]}}", "the command is empty"),
        ('command: "t \'x"\nsweep: {grid: {a: [1]}}', "is no command"),
        (block("  gird: {a: [1]}"), "sweep.yaml:3: 'gird' is no key of sweep"),
        (block("  grid: {}"), "sweep.yaml:3: sweep.grid is empty"),
        (block("  grid: [1]"), "sweep.grid is a list, not a mapping"),
        (block("  grid:\n    a: []"), "sweep.yaml:4: sweep.grid.a has no values"),
        (block("  {}"), "is empty"),
        (block("  paired: [{a: [1, 2], b: [1, 2, 3]}]"), "a has 2 and b has 3"),
        (block("  paired: [{g: {a: [1, 2], b: [1]}}]"), "a has 2 and b has 1"),
        (block("  paired: [{}]"), "a group that is empty"),
        (block("  paired: [{g: {a: [1], b: [1]}, h: {c: [1], d: [2]}}]"), "several groups"),
        (block("  paired: [{g: {a: [1], b: [1]}, when: c}]"), "a condition stands beside"),
        (block("  list: []"), "sweep.list is empty"),
        (block("  grid: {a: [1], a.b: [2], a: [3]}"), "'a' is given twice"),
        (block("  grid: {m: {d: [1]}, m.d: [2]}"), "'m.d' is given twice"),
        (block("  parameters: {a: 1}\n  grid: {a: [2]}"), "'a' is given twice in one block"),
        (block("  parameters: {a: {values: [1, 2]}}"), "where constants stand"),
        (block("  grid: {a: [1]}\n  exclude: [b > 1]"), "sweep.yaml:4: 'b > 1': no parameter"),
        (block("  grid: {a: [1]}\n  exclude: [{b: 1}]"), "no parameter is called 'b'"),
        (block("  grid: {a: {values: [1], when: b}}"), "no parameter is called 'b'"),
        (block("  grid: {a: {values: [1], when: a > 1}}"), "is about itself"),
        (
            block("  grid: {a: {values: [1], when: b}, b: {values: [1], when: a}}"),
            "is about itself, or what comes after it",
        ),
        (block("  random: {samples: 2}"), "takes samples and parameters"),
        (block("  random: {samples: 0, parameters: {a: [1]}}"), "no whole number of at least 1"),
        (block("  random: {samples: 2, parameters: {a: {unifrom: [0, 1]}}}"), "'unifrom'"),
        (block("  grid: {a: {lnispace: [0, 1, 3]}}"), "does not say the values of 'a'"),
        (block("  random: {samples: 2, parameters: {a: {uniform: [1, 0]}}}"), "low is above high"),
        (block("  random: {samples: 2, parameters: {a: {loguniform: [0, 1]}}}"), "above 0"),
        (block("  random: {samples: 2, parameters: {a: {int: [0.5, 1]}}}"), "whole numbers"),
        (
            block(
                "  random: {samples: 2, parameters: {a: {choice: {values: [1], weights: [1, 2]}}}}"
            ),
            "1 values and 2 weights",
        ),
        (
            "command: t {b}\nsweep: {grid: {a: [1]}}",
            "sweep.yaml:1: 'b': no parameter is called 'b'",
        ),
        ("command: t {a\nsweep: {grid: {a: [1]}}", "a brace is not closed"),
        ("command: t {id}\nsweep: {grid: {id: [1]}}", "is called as a placeholder"),
        ("name: a/b\ncommand: t\nsweep: {grid: {a: [1]}}", "cannot be a folder's"),
        ("output: '{x}'\ncommand: t\nsweep: {grid: {a: [1]}}", "sweep.yaml:1: 'x': no parameter"),
        ("output: a/b\ncommand: t\nsweep: {grid: {a: [1]}}", "is no name of a folder"),
        ("output_key: a\ncommand: t\nsweep: {grid: {a: [1]}}", "and tells the folder, too"),
        ("passing: args\ncommand: t\nsweep: {grid: {a: [1]}}", "'args' is none of"),
        (
            "command: t\nsweep: {grid: {a: [1]}}\nresources: {cpu: 2}",
            "sweep.yaml:3: 'cpu' is no option",
        ),
        ("command: t\nsweep: {grid: {a: [1]}}\nresources: {array: 2}", "is not set per job"),
        ("command: t\nsweep: {grid: {a: [1]}}\nthrottle: 0", "no whole number of at least 1"),
        ("command: t\nsweep: {grid: {a: [1]}}\nsnapshot: 3", "is a number, not true or false"),
        ("command: t\nsweep: {grid: {a: [1]}}\nenvironment: {a-b: 1}", "is no variable"),
        ("command: t\nsweep: {grid: {a: [1]}}\nsearch: {}", "both sweep and search"),
        ("command: t\nsearch: {parameters: {a: [1]}}", "nothing says what the search looks at"),
        ("command: t\nsearch: {metric: l}", "has no parameters"),
        ("command: t\nsearch: {metric: l, method: tp, parameters: {a: [1]}}", "'tp' is none of"),
        ("strategy: random\ncommand: t\nparameters: {a: [1]}", "'random' is none of grid"),
    ],
)
def test_what_is_wrong_is_said_by_its_line(text: str, what: str):
    message = said(text)
    assert re.match(r"sweep\.yaml:\d+: ", message)
    assert what in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("comand: t", "did you mean command?"),
        (block("  gird: {a: [1]}"), "did you mean grid?"),
        ("command: t {ephocs}\nsweep: {grid: {epochs: [1]}}", "did you mean epochs?"),
        (
            block("  random: {samples: 2, parameters: {a: {unifrom: [0, 1]}}}"),
            "did you mean uniform? (a parameter of that name: a.unifrom: [...])",
        ),
        ("command: t\nsweep: {grid: {a: [1]}}\nresources: {memry: 2}", "did you mean memory?"),
    ],
)
def test_the_nearest_known_word_is_named(text: str, hint: str):
    error = refusal(read, text)
    assert error is not None
    assert error.hint == hint


def test_python_callers_are_told_the_path():
    error = refusal(from_document, {"command": "t", "sweep": {"grid": {"a": []}}})
    assert error is not None
    assert error.message == "spec: sweep.grid.a has no values"
    error = refusal(from_document, {"command": "t", "sweep": {"paired": [{"a": [1], "b": []}]}})
    assert error is not None
    assert error.message.startswith("spec: sweep.paired: paired values are not as many")


def test_yamls_own_writer_is_understood():
    document = {
        "command": "t",
        "sweep": {"grid": {"lr": [1e-05, "yes", None, True, "8:00"]}},
    }
    spec: Spec = read(yaml.safe_dump(document))
    assert spec == from_document(document)


@pytest.mark.parametrize(
    "command",
    [
        "cd sub && python3 train.py",
        "[python3, train.py, '&&', date]",
        "[cd, sub]",
        "export A=1; python3 train.py",
        "python3 train.py {n} | tee log",
        "python3 train.py; date",
        "python3 train.py ; date",
        "python3 train.py > log 2>&1",
        "python3 train.py 2>/dev/null",
        "python3 train.py &",
        "source venv/bin/activate",
    ],
)
def test_what_only_a_shell_understands_is_refused(command: str):
    error = refusal(read, f"command: {command}\nsweep: {{grid: {{n: [1]}}}}", "sweep.yaml")
    assert error is not None
    assert "no shell runs the command" in error.message
    assert "sh -c" in str(error.hint)


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'cd sub && python3 train.py > log; date'",
        "awk -F '|' -f a.awk",
        'awk "-F;" a.awk',
        r"find . -exec cat {{}} \;",
        "t --name='a ; b' --more=\"c > d\"",
        "t --small {n > 0}",
        "[sh, -c, 'cd sub && date > log']",
        "t a=b&c x>y",
    ],
)
def test_what_is_in_quotes_is_no_shell_s(command: str):
    text = command if command.startswith("[") else dumps(command)
    assert read(f"command: {text}\nsweep: {{grid: {{n: [1]}}}}").command


def test_an_end_that_nobody_knows_is_not_tried_again():
    assert said(f"{WHOLE.replace('TIMEOUT]', 'CANCELED]')}").startswith("sweep.yaml:17: 'CANCELED'")
