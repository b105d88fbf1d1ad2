"""Files that go along with a job and come back: nothing is lost, changed, or put elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcshell.clusters import fetching, polls
from hpcshell.clusters.clearing import clear
from hpcshell.clusters.desk import Desk
from hpcshell.core.errors import HpcError, NotFound, Refused, Wrong
from hpcshell.core.sightings import GONE, Sighting
from hpcshell.machine.link import LinkDown
from tests.support.clusters.somewhere import Somewhere, far_desk, staged
from tests.support.clusters.toy import spec

NAMES = st.text(
    st.characters(exclude_characters="\0/*?[", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", ".."))
TREES = st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=5)


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is a new one."""
    monkeypatch.setattr(polls, "MOMENT", 0.0)
    monkeypatch.setattr(polls, "SHARE", 0.0)


@pytest.fixture
def site(tmp_path: Path) -> Somewhere:
    return Somewhere(tmp_path / "there")


@pytest.fixture
def desk(tmp_path: Path, site: Somewhere) -> Desk:
    return far_desk(tmp_path, site)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    directory = tmp_path / "here"
    directory.mkdir()
    return directory


def submit(desk: Desk, job: Any) -> str:
    return str(desk.call("submit", submissions=[job])["jobs"][0]["id"])


def fetch(desk: Desk, job: str, **asked: Any) -> dict[str, str]:
    """What became of each file, by name."""
    files = desk.call("fetch", ids=[job], **asked)["files"]
    return {file["name"]: file["how"] for file in files}


# -------------------------------------------------------------------------------------- going along


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_files_of_any_name_arrive_and_come_back_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]
):
    place = tmp_path_factory.mktemp("any")
    origin, site = place / "here", Somewhere(place / "there")
    (origin / "in").mkdir(parents=True)
    for name, content in tree.items():
        (origin / "in" / name).write_bytes(content)
    desk = far_desk(place, site)
    job = submit(desk, staged(origin, stage_in=("in",), stage_out=("out",)))
    work = site.work(desk, job)
    assert {path.name: path.read_bytes() for path in (work / "in").iterdir()} == tree
    (work / "in").rename(work / "out")
    site.run(job)
    assert set(fetch(desk, job).values()) == {"fetched"}
    assert {path.name: path.read_bytes() for path in (origin / "out").iterdir()} == tree


def test_a_job_with_files_works_in_a_directory_of_its_own(
    desk: Desk, site: Somewhere, origin: Path
):
    (origin / "a").write_text("a")
    one, two = (submit(desk, staged(origin, stage_in=("a",))) for _ in range(2))
    first, second = site.work(desk, one), site.work(desk, two)
    assert first != second
    assert first.parent.parent == second.parent.parent == site.there / ".hpcshell" / "jobs"
    assert (first / "a").read_text() == (second / "a").read_text() == "a"


def test_a_job_without_files_works_where_it_is_said(desk: Desk, site: Somewhere):
    job = submit(desk, spec("true", cwd=str(site.there)))
    assert site.work(desk, job) == site.there


def test_a_directory_that_is_not_there_is_refused_and_nothing_is_left(desk: Desk, site: Somewhere):
    with pytest.raises(Wrong, match="no directory '/not/there'"):
        submit(desk, spec("true", cwd="/not/there"))
    assert site.jobs == []
    assert list((site.there / ".hpcshell" / "jobs").iterdir()) == []


def test_a_transfer_that_breaks_is_gone_on_with(desk: Desk, site: Somewhere, origin: Path):
    for name in "abc":
        (origin / name).write_text(name)
    site.breaks = [1, 1]
    job = submit(desk, staged(origin, stage_in=("a", "b", "c")))
    assert sorted(path.name for path in site.work(desk, job).iterdir()) == ["a", "b", "c"]
    assert len(site.carried) == 3


def test_where_it_breaks_for_good_there_is_no_job_and_nothing_left(
    desk: Desk, site: Somewhere, origin: Path
):
    (origin / "a").write_text("a")
    site.breaks = [0] * 9
    with pytest.raises(LinkDown):
        submit(desk, staged(origin, stage_in=("a",)))
    assert site.jobs == []
    assert list((site.there / ".hpcshell" / "jobs").iterdir()) == []


