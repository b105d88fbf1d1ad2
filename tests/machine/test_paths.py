"""Where things lie, and that unsafe places are refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken, HpcError, Wrong
from hpcshell.machine.paths import Places, check_within, places


def test_one_home_holds_all(tmp_path: Path) -> None:
    where = places({"HPCSHELL_HOME": str(tmp_path), "XDG_STATE_HOME": "/elsewhere"})
    assert where == Places(
        state=f"{tmp_path}/state",
        config=f"{tmp_path}/config",
        runtime=f"{tmp_path}/run",
        cache=f"{tmp_path}/cache",
    )
    assert where.runner_socket == f"{tmp_path}/run/runner.sock"
    assert where.runs_journal == f"{tmp_path}/state/runs.journal"


def test_the_xdg_directories_are_used_when_absolute() -> None:
    where = places({"HOME": "/home/x", "XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "relative"})
    assert where.state == "/home/x/.local/state/hpcshell"
    assert where.runtime == f"{where.state}/run"
    assert where.config == "/c/hpcshell"
    assert where.cache == "/home/x/.cache/hpcshell"
    assert places({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/1/"}).runtime == (
        "/run/user/1/hpcshell"
    )


def test_directories_are_private_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o777):
        where = places({"HPCSHELL_HOME": str(tmp_path / f"{umask}")})
        old = os.umask(umask)
        try:
            where.prepare()
        finally:
            os.umask(old)
        for directory in (where.state, where.config, where.runtime, where.cache, where.scripts):
            assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
        where.prepare()


def refusal(where: Places) -> HpcError:
    with pytest.raises(HpcError) as caught:
        where.prepare()
    assert caught.value.hint
    return caught.value


def test_a_socket_path_too_long_is_refused(tmp_path: Path) -> None:
    where = places({"HPCSHELL_HOME": str(tmp_path / ("x" * 100))})
    error = refusal(where)
    assert isinstance(error, Wrong)
    assert "HPCSHELL_HOME" in str(error.hint)
    assert not os.path.exists(where.state)


def test_a_state_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    where = places({"HPCSHELL_HOME": str(tmp_path)})
    where.prepare()
    os.chmod(where.state, 0o777)
    error = refusal(where)
    assert isinstance(error, Wrong)
    assert "written by others" in error.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_foreign_state_directory_is_refused(tmp_path: Path) -> None:
    where = places({"HPCSHELL_HOME": str(tmp_path)})
    where.prepare()
    os.chown(where.state, 12345, 12345)
    assert "belongs to" in refusal(where).message


def test_a_file_in_the_way_and_a_dangling_link_are_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert "not a directory" in refusal(places({"HPCSHELL_HOME": str(tmp_path)})).message
    (tmp_path / "state").unlink()
    (tmp_path / "state").symlink_to("nowhere")
    assert "symbolic link" in refusal(places({"HPCSHELL_HOME": str(tmp_path)})).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_we_may_not_write_is_refused(tmp_path: Path) -> None:
    where = places({"HPCSHELL_HOME": str(tmp_path)})
    where.prepare()
    os.chmod(where.state, 0o500)
    assert isinstance(refusal(where), Broken)
    os.chmod(where.state, 0o700)


def test_a_read_only_file_system_is_named() -> None:
    error = refusal(places({"HPCSHELL_HOME": "/proc/hpcshell"}))
    assert isinstance(error, Broken)
    assert "cannot be made" in error.message


# ------------------------------------------------------------------------- directories within it


def made_within(tmp_path: Path) -> tuple[str, Path]:
    within = tmp_path / "state" / "clusters" / "mine"
    within.mkdir(parents=True, mode=0o700)
    for each in (tmp_path / "state", tmp_path / "state" / "clusters"):
        each.chmod(0o700)
    (within / "answers").touch()
    return str(tmp_path / "state"), within


def test_what_is_ones_own_or_not_there_is_good(tmp_path: Path) -> None:
    check_within(str(tmp_path / "nothing"), "clusters", "mine")
    state, _ = made_within(tmp_path)
    check_within(state, "clusters", "mine")
    check_within(state, "clusters", "new")


@pytest.mark.parametrize("which", ["clusters", "clusters/mine", "clusters/mine/answers"])
def test_a_link_within_the_state_is_not_followed(tmp_path: Path, which: str) -> None:
    state, _ = made_within(tmp_path)
    where = Path(state) / which
    where.rename(tmp_path / "elsewhere")
    where.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Wrong, match=f"{where} is a symbolic link"):
        check_within(state, "clusters", "mine")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("which", [".", "clusters", "clusters/mine", "clusters/mine/answers"])
def test_what_is_anothers_within_the_state_is_refused(tmp_path: Path, which: str) -> None:
    state, _ = made_within(tmp_path)
    os.chown(Path(state) / which, 65534, 65534)
    with pytest.raises(Wrong, match="belongs to user 65534"):
        check_within(state, "clusters", "mine")


def test_what_others_may_write_and_a_file_in_the_way_are_refused(tmp_path: Path) -> None:
    state, within = made_within(tmp_path)
    within.chmod(0o777)
    with pytest.raises(Wrong, match="can be written by others"):
        check_within(state, "clusters", "mine")
    within.chmod(0o700)
    with pytest.raises(Wrong, match="is not a directory"):
        check_within(str(within), "answers")
