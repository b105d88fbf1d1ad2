"""The text that goes to a far shell and comes from it: found in any noise, believed only whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hpcshell.core.commands import Words
from hpcshell.machine.link import far, process

WORD = "hpc-0123456789abcdef"
NOISE = some.binary(max_size=60)
SAID = some.binary(max_size=60)
NAME = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def stream(number: int, said: bytes, code: object) -> bytes:
    begin, end = f"\n{WORD} {number} begin 77\n", f"\n{WORD} {number} end {code}\n"
    return begin.encode() + said + end.encode()


@given(NOISE, NOISE, some.lists(some.tuples(SAID, SAID, some.integers(0, 255)), max_size=4))
def test_answers_are_found_in_any_noise(
    before: bytes, after: bytes, many: list[tuple[bytes, bytes, int]]
) -> None:
    out = b"".join(stream(n, out, code) for n, (out, _, code) in enumerate(many))
    err = b"".join(stream(n, err, code) for n, (_, err, code) in enumerate(many))
    said = far.heard(WORD, len(many), before + out + after, before + err + after)
    assert said == [far.Said(77, code, False, out, err) for out, err, code in many]


@given(SAID, some.integers(0, 255), some.data())
def test_an_answer_that_was_cut_has_no_code(said: bytes, code: int, data: some.DataObject) -> None:
    whole = stream(0, said, code)
    cut = whole[: data.draw(some.integers(0, len(whole) - 1))]
    assert far.heard(WORD, 1, cut, cut)[0].code is None


@pytest.fixture(scope="module", params=["dash", "bash"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH where `sh` is that shell."""
    directory = tmp_path_factory.mktemp(request.param)
    (directory / "sh").symlink_to(f"/bin/{request.param}")
    return f"{directory}:{os.environ['PATH']}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_a_program_for_the_shell_says_what_was_asked(path: str, words: list[str]) -> None:
    many = [Words(argv=("printf", "%s\\0", "first", *words)), Words(argv=("none",))]
    line = far.first_line(len(program := far.command_program(WORD, {}, many)), WORD)
    ended = process.run(("sh", "-c", line), {**os.environ, "PATH": path}, program)
    said, none = far.heard(WORD, 2, ended.out, ended.err)
    assert said.out == "".join(f"{word}\0" for word in ("first", *words)).encode()
    assert none.missing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SAID, some.binary(max_size=60).map(lambda text: text.replace(b"\0", b"")))
def test_streams_that_a_start_up_file_has_joined_are_told_apart(
    path: str, out: bytes, err: bytes
) -> None:
    (said,) = joined(path, f"printf '{octal(out)}'; printf '{octal(err)}' >&2; exit 3", {})
    assert said._replace(begun=0) == far.Said(0, 3, False, out, err)


def octal(text: bytes) -> str:
    """As printf of every shell reads it."""
    return "".join(f"\\{byte:03o}" for byte in text)


def joined(path: str, body: str, env: dict[str, str]) -> list[far.Said]:
    """What lines of the shell say after a start-up file that joins the streams and tells of it."""
    program = far.body_program(WORD, body)
    line = f"exec 2>&1; echo hello; set -x; {far.first_line(len(program), WORD)}"
    ended = process.run(("sh", "-c", line), {**os.environ, "PATH": path, **env}, program)
    return far.heard(WORD, 1, ended.out, b"")


def test_functions_and_traces_that_a_start_up_file_exports_change_nothing(path: str) -> None:
    env = {"BASH_FUNC_cat%%": "() { echo function; }", "SHELLOPTS": "xtrace"}
    (said,) = joined(path, "echo x | cat", env)
    assert (said.code, said.out, said.err) == (0, b"x\n", b"")


@given(
    NAME,
    NAME,
    some.dictionaries(some.from_regex(r"\A[A-Za-z_]\w*\Z"), NAME | some.just("")),
    some.booleans(),
    some.booleans(),
    some.data(),
)
def test_what_was_learnt_of_an_account_is_kept_whole(
    home: str, user: str, login: dict[str, str], noisy: bool, rsync: bool, data: some.DataObject
) -> None:
    greeted = far.Greeted(home, user, login, noisy, rsync)
    packed = far.packed(greeted)
    assert far.unpacked(packed) == greeted
    assert far.unpacked(packed[: data.draw(some.integers(0, len(packed) - 1))]) is None


def test_the_package_loads_nothing_heavy() -> None:
    script = "import sys, hpcshell.core.commands, hpcshell.core.errors; before = set(sys.modules);"
    script += "import hpcshell.machine.link; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in loaded if not name.startswith("hpcshell")} <= {
        *("fcntl", "select", "signal"),
    }
