"""What holds for every verb: help, options, errors, colours."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from hpcshell.cli import main as main_module
from hpcshell.cli.main import VERBS, hpc
from hpcshell.core.errors import NotYet
from hpcshell.core.options.table import OPTIONS
from tests.cli.conftest import call
from tests.support.homes import HPC, clean_environment

NAMES = [name for group in VERBS.values() for name in group]


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        return [
            leaf
            for name in command.commands
            for leaf in leaves(command.commands[name], f"{path} {name}")
        ]
    return [(path, command)]


def every_verb() -> list[tuple[str, click.Command]]:
    found = []
    for name in NAMES:
        found += leaves(import_module(f"hpcshell.cli.{name}").command, name)
    return found


def test_the_promised_verbs_are_there():
    promised = (
        "submit run queue show logs cancel hold release wait requeue rerun edit explain history "
        "resources daemon doctor config completion suspend resume preempt"
    )
    assert set(promised.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_verbs_says_what_each_verb_says_of_itself(name):
    text = next(group[name] for group in VERBS.values() if name in group)
    command = import_module(f"hpcshell.cli.{name}").command
    assert (command.help or "").splitlines()[0] == text


@pytest.mark.parametrize(("path", "command"), every_verb())
def test_every_verb_answers_in_json_quietly_and_shows_an_example(path, command):
    options = {flag for param in command.params for flag in param.opts}
    assert {"--json", "--quiet", "--color", "--debug"} <= options
    assert f"hpc {path}" in (command.epilog or "")


@pytest.mark.parametrize(
    "path",
    [
        ["submit", "run", "rerun", "cancel", "hold", "release", "requeue", "edit"],
        ["suspend", "resume", "preempt"],
        ["daemon stop", "daemon restart"],
    ],
)
def test_every_verb_that_changes_anything_takes_dry_run(path):
    verbs = dict(every_verb())
    for name in path:
        assert "--dry-run" in {flag for param in verbs[name].params for flag in param.opts}


def test_submit_and_run_take_every_option_of_the_table():
    verbs = dict(every_verb())
    for name in ("submit", "run"):
        flags = {
            flag for param in verbs[name].params for flag in (*param.opts, *param.secondary_opts)
        }
        for row in OPTIONS:
            assert set(row.hpc) <= flags
            if row.hpc:
                assert {off for off in row.off if off.startswith("--")} <= flags


@pytest.mark.parametrize("words", [[], ["--help"], ["queue", "-h"], ["daemon", "--help"]])
def test_help_is_an_answer(words):
    said = call(*words)
    assert "Usage: hpc" in said.out + said.err
    assert said.code == (0 if words else 2)


def test_help_lists_the_verbs_and_the_exit_codes():
    out = call("--help").out
    assert all(name in out for name in NAMES)
    assert "75" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["quue"], "did you mean 'queue'"),
        (["queue", "--staet", "x"], "did you mean --state"),
        (["submit", "--cpu", "2", "--", "true"], "did you mean --cpus"),
        (["history", "--limit", "x"], "is not a valid"),
        (["daemon", "sttop"], "did you mean 'stop'"),
        (["completion", "csh"], "bash"),
        (["hold"], "missing argument"),
    ],
)
def test_what_is_not_understood_names_the_nearest_and_exits_with_2(words, expected):
    said = call(*words)
    assert said.code == 2
    assert expected in said.err
    assert said.out == ""
    assert said.err.startswith("hpc: ")
    assert "hint: " in said.err


def test_an_error_is_a_message_a_hint_and_its_code(monkeypatch):
    def fail(*args: object, **options: object) -> int:
        raise NotYet("later \x1b[2J", "wait a little")

    monkeypatch.setattr(hpc, "main", fail)
    said = call("queue")
    assert said.code == 75
    assert said.err == "hpc: later \\x1b[2J\n  hint: wait a little\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("oops"), 1),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (MemoryError(), 1),
        (PermissionError(13, "Permission denied", "x"), 1),
        (BrokenPipeError(), 0),
    ],
)
def test_no_error_of_any_kind_shows_a_traceback(monkeypatch, error, code):
    def fail(*args: object, **options: object) -> int:
        raise error

    monkeypatch.setattr(hpc, "main", fail)
    monkeypatch.setattr(main_module, "_reader_left", lambda: 0)
    said = call("queue")
    assert said.code == code
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 2


def test_debug_shows_the_traceback_of_a_defect(monkeypatch):
    def fail(*args: object, **options: object) -> int:
        raise RuntimeError("oops")

    monkeypatch.setattr(hpc, "main", fail)
    with pytest.raises(RuntimeError):
        call("queue", "--debug")


def test_the_version_is_an_answer():
    from hpcshell import __version__

    assert call("--version").out == f"hpc {__version__}\n"


def test_python_dash_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "hpcshell", "--version"],
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert done.stdout == call("--version").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(shell):
    said = call("completion", shell)
    assert said.code == 0
    assert "_HPC_COMPLETE" in said.out


def test_completion_offers_verbs_and_options():
    def complete(*words: str) -> str:
        return subprocess.run(
            [HPC],
            env=clean_environment()
            | {
                "_HPC_COMPLETE": "bash_complete",
                "COMP_WORDS": " ".join(["hpc", *words]),
                "COMP_CWORD": str(len(words)),
                "HPCSHELL_HOME": "/tmp/hpc-none",
            },
            capture_output=True,
            text=True,
        ).stdout

    assert "plain,queue" in complete("qu")
    assert "plain,--state" in complete("queue", "--st")


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        ([], {}, False),
        (["--color", "never"], {}, False),
    ],
)
def test_colours_are_used_where_asked_for(words, environment, expected, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HPCSHELL_HOME", "/tmp/hpc-none")
    said = call("doctor", *words)
    assert ("\x1b[" in said.out) is expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_on_a_terminal_no_color_and_a_dumb_terminal_are_honoured(
    environment, expected, monkeypatch
):
    from hpcshell.cli.talk import wants_colour

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour("auto", Terminal()) is expected  # type: ignore[arg-type]


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {HPC} --help | head -1"],
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("redirection", "code", "err"),
    [
        (">/dev/full", 1, "hpc: the answer: No space left on device\n"),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
    ],
)
def test_streams_that_take_nothing_are_survived(redirection, code, err):
    done = subprocess.run(
        ["sh", "-c", f"{HPC} --help {redirection}"],
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert (done.returncode, done.stderr) == (code, err)
