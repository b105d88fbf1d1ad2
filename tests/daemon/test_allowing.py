"""Scripts lie where they may, and are what lies there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpcshell.core.errors import HpcError
from hpcshell.core.submission import Submission
from hpcshell.daemon.allowing import check_script

TEXT = b"#!/bin/sh\ntrue\n"


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A directory in which scripts may lie, with one in it, and another one with the same."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for place in (good, bad):
        place.mkdir()
        (place / "job.sh").write_bytes(TEXT)
    return good, bad


def submission(path: object, cwd: Path, script: bytes | None = TEXT) -> Submission:
    return Submission(argv=(str(path),), cwd=str(cwd), env={}, script=script)


def refused(asked: Submission, root: Path) -> str:
    """What is said against it."""
    with pytest.raises(HpcError) as found:
        check_script(asked, [str(root)])
    assert found.value.hint
    return found.value.message


def test_a_script_in_its_place_is_taken_and_any_without_places(places: tuple[Path, Path]) -> None:
    good, bad = places
    check_script(submission("job.sh", good), [str(good)])
    check_script(submission(good / "job.sh", bad), [str(bad), str(good)])
    check_script(submission("job.sh", bad), [])
    check_script(submission("true", bad, script=None), [str(good)])


Way = Callable[[Path, Path], object]


@pytest.mark.parametrize(
    "way",
    [
        lambda good, bad: bad / "job.sh",
        lambda good, bad: good / "../bad/job.sh",
        lambda good, bad: link(good / "link.sh", bad / "job.sh"),
        lambda good, bad: link(good / "folder", bad) / "job.sh",
    ],
)
def test_what_lies_elsewhere_is_refused_whichever_way_it_is_named(
    places: tuple[Path, Path], way: Way
) -> None:
    good, bad = places
    path = way(good, bad)
    assert "none of the directories" in refused(submission(path, good), good)


def link(path: Path, to: Path) -> Path:
    path.symlink_to(to)
    return path


@pytest.mark.parametrize("text", [TEXT + b"\n", TEXT[:-1], b"", b"#!/bin/sh\nfals\n"])
def test_what_is_not_what_lies_there_is_refused(places: tuple[Path, Path], text: bytes) -> None:
    good, _ = places
    said = refused(submission("job.sh", good, text), good)
    assert "is not the script that was handed over" in said


def test_what_comes_from_nowhere_is_refused(places: tuple[Path, Path]) -> None:
    good, _ = places
    assert "there is no script" in refused(submission("stdin", good), good)
