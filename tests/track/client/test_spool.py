"""Disks that are full, directories that are none, and what then becomes of what is logged."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from hpcshell import track
from hpcshell.track.client import spool as spools
from hpcshell.track.client.spool import Nowhere, open_spool
from tests.support import disks
from tests.track.client.conftest import of_kind, spooled


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's directory of temporary files, for this test."""
    where = tmp_path / "temporary"
    where.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(where))
    return where


def test_a_full_disk_is_said_once_and_training_goes_on(tmp_path, caplog):
    with disks.small_disk(tmp_path / "disk") as disk:
        with track.run("x", dir=disk) as run:
            run.log(loss=0, step=0)
            disks.fill(disk)
            for step in range(1, 100):
                run.log_many({f"metric {number}": 1.0 for number in range(50)}, step=step)
            (disk / "ballast").unlink()
            run.spool.retry()
            run.log(loss=100, step=100)
        found = spooled(disk)
    assert [line["s"] for line in of_kind("m", found)] == list(range(101))
    assert found[-1]["k"] == "end"
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text or "is full" in caplog.text


def test_what_does_not_fit_into_memory_either_is_lost_and_said_to_be(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(spools, "KEPT", 2000)
    with disks.small_disk(tmp_path / "disk") as disk:
        with track.run("x", dir=disk) as run:
            run.log(loss=0, step=0)
            disks.fill(disk)
            for step in range(1, 1000):
                run.log_many({f"metric {number}": 1.0 for number in range(50)}, step=step)
        assert all(line["k"] in ("run", "m") for line in spooled(disk))
    assert "were lost" in caplog.text
    assert len(caplog.records) == 2


def test_a_limit_on_the_size_of_files_is_a_full_disk(script, tmp_path):
    done = script("""
        import resource
        from hpcshell import track
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        with track.run("x") as run:
            for step in range(1000):
                run.log(loss=step, step=step)
        """)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    steps = [line["s"] for line in of_kind("m", spooled(tmp_path / "spool"))]
    assert steps == list(range(len(steps)))
    assert len(steps) > 50


def test_a_disk_that_is_full_from_the_start_is_left_for_another_directory(
    tmp_path, temporary, caplog
):
    with disks.small_disk(tmp_path / "disk") as disk:
        disks.fill(disk)
        with track.run("x", dir=disk) as run:
            run.log(loss=1)
        assert run.spool.path.startswith(os.environ["HPCSHELL_HOME"])
        assert len(caplog.records) == 1


def test_a_directory_that_cannot_be_written_is_replaced_by_a_temporary_one(
    tmp_path, temporary, monkeypatch, caplog
):
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path / "disk"))
    with disks.small_disk(tmp_path / "disk") as disk:
        disks.close(disk)
        with track.run("x", dir=disk / "spool") as run:
            run.log(loss=1)
        path = Path(run.spool.path)
    assert path.parent == temporary / f"hpcshell-spool-{os.geteuid()}"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(of_kind("m", spooled(path.parent))) == 1
    assert len(caplog.records) == 1
    assert f"hpc track sync {path.parent}" in caplog.text


def test_a_temporary_directory_that_others_can_write_is_not_taken(tmp_path, temporary, caplog):
    trap = temporary / f"hpcshell-spool-{os.geteuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    spool = open_spool([str(tmp_path / "no" / "\0")], "a" * 32, "b" * 12, b"{}\n")
    assert Path(spool.path).parent.parent == temporary
    assert Path(spool.path).parent != trap
    spool.close()


def test_with_no_directory_at_all_training_goes_on_and_nothing_is_recorded(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "file").write_text("")
    blocked = str(tmp_path / "file" / "x")
    monkeypatch.setattr(tempfile, "tempdir", blocked)
    monkeypatch.setenv("HPCSHELL_HOME", blocked)
    with track.run("x", dir=blocked, url="http://127.0.0.1:9") as run:
        run.log(loss=1)
        assert isinstance(run.spool, Nowhere)
    assert "nothing is logged" in caplog.text


def test_a_file_is_never_written_through_a_link_that_somebody_has_laid(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "urandom", bytes)
    place = tmp_path / "spool"
    place.mkdir()
    (place / f"{'a' * 32}-{'b' * 12}{'0' * 8}.jsonl").symlink_to(tmp_path / "precious")
    spool = open_spool([str(place), str(tmp_path / "other")], "a" * 32, "b" * 12, b"{}\n")
    assert Path(spool.path).parent == tmp_path / "other"
    assert not (tmp_path / "precious").exists()
    spool.close()


def test_the_directory_of_the_state_is_ours_alone_whatever_the_umask(script, tmp_path):
    done = script(
        """
        import os
        os.umask(0)
        from hpcshell import track
        with track.run("x"):
            pass
        """,
        HPC_TRACK_DIR="",
    )
    assert done.returncode == 0, done.stderr
    for name in ("home", "home/state", "home/state/spool"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700
    assert len(spooled(tmp_path / "home" / "state" / "spool")) == 2


def test_a_descriptor_that_training_has_closed_stops_nothing(tmp_path, caplog):
    with track.run("x") as run:
        os.close(run.spool.descriptor)
        run.log(loss=1)
        run.spool.descriptor = -1
    assert "cannot be written" in caplog.text
