"""A disk that is full, or cannot be written: what needs no writing goes on; what does need it is
refused before anything is sent."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpcshell.clusters.anydesk import AnyDesk
from hpcshell.core.errors import Broken, HpcError, NotYet
from hpcshell.core.sightings import UNKNOWN
from hpcshell.store.ledger.failures import UNWRITABLE
from hpcshell.store.ledger.ledger import Ledger
from tests.clusters.world import World
from tests.support import disks

NOBODY = 65534
Spoil = Callable[[Path], None]
SPOILED = pytest.mark.parametrize(
    ("spoil", "kind"), [(disks.fill, NotYet), (disks.close, Broken)], ids=["full", "read-only"]
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose state lies on a small disk of its own."""
    with disks.small_disk(tmp_path / "disk") as disk:
        made = World(disk, monkeypatch)
        made.submit("true", name="a")
        made.submit("true", name="b", array="0-3")
        made.passes(1)
        assert made.state("a") == "PENDING"
        yield made
        made.close()


def spoiled(world: World, spoil: Spoil, *, anew: bool) -> None:
    """Nothing can be written any more; `anew`: by a process that begins only then."""
    if anew or spoil is disks.close:  # no disk is closed while a file of it is being written
        world.ends(0)
    spoil(world.directory)
    world.passes(1)


@SPOILED
@pytest.mark.parametrize("anew", [True, False])
def test_what_is_there_is_shown_and_what_was_learned_is_said_not_to_be_kept(
    world: World, spoil: Spoil, kind: type[HpcError], anew: bool
) -> None:
    spoiled(world, spoil, anew=anew)
    world.begin(world.of("a")[0])
    assert world.state("a") == "RUNNING"
    world.end(world.of("a")[0], "bad")
    world.passes(100)
    assert world.state("a") == "FAILED"
    assert "nothing was recorded" in world.desk().unkept or "cannot be" in world.desk().unkept
    assert AnyDesk({"toy": world.desk()}).unkept == world.desk().unkept
    assert world.desk().call("queue", limit=0)["total"] == 1
    assert world.desk().call("history", limit=0)["rows"] == []
    assert world.desk().call("wait", ids=["a"])["done"][0]["state"] == "FAILED"


@SPOILED
@pytest.mark.parametrize("anew", [True, False])
def test_jobs_are_cancelled(world: World, spoil: Spoil, kind: type[HpcError], anew: bool) -> None:
    spoiled(world, spoil, anew=anew)
    assert world.desk().call("cancel", ids=["a", "2_1"])["jobs"]
    assert [row["state"] for row in world.jobs] == ["gone", "wait", "gone", "wait", "wait"]


@SPOILED
@pytest.mark.parametrize("anew", [True, False])
def test_nothing_is_submitted_that_could_not_be_recorded(
    world: World, spoil: Spoil, kind: type[HpcError], anew: bool
) -> None:
    spoiled(world, spoil, anew=anew)
    files = dict(world.files)
    world.asked.clear()
    with pytest.raises(UNWRITABLE) as refused:
        world.submit("true", name="c", env={"FILL": "x" * 100_000})
    assert isinstance(refused.value, kind)
    assert refused.value.hint
    assert "submit" not in world.asked
    assert world.files == files, "and nothing is left of it at the site"


def test_a_disk_that_fills_up_while_a_job_is_sent_makes_it_unknown_and_not_two(
    world: World,
) -> None:
    world.during(1, lambda: disks.fill(world.directory))
    job = world.submit("true", name="c")
    assert len(world.of("c")) == 1
    assert job["job"]["state"] in (UNKNOWN, "PENDING")
    world.passes(5)
    world.desk().call("queue", limit=0)
    (world.directory / "ballast").unlink()
    for _ in range(3):
        world.passes(400)
        assert world.state("c") == "PENDING"
    assert len(world.of("c")) == 1
    assert world.labels("c") == ["3"]


@SPOILED
def test_where_nothing_was_ever_recorded_the_site_is_asked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil, kind: type[HpcError]
) -> None:
    with disks.small_disk(tmp_path / "disk") as disk:
        spoil(disk)
        world = World(disk, monkeypatch)
        world.do_submit("somebody's", "", "theirs")
        assert world.state("theirs") == "PENDING"
        assert world.desk().call("cancel", ids=["theirs"])["jobs"]
        with pytest.raises(kind):
            world.submit("true", name="mine")
        world.close()


def test_somebody_else_may_read_and_not_write(tmp_path: Path) -> None:
    path = tmp_path / "clusters.db"
    Ledger.open(path).close()
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    for each in (path, tmp_path, *list(tmp_path.parents)[:2]):
        each.chmod(0o755)
    child = multiprocessing.get_context("fork").Process(target=_reads_as_nobody, args=(path,))
    child.start()
    child.join()
    assert child.exitcode == 0


def _reads_as_nobody(path: Path) -> None:
    os.setuid(NOBODY)
    ledger = Ledger.open(path)
    assert ledger.clusters() == []
    with pytest.raises(Broken, match="cannot be"):
        ledger.require()
