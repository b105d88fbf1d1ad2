"""Files of a sweep: whole or not there, and appended to line by line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import NotYet
from hpcshell.sweeps import disk
from tests.support.disks import fill, small_disk

LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=6)


@given(before=LINES, torn=st.binary(max_size=30), line=st.binary(max_size=30))
def test_what_is_left_of_a_torn_line_goes_and_no_whole_line_does(
    tmp_path_factory: pytest.TempPathFactory, before: list[bytes], torn: bytes, line: bytes
) -> None:
    path = tmp_path_factory.mktemp("lines") / "lines"
    whole = b"".join(each + b"\n" for each in before)
    path.write_bytes(whole + torn.replace(b"\n", b""))
    disk.append(str(path), line.replace(b"\n", b""))
    assert path.read_bytes() == whole + line.replace(b"\n", b"") + b"\n"


def test_a_torn_line_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"first\n" + bytes(1_000_000))
    disk.append(str(path), b"second")
    assert path.read_bytes() == b"first\nsecond\n"


def test_whoever_writes_at_the_same_time_the_file_is_one_of_them_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([letter]) * 5000 for letter in b"abcdefgh"]

    def write(content: bytes) -> None:
        for _ in range(20):
            disk.write_whole(str(path), [content])

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_on_a_full_disk_what_was_there_stays_and_it_is_said_what_to_do(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as small:
        disk.append(f"{small}/lines", b"first")
        disk.write_whole(f"{small}/file", [b"first"])
        fill(small)
        for write in (
            lambda: disk.append(f"{small}/lines", bytes(5000)),
            lambda: disk.write_whole(f"{small}/file", [bytes(5000)]),
        ):
            with pytest.raises(disk.Unwritable, match="No space left") as raised:
                write()
            assert "hpc sweep resume" in str(raised.value.hint)
        assert (small / "lines").read_bytes() == b"first\n"
        assert (small / "file").read_bytes() == b"first"
        assert sorted(each.name for each in small.iterdir()) == ["ballast", "file", "lines"]


def test_only_one_is_within_a_lock(tmp_path: Path) -> None:
    alone = disk.locked(f"{tmp_path}/lock", wait=False)
    with disk.locked(f"{tmp_path}/lock"), pytest.raises(NotYet), alone:
        pass
    with disk.locked(f"{tmp_path}/lock", wait=False):
        pass
