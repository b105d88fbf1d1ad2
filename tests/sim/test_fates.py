"""What `hpc whatif` tells of runs that make room, and of what can never start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.cli.foretold import Asked, document, text
from hpcshell.cli.talk import Talk
from hpcshell.core.records import Job, Resources
from hpcshell.core.settings import Settings
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.policy.decide import Policy
from hpcshell.policy.snapshot import Snapshot, elements_of, regime_of, standing
from hpcshell.sim.changes import Wish, changes_of
from hpcshell.sim.fates import Fate
from hpcshell.sim.forward import Forward
from hpcshell.sim.gains import Compared, compare
from hpcshell.sim.lengths import part_of_limit
from tests.policy.made import make_job
from tests.policy.ways import Site, sites
from tests.policy.world import Act, World, same
from tests.sim.queues import snapshot_of, world_until


def settings(mode: str) -> Settings:
    tables = {
        "scheduler": {"preempt_mode": mode},
        "qos": {"n": {}, "u": {"preempts": ["n"]}},
        "defaults": {"qos": "n"},
    }
    return read_layers([Layer(source="ours", tables=tables)]).settings


def running(mode: str, *jobs: Job, now: float = 10.0) -> Snapshot:
    """A queue of four CPUs that has gone on until `now`."""
    site = settings(mode)
    world = World(
        Resources(cpus=4),
        Policy(),
        regime_of(Snapshot(now=0.0, total=Resources(cpus=4), settings=site)),
    )
    for job in jobs:
        world.arrive(job, same(Act(1000.0)))
    world.tick()
    world.now = now
    return replace(snapshot_of(world), settings=site)


def after_a_new(job: Job, snapshot: Snapshot, **words: tuple[str, ...]) -> tuple[Asked, Compared]:
    """Both runs, the second of them with that job, and what was asked."""
    site = snapshot.settings
    assert site is not None
    changes = changes_of(Wish(jobs=(job,), **words), snapshot, "u", site)  # type: ignore[arg-type]
    before, after = (Forward(snapshot, part_of_limit(), regime_of(snapshot)) for _ in range(2))
    changes.make(after)
    before.play()
    after.play()
    asked = Asked(["--submit ..."], "limit", 3600.0, snapshot.now, snapshot.now, before, after)
    return asked, compare(before, after)


V1 = make_job(1, cpus=4, time_limit=100.0, qos="n")
NEW = make_job(2, cpus=4, time_limit=60.0, qos="u")


@pytest.mark.parametrize(
    ("mode", "again", "said"),
    [
        ("cancel", None, "PREEMPTED now, ends"),
        ("suspend", 70.0, "PREEMPTED now, goes on in 1m 0s"),
        ("requeue", 70.0, "PREEMPTED now, starts again in 1m 0s"),
    ],
)
def test_who_makes_room_is_told_with_what_becomes_of_it(
    mode: str, again: float | None, said: str
) -> None:
    asked, compared = after_a_new(NEW, running(mode, V1))
    (victim,) = [row for row in compared.rows if not row.new]
    assert victim.job.id == 1
    assert victim.fates is not None
    assert (victim.fates.before, victim.fates.after) == (None, Fate(mode, 10.0, again))
    assert compared.winners() == (0, 1)
    lines = text(Talk(), asked, compared, every=False)
    (line,) = [line for line in lines if line.startswith("1 ")]
    assert "runs on" in line
    assert said in line
    assert "0 jobs start sooner, 1 later or never, 1 of them preempted" in lines
    (told,) = [job for job in document(asked, compared, every=False)["jobs"] if job["id"] == 1]
    fate = {"mode": mode, "at": 10.0, "again": again}
    assert told["preempted"] == {"before": None, "after": fate}
    assert told["gain"] == (None if again is None else -60.0)


def test_who_makes_room_no_more_gains() -> None:
    snapshot = running("requeue", V1)
    waits = replace(snapshot, jobs=(*snapshot.jobs, standing(NEW, elements_of(NEW))), last_job=2)
    before, after = (Forward(waits, part_of_limit(), regime_of(waits)) for _ in range(2))
    after.cancel(2)
    compared = compare(before.play(), after.play())
    assert compared.winners() == (1, 0)
    assert compared.preempted() == 0


@given(sites(), st.integers(0, 20))
def test_nobody_is_said_to_make_room_where_nothing_changes(site: Site, later: int) -> None:
    snapshot = snapshot_of(world_until(site.world(), site.last() + later))
    runs = [Forward(snapshot, part_of_limit(), site.way.regime()).play(1e6) for _ in range(2)]
    assert not any(row.changed for row in compare(*runs).rows)


@given(sites(), st.integers(0, 20))
def test_every_job_that_waits_is_listed(site: Site, later: int) -> None:
    snapshot = snapshot_of(world_until(site.world(), site.last() + later))
    one = Forward(snapshot, part_of_limit(), site.way.regime())
    waits = {one.job.id for one in snapshot.jobs if one.waiting != ""}
    listed = {row.job.id: row for row in compare(one.play(1e6), one).rows if row.fates is None}
    assert waits <= listed.keys()
    assert all(listed[number].elements for number in waits)


def test_what_cannot_end_by_its_deadline_never_starts() -> None:
    runs = make_job(1, cpus=4, time_limit=300.0)
    late = make_job(2, cpus=4, time_limit=60.0, deadline=120.0, name="dl")
    one = Forward(running("requeue", runs, late), part_of_limit()).play()
    (row,) = compare(one, one).rows
    assert (row.job.name, row.elements, row.before, row.after) == ("dl", 1, None, None)
    assert row.why == "it may run for 1m, and that much is not left until its deadline"