# -------------------------------------------------------------------------------------- coming back


@pytest.fixture
def ended(desk: Desk, site: Somewhere, origin: Path) -> tuple[str, Path]:
    """A job that has ended, and where it worked."""
    job = submit(desk, staged(origin, stage_out=("out", "*.csv")))
    work = site.work(desk, job)
    (work / "out" / "deep").mkdir(parents=True)
    (work / "out" / "deep" / "x").write_text("x")
    (work / "a.csv").write_text("new")
    site.run(job)
    return job, work


def test_what_was_named_comes_back_and_is_not_carried_twice(
    desk: Desk, site: Somewhere, origin: Path, ended: tuple[str, Path]
):
    job, _ = ended
    assert fetch(desk, job) == {"a.csv": "fetched", "out/deep/x": "fetched"}
    assert (origin / "out" / "deep" / "x").read_text() == "x"
    assert fetch(desk, job) == {"a.csv": "unchanged", "out/deep/x": "unchanged"}
    assert len(site.carried) == 2
    assert sorted(path.name for path in origin.iterdir()) == ["a.csv", "out"]


def test_what_is_newer_here_stays_unless_it_is_forced(
    desk: Desk, origin: Path, ended: tuple[str, Path]
):
    job, work = ended
    (origin / "a.csv").write_text("mine")
    os.utime(work / "a.csv", (1.0, 1.0))
    assert fetch(desk, job)["a.csv"] == "kept"
    assert (origin / "a.csv").read_text() == "mine"
    assert fetch(desk, job, force=True)["a.csv"] == "fetched"
    assert (origin / "a.csv").read_text() == "new"


def test_what_is_older_here_is_replaced(desk: Desk, origin: Path, ended: tuple[str, Path]):
    job, _ = ended
    (origin / "a.csv").write_text("last year's")
    os.utime(origin / "a.csv", (1.0, 1.0))
    assert fetch(desk, job)["a.csv"] == "fetched"
    assert (origin / "a.csv").read_text() == "new"


def test_links_and_what_is_no_file_do_not_come(desk: Desk, origin: Path, ended: tuple[str, Path]):
    job, work = ended
    (work / "out" / "evil").symlink_to("/etc")
    (work / "out" / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(work / "out" / "pipe")
    came = fetch(desk, job)
    assert {came[f"out/{name}"] for name in ("evil", "passwd", "pipe")} == {"left out"}
    assert sorted(path.name for path in (origin / "out").iterdir()) == ["deep"]


def test_nothing_is_written_through_a_link_that_is_here(
    desk: Desk, origin: Path, tmp_path: Path, ended: tuple[str, Path]
):
    job, _ = ended
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (origin / "out").symlink_to(elsewhere)
    (tmp_path / "file").write_text("mine")
    (origin / "a.csv").symlink_to(tmp_path / "file")
    assert fetch(desk, job, force=True) == {"a.csv": "kept", "out/deep/x": "kept"}
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "file").read_text() == "mine"


def test_names_that_the_far_side_makes_up_are_not_believed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, origin: Path, ended: tuple[str, Path]
):
    job, _ = ended
    lies = "printf '%064d  ./%s\\n' 0 ../../evil 0 /etc/evil 0 other; printf '\\0'"
    monkeypatch.setattr(fetching, "_LIST", "{ : NAMES; " + lies + "; } | od -An -v -tx1")
    assert set(fetch(desk, job).values()) == {"missing"}
    assert list(origin.iterdir()) == []


def test_a_transfer_back_that_breaks_is_gone_on_with(
    desk: Desk, site: Somewhere, origin: Path, ended: tuple[str, Path]
):
    job, _ = ended
    site.breaks = [1, 0]
    assert set(fetch(desk, job).values()) == {"fetched"}
    site.breaks = [0] * 9
    with pytest.raises(LinkDown):
        fetch(desk, job, into=str(origin / "out"))


def test_what_is_not_there_is_said(desk: Desk, ended: tuple[str, Path]):
    job, _ = ended
    assert fetch(desk, job, names=("nothing", "a.csv")) == {
        "a.csv": "fetched",
        "nothing": "missing",
    }


