"""A file of jobs as it lies there and changes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.jobsfile import LONGEST
from hpcshell.gpu import reading
from hpcshell.gpu.reading import SETTLED, Contents, JobsFile

ANY_LINE = st.text(max_size=12).map(lambda text: text.replace("\n", ""))
JOB_LINE = st.tuples(st.sampled_from("0123"), st.sampled_from(["a.py", "b.py", ""])).map(",".join)
LINES = st.lists((ANY_LINE | JOB_LINE).map(lambda text: text + "\n"), max_size=6)


class Desk:
    """A file of jobs, and a clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.time = 0.0
        self.file = JobsFile(str(path), lambda: self.time)

    def look(self) -> Contents:
        found = self.file.look()
        assert found is not None
        return found

    def scripts(self) -> list[str]:
        return [job.script for job in self.look().jobs]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "jobs.txt")


# ------------------------------------------------------------------------------------------ laws


@given(LINES, LINES)
def test_lines_that_are_appended_add_to_what_there_was_and_change_none_of_it(
    first: list[str], then: list[str]
):
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory) / "jobs.txt")
        desk.path.write_bytes("".join(first).encode())
        before = desk.look()
        desk.path.write_bytes("".join(first + then).encode() + b"# more\n")
        after = desk.look()
        assert after.jobs[: len(before.jobs)] == before.jobs
        assert after.bad[: len(before.bad)] == before.bad
        keys = [one.key for one in after.jobs]
        assert len(set(keys)) == len(keys)


# ----------------------------------------------------------------------------------------- cases


def test_what_has_not_changed_is_not_read_again(desk: Desk):
    desk.path.write_text("1,a.py\n")
    assert desk.scripts() == ["a.py"]
    assert desk.file.look() is None
    desk.path.write_text("1,a.py\n1,b.py\n")
    assert desk.scripts() == ["a.py", "b.py"]


def test_a_last_line_without_its_end_counts_when_it_is_whole(desk: Desk):
    desk.path.write_text("1,a.py\n1,b.")
    assert (desk.look().rest, desk.file.look()) == (True, None)
    desk.path.write_text("1,a.py\n1,b.py\n")
    assert desk.scripts() == ["a.py", "b.py"]


def test_or_when_nobody_has_gone_on_writing_for_a_while(desk: Desk):
    desk.path.write_text("1,a.py\n1,b.py")
    assert desk.scripts() == ["a.py"]
    desk.time = SETTLED - 0.1
    assert desk.file.look() is None
    desk.time = SETTLED
    assert desk.scripts() == ["a.py", "b.py"]
    desk.time = 10 * SETTLED
    assert desk.file.look() is None


def test_a_line_that_is_there_twice_is_one_job(desk: Desk):
    desk.path.write_text("1,a.py\n\n1 , a.py,,,\n")
    found = desk.look()
    assert [job.number for job in found.jobs] == [1]
    assert found.same == ((3, 1),)


def test_a_file_that_is_replaced_truncated_or_taken_away(desk: Desk):
    desk.path.write_text("1,a.py\n1,b.py\n")
    desk.look()
    other = desk.path.with_name("other")
    other.write_text("1,c.py\n1,d.py\n")
    other.replace(desk.path)
    assert desk.scripts() == ["c.py", "d.py"]
    os.truncate(desk.path, 7)
    assert desk.scripts() == ["c.py"]
    desk.path.unlink()
    gone = desk.look()
    assert isinstance(gone.trouble, NotFound)
    assert "there is no file" in gone.trouble.message
    desk.path.write_text("1,e.py\n")
    assert desk.scripts() == ["e.py"]


@pytest.mark.parametrize("what", ["directory", "pipe", "binary"])
def test_what_is_no_file_of_jobs_is_said(desk: Desk, what: str):
    if what == "directory":
        desk.path.mkdir()
    elif what == "pipe":
        os.mkfifo(desk.path)
    else:
        desk.path.write_bytes(b"\x7fELF\0\0\0\n" * 100)
    trouble = desk.look().trouble
    assert isinstance(trouble, Wrong)
    assert {"directory": "a directory", "pipe": "no plain file", "binary": "is no text"}[
        what
    ] in trouble.message


def test_a_huge_file_is_read_as_far_as_it_may_be(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "MOST", 10)
    desk.path.write_text("".join(f"1,{n}.py\n" for n in range(20)))
    found = desk.look()
    assert 10 <= len(found.jobs) <= 11
    assert "more than 10 lines" in str(found.trouble)


def test_a_line_that_is_far_too_long_is_bad_and_those_after_it_are_read(desk: Desk):
    with desk.path.open("wb") as file:
        file.write(b"1,a.py\n")
        for _ in range(200):
            file.write(b"x" * LONGEST)
        file.write(b"\n1,b.py\n")
    found = desk.look()
    assert [job.script for job in found.jobs] == ["a.py", "b.py"]
    assert [(bad.number, bad.reason) for bad in found.bad] == [
        (2, "it is longer than 65,536 bytes; pass what is long in a file")
    ]
