"""What a site refuses is told in the words that help most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from hpcshell.backends.contract import Answer, Change, Partition, Site, Trouble, Words
from hpcshell.clusters.desks import open_cluster
from hpcshell.core.errors import Broken, Refused, Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Request
from hpcshell.core.settings import ClusterSettings, Settings
from hpcshell.machine.paths import Places
from tests.support.clusters.toy import ToyBackend, ToySite, spec, toy_desk


class Guarded(ToyBackend):
    """A toy where only operators may hold jobs, and that does not name a queue it does not know."""

    lacks = MappingProxyType({"hold": "only operators may hold a job of Toy: cancel it"})

    def read_change(self, ids: Sequence[str], answers: Sequence[Answer]) -> Change:
        return Change(troubles=dict.fromkeys(ids, Trouble(kind="denied", message="Unauthorized")))


class Small(ToyBackend):
    """A toy that takes what it can never run."""

    def ask_site(self) -> Sequence[Words]:
        return [self.probe()]

    def read_site(self, answers: Sequence[Answer]) -> Site:
        return Site(partitions=(Partition(name="debug", nodes=2, max_time=1800.0),))


class Nameless(ToyBackend):
    def read_submit(self, answer: Answer) -> str | Trouble:
        return Trouble(kind="wrong", message="Unknown queue", hint="there are: cpu, gpu")


def test_a_session_is_refused_in_a_sentence(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, ToySite())
    asked = spec()
    asked = msgspec.structs.replace(
        asked, submission=msgspec.structs.replace(asked.submission, session="any")
    )
    with pytest.raises(Wrong, match="--screen is for this machine's scheduler") as refused:
        desk.call("submit", submissions=[asked])
    assert refused.value.hint == "leave it out; hpc logs -f follows"


def test_what_only_operators_may_do_is_refused_with_the_nearest_thing(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, ToySite(), backend=Guarded)
    desk.call("submit", submissions=[spec()])
    with pytest.raises(Refused, match="only operators may hold a job of Toy") as refused:
        desk.call("hold", ids=["1"])
    assert refused.value.hint == "cancel it"


@pytest.mark.parametrize(
    ("layout", "seconds", "why"),
    [
        (Layout(nodes=9), None, "partition debug has 2 nodes, not 9"),
        (Layout(), 7200.0, "partition debug runs jobs for 30m 0s at the most"),
        (Layout(nodes=2), 1800.0, ""),
    ],
)
def test_what_was_taken_and_never_starts_is_said(
    tmp_path: Path, layout: Layout, seconds: float | None, why: str
) -> None:
    desk = toy_desk(tmp_path, site := ToySite(), backend=Small)
    job = spec(layout=layout, request=Request(time_limit=seconds))
    (dry,) = desk.call("submit", submissions=[job], dry_run=True)["jobs"]
    assert dry["notes"] == ([f"toy never starts it as it stands: {why}"] if why else [])
    (taken,) = desk.call("submit", submissions=[job])["jobs"]
    told = f"toy took it, but it never starts as it stands: {why}"
    assert taken["notes"] == ([told] if why else [])
    site.faults = ["full"]
    (waits,) = desk.call("submit", submissions=[job])["jobs"]
    assert told not in waits["notes"]


def test_an_error_that_nobody_knows_is_no_refusal_if_the_site_shows_the_job(tmp_path: Path) -> None:
    site = ToySite()
    desk = toy_desk(tmp_path, site)
    desk.cluster.site()
    site.faults = ["odd"]
    answer = desk.call("submit", submissions=[spec(name="taken")])["jobs"][0]
    assert answer["id"] == 1
    assert [row["name"] for row in site.jobs] == ["taken"]


def test_and_it_is_one_if_the_site_does_not(tmp_path: Path) -> None:
    site = ToySite()
    desk = toy_desk(tmp_path, site)
    desk.cluster.site()
    site.faults = ["sick"]
    with pytest.raises(Broken, match="Unbekannter Fehler"):
        desk.call("submit", submissions=[spec(name="refused")])
    assert not site.jobs
    assert not desk.call("queue", limit=0)["rows"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden"])
def test_a_cluster_is_not_named_like_a_path(tmp_path: Path, name: str) -> None:
    settings = Settings(clusters={name: ClusterSettings(backend="slurm")})
    where = Places(*(str(tmp_path / each) for each in ("state", "config", "run", "cache")))
    with pytest.raises(Wrong, match="is no name for a cluster"):
        open_cluster(name, settings, where)


def test_a_link_in_the_place_of_a_clusters_directory_is_not_followed(tmp_path: Path) -> None:
    settings = Settings(clusters={"mine": ClusterSettings(backend="slurm")})
    where = Places(*(str(tmp_path / each) for each in ("state", "config", "run", "cache")))
    (tmp_path / "state" / "clusters").mkdir(parents=True, mode=0o700)
    (tmp_path / "state" / "clusters" / "mine").symlink_to(tmp_path)
    with pytest.raises(Wrong, match="is a symbolic link"):
        open_cluster("mine", settings, where)
    assert not list((tmp_path / "state").glob("clusters.db*"))


def test_a_queue_that_is_not_known_is_named(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, ToySite(), backend=Nameless)
    with pytest.raises(Wrong, match="Unknown queue: nosuch") as refused:
        desk.call("submit", submissions=[spec(partition="nosuch")])
    assert refused.value.hint == "there are: cpu, gpu"


def test_of_a_variable_that_was_named_and_cannot_be_had_is_told_why(tmp_path: Path) -> None:
    desk = toy_desk(tmp_path, site := ToySite())
    named = {"UID": "7", "BASH_ENV": "mine", "HPC_CPUS": "99", "TMPDIR": "/scratch", "A": "1"}
    job = msgspec.structs.replace(spec(env=named), named=named)
    notes = desk.call("submit", submissions=[job])["jobs"][0]["notes"]
    assert "variable UID is left out: the shell keeps it for itself" in notes
    assert "variable HPC_CPUS is left out: the job finds its own there" in notes
    (text,) = (content for name, content in site.files.items() if name.endswith("/env"))
    assert {"BASH_ENV=mine", "TMPDIR=/scratch", "A=1"} <= set(text.decode().split())


@pytest.mark.parametrize("dry", [False, True])
def test_a_variable_that_no_job_could_start_with_is_refused_at_once(
    tmp_path: Path, dry: bool
) -> None:
    desk = toy_desk(tmp_path, site := ToySite())
    job = spec(env={"MATRIX": "1" * 200_000})
    with pytest.raises(Wrong, match=r"'MATRIX' has 200,007 bytes, more than .* 128 KiB") as wrong:
        desk.call("submit", submissions=[job], dry_run=dry)
    assert wrong.value.hint
    with pytest.raises(Wrong, match="an argument is longer"):
        desk.call("submit", submissions=[spec("echo", "1" * 200_000)], dry_run=dry)
    assert not site.jobs
    assert not site.files
