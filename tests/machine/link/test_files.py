"""Files of a job: written whole or not at all, read many at a time, here and through ssh."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hpcshell.core.errors import Broken, Wrong
from hpcshell.machine.link import Link, archive, process

PART = some.text(
    some.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda part: part not in (".", ".."))
NAME = some.sampled_from(["-rf", "a b", "é\n'\"", "$(id)", "*", "x\\y", "~", " "]) | PART
FILES = some.dictionaries(
    NAME, some.tuples(some.binary(max_size=500), some.sampled_from([0o600, 0o755])), max_size=6
)
few_sessions = settings(
    max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@few_sessions
@given(FILES, NAME)
def test_what_is_written_is_read_and_nothing_else(
    link: Link, files: dict[str, tuple[bytes, int]], folder: str
) -> None:
    with TemporaryDirectory() as base:
        directory = f"{base}/{folder}"
        link.write(directory, files)
        assert link.read(directory, [*files, "not there"]) == {n: c for n, (c, _) in files.items()}
        assert {n: mode(f"{directory}/{n}") for n in files} == {n: m for n, (_, m) in files.items()}
        assert os.listdir(base) == [folder]


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_directories_are_the_owners_alone_and_may_be_empty(link: Link, job: str) -> None:
    link.write(job, {"record/": (b"", 0o750), "a/b/c": (b"x", 0o644)})
    assert [mode(path) for path in (os.path.dirname(job), job, f"{job}/a/b")] == [0o700] * 3
    assert mode(f"{job}/record") == 0o750
    assert os.listdir(f"{job}/record") == []


def test_in_a_directory_that_is_there_files_are_replaced_and_others_stay(
    link: Link, job: str
) -> None:
    link.write(job, {"one": (b"1", 0o600), "record/x": (b"x", 0o600)})
    link.write(job, {"one": (b"new", 0o755), "record/": (b"", 0o700), "deep/er": (b"d", 0o600)})
    found = link.read(job, ["one", "record/x", "deep/er"])
    assert found == {"one": b"new", "record/x": b"x", "deep/er": b"d"}
    assert sorted(os.listdir(job)) == ["deep", "one", "record"]
    assert len(os.listdir(os.path.dirname(job))) == 1


def test_written_files_are_of_now(link: Link, job: str) -> None:
    link.write(job, {"one": (b"1", 0o600)})
    probe = Path(job).parent / "probe"
    probe.touch()
    assert abs(os.stat(f"{job}/one").st_mtime - probe.stat().st_mtime) < 60


def test_where_no_directory_can_be_nothing_is_left(link: Link, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Broken, match="cannot be written"):
        link.write(f"{tmp_path}/file/job", {"one": (b"1", 0o600)})
    assert os.listdir(tmp_path) == ["file"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for some 100 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_on_a_full_disk_nothing_is_left(link: Link, full: Path) -> None:
    with pytest.raises(Broken, match=r"No space left on device|Wrote only"):
        link.write(f"{full}/job", {"one": (b"1", 0o600), "two": (b"2" * 500_000, 0o600)})
    assert os.listdir(full) == []


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../x", "a//b", ".", "a/.", "x\0"])
def test_a_name_that_leads_elsewhere_is_wrong(link: Link, job: str, name: str) -> None:
    with pytest.raises(Wrong):
        link.write(job, {name: (b"", 0o600)})
    with pytest.raises(Wrong):
        link.read(job, [name])
    assert not os.path.exists(os.path.dirname(job))


@pytest.mark.parametrize("pattern", ["../*", "$(id)*", "a b", "*;id", "/etc/*", "'*'"])
def test_a_pattern_that_a_shell_could_misread_is_wrong(link: Link, job: str, pattern: str) -> None:
    with pytest.raises(Wrong):
        link.read(job, pattern)


def test_a_pattern_finds_many_files(link: Link, job: str) -> None:
    records = {f"record/{n}.end": (f"{n}".encode(), 0o600) for n in range(300)}
    link.write(job, {**records, "record/1.begin": (b"", 0o600), "x.end": (b"", 0o600)})
    found = link.read(job, "record/*.end")
    assert found == {name: content for name, (content, _) in records.items()}
    assert link.read(job, "record/*.none") == {}
    assert link.read(job + "-none", "*") == {}
    assert link.read(job, []) == {}


def test_a_file_is_read_from_where_one_was(link: Link, job: str) -> None:
    link.write(job, {"log": (b"0123456789", 0o600), "-none": (b"", 0o600)})
    reads = [(0, 4), (4, 100), (10, 5), (99, 5), (3, 0)]
    pieces = [link.read_from(f"{job}/log", *each) for each in reads]
    assert pieces == [b"0123", b"456789", b"", b"", b""]
    assert link.read_from(f"{job}/-none", 0, 5) == b""
    assert link.read_from(f"{job}/no log", 0, 5) is None
    assert link.read_from(job, 0, 5) is None


def test_sizes_of_many(link: Link, job: str) -> None:
    link.write(job, {"a b": (b"123", 0o600), "-n": (b"", 0o600)})
    asked = [f"{job}/{name}" for name in ("a b", "-n", "none", "")]
    assert list(link.sizes(asked).values()) == [3, 0, None, None]
    assert link.sizes([]) == {}


def test_what_is_removed_is_gone_and_what_it_points_to_is_not(link: Link, job: str) -> None:
    link.write(job, {"a/b": (b"", 0o600)})
    other = Path(job).parent / "other"
    other.mkdir()
    (Path(job) / "way").symlink_to(other)
    link.remove(f"{job}/")
    link.remove(job)
    assert os.listdir(other.parent) == ["other"]


@pytest.mark.parametrize(
    "path", ["/", "//", "/home", "/tmp/..", "/tmp/a/../../etc", "rel", "/tmp/."]
)
def test_what_nobody_means_is_not_removed(link: Link, path: str) -> None:
    with pytest.raises(Wrong):
        link.remove(path)
    with pytest.raises(Wrong):
        link.remove(link.home())


def test_an_archive_that_was_cut_leaves_nothing(tmp_path: Path) -> None:
    files = {"one": (b"1" * 700, 0o600), "two/three": (b"2", 0o600), "record/": (b"", 0o700)}
    whole = archive.packed(files, "last")
    needed = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    job = f"{tmp_path}/job"
    lines = archive.unpacking(job, f"{tmp_path}/passing", files, "last")
    for cut in range(0, needed, 512):
        assert process.run(("sh", "-c", lines), os.environ, whole[:cut]).code != 0
        assert os.listdir(tmp_path) == []
    assert process.run(("sh", "-c", lines), os.environ, whole).code == 0
    assert sorted(os.listdir(job)) == ["one", "record", "two"]
