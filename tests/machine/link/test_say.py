"""A command is said: the same answer here and through ssh, whatever the words and the far shell."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hpcshell.core.commands import Answer, Words
from hpcshell.core.errors import Wrong
from hpcshell.machine import processes
from hpcshell.machine.link import Link, SshLink
from tests.support.clusters.sshd import Account
from tests.support.runners import eventually

ANY_TEXT = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]))
HOSTILE = some.sampled_from(
    [
        *[
            "",
            " ",
            "-n",
            "--",
            "$(id)",
            "`id`",
            "'",
            '"',
            "\\",
            "\n",
            "a\n\nb",
            "!",
            "*",
            "~",
            "!!",
        ],
        *[
            "a=b",
            "%s",
            "#",
            ";",
            "&",
            "|",
            "<",
            ">",
            "$HOME",
            "\t",
            "é",
            "\r\n",
            "^",
            "[a]",
            "{a,b}",
        ],
    ]
)
ANY_WORD = ANY_TEXT | HOSTILE
few_sessions = settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def shown(*words: str) -> Words:
    """Prints its words, each closed by a NUL."""
    return Words(argv=("printf", "%s\\0", *words))


@few_sessions
@given(some.lists(some.lists(ANY_WORD, min_size=1, max_size=8), min_size=1, max_size=12))
def test_any_words_arrive_as_they_are(link: Link, many: list[list[str]]) -> None:
    answers = link.say_all([shown(*words) for words in many])
    assert [answer.out for answer in answers] == ["".join(f"{w}\0" for w in ws) for ws in many]


@few_sessions
@given(some.lists(some.lists(ANY_WORD, min_size=1, max_size=8), min_size=1, max_size=12))
def test_any_words_arrive_through_other_shells(odd: SshLink, many: list[list[str]]) -> None:
    answers = odd.say_all([shown(*words) for words in many])
    assert [answer.out for answer in answers] == ["".join(f"{w}\0" for w in ws) for ws in many]


@few_sessions
@given(some.dictionaries(some.from_regex(r"\AHPC_[A-Za-z0-9_]+\Z"), ANY_WORD, max_size=6))
def test_any_environment_arrives(link: Link, env: dict[str, str]) -> None:
    answer = link.say(Words(argv=("env", "-0"), env=env))
    told = {line.partition("=")[0]: line.partition("=")[2] for line in answer.out.split("\0")}
    assert {name: told[name] for name in env} == env


@few_sessions
@given(some.binary(max_size=2000))
def test_any_input_arrives(link: Link, content: bytes) -> None:
    answer = link.say(Words(argv=("sha256sum",), stdin=content))
    assert answer.out.split()[0] == hashlib.sha256(content).hexdigest()


def test_much_goes_in_and_out_at_once(link: Link) -> None:
    content = b"0123456789abcdef" * 500_000
    assert link.say(Words(argv=("cat",), stdin=content)).out == content.decode()


def test_input_that_is_not_read_is_no_trouble(link: Link) -> None:
    assert link.say(Words(argv=("true",), stdin=b"x" * 5_000_000)).code == 0


def test_every_exit_code_comes_back(link: Link) -> None:
    codes = [0, 1, 2, 44, 124, 126, 127, 128, 254, 255]
    answers = link.say_all([Words(argv=("sh", "-c", f"exit {code}")) for code in codes])
    assert [answer.code for answer in answers] == codes
    assert not any(answer.missing for answer in answers)


def test_an_end_by_a_signal_is_told_as_a_shell_does(link: Link) -> None:
    assert link.say(Words(argv=("sh", "-c", "kill -KILL $$"))).code == 128 + 9


@pytest.mark.parametrize("name", ["no-such-command", "/no/such command", "if", "a'b\n", "é"])
def test_a_command_that_is_not_there_is_missing(link: Link, name: str) -> None:
    answer = link.say(Words(argv=(name, "x")))
    assert answer == Answer(code=127, err=f"{name}: command not found", missing=True)


def test_a_command_of_another_path_is_found(link: Link, tmp_path: Path) -> None:
    program = tmp_path / "own-command"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert link.say(Words(argv=("own-command",), env=env)).out == "found\n"


def test_what_cannot_be_run_is_not_missing(link: Link, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    answer = link.say(Words(argv=(str(tmp_path / "text"),)))
    assert (answer.code, answer.missing) == (126, False)


@pytest.mark.parametrize(
    "words",
    [
        Words(argv=()),
        Words(argv=("",)),
        Words(argv=("-x",)),
        Words(argv=("echo", "a\0b")),
        Words(argv=("echo",), env={"A": "\0"}),
        Words(argv=("echo",), env={"A B": "c"}),
        Words(argv=("echo",), env={"A;id": "c"}),
        Words(argv=("echo", "\ud800")),
    ],
)
def test_what_nobody_can_be_told_is_wrong(link: Link, words: Words) -> None:
    with pytest.raises(Wrong):
        link.say(words)


def test_bytes_that_are_no_text_are_replaced(link: Link) -> None:
    assert link.say(Words(argv=("printf", "a\\377b"))).out == "a\N{REPLACEMENT CHARACTER}b"


def test_both_streams_are_kept_apart_and_free_of_noise(link: Link) -> None:
    answer = link.say(Words(argv=("sh", "-c", "printf out; printf err >&2; exit 3")))
    assert answer == Answer(code=3, out="out", err="err")


def test_the_language_is_c_unless_it_is_said(link: Link) -> None:
    ask = ("sh", "-c", "echo $LC_ALL")
    assert link.say(Words(argv=ask)).out == "C\n"
    assert link.say(Words(argv=ask, env={"LC_ALL": "C.UTF-8"})).out == "C.UTF-8\n"


def test_there_is_no_terminal_to_ask(link: Link) -> None:
    answer = link.say(Words(argv=("sh", "-c", "read x; echo end; : </dev/tty")))
    assert answer.out == "end\n"
    assert answer.code != 0


def test_when_patience_is_over_all_of_it_is_killed(link: Link, starts: Path) -> None:
    script = f"sleep 600 & echo $$ $! >{starts}.new; mv {starts}.new {starts}; wait"
    answer = link.say(Words(argv=("sh", "-c", script), patience=1))
    assert answer.code is None
    assert answer.err == "no answer within 1 s"
    pids = [int(pid) for pid in starts.read_text().split()]
    assert len(pids) == 2
    eventually(lambda: all(map(gone, pids)))


def gone(pid: int) -> bool:
    row = processes.look(pid)
    return row is None or row.state in processes.ZOMBIE


def test_no_secret_stands_in_a_command_line_on_either_side(link: Link) -> None:
    secret = "s3cret-" + os.urandom(8).hex()
    script = 'cat /proc/[0-9]*/cmdline 2>/dev/null; printf %s "$TOKEN" | sha256sum'
    words = Words(argv=("sh", "-c", script), env={"TOKEN": secret}, stdin=secret.encode())
    answer = link.say(words)
    assert hashlib.sha256(secret.encode()).hexdigest() in answer.out
    assert secret not in answer.out


def test_who_we_are(link: Link) -> None:
    home = link.say(Words(argv=("sh", "-c", "echo $HOME"))).out
    assert (link.home(), link.user()) == (
        home.strip(),
        link.say(Words(argv=("id", "-un"))).out[:-1],
    )


def test_commands_are_looked_for_where_a_login_shell_does(
    reach: Callable[[Account], SshLink], noisy: Account, odd: SshLink
) -> None:
    for link in (reach(noisy), odd):
        assert link.say(Words(argv=("sh", "-c", "echo $PATH"))).out.endswith(":/opt/site/bin\n")
