"""The option table itself: complete, consistent, and every row can be read from its own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.options.parse import parse_flags, syntax_of
from hpcshell.core.options.read import READERS, Place, read_setting
from hpcshell.core.options.row import Option, Setting
from hpcshell.core.options.table import BY_NAME, DIALECTS, OPTIONS, by_flag, by_key
from tests.support.refusals import refusal

PLACE = Place(now=1_790_000_000.0, offset=lambda unix: 0.0, cwd="/work", env={})

EXAMPLES = {
    "staged": "data/in.csv",
    "result": "out/*.csv",
    "activated": "analysis",
    "address": "ada@example.org",
    "array": "0-9:2%3",
    "batch": "8",
    "caps": "mem=64G",
    "cards": "0-3,6",
    "causes": "oom,75",
    "context": "4096",
    "count": "3",
    "count0": "0",
    "dependency": "afterok:1:2,afterany:prep",
    "directory": "sub",
    "dtype": "bfloat16",
    "duration": "2h",
    "duration0": "0",
    "exclusive": "no",
    "export": "ALL,A=1",
    "factor": "2",
    "gpus": "a100:2",
    "gres": "gpu:2,licence:1",
    "growth": "mem=1.5",
    "instant": "now+1h",
    "jitter": "0.2",
    "limit": "unlimited",
    "line": "free text",
    "memory": "1.5G",
    "mode": "lora",
    "model": "qwen2.5-7b-instruct",
    "modules": "gcc/12.2",
    "name": "a name",
    "native": "--nodelist=n1",
    "nice": "-5",
    "nodes": "1",
    "notices": "end,fail",
    "on_never": "hold",
    "parents": "12:13_2",
    "pattern": "logs/%x-%j.out",
    "priority": "high",
    "resource": "matlab=2",
    "session": "tmux",
    "signal": "B:USR1@60",
    "switch": "no",
    "umask": "027",
    "url": "https://example.org/x",
    "variable": "A=x,y",
    "gang": "coupled:2",
    "word": "main",
}


def example(row: Option) -> str:
    return row.choices[0] if row.choices else EXAMPLES[row.kind]


def test_every_kind_has_a_reader_and_every_reader_is_needed():
    assert {row.kind for row in OPTIONS} == set(READERS)


def test_names_are_unique_and_could_be_keywords():
    assert len(BY_NAME) == len(OPTIONS)
    assert all(name.isidentifier() for name in BY_NAME)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_spelling_belongs_to_one_row(dialect):
    spellings = [flag for row in OPTIONS for flag in row.spellings(dialect)]
    assert len(spellings) == len(set(spellings))
    left = syntax_of(dialect).left
    assert not set(left) & set(by_flag(dialect))


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row.name)
def test_every_row_says_what_it_is(row: Option):
    assert row.help.endswith(".")
    assert row.is_flag or row.choices or row.metavar or row.hidden
    assert all(flag.startswith("-") for dialect in DIALECTS for flag in row.spellings(dialect))
    assert row.flag == (row.hpc[0] if row.hpc else row.name)
    assert row.hpc or row.hidden


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row.name)
def test_every_row_is_found_by_its_name_and_by_its_long_flags(row: Option):
    assert by_key(row.name) is row
    for flag in row.hpc:
        if flag.startswith("--"):
            assert by_key(flag[2:]) is row
            assert by_key(flag[2:].replace("-", "_")) is row


@pytest.mark.parametrize("row", [row for row in OPTIONS if row.hpc], ids=lambda row: row.name)
def test_every_row_is_set_by_each_of_its_flags(row: Option):
    for flag in row.hpc:
        if row.is_flag:
            assert [s.text for s in parse_flags([flag], "hpc").settings] == [row.bare]
            continue
        words = [] if row.optional else [[flag, example(row)]]
        words += [[f"{flag}={example(row)}"]] if flag[:2] == "--" else [[flag + example(row)]]
        for tokens in words:
            (setting,) = parse_flags(tokens, "hpc").settings
            assert (setting.option, setting.text, setting.origin) == (row.name, example(row), flag)
            read_setting(setting, PLACE)


@given(row=st.sampled_from(OPTIONS), text=st.text(max_size=20))
def test_any_text_is_read_or_refused_naming_where_it_stands(row: Option, text: str):
    setting = Setting(option=row.name, text=text, origin="job.sh line 3: #HPC --x")
    error = refusal(read_setting, setting, PLACE)
    assert error is None or error.message.startswith("job.sh line 3: #HPC --x")


HOSTILE = [
    "0",
    "-1",
    "nan",
    "inf",
    "1e400",
    "9" * 400,
    "\x1b[2J",
    "a\nb",
    "\0",
    "x" * 1_000_000,
    "",
]


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row.name)
def test_a_hostile_value_is_refused_with_a_short_line_or_harmless(row: Option):
    for text in HOSTILE:
        refusal(read_setting, Setting(option=row.name, text=text, origin=row.flag), PLACE)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("cpus", "4", 4),
        ("memory", "8G", 8 << 30),
        ("memory", "512", 512 << 20),
        ("gpus", "a100:1,v100:2", 300),
        ("gpus", "0.5", 50),
        ("gpus", "a100:1.25", 125),
        ("gpus", "0", 0),
        ("gres", "gpu:2", {"gpu": 200}),
        ("gres", "gpu:a100:1,licence:3", {"gpu": 100, "licence": 3}),
        ("gres", "gpu", {"gpu": 100}),
        ("gres", "none", {}),
        ("resource", "matlab=2", {"matlab": 2}),
        ("resource", "matlab:2,ansys", {"matlab": 2, "ansys": 1}),
        ("resource", "matlab@server:2", {"matlab": 2}),
        ("time_limit", "30", 1800.0),
        ("time_limit", "unlimited", None),
        ("grace", "0", 0.0),
        ("begin", "now+1h", 1_790_003_600.0),
        ("priority", "critical", 1000),
        ("priority", "0", 0),
        ("retry_on", "OOM, timeout,exit:7,75", ("oom", "timeout", "exit:7", "exit:75")),
        ("retry_grow", "mem=1.5,time=2", {"memory": 1.5, "time_limit": 2.0}),
        (
            "retry_cap",
            "mem=64G,time=2d,cpus=8",
            {"memory": 64 * 2.0**30, "time_limit": 172800.0, "cpus": 8.0},
        ),
        ("array", "0-9:2%3", "0-8:2%3"),
        ("dependency", "12,13", "afterok:12:13"),
        ("afterok", "12,13_2", "12:13_2"),
        ("on_never", "yes", "end"),
        ("on_never", "no", "hold"),
        ("on_never", "hold", "hold"),
        ("notify_on", "ALL", ("begin", "end", "fail", "requeue", "time_limit")),
        ("notify_on", "TIME_LIMIT_90", ("time_limit",)),
        ("notify_on", "none", ()),
        ("export", "ALL,A=1,B", (True, {"A": "1", "B": None})),
        ("export", "NONE", (False, {})),
        ("export", "A=", (False, {"A": ""})),
        ("env", "A=x,y=z", {"A": "x,y=z"}),
        ("umask", "027", 0o27),
        ("chdir", "sub", "/work/sub"),
        ("chdir", "/abs", "/abs"),
        ("nodes", "1-4", (1, 4)),
        ("nodes", "1", (1, None)),
        ("exclusive", "yes", True),
        ("exclusive", "user", True),
        ("module", "gcc/12.2, openmpi", ["gcc/12.2", "openmpi"]),
        ("native", "--nodelist=n1 --comment='a b'", ("--nodelist=n1", "--comment=a b")),
    ],
)
def test_values(name: str, text: str, value: object):
    assert read_setting(Setting(option=name, text=text, origin="x"), PLACE) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nodes", "2", "one machine"),
        ("module", "-f", "no name of a module"),
        ("module", "", "no name of a module"),
        ("conda", "--help", "names no environment"),
        ("venv", " ", "names no environment"),
        ("setup", "a\nb", "cannot be printed"),
        ("native", "--x='", "is not closed"),
        ("exclusive", "perhaps", "neither yes nor no"),
        ("gpus", "1.505", "no number of GPUs"),
        ("gpus", "-1", "no number of GPUs"),
        ("gpus", "nan", "no number of GPUs"),
        ("resource", "cpus=2", "option of its own"),
        ("resource", "matlab=0", "too small"),
        ("resource", "a=1,a=2", "twice"),
        ("resource", "=2", "names no resource"),
        ("priority", "urgent", "no whole number"),
        ("priority", "1001", "too large"),
        ("retry_on", "fial", "no cause"),
        ("retry_on", "exit:0", "no cause"),
        ("retry_grow", "disk=2", "cannot grow"),
        ("retry_grow", "mem=0.5", "out of range"),
        ("retry_grow", "mem", "no pair"),
        ("open_mode", "appendd", "is not a choice"),
        ("signal", "USR9", "no signal"),
        ("webhook", "file:///etc/passwd", "not how notices are sent"),
        ("webhook", "http://x/\r\nHost: y", "character"),
        ("mail_user", "a;rm -rf /", "no mail address"),
        ("mail_user", "a@b\nBcc: c", "no mail address"),
        ("env", "novalue", "sets no variable"),
        ("env", "A B=1", "name of a variable"),
        ("export", "A B", "name of a variable"),
        ("export", "ALL,A=x\0y", "NUL"),
        ("env", "A=x\0y", "NUL"),
        ("umask", "888", "mask"),
        ("array", "0-9%0", "too small"),
        ("partition", "a b", "not one word"),
        ("output", "", "names no file"),
        ("chdir", "", "names no directory"),
    ],
)
def test_refusals(name: str, text: str, words: str):
    error = refusal(read_setting, Setting(option=name, text=text, origin="--it"), PLACE)
    assert error is not None
    assert error.message.startswith("--it")
    assert words in error.message
