"""Trees of files to a cluster and back: all of it, as it was, or an error that names the file."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken, NotFound
from hpcshell.machine.link import Link, LinkDown, LocalLink, SshLink
from tests.support.clusters.sshd import Account, Sshd, ended_at_last

NAMES = (
    "a b",
    "-rf",
    "new\nline",
    "back\\slash",
    "é",
    "'q\"",
    "$(id)",
    "deep/er/x",
    ".hidden",
    " ",
)


@pytest.fixture(params=["here", "rsync", "tar", "joined"])
def any_link(request: pytest.FixtureRequest, reach: Callable[[Account], SshLink]) -> Link:
    """Here, through ssh with rsync, and to an account whose noise rsync does not bear."""
    if request.param == "here":
        return LocalLink()
    account = {"rsync": "plain", "tar": "noisy"}.get(request.param, request.param)
    return reach(request.getfixturevalue(account))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files with hostile names and contents, one of 50 MB, one empty, and a link to one."""
    tree = tmp_path / "a tree's $(root)"
    for number, name in enumerate(NAMES):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(bytes([number]) * number * 1000)
    (tree / "large").write_bytes(os.urandom(1 << 20) * 50)
    (tree / "run").write_text("#!/bin/sh\n")
    (tree / "run").chmod(0o755)
    (tree / "way").symlink_to("large")
    (tree / "empty").mkdir()
    return tree


def listing(tree: Path) -> dict[str, tuple[int, int]]:
    """Kind and mode, and size, of everything below."""
    found = {}
    for path in tree.rglob("*"):
        about = path.lstat()
        size = about.st_size if stat.S_ISREG(about.st_mode) else 0
        found[str(path.relative_to(tree))] = (about.st_mode, size)
    return found


def test_a_tree_goes_there_and_comes_back(any_link: Link, tree: Path, tmp_path: Path) -> None:
    there, back = tmp_path / "there" / "new 'dir", tmp_path / "back"
    any_link.put(str(tree), str(there))
    assert listing(there) == listing(tree)
    any_link.fetch(str(there), str(back))
    assert listing(back) == listing(tree)
    files = [name for name, (mode, _) in listing(tree).items() if stat.S_ISREG(mode)]
    assert filecmp.cmpfiles(tree, back, files, shallow=False) == (files, [], [])


def test_copied_again_it_is_renewed_and_what_else_is_there_stays(
    any_link: Link, tmp_path: Path
) -> None:
    tree, there = tmp_path / "tree", tmp_path / "there"
    tree.mkdir()
    (tree / "file").write_text("old")
    any_link.put(str(tree), str(there))
    (there / "result").write_text("mine")
    about = (tree / "file").stat()
    (tree / "file").write_text("new")
    os.utime(tree / "file", ns=(about.st_atime_ns, about.st_mtime_ns))
    any_link.put(str(tree), str(there))
    assert {path.name: path.read_text() for path in there.iterdir()} == {
        "file": "new",
        "result": "mine",
    }


@pytest.mark.parametrize("name", ["a b", "-rf", "new\nline", "'q\"$(id)", "colon:name"])
def test_a_single_file_takes_the_name_that_is_given(
    any_link: Link, tmp_path: Path, name: str
) -> None:
    source = tmp_path / "from" / name
    source.parent.mkdir(parents=True)
    source.write_bytes(b"content")
    source.chmod(0o750)
    there, back = tmp_path / "there" / name, tmp_path / "back" / "x" / name
    any_link.put(str(source), str(there))
    any_link.fetch(str(there), str(back))
    assert [path.read_bytes() for path in (there, back)] == [b"content"] * 2
    assert stat.S_IMODE(back.stat().st_mode) == 0o750
    assert os.listdir(there.parent) == [there.name]
    assert os.listdir(back.parent) == [back.name]


def test_what_is_not_there_is_not_found(any_link: Link, tmp_path: Path) -> None:
    for copy in (any_link.put, any_link.fetch):
        with pytest.raises(NotFound, match="is not there"):
            copy(f"{tmp_path}/none", f"{tmp_path}/copy")
    assert not (tmp_path / "copy").exists()


def test_where_nothing_can_be_written_it_is_said(any_link: Link, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for copy in (any_link.put, any_link.fetch):
        with pytest.raises(Broken):
            copy(f"{tmp_path}/file", f"{tmp_path}/file/below")


CARRIERS = {
    "rsync": 'case $1 in --server) /usr/bin/rsync "$@"; echo worse >>{there}/file ;;\n'
    '*) exec /usr/bin/rsync "$@" ;; esac\n',
    "tar": '/usr/bin/tar "$@"; echo worse >>{there}/file\n',
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_file_that_arrives_damaged_is_an_error(
    sshd: Sshd, reach: Callable[[Account], SshLink], tmp_path: Path, carrier: str
) -> None:
    account = sshd.account(f"damage-{carrier}")
    (account.home / "bin").mkdir()
    program = account.home / "bin" / carrier
    program.write_text("#!/bin/sh\n" + CARRIERS[carrier].format(there=tmp_path / "there"))
    program.chmod(0o755)
    noise = "echo noise\n" if carrier == "tar" else ""
    (account.home / ".bashrc").write_text(noise + "export PATH=$HOME/bin:$PATH\n")
    (tmp_path / "tree").mkdir()
    for name in ("file", "other"):
        (tmp_path / "tree" / name).write_text("good\n")
    with pytest.raises(Broken, match=r"1 of 2 files are not in .*'file' first"):
        reach(account).put(f"{tmp_path}/tree", f"{tmp_path}/there")


def test_a_connection_that_breaks_on_the_way_is_told(
    sshd: Sshd, reach: Callable[[Account], SshLink], tmp_path: Path
) -> None:
    account = sshd.account("broken")
    started = tmp_path / "started"
    os.mkfifo(started)
    program = account.home / "tar"
    program.write_text(f"#!/bin/sh\necho $$ >{started}; exec sleep 600\n")
    program.chmod(0o755)
    (account.home / ".bashrc").write_text("echo noise; export PATH=$HOME:$PATH\n")
    (tmp_path / "file").write_text("x" * 100_000)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reach(account).put, f"{tmp_path}/file", f"{tmp_path}/there")
        pid = int(started.read_text())
        sshd.drop()
        with pytest.raises(LinkDown):
            waiting.result(30)
    ended_at_last(pid)
    assert not (tmp_path / "there").exists()
