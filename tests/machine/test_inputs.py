"""Standard input handed on: the same bytes, each once, and nothing waits for those to come."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hpcshell.machine import inputs, spawn
from hpcshell.machine.inputs import Input, input_of, readable, whole
from hpcshell.machine.spawn import CannotStart


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def found(descriptor: int) -> Input:
    here = input_of(descriptor)
    assert here is not None
    return here


def read_elsewhere(name: str) -> bytes:
    """What another process reads there, to the end."""
    code = "import sys; from hpcshell.machine import spawn; fd = spawn.open_input(sys.argv[1]);"
    code += "sys.stdout.buffer.write(open(fd, 'rb').read())"
    return subprocess.run(
        [sys.executable, "-c", code, name], capture_output=True, check=True
    ).stdout


@given(some.lists(some.binary(max_size=3000), max_size=5))
def test_what_is_left_in_a_pipe_is_read_once_and_whole(chunks: list[bytes]) -> None:
    reading, writing = os.pipe()
    try:
        for chunk in chunks:
            os.write(writing, chunk)
        here = found(reading)
        os.close(writing)
        assert not here.lasting
        again = spawn.open_input(here.name)
        with open(again, "rb") as other:
            assert other.read() == b"".join(chunks)
        assert os.read(reading, 1) == b""
    finally:
        os.close(reading)


def test_another_process_reads_it() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from here\n")
    os.close(writing)
    assert read_elsewhere(found(reading).name) == b"from here\n"
    os.close(reading)


def test_a_pipe_on_which_nothing_comes_is_not_waited_for(pipe: tuple[int, int]) -> None:
    os.close(spawn.open_input(found(pipe[0]).name))


def test_no_other_pipe_is_taken_for_one_that_is_gone() -> None:
    reading, writing = os.pipe()
    name = found(reading).name
    os.close(reading)
    os.close(writing)
    with pytest.raises(CannotStart, match="is gone"):
        spawn.open_input(name)
    others = [os.pipe() for _ in range(4)]
    assert reading in {end for ends in others for end in ends}
    with pytest.raises(CannotStart, match="is gone") as caught:
        spawn.open_input(name)
    assert not caught.value.transient
    for ends in others:
        for end in ends:
            os.close(end)


def test_a_file_is_its_path_and_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a\nb\n")
    with (tmp_path / "data").open("rb") as file:
        assert input_of(file.fileno()) == Input(str(tmp_path / "data"), lasting=True)
    with open("/dev/zero", "rb", buffering=0) as device:
        assert input_of(device.fileno()) == Input("/dev/zero", lasting=True)


def test_the_rest_of_a_file_is_read_and_its_place_stays(tmp_path: Path) -> None:
    whole = os.urandom(300_000)
    (tmp_path / "data").write_bytes(whole)
    with (tmp_path / "data").open("rb", buffering=0) as file:
        file.seek(1000)
        here = found(file.fileno())
        assert not here.lasting
        assert read_elsewhere(here.name) == whole[1000:]
        assert file.tell() == 1000


def test_a_file_without_a_path_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("here documents are such files\n")
    with path.open("rb") as file:
        path.rename(tmp_path / "moved")
        path.write_text("another under the same name\n")
        (tmp_path / "moved").unlink()
        assert read_elsewhere(found(file.fileno()).name) == b"here documents are such files\n"


def test_a_socket_is_read_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    here = found(ours.fileno())
    theirs.sendall(b"x" * 1000)
    theirs.close()
    assert read_elsewhere(here.name) == b"x" * 1000
    ours.close()


def test_where_nothing_can_be_read_there_is_nothing(tmp_path: Path, pipe: tuple[int, int]) -> None:
    leader, terminal = pty.openpty()
    directory = os.open(tmp_path, os.O_RDONLY)
    unreadable = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    for descriptor in (terminal, directory, unreadable, pipe[1], 12345):
        assert input_of(descriptor) is None
    for descriptor in (leader, terminal, directory, unreadable):
        os.close(descriptor)


def test_a_file_is_no_pipe() -> None:
    for name in ("/etc/passwd", "/proc/1/fd/0", "pipe:[1]", "/proc/1/fd/0 pipe:[x]"):
        assert inputs.opened(name, os.O_RDONLY) is None


@given(some.binary(max_size=2_000), some.integers(0, 2_000))
def test_it_is_read_whole_or_found_to_be_too_much(content: bytes, most: int) -> None:
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        os.write(writing, content)
        os.close(writing)
        assert whole(reading, most) == (content if len(content) <= most else None)
    finally:
        os.close(reading)


def test_a_file_that_was_read_whole_is_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one two")
    with (tmp_path / "file").open("rb", buffering=0) as file:
        file.seek(4)
        assert readable(file.fileno(), 0.0)
        assert whole(file.fileno(), 100) == b"two"
        assert file.tell() == 4


def test_it_is_said_whether_there_is_anything_to_read(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    assert readable(reading, 0.0) is False
    os.write(writing, b"a")
    assert readable(reading, 0.0) is True
    assert readable(writing, 0.0) is None
    with open(os.devnull, "rb") as nothing:
        assert readable(nothing.fileno(), 0.0) is None
