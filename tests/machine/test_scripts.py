"""Scripts that must lie in certain directories."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.machine import scripts
from hpcshell.machine.scripts import allowed, open_allowed


class Lab:
    """A directory that scripts may lie in, and one that they may not."""

    def __init__(self, root: Path) -> None:
        self.inside, self.outside = root / "approved", root / "elsewhere"
        for directory in (self.inside, self.outside):
            (directory / "deep").mkdir(parents=True)
            for path in (directory / "train.py", directory / "deep" / "more.py"):
                path.write_text(f"print({str(path)!r})")

    def allowed(self, path: Path | str) -> str:
        return allowed(str(path), [str(self.inside)])

    def refused(self, path: Path | str) -> str:
        with pytest.raises(Refused) as caught:
            self.allowed(path)
        return caught.value.message


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(params=["openat2", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways down to a script."""
    if request.param == "step by step":

        def lacking(top: int, inner: str) -> int:
            raise OSError(errno.ENOSYS, "not here")

        monkeypatch.setattr(scripts, "_openat2", lacking)


@pytest.mark.usefixtures("way")
def test_a_script_in_one_of_the_directories_is_allowed(lab: Lab):
    for path in ("train.py", "deep/more.py", "deep/../train.py"):
        real = os.path.normpath(lab.inside / path)
        assert lab.allowed(f"{lab.inside}/{path}") == real
    assert allowed(str(lab.outside / "train.py"), [str(lab.inside), f"{lab.outside}/"])


@pytest.mark.usefixtures("way")
def test_without_directories_any_script_is_allowed(lab: Lab):
    assert allowed(str(lab.outside / "train.py"), []) == str(lab.outside / "train.py")


@pytest.mark.usefixtures("way")
def test_one_that_lies_elsewhere_is_refused(lab: Lab):
    said = lab.refused(lab.outside / "train.py")
    assert "is in none of the directories that scripts may lie in" in said
    lab.refused(f"{lab.inside}/../elsewhere/train.py")


def test_a_directory_whose_name_begins_like_an_allowed_one_is_not_it(lab: Lab, tmp_path: Path):
    near = tmp_path / "approved2"
    near.mkdir()
    (near / "train.py").touch()
    lab.refused(near / "train.py")


@pytest.mark.usefixtures("way")
def test_links_are_followed_and_what_they_lead_to_counts(lab: Lab):
    (lab.inside / "out.py").symlink_to(lab.outside / "train.py")
    (lab.inside / "up").symlink_to("../elsewhere")
    (lab.outside / "in.py").symlink_to(lab.inside / "train.py")
    assert str(lab.outside / "train.py") in lab.refused(lab.inside / "out.py")
    lab.refused(lab.inside / "up" / "train.py")
    assert lab.allowed(lab.outside / "in.py") == str(lab.inside / "train.py")


def test_the_directory_may_itself_be_a_link(lab: Lab, tmp_path: Path):
    (tmp_path / "scripts").symlink_to(lab.inside)
    assert allowed(str(lab.inside / "train.py"), [str(tmp_path / "scripts")])


def test_a_hard_link_is_a_file_like_any_other(lab: Lab):
    os.link(lab.outside / "train.py", lab.inside / "hard.py")
    assert lab.allowed(lab.inside / "hard.py") == str(lab.inside / "hard.py")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("swapped", ["deep", "deep/more.py"])
def test_what_is_swapped_for_a_link_while_it_is_looked_at_is_refused(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, swapped: str
):
    path = lab.inside / swapped

    def swap(real: str, start: str) -> str:
        path.rename(lab.inside / "gone")
        path.symlink_to(lab.outside / swapped)
        return found(real, start)

    found = os.path.relpath
    monkeypatch.setattr(os.path, "relpath", swap)
    assert "was changed while it was looked at" in lab.refused(lab.inside / "deep" / "more.py")


@pytest.mark.usefixtures("way")
def test_the_descriptor_reads_the_script(lab: Lab):
    with open(open_allowed(str(lab.inside / "train.py"), [str(lab.inside)])) as file:
        assert file.read() == f"print({str(lab.inside / 'train.py')!r})"


def test_what_is_no_script_is_said(lab: Lab):
    with pytest.raises(NotFound, match="there is no script"):
        lab.allowed(f"{lab.inside}/train.py/")
    with pytest.raises(NotFound, match="there is no script"):
        lab.allowed(lab.inside / "none.py")
    with pytest.raises(Wrong, match="no plain file"):
        lab.allowed(lab.inside / "deep")
    os.mkfifo(lab.inside / "pipe")
    with pytest.raises(Wrong, match="no plain file"):
        lab.allowed(lab.inside / "pipe")
    (lab.inside / "loop").symlink_to("loop")
    with pytest.raises(Wrong, match="cannot be read"):
        lab.allowed(lab.inside / "loop")
