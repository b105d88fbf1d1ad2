"""What is read has an end: no device, no pipe that nobody writes to, no more than so many bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.cli.inputs import LARGEST_LIST, LARGEST_TABLE, content
from hpcshell.core.errors import Wrong
from tests.cli.conftest import call
from tests.trace.made import jobs

LOG = jobs((0, 100, 6, 100), (10, 50, 6, 200))
READERS = ("{}", "t.swf -p ./{}", "t.swf --machine {}", "t.swf --gangs {}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("t.swf").write_bytes(LOG)
    return tmp_path


def zeros() -> None:
    os.symlink("/dev/zero", "odd")


def full() -> None:
    os.symlink("/dev/full", "odd")


def pipe() -> None:
    os.mkfifo("odd")


@pytest.mark.parametrize("make", [zeros, full, pipe])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.usefixtures("here")
def test_what_has_no_end_is_refused_at_once(reader: str, make: Callable[[], None]) -> None:
    make()
    said = call("simulate", *reader.format("odd").split())
    assert said.code == 2, said
    assert "odd is no plain file" in said.err or "odd is a pipe that nobody writes to" in said.err
    assert "hint: " in said.err


@pytest.mark.parametrize(
    ("option", "most"), [("--machine", LARGEST_TABLE), ("--gangs", LARGEST_LIST)]
)
@pytest.mark.usefixtures("here")
def test_a_file_that_is_too_large_is_refused_and_one_byte_less_is_read(
    option: str, most: int
) -> None:
    with Path("large").open("wb") as file:
        file.truncate(most + 1)
    said = call("simulate", "t.swf", option, "large")
    assert said.code == 2
    assert f"large: has more than {most:,} bytes" in said.err
    os.truncate("large", most)
    assert "has more than" not in call("simulate", "t.swf", option, "large").err


@given(written=st.binary(min_size=1, max_size=200), most=st.integers(0, 200))
def test_a_pipe_is_read_to_its_end_or_refused(written: bytes, most: int) -> None:
    end, other = os.pipe()
    with os.fdopen(other, "wb") as writer:
        writer.write(written)
    expected = pytest.raises(Wrong, match="has more than") if len(written) > most else nullcontext()
    with expected, os.fdopen(end, "rb"):
        assert content(f"/dev/fd/{end}", most) == written


def test_a_writer_that_has_not_written_yet_is_waited_for(here: Path) -> None:
    end, other = os.pipe()
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(content(f"/dev/fd/{end}")))
    reader.start()
    with os.fdopen(other, "wb") as writer:
        writer.write(LOG)
    reader.join()
    os.close(end)
    assert read == [LOG]


@pytest.mark.usefixtures("here")
def test_a_device_on_stdin_is_refused() -> None:
    with Path("/dev/zero").open("rb") as zeros:
        ended = subprocess.run(
            [sys.executable, "-m", "hpcshell", "simulate", "-"],
            stdin=zeros,
            capture_output=True,
            text=True,
        )
    assert ended.returncode == 2
    assert "stdin is no plain file" in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[node]]\ncpus = 1\ncount = 9007199254740992", "`int` <= 100000"),
        ("[[node]]\ncpus = 1\ngpus = 9007199254740992", "`int` <= 1000"),
        ("[[node]]\ncpus = 1\ncount = 60000\n" * 2, "120,000 nodes are too many"),
        (
            "cpus = 4\n" + "[[reservation]]\nstart = 0\n" * 1001,
            "1,001 reservations are too many",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_machine_is_of_a_size_that_can_be_simulated(text: str, said: str) -> None:
    Path("m.toml").write_text(text)
    refused = call("simulate", "t.swf", "--machine", "m.toml", "--place", "pack")
    assert refused.code == 2
    assert said in refused.err
