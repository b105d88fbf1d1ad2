"""One program run to its end: all it said, nothing left of it, and never longer than allowed."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from hpcshell.core.commands import Words
from hpcshell.machine import processes
from hpcshell.machine.link import LocalLink, process
from tests.support.runners import eventually


@pytest.fixture(params=["this kernel", "an old one"], autouse=True)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old kernels cannot tell of the end of a process."""

    def none(pid: int, flags: int = 0) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    if request.param == "an old one":
        monkeypatch.setattr(os, "pidfd_open", none)


def run(script: str, stdin: bytes = b"", patience: float = 20.0) -> process.Ended:
    return process.run(("sh", "-c", script), os.environ, stdin, patience)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_left_open_or_unreaped() -> None:
    run("true")
    before, children = descriptors(), processes.children_of(os.getpid())
    run("cat; echo x; echo y >&2", b"input")
    run("exec 0<&- 1>&- 2>&-; exit 3")
    run("sleep 600", patience=0.05)
    process.run(("no-such-command",), os.environ)
    process.run((os.devnull,), os.environ, b"input")
    assert descriptors() == before
    assert processes.children_of(os.getpid()) == children


# ------------------------------------------------------------------------ work while it starts


def test_what_is_to_be_done_before_it_is_fed_is_done_while_it_starts(tmp_path: Path) -> None:
    begun, seen = tmp_path / "begun", []

    def work() -> None:
        eventually(begun.exists)
        seen.append(begun.read_text())
        begun.write_text("worked")

    script = f"echo started >{begun}; read line; cat {begun}; echo $line"
    ended = process.run(("sh", "-c", script), os.environ, b"fed\n", 20.0, work=work)
    assert seen == ["started\n"]
    assert ended == process.Ended(0, b"workedfed\n")


def test_work_that_fails_ends_what_was_begun_before_it_has_read_anything(tmp_path: Path) -> None:
    before, children = descriptors(), processes.children_of(os.getpid())
    read = tmp_path / "read"

    def work() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        process.run(("sh", "-c", f"cat >{read}.got; cp {read}.got {read}"), {}, b"in", work=work)
    assert not read.exists()
    assert descriptors() == before
    assert processes.children_of(os.getpid()) == children


@pytest.mark.parametrize("program", ["no-such-command", os.devnull])
def test_the_work_is_done_though_the_program_cannot_be_run(program: str) -> None:
    done = []
    process.run((program,), os.environ, b"in", work=lambda: done.append(1))
    assert done == [1]


def test_what_is_said_is_heard_before_the_end(tmp_path: Path) -> None:
    """It goes on once it was heard, and not before."""
    heard: list[bytes] = []

    def hear(piece: bytes) -> None:
        heard.append(piece)
        (tmp_path / "heard").touch()

    script = 'echo first; until [ -e "$0" ]; do :; done; echo second'
    ended = process.run(("sh", "-c", script, str(tmp_path / "heard")), os.environ, hear=hear)
    assert ended.out == b"first\nsecond\n"
    assert ended.out.startswith(b"".join(heard))


def test_one_that_closes_its_streams_still_has_its_code_and_its_patience() -> None:
    assert run("exec 0<&- 1>&- 2>&-; exit 3").code == 3
    assert run("exec 0<&- 1>&- 2>&-; sleep 600", patience=0.3).code is None


def test_what_was_said_before_the_patience_was_over_is_kept(starts: Path) -> None:
    ended = run(f"echo half; echo bad >&2; echo >{starts}; sleep 600", patience=1)
    assert ended == process.Ended(None, b"half\n", b"bad\n", why="no answer within 1 s")


def test_one_that_says_too_much_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_OUTPUT", 3 << 20)
    ended = run("exec cat /dev/zero")
    assert (ended.code, ended.why) == (None, "more than 3 MiB of output")
    assert 3 << 20 < len(ended.out) <= 4 << 20, "what a pipe holds is read as a whole"


def test_a_program_is_alone_in_a_session_with_signals_as_usual() -> None:
    script = "import os, signal; print(os.getsid(0) == os.getpid() == os.getpgrp(),"
    script += " signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    ended = process.run((sys.executable, "-c", script), os.environ)
    assert ended.out == b"True set()\n"
    ignored = next(
        line for line in run("cat /proc/self/status").out.split(b"\n") if b"SigIgn" in line
    )
    assert int(ignored.split()[1], 16) & (1 << 12) == 0


def test_a_directory_is_no_program_and_a_later_one_is_found(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "tool").mkdir()
    (tmp_path / "b" / "tool").touch(mode=0o644)
    path = ":".join(str(tmp_path / folder) for folder in ("a", "b", "c"))
    assert process.found("tool", path) == str(tmp_path / "b" / "tool")
    (tmp_path / "c" / "tool").touch(mode=0o755)
    assert process.found("tool", path) == str(tmp_path / "c" / "tool")
    assert process.found("other", path) == ""


def test_one_that_goes_to_the_background_is_not_waited_for() -> None:
    ended = LocalLink().say(Words(argv=("sh", "-c", "sleep 600 & echo $!")))
    pid = int(ended.out)
    assert processes.look(pid) is not None
    os.kill(pid, 9)
    eventually(lambda: (row := processes.look(pid)) is None or row.state in processes.ZOMBIE)
