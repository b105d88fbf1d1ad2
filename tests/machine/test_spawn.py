"""Starting programs: hostile paths and commands are refused in a sentence, and nothing waits."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.machine import spawn
from hpcshell.machine.spawn import CannotStart, Streams

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Iterator[Path]:
    back, umask = os.getcwd(), os.umask(0o022)
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(back)
    os.umask(umask)


def run(*argv: str, cwd: str = ".", umask: int = 0o022, **streams: object) -> int:
    pid = spawn.spawn(list(argv), dict(ENV), cwd, Streams(**streams), umask)  # type: ignore[arg-type]
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refused(*argv: str, **more: object) -> CannotStart:
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(CannotStart) as caught:
        run(*argv, **more)  # type: ignore[arg-type]
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert caught.value.message.endswith(".")
    assert caught.value.message.isprintable()
    return caught.value


def test_a_symbolic_link_is_not_written_through(here: Path) -> None:
    (here / "precious").write_text("keys")
    (here / "link").symlink_to("precious")
    assert "symbolic link" in refused("true", stdout="link").message
    assert (here / "precious").read_text() == "keys"


def test_a_named_pipe_is_refused_with_and_without_a_reader(here: Path) -> None:
    os.mkfifo("pipe")
    assert "named pipe" in refused("true", stdout="pipe").message
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert "named pipe" in refused("true", stdout="pipe").message
    os.close(reader)
    assert "named pipe" in refused("true", stdin="pipe").message


def test_directories_and_what_cannot_be_made_are_refused(here: Path) -> None:
    (here / "file").write_text("")
    assert "is a directory" in refused("true", stdout=".").message
    assert "is a directory" in refused("true", stderr=str(here)).message
    assert "not a directory" in refused("true", stdout="file/below").message
    assert "too long" in refused("true", stdout="x" * 300).message
    assert "NUL" in refused("true", stdout="a\0b").message
    assert "not exist" in refused("true", stdin="nothing").message
    assert "is a directory" in refused("true", stdin=".").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_refused(here: Path) -> None:
    (here / "file").touch(0o444)
    assert "permission" in refused("true", stdout="file").message


def test_a_full_device_is_the_commands_own_trouble() -> None:
    assert run("/bin/sh", "-c", "echo x", stdout="/dev/full") != 0
    assert run("true", stdout="/dev/null", stderr="/dev/null") == 0


def test_files_are_emptied_or_appended_to_and_parents_made(here: Path) -> None:
    run("echo", "one", stdout="a/b/c")
    run("echo", "two", stdout="a/b/c")
    run("echo", "three", stdout="a/b/c", append=True)
    assert (here / "a/b/c").read_text() == "two\nthree\n"


def test_the_umask_is_the_runs_own(here: Path) -> None:
    run("true", stdout="f", umask=0o077)
    assert stat.S_IMODE((here / "f").stat().st_mode) == 0o600


def test_a_missing_working_directory_is_named(here: Path) -> None:
    (here / "file").touch()
    (here / "loop").symlink_to("loop")
    assert "does not exist" in refused("true", cwd="/no/where").message
    assert "not a directory" in refused("true", cwd="file").message
    assert "loop" in refused("true", cwd="loop").message
    assert refused("true", cwd="/no/\x1b]52;c;evil\x07").message.isprintable()


def script(name: str, text: bytes, mode: int = 0o755) -> str:
    path = Path(name)
    path.write_bytes(text)
    path.chmod(mode)
    return f"./{name}"


def test_commands_that_cannot_run_have_the_shells_exit_codes() -> None:
    cases = {
        "": (127, "empty"),
        "no-such-command": (127, "not found in PATH"),
        "./missing": (127, "not found"),
        "./": (126, "directory"),
        script("plain", b"echo", 0o644): (126, "chmod +x"),
        script("none", b"echo hello\n"): (126, "no program for this machine"),
        script("zero", b""): (126, "no program for this machine"),
        script("bang", b"#!/no/such/sh\n"): (126, "'/no/such/sh'"),
        script("crlf", b"#!/bin/sh\r\necho\r\n"): (126, "carriage return"),
        script("arch", b"\x7fELF\x02\x01\x01" + b"\0" * 60): (126, "no program for this machine"),
        "nul\0": (126, "cannot be passed on"),
    }
    for command, (code, words) in cases.items():
        failure = refused(command)
        assert (failure.exit_code, failure.transient) == (code, False), command
        assert words in failure.message


def test_the_path_is_searched_past_what_is_not_executable(here: Path) -> None:
    (here / "one").mkdir()
    (here / "one/tool").touch(0o644)
    (here / "two").mkdir()
    script("two/tool", b"#!/bin/sh\nexit 5\n")
    env = {"PATH": f"{here}/one:{here}/two"}
    assert spawn.find_program("tool", env) == f"{here}/two/tool"
    with pytest.raises(CannotStart, match="not executable"):
        spawn.find_program("tool", {"PATH": f"{here}/one"})


def test_environments_that_cannot_be_passed_on_are_refused() -> None:
    for env in ({"A=B": "x"}, {"A": "x\0y"}, {"": "x"}):
        with pytest.raises(CannotStart, match="environment"):
            spawn.spawn(["true"], env, ".", Streams(), 0o022)
    with pytest.raises(CannotStart, match="longer than the system takes"):
        spawn.spawn(["true"], {"A": "x" * 2_000_000}, ".", Streams(), 0o022)
    assert run("/bin/sh", "-c", "exit 4") == 4


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOSPC, errno.EAGAIN, errno.ENOMEM])
def test_a_machine_short_of_something_is_asked_again_later(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_spawn", fail)
    failure = refused("true")
    assert (failure.transient, failure.exit_code) == (True, 75)


# ------------------------------------------------------------------------ where the reason is told


def told(*argv: str, **more: object) -> CannotStart:
    streams = {name: more[name] for name in ("stdin", "stdout", "stderr", "append") if name in more}
    failure = refused(*argv, **more)
    spawn.tell(failure, Streams(**streams), str(more.get("cwd", ".")))  # type: ignore[arg-type]
    return failure


def test_the_reason_is_told_where_errors_go_and_both_files_are_there(here: Path) -> None:
    told("no-such-command", stdout="logs/out", stderr="logs/err")
    assert (here / "logs/out").read_text() == ""
    sentence = "hpc: the command 'no-such-command' was not found in PATH\n"
    assert (here / "logs/err").read_text() == sentence
    told("no-such-command", stdout="logs/out")
    assert (here / "logs/out").read_text() == sentence


def test_the_reason_comes_after_what_is_to_be_kept(here: Path) -> None:
    (here / "log").write_text("before\n")
    told("no-such-command", stdout="log", append=True)
    assert (here / "log").read_text().startswith("before\nhpc: the command")
    told("no-such-command", stdout="log")
    assert (here / "log").read_text().startswith("hpc: the command")


def test_the_reason_goes_to_the_other_file_where_one_cannot_be_written(here: Path) -> None:
    (here / "precious").write_text("keys")
    (here / "link").symlink_to("precious")
    told("true", stdout="link", stderr="err")
    assert "symbolic link" in (here / "err").read_text()
    told("true", stdout="out", stderr="link")
    assert "symbolic link" in (here / "out").read_text()
    assert (here / "precious").read_text() == "keys"


def test_telling_the_reason_makes_no_directory_that_was_taken_away(here: Path) -> None:
    told("true", cwd="gone", stdout=str(here / "gone" / "out"))
    assert not (here / "gone").exists()
    told("true", cwd="gone", stdout=str(here / "out"))
    assert "'gone' does not exist" in (here / "out").read_text()


def test_where_the_reason_cannot_be_told_nothing_fails(here: Path) -> None:
    for path in ("/dev/full", "/dev/null", ".", "x" * 300, "a\0b"):
        spawn.tell(CannotStart("It cannot be."), Streams(stdout=path), ".")
