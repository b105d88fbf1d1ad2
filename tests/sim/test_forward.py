"""What is told of the time to come is what then comes, if runs take as long as was assumed."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import WHOLE, Resources
from hpcshell.policy.decide import Policy
from hpcshell.policy.host import Host
from hpcshell.policy.snapshot import Snapshot, view_of
from hpcshell.sim.forward import Forward
from hpcshell.sim.lengths import part_of_limit
from tests.policy.made import make_job
from tests.policy.picture import picture
from tests.policy.test_host import host_of
from tests.policy.ways import Site, sites
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, World, same
from tests.sim.queues import load_to_limits, snapshot_of, world_until

PROMISES = st.sampled_from((0, 1, 2, None))


@given(loads(), PROMISES, st.integers(0, 20))
def test_a_snapshot_makes_a_view_that_answers_alike(
    load: Load, promises: int | None, later: int
) -> None:
    world = load.world(Policy(promises=promises))
    last = max(work.job.submit_time for work in load.work)
    world_until(world, last + later)
    snapshot = snapshot_of(world)
    sent = msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)
    assert sent == snapshot
    seen, told = picture(world.view), picture(view_of(sent))
    for told_of in (seen, told):
        told_of["impossible"] = ()
        told_of["promised"] = {u: at for u, at in told_of["promised"].items() if at < 1e300}
        told_of["jobs"] = {
            number: (job.id, list(waiting), running, late)
            for number, (job, waiting, running, _, late) in told_of["jobs"].items()
        }
    assert told == seen


@given(loads(), PROMISES, st.integers(0, 20))
def test_what_is_told_is_what_then_comes(load: Load, promises: int | None, later: int) -> None:
    load = load_to_limits(load)
    world = load.world(Policy(promises=promises))
    world_until(world, max(work.job.submit_time for work in load.work) + later)
    snapshot = snapshot_of(world)
    begun = set(world.starts)
    told = Forward(snapshot, part_of_limit()).play()
    world.run()
    came = {unit: start for unit, start in world.starts.items() if unit not in begun}
    assert told.starts == came
    assert not told.cut
    assert set(told.view.queue.jobs) == set(world.left)


@given(sites(), st.integers(0, 20))
def test_and_that_whatever_the_site_decides_by(site: Site, later: int) -> None:
    world = world_until(site.world(), site.last() + later)
    before = len(world.restarts)
    told = Forward(snapshot_of(world), part_of_limit(), site.way.regime()).play()
    world.run()
    assert told.starts == {unit: at for at, unit in reversed(world.restarts[before:])}


@given(loads(), PROMISES, st.integers(0, 20), st.integers(0, 3))
def test_what_starts_on_a_machine_that_lost_cards_is_on_those_it_has(
    load: Load, promises: int | None, when: int, gpus: int
) -> None:
    world = world_until(load.world(Policy(promises=promises)), when)
    node = host_of(load.total)
    forward = Forward(replace(snapshot_of(world), nodes=(node,)), part_of_limit())
    left = replace(load.total, gpus=min(gpus, load.total.gpus))
    forward.resize(left)
    old = set(forward.view.claims)
    for later in range(60):
        forward.play(float(when + later))
        claims = [claim for claim in forward.view.claims.values() if claim.run not in old]
        cards = [card for claim in claims for card in (*claim.gpus, *dict(claim.shared))]
        assert all(card < left.gpus for card in cards)


@pytest.mark.parametrize("known", [True, False])
def test_a_share_waits_for_a_card_that_is_left(known: bool) -> None:
    total = Resources(cpus=8, gpus=2)
    world = World(total, Policy(promises=None), host=Host(host_of(total)) if known else None)
    for number, hundredths in enumerate((WHOLE, WHOLE, 50), start=1):
        gpus, share = divmod(hundredths, WHOLE)
        job = make_job(number, gpus=gpus, gpu_share=share, time_limit=10.0 * number)
        world.arrive(job, same(Act(10.0 * number)))
        world.tick()
    nodes = (host_of(total),) if known else ()
    forward = Forward(replace(snapshot_of(world), nodes=nodes), part_of_limit())
    forward.resize(replace(total, gpus=1))
    assert forward.play().starts == {(3, -1): 20.0}