def test_waiting_brings_back_only_what_was_named_of_what_has_ended(
    desk: Desk, site: Somewhere, origin: Path
):
    plain = submit(desk, spec("true", cwd=str(site.there)))
    running = submit(desk, staged(origin, stage_out=("a.csv",)))
    (site.work(desk, running) / "a.csv").write_text("half")
    site.run(plain)
    site.run(running, "run")
    assert fetch(desk, plain, staged=True) == {}
    assert fetch(desk, running, staged=True) == {}
    site.run(running)
    assert fetch(desk, running, staged=True) == {"a.csv": "fetched"}


def test_without_a_word_of_what_it_is_refused(desk: Desk, site: Somewhere):
    job = submit(desk, spec("true", cwd=str(site.there)))
    with pytest.raises(Wrong, match="which files"):
        fetch(desk, job)
    with pytest.raises(Wrong, match="not below"):
        fetch(desk, job, names=("../x",))
    with pytest.raises(NotFound, match="no directory"):
        fetch(desk, job, names=("x",), into="/not/there")


def test_what_strangers_submitted_is_not_ours_to_fetch(desk: Desk, site: Somewhere):
    stranger = site.do_submit("", "", "theirs")
    with pytest.raises(Refused):
        fetch(desk, stranger, names=("x",))


# -------------------------------------------------------------------------------------- clearing up


def left(site: Somewhere) -> set[str]:
    return {path.name for path in (site.there / ".hpcshell" / "jobs").iterdir()}


def test_only_directories_of_what_has_ended_are_removed(desk: Desk, site: Somewhere, origin: Path):
    ended, live, silent = (submit(desk, staged(origin)) for _ in range(3))
    names = {job: site.work(desk, job).parent.name for job in (ended, live, silent)}
    others = {"hpcnotours", "notes", f"hpc{'a' * 16}"}
    for other in others:
        (site.there / ".hpcshell" / "jobs" / other).mkdir()
    site.run(ended)
    site.run(live, "run")
    for row in site.meant(silent):
        row["state"] = "no such word"
    assert [each.entry.key for each in clear(desk.cluster, 0.0, dry_run=True)] == [names[ended]]
    assert left(site) == {*names.values(), *others}
    clear(desk.cluster, 0.0)
    assert left(site) == {names[live], names[silent], *others}
    assert clear(desk.cluster, 0.0) == []


def test_while_the_scheduler_is_silent_nothing_counts_as_ended(
    desk: Desk, site: Somewhere, origin: Path
):
    job = submit(desk, staged(origin))
    site.run(job)
    site.faults = ["dead"] * 20
    assert clear(desk.cluster, 0.0) == []
    assert len(left(site)) == 1


def test_what_has_not_come_back_stays_unless_that_is_wanted(
    desk: Desk, ended: tuple[str, Path], site: Somewhere
):
    job, _ = ended
    (kept,) = clear(desk.cluster, 0.0)
    assert "not fetched" in kept.why
    assert len(left(site)) == 1
    fetch(desk, job)
    assert [each.why for each in clear(desk.cluster, 0.0)] == [""]
    assert left(site) == set()


def test_what_ended_lately_stays_for_a_while(desk: Desk, site: Somewhere, origin: Path):
    site.run(submit(desk, staged(origin)))
    desk.call("queue", limit=0)
    assert clear(desk.cluster, 1e12) == []


def test_after_clearing_up_there_is_nothing_to_fetch(desk: Desk, ended: tuple[str, Path]):
    job, _ = ended
    clear(desk.cluster, 0.0, unfetched=True)
    with pytest.raises(HpcError, match="any more"):
        fetch(desk, job)


def test_what_its_scheduler_forgot_may_be_alive_and_stays(
    desk: Desk, site: Somewhere, origin: Path
):
    submit(desk, staged(origin))
    ledger = desk.cluster.ledger
    (entry,) = ledger.open_entries("toy")
    forgotten = Sighting(native="1", number="1", key=entry.key, state=GONE, end_time=1.0)
    with ledger.change() as change:
        change.end(entry.serial, [(None, forgotten)])
        change.close([entry.serial])
    assert clear(desk.cluster, 0.0) == []
    assert len(left(site)) == 1
