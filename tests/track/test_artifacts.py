"""An uploaded file is on disk, whole, beneath its run's directory; or it is not there."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.track.artifacts import Artifacts, Stored, TooLarge
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.trouble import Full
from tests.support.disks import fill, small_disk

RUN = "a" * 32


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path / "artifacts"), limit=1000)


def put(artifacts: Artifacts, path: str, content: bytes, run: str = RUN) -> Stored:
    upload = artifacts.begin(run, path)
    try:
        for at in range(0, len(content), 4096):
            upload.write(content[at : at + 4096])
        stored = upload.seal()
        with artifacts.placing:
            upload.place()
    except BaseException:
        upload.abandon()
        raise
    return stored


def got(artifacts: Artifacts, path: str, run: str = RUN) -> bytes:
    with os.fdopen(artifacts.open(run, path), "rb") as file:
        return file.read()


def waiting(artifacts: Artifacts) -> list[str]:
    return os.listdir(Path(artifacts.root) / "incoming")


@given(content=st.binary(max_size=1000))
def test_what_was_uploaded_is_what_is_downloaded(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    artifacts = Artifacts(str(tmp_path_factory.mktemp("artifacts")), limit=1000)
    stored = put(artifacts, "model/best.pt", content)
    assert stored == Stored(len(content), hashlib.sha256(content).hexdigest())
    assert got(artifacts, "model/best.pt") == content
    assert waiting(artifacts) == []


def test_a_file_is_seen_when_it_is_whole_and_not_before(artifacts: Artifacts) -> None:
    put(artifacts, "x", b"old")
    upload = artifacts.begin(RUN, "x")
    upload.write(b"new, but not all")
    upload.seal()
    assert got(artifacts, "x") == b"old"
    upload.abandon()
    assert (got(artifacts, "x"), waiting(artifacts)) == (b"old", [])


def test_it_is_readable_by_its_owner_alone(artifacts: Artifacts) -> None:
    put(artifacts, "a/x", b"1")
    for path in ("", RUN, f"{RUN}/a", f"{RUN}/a/x"):
        assert (Path(artifacts.root) / path).stat().st_mode & 0o077 == 0


def test_one_byte_more_than_allowed_is_too_large_and_nothing_stays(artifacts: Artifacts) -> None:
    put(artifacts, "x", b"1" * 1000)
    with pytest.raises(TooLarge, match="larger than 1000"):
        put(artifacts, "x", b"1" * 1001)
    with pytest.raises(TooLarge):
        artifacts.begin(RUN, "x", size=1001)
    assert (len(got(artifacts, "x")), waiting(artifacts)) == (1000, [])


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a//b", "x\0", ".", "a/."])
def test_a_path_that_leads_out_is_refused_for_whatever_is_to_be_done(
    artifacts: Artifacts, path: str
) -> None:
    for deed in (artifacts.begin, artifacts.open, artifacts.remove):
        with pytest.raises(Wrong):
            deed(RUN, path)
    with pytest.raises(Wrong):
        artifacts.open("../" + RUN, "x")
    with pytest.raises(Wrong):
        artifacts.forget("..")
    assert os.listdir(artifacts.root) == ["incoming"]


def test_a_file_cannot_lie_in_a_file_nor_take_the_place_of_a_directory(
    artifacts: Artifacts,
) -> None:
    put(artifacts, "a/b", b"1")
    for path in ("a", "a/b/c"):
        with pytest.raises(Exists):
            put(artifacts, path, b"2")
    assert (got(artifacts, "a/b"), waiting(artifacts)) == (b"1", [])


def test_nothing_is_written_or_removed_through_a_link_that_somebody_laid(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_bytes(b"not ours")
    put(artifacts, "kept", b"1")
    (Path(artifacts.root) / RUN / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(Exists):
        put(artifacts, "link/x", b"2")
    artifacts.remove(RUN, "link/x")
    with pytest.raises((Refused, NotFound)):
        artifacts.open(RUN, "link/x")
    artifacts.forget(RUN)
    assert (tmp_path / "outside" / "x").read_bytes() == b"not ours"
    assert not (Path(artifacts.root) / RUN).exists()


def test_a_run_that_is_a_link_is_not_entered(artifacts: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (Path(artifacts.root) / RUN).symlink_to(tmp_path / "outside")
    with pytest.raises(Exists):
        put(artifacts, "x", b"1")
    artifacts.forget(RUN)
    assert os.listdir(tmp_path / "outside") == []


def test_a_file_in_place_of_another_replaces_a_link_and_not_what_it_means(
    artifacts: Artifacts, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_bytes(b"not ours")
    put(artifacts, "a", b"1")
    (Path(artifacts.root) / RUN / "x").symlink_to(tmp_path / "victim")
    put(artifacts, "x", b"2")
    assert (tmp_path / "victim").read_bytes() == b"not ours"
    assert got(artifacts, "x") == b"2"


def test_an_archive_with_a_way_out_in_it_is_kept_as_bytes(artifacts: Artifacts) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil", "evil")
    put(artifacts, "a.zip", packed.getvalue())
    assert got(artifacts, "a.zip") == packed.getvalue()
    assert not list(Path(artifacts.root).parent.glob("**/evil"))


def test_removing_takes_the_directories_that_are_empty_then(artifacts: Artifacts) -> None:
    put(artifacts, "a/b/c", b"1")
    put(artifacts, "a/d", b"2")
    artifacts.remove(RUN, "a/b/c")
    artifacts.remove(RUN, "a/b/c")
    artifacts.remove(RUN, "never/was")
    assert os.listdir(Path(artifacts.root) / RUN / "a") == ["d"]
    artifacts.remove(RUN, "a/d")
    assert os.listdir(artifacts.root) == ["incoming"]


def test_two_that_upload_the_same_at_once_leave_one_of_the_two_whole(artifacts: Artifacts) -> None:
    contents = [bytes([letter]) * 900 for letter in b"abcdefgh"]
    threads = [threading.Thread(target=put, args=(artifacts, "x", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got(artifacts, "x") in contents
    assert waiting(artifacts) == []


def test_what_stopped_arriving_days_ago_is_swept_away(artifacts: Artifacts) -> None:
    for name in ("old", "new"):
        (Path(artifacts.root) / "incoming" / name).write_bytes(b"half")
    os.utime(Path(artifacts.root) / "incoming" / "old", (1e9, 1e9))
    Artifacts(artifacts.root, limit=1)
    assert waiting(artifacts) == ["new"]


def test_a_full_disk_is_told_as_such_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        artifacts = Artifacts(str(disk / "artifacts"), limit=1 << 30)
        with pytest.raises(Full, match="is full"):
            put(artifacts, "x", bytes(2 << 20))
        assert waiting(artifacts) == []
        put(artifacts, "x", b"small")
        fill(disk)
        assert got(artifacts, "x") == b"small"


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    artifacts = Artifacts(str(tmp_path / "file"), limit=10)
    with pytest.raises(NotFound):
        artifacts.begin(RUN, "x")
