"""The host ends as its job does, whatever that is, and keeps what it prints, byte by byte."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcshell.machine.session.words import ERRORS, INPUT, Session, hosting
from tests.support.homes import kill_strays
from tests.support.runners import eventually
from tests.support.terminals import programs_needed, terminal

KILLERS = sorted(
    number
    for number in signal.valid_signals()
    if number not in (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH)
    and number not in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
)
"""Signals that end a process."""


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    programs_needed()


@pytest.fixture(params=["screen", "tmux"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    with a_session(request.param) as made:
        yield made


@contextlib.contextmanager
def a_session(program: str) -> Iterator[Session]:
    home = Path(tempfile.mkdtemp(prefix="hpc-", dir="/tmp"))
    try:
        yield Session(program, f"hpc-{os.getpid()}", str(home / "s"))
    finally:
        kill_strays(home, 0.0)
        shutil.rmtree(home)


def out(session: Session) -> Path:
    return Path(session.directory).with_name("out")


def start(session: Session, *argv: str, kept: str = "", **more: object) -> subprocess.Popen[bytes]:
    """A host; one word is a shell script."""
    words = ["/bin/sh", "-c", argv[0]] if len(argv) == 1 else list(argv)
    with open(out(session), "wb") as file:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        host: subprocess.Popen[bytes] = subprocess.Popen(
            hosting(session, kept, words),
            stdout=file,
            start_new_session=True,
            **{**streams, **more},
        )
    return host


def ends(host: subprocess.Popen[bytes]) -> int:
    return host.wait(60)


def is_open(session: Session) -> list[str]:
    """The words that join it, once there are some."""
    eventually(lambda: os.path.exists(session.join), 20)
    words: list[str] = json.loads(Path(session.join).read_text())
    return words


def written(path: str) -> int:
    """When (nanoseconds); 0: there is no such file."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


def window(session: Session) -> int:
    """The process that shows it."""
    words = is_open(session)
    if session.program == "screen":
        return int(words[-1].partition(".")[0])
    told = subprocess.run(
        ["tmux", "-S", session.server, "display-message", "-p", "#{pid}"],
        check=True,
        capture_output=True,
    )
    return int(told.stdout)


@settings(max_examples=12)
@given(code=st.integers(0, 255), program=st.sampled_from(["screen", "tmux"]))
def test_every_exit_code_comes_through(code: int, program: str) -> None:
    with a_session(program) as session:
        assert ends(start(session, f"exit {code}")) == code


@settings(max_examples=12)
@given(number=st.sampled_from(KILLERS), program=st.sampled_from(["screen", "tmux"]))
def test_every_signal_comes_through(number: int, program: str) -> None:
    with a_session(program) as session:
        assert ends(start(session, f"kill -{int(number)} $$; sleep 60")) == -number


def test_the_jobs_core_is_the_only_one(session: Session) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    limits = (most, most)
    host = start(
        session,
        "kill -SEGV $$",
        cwd=os.path.dirname(session.directory),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, limits),
    )
    _, status = os.waitpid(host.pid, 0)
    host.returncode = os.waitstatus_to_exitcode(status)
    assert host.returncode == -signal.SIGSEGV
    assert not os.WCOREDUMP(status)


@settings(max_examples=15)
@example(text=b"100 %\r", program="screen")
@given(text=st.binary(max_size=20_000), program=st.sampled_from(["screen", "tmux"]))
def test_every_byte_is_kept_as_it_was_printed(text: bytes, program: str) -> None:
    with a_session(program) as session:
        source = Path(session.directory).with_name("in")
        source.write_bytes(text)
        assert ends(start(session, "cat", str(source))) == 0
        assert out(session).read_bytes() == text


def test_the_job_is_on_a_terminal(session: Session) -> None:
    program = "import os, sys; print([os.isatty(n) for n in (0, 1, 2)], os.environ['TERM'])"
    assert ends(start(session, sys.executable, "-c", program)) == 0
    assert out(session).read_text() == "[True, True, True] screen\n"


def test_its_environment_is_what_the_host_was_given(session: Session) -> None:
    environ = {"PATH": os.environ["PATH"], "ODD": "a=b\nc", "PYTHONHOME": "/nowhere", "LC_ALL": "C"}
    host = start(session, "/usr/bin/env", "-0", env=environ)
    assert ends(host) == 0
    found = dict(word.split("=", 1) for word in out(session).read_text().split("\0") if word)
    assert found == {**environ, "TERM": "screen"}


def test_a_terminal_that_was_closed_can_be_opened_again(session: Session) -> None:
    script = "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo ask >/dev/tty; read x </dev/tty"
    host = start(session, f"{script}; exit $x")
    with terminal(is_open(session)) as person:
        person.sees("ask")
        person.types("7\r")
        person.leaves()
    assert ends(host) == 7
    assert out(session).read_text() == "ask\n7\n"


def test_letters_of_all_languages_are_shown(session: Session) -> None:
    host = start(session, "echo Größe ✓; read x", env={**os.environ, "LC_ALL": "C.UTF-8"})
    with terminal(is_open(session), {"LC_ALL": "C.UTF-8"}) as person:
        person.sees("Größe ✓")
        person.types("\r")
        person.leaves()
    assert ends(host) == 0


