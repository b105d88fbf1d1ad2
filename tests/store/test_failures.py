"""A disk that is full, fails or is locked: loud, nothing half done, everything old unharmed."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hpcshell.core.errors import Broken, HpcError, NotYet
from hpcshell.store import opening
from hpcshell.store.faults import failing
from hpcshell.store.store import Store
from tests.store import made
from tests.store.crashing import tables
from tests.support.disks import small_disk


def _life(store: Store) -> None:
    with store.change() as change:
        made.whole_life(change, env=change.add_blob(b"HOME=/home/ann"))


def _lives(store: Store, count: int) -> None:
    for _ in range(count):
        _life(store)


@pytest.mark.parametrize("name", ["FULL", "IOERR", "FSYNC", "BUSY", "CORRUPT", "READONLY"])
def test_a_failure_at_any_write_undoes_the_change_and_the_store_goes_on(
    path: Path, name: str
) -> None:
    writes: list[str] = []
    with Store.open(path, on_write=lambda when, number, kind: writes.append(kind)) as store:
        _life(store)
        before = tables(store)
    count = len(writes) // 2
    assert writes[-1] == "commit"
    for number in range(1, count + 1):
        with Store.open(path, on_write=failing(number, name)) as store:
            with pytest.raises(NotYet if name in ("FULL", "BUSY") else Broken) as caught:
                _life(store)
            assert str(path) in caught.value.message
            assert caught.value.hint
            assert tables(store) == before
            assert store.job(1) is not None
            _life(store)
            stored = store.job(store.ids.job)
            assert stored is not None
            assert stored.summary is not None
            before = tables(store)
    with Store.open(path) as store:
        assert store.check() == []
        assert store.ids.job == count + 1, "no id was lost"


def test_a_disk_that_stays_full_says_so_each_time_and_harms_nothing(path: Path) -> None:
    with Store.open(path, on_write=failing(20, "FULL", times=1000)) as store:
        _life(store)
        for _ in range(10):
            with pytest.raises(NotYet, match="is full: nothing was recorded"):
                _lives(store, 3)
        assert len(list(store.live_jobs())) == 0
        assert store.job(1) is not None
    with Store.open(path) as store:
        _life(store)
        assert store.check() == []


def test_a_lock_of_another_program_is_not_yet(path: Path) -> None:
    with Store.open(path, busy=0.05) as store:
        _life(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotYet, match="locked"):
            _life(store)
        other.execute("ROLLBACK")
        other.close()
        _life(store)
        assert store.ids.job == 2


def _submit_until_refused(store: Store) -> HpcError:
    for number in range(10_000):
        try:
            with store.change() as change:
                made.submit(change, env=change.add_blob(b"%d " % number * 200))
        except HpcError as error:
            return error
    raise AssertionError("the disk never filled up")


def test_a_full_disk_is_named_and_all_that_was_accepted_is_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * 200_000)
        with Store.open(disk / "hpcshell.db") as store:
            error = _submit_until_refused(store)
            assert isinstance(error, NotYet)
            assert "is full" in error.message
            assert "df -h" in (error.hint or "")
            accepted = store.ids.job
            assert accepted > 10
            for _ in range(3):
                assert isinstance(_submit_until_refused(store), NotYet)
            assert store.ids.job == len(list(store.live_jobs())) >= accepted
            ballast.unlink()
            _life(store)
            last = store.ids.job
        with Store.open(disk / "hpcshell.db") as store:
            assert store.check() == []
            assert store.ids.job == last
            assert len(list(store.live_jobs())) == last - 1


def test_a_full_disk_refuses_a_new_database_and_leaves_no_ruin(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="space"):
            ballast.write_bytes(b"\0" * 2_000_000)
        with pytest.raises(HpcError) as caught:
            Store.open(disk / "hpcshell.db")
        assert caught.value.hint
        ballast.unlink()
        with Store.open(disk / "hpcshell.db") as store:
            _life(store)


def test_a_file_that_may_not_grow_is_an_error_of_the_disk(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store.open(path) as store:
        _life(store)
        resource.setrlimit(resource.RLIMIT_FSIZE, (opening.wal_of(path).stat().st_size, hard))
        try:
            with pytest.raises(HpcError) as caught:
                _life(store)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "nothing was recorded" in caught.value.message
        assert caught.value.hint
        _life(store)
        assert store.ids.job == 2
        assert store.check() == []


# fsync that fails when the file named by FSYNC_FAILS exists.
_SHIM = r"""
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int broken(void) { errno = EIO; return access(getenv("FSYNC_FAILS"), F_OK) == 0; }
int fsync(int fd) { (void)fd; return broken() ? -1 : 0; }
int fdatasync(int fd) { (void)fd; return broken() ? -1 : 0; }
"""

_SCRIPT = """
import os, sys
from pathlib import Path
from hpcshell.core.errors import Broken
from hpcshell.store.store import Store
from tests.store import made
store = Store.open(Path(sys.argv[1]))
with store.change() as change:
    made.submit(change)
switch = Path(os.environ["FSYNC_FAILS"])
switch.touch()
try:
    with store.change() as change:
        made.submit(change)
except Broken as error:
    assert "nothing was recorded" in error.message, error
else:
    sys.exit("the sync did not fail")
switch.unlink()
if sys.argv[2] == "more":
    with store.change() as change:
        made.submit(change, name="later")
os._exit(0)
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("after", ["crash", "more"])
def test_a_commit_whose_sync_failed_does_not_come_back(
    path: Path, tmp_path: Path, after: str
) -> None:
    source, shim = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(_SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source], check=True)
    environment = os.environ | {
        "LD_PRELOAD": str(shim),
        "FSYNC_FAILS": str(tmp_path / "switch"),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    subprocess.run([sys.executable, "-c", _SCRIPT, str(path), after], check=True, env=environment)
    with Store.open(path) as store:
        names = [found.job.name for found in store.live_jobs()]
        assert names == (["study", "later"] if after == "more" else ["study"])
        assert store.check() == []
