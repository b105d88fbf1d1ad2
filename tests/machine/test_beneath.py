"""A file that a stranger names is opened beneath its directory, or not at all."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.machine import beneath
from hpcshell.machine.beneath import directory, directory_beneath, open_beneath, parts_of

SECRET = b"the secret"


@pytest.fixture(params=["kernel", "steps"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A directory with one file in it and a secret beside it; opened in each of the two ways."""
    if request.param == "steps":

        def unknown(*_: object) -> int:
            raise OSError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(beneath, "by_kernel", unknown)
    (tmp_path / "secret").write_bytes(SECRET)
    top = tmp_path / "root"
    (top / "exp").mkdir(parents=True)
    (top / "exp" / "train.log").write_bytes(b"epoch 1\n")
    before = len(os.listdir("/proc/self/fd"))
    yield top
    assert len(os.listdir("/proc/self/fd")) == before, "no descriptor is left open"


def content(root: Path, name: str) -> bytes:
    descriptor = open_beneath(str(root), name)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_a_file_beneath_is_read_and_blocks_as_files_do(root: Path) -> None:
    assert content(root, "exp/train.log") == b"epoch 1\n"
    descriptor = open_beneath(str(root), "exp/train.log")
    assert (os.get_blocking(descriptor), os.get_inheritable(descriptor)) == (True, False)
    os.close(descriptor)


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "//", ".", "..", "../secret", "exp/../../secret", "exp//train.log", "exp/"),
        *("/etc/passwd", "./exp/train.log", "exp/./train.log", "exp/..", "a\0b", "exp/train.log\n"),
        *("\x1b[2J", "\ud800", "x" * 256, "é" * 128, "a/" * 600 + "a"),
    ],
)
def test_a_name_that_leads_nowhere_or_elsewhere_is_refused_before_it_is_opened(
    root: Path, name: str
) -> None:
    with pytest.raises(Wrong) as caught:
        open_beneath(str(root), name)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        *(
            "..\\secret",
            "..%2fsecret",
            "%2e%2e%2fsecret",
            "file:secret",
            "exp#x",
            "exp?x",
            "~",
            "$HOME",
        ),
        *("exp\\train.log", "C:\\secret", "．．", "...", "-rf"),
    ],
)
def test_what_only_looks_like_a_way_out_is_a_name_like_others(root: Path, name: str) -> None:
    with pytest.raises(NotFound):
        open_beneath(str(root), name)
    (root / name).write_bytes(b"mine")
    assert content(root, name) == b"mine"


def test_symbolic_links_are_not_followed_wherever_they_lie_and_lead(root: Path) -> None:
    (root / "link").symlink_to("../secret")
    (root / "inner").symlink_to("exp/train.log")
    (root / "out").symlink_to("..")
    (root / "in").symlink_to("exp")
    (root / "loop").symlink_to("loop")
    (root / "magic").symlink_to("/proc/self/cwd")
    for name in ("link", "inner", "out/secret", "in/train.log", "loop", "magic/x"):
        with pytest.raises((Refused, NotFound)):
            open_beneath(str(root), name)


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert content(tmp_path / "alias", "exp/train.log") == b"epoch 1\n"


def test_only_plain_files_are_opened_and_nothing_is_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "sock"))
        for name in ("pipe", "sock", "exp"):
            with pytest.raises(Refused, match="no plain file"):
                open_beneath(str(root), name)


def test_devices_are_no_plain_files(root: Path) -> None:
    with pytest.raises(Refused, match="no plain file"):
        open_beneath("/dev", "null")


def test_a_second_name_of_ones_own_file_is_read_and_that_of_anothers_refused(root: Path) -> None:
    os.link(root / "exp" / "train.log", root / "again")
    assert content(root, "again") == b"epoch 1\n"
    with pytest.raises(Refused, match="another name of a file"):
        open_beneath(str(root), "again", owner=os.geteuid() + 1)


def test_what_is_below_a_file_or_missing_is_not_there(root: Path) -> None:
    for name in ("exp/train.log/x", "missing", "exp/missing"):
        with pytest.raises(NotFound):
            open_beneath(str(root), name)
    with pytest.raises(NotFound):
        open_beneath(str(root / "gone"), "x")


def test_a_directory_swapped_for_a_link_while_it_is_opened_never_leads_out(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "train.log").write_bytes(SECRET)
    (root / "link").symlink_to(tmp_path)
    (root / "real").mkdir()
    (root / "real" / "train.log").write_bytes(b"mine")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(root / "real", root / "place")
            os.rename(root / "place", root / "real")
            os.rename(root / "link", root / "place")
            os.rename(root / "place", root / "link")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                seen.add(content(root, "place/train.log"))
            except (NotFound, Refused):
                seen.add(b"")
    finally:
        stop.set()
        swapping.join()
    assert SECRET not in seen
    assert seen <= {b"mine", b""}


@given(st.text(max_size=40))
def test_the_parts_of_every_name_that_is_taken_stay_beneath(name: str) -> None:
    try:
        parts = parts_of(name)
    except Wrong:
        return
    assert "/".join(parts) == name
    assert os.path.normpath("/root/" + name) == "/root/" + name


def test_directories_are_made_on_the_way_and_links_never_entered(root: Path) -> None:
    (root / "out").symlink_to("..")
    with directory(str(root)) as top:
        with directory_beneath(top, ("a", "b"), make=True) as below:
            assert os.listdir(below) == []
        with directory_beneath(top, ("a", "b"), make=True):
            pass
        with pytest.raises((NotFound, Refused)), directory_beneath(top, ("out", "x"), make=True):
            pass
        with pytest.raises(NotFound), directory_beneath(top, ("missing",)):
            pass
    assert (root / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert not (root.parent / "x").exists()