def test_who_submits_from_within_a_session_gets_another(session: Session) -> None:
    within = {**os.environ, "STY": "1.mine", "TMUX": "/tmp/mine,1,0"}
    host = start(session, "echo up; read x", env=within)
    with terminal(is_open(session)) as person:
        person.sees("up")
        person.types("\r")
        person.leaves()
    assert ends(host) == 0


def test_errors_and_output_are_one(session: Session) -> None:
    assert ends(start(session, "echo one; echo two >&2; echo three")) == 0
    assert out(session).read_text() == "one\ntwo\nthree\n"


def test_what_has_a_file_of_its_own_is_not_on_the_terminal(session: Session) -> None:
    beside = Path(session.directory).with_name("beside")
    beside.write_text("from a file\n")
    with open(beside) as given, open(f"{beside}.errors", "wb") as errors:
        host = start(
            session,
            "cat; echo wrong >&2; test -t 1",
            kept=INPUT + ERRORS,
            stdin=given,
            stderr=errors,
        )
    assert ends(host) == 0
    assert out(session).read_text() == "from a file\n"
    assert Path(f"{beside}.errors").read_text() == "wrong\n"


def test_it_reads_what_is_typed_and_goes_on_when_left(session: Session) -> None:
    host = start(session, "stty -echo; echo ask; read x; echo got $x; read y; exit $y")
    with terminal(is_open(session)) as person:
        person.sees("ask")
        person.types("an answer\r")
        person.sees("got an answer")
        person.types("\x01" if session.program == "screen" else "\x02", "d")
        assert person.leaves() == 0
    with terminal(is_open(session)) as person:
        person.sees("got an answer")
        person.types("9\r")
        person.leaves()
    assert ends(host) == 9
    assert out(session).read_text() == "ask\ngot an answer\n"


def test_ctrl_c_is_the_jobs(session: Session) -> None:
    host = start(session, "trap 'echo stopped; exit 3' INT; echo up; while :; do sleep 0.1; done")
    with terminal(is_open(session)) as person:
        person.sees("up")
        person.types("\x03")
        person.leaves()
    assert ends(host) == 3
    assert out(session).read_bytes().endswith(b"stopped\n")


def test_the_job_learns_the_size_of_the_window(session: Session) -> None:
    script = "trap 'stty size' WINCH; echo up; while [ ! -e go ]; do sleep 0.05; done"
    host = start(session, script, cwd=os.path.dirname(session.directory))
    with terminal(is_open(session)) as person:
        person.sees("up")
        person.resizes(40, 90)
        lines = b"40 90" if session.program == "screen" else b"39 90"  # a line is tmux's own
        eventually(lambda: lines in out(session).read_bytes())
    out(session).with_name("go").touch()
    assert ends(host) == 0


def test_neither_screen_nor_tmux_killed_ends_the_job(session: Session) -> None:
    host = start(session, "while [ ! -e go ]; do echo on; sleep 0.05; done; exit 6", cwd="/tmp")
    killed = window(session)
    opened = written(session.join)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: written(session.join) != opened)
    with terminal(is_open(session)) as person:  # it is opened anew
        person.sees("on")
    os.kill(int(Path(session.first).read_text()), signal.SIGTERM)
    assert ends(host) == -signal.SIGTERM


def test_who_signals_the_host_means_the_job(session: Session) -> None:
    host = start(session, "trap 'exit 8' USR1; echo up; while :; do sleep 0.05; done")
    eventually(lambda: out(session).read_bytes() == b"up\n")
    host.send_signal(signal.SIGUSR1)
    assert ends(host) == 8


def test_nobody_looking_slows_nothing() -> None:
    size = 105_000_000  # a terminal alone takes 5 s for that
    with a_session("screen") as session:
        begun = time.monotonic()
        assert ends(start(session, f"yes 0123456789 | head -c {size}")) == 0
        assert out(session).stat().st_size == size
        assert time.monotonic() - begun < 60


def test_without_the_program_the_job_runs_all_the_same(session: Session) -> None:
    host = start(session, "/bin/sh", "-c", "echo here; exit 4", env={"PATH": "/nowhere"})
    assert ends(host) == 4
    assert out(session).read_text() == "here\n"


def test_where_screens_directory_is_of_no_use_it_gets_another() -> None:
    with a_session("screen") as session:
        nowhere = {**os.environ, "HOME": "/nowhere"}
        nowhere["SCREENDIR"] = "/proc/nowhere"
        host = start(session, "echo up; read x", env=nowhere)
        words = is_open(session)
        assert words[:2] == ["env", f"SCREENDIR={session.server}"]
        with terminal(words) as person:
            person.sees("up")
            person.types("\r")
            person.leaves()
        assert ends(host) == 0


def test_what_cannot_be_executed_is_told_as_without_a_session(session: Session) -> None:
    script = out(session).with_name("script")
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    assert ends(start(session, str(script), "")) == 126
    assert b"does not exist (/no/such/interpreter" in out(session).read_bytes().replace(b"'", b"")
