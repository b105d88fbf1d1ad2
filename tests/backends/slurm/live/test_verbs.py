"""Every verb, said to a real Slurm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcshell.backends.contract import Parent, Site
from hpcshell.backends.slurm import SlurmBackend
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Request
from hpcshell.core.units import MIB
from tests.backends.slurm.live.conftest import Jobs
from tests.support.clusters.slurm import SlurmCluster

LISTEN = "echo ready; for turn in {1..300}; do read -t 0.1 <> <(:); done"
"""Half a minute in which a trap is run at once."""


def test_a_living_slurm_tells_its_version(slurm_cluster: SlurmCluster) -> None:
    backend = slurm_cluster.backend
    site = backend.read_probe(slurm_cluster.ask(backend.probe()))
    assert isinstance(site, Site)
    assert site.version.startswith("2")
    assert site.identity == slurm_cluster.site.identity != ""
    assert site.accounting


def test_where_no_controller_answers_there_is_no_slurm(
    slurm_cluster: SlurmCluster, tmp_path: Path
) -> None:
    backend = SlurmBackend()
    answer = slurm_cluster.ask(backend.probe(), **slurm_cluster.deaf(tmp_path))
    assert not isinstance(backend.read_probe(answer), Site)


def test_a_site_tells_its_partitions_and_limits(slurm_cluster: SlurmCluster) -> None:
    site = slurm_cluster.site
    by_name = {partition.name: partition for partition in site.partitions}
    assert set(by_name) == {"cpu", "gpu", "debug", "frail", "small"}
    assert [partition.name for partition in site.partitions if partition.default] == ["cpu"]
    assert by_name["cpu"].max_time == 7 * 86400
    assert by_name["frail"].max_time is None
    assert by_name["debug"].default_time == 300
    assert (by_name["cpu"].nodes, by_name["cpu"].cpus_per_node) == (2, 4)
    assert by_name["cpu"].memory_per_node == 4096 * MIB
    assert (by_name["gpu"].gpus_per_node, by_name["gpu"].gpu_types) == (2, ("fake",))
    assert by_name["gpu"].features == ("gpu",)
    assert (site.most_elements, site.highest_index) == (1001, 1000)
    assert set(site.qos) == {"low", "normal", "high", "few"}
    assert "science" in site.accounts


def test_a_job_is_submitted_seen_and_accounted(jobs: Jobs) -> None:
    number = jobs.submit("echo out; echo err >&2", comment="the user's own")
    ended = jobs.ended(number)
    assert (ended.state, ended.exit_code, ended.signal) == ("COMPLETED", 0, None)
    assert ended.key == f"{jobs.home.name}-1"
    assert (jobs.home / f"job1-{number}.out").read_text() == "out\nerr\n"
    past = jobs.accounted(number)
    assert (past.state, past.exit_code, past.key) == ("COMPLETED", 0, ended.key)
    assert past.submit_time == ended.submit_time
    assert past.end_time == ended.end_time
    assert past.cpu_time is not None


def test_what_is_asked_for_is_given(jobs: Jobs) -> None:
    layout = Layout(
        nodes=1,
        tasks_per_node=2,
        cpus_per_task=2,
        memory=300 * MIB,
        gpus_per_node=2,
        gpu_type="fake",
    )
    limit = Request(time_limit=90.0)
    number = jobs.submit(
        "sleep 30",
        partition="gpu",
        qos="high",
        account="science",
        request=limit,
        of_spec={"layout": layout},
    )
    job = jobs.running(number)
    assert (job.cpus, job.memory, job.gpus) == (4, 300 * MIB, 2)
    assert job.time_limit == 120  # Slurm keeps whole minutes: never less than was asked for
    assert (job.partition, job.qos, job.account) == ("gpu", "high", "science")
    assert job.nodes == ("node3",)


def test_licences_and_constraints_are_said(jobs: Jobs) -> None:
    layout = Layout(licenses={"matlab": 1}, constraint="gpu", memory_per_cpu=64 * MIB)
    number = jobs.submit(partition="gpu", of_spec={"layout": layout})
    assert jobs.ended(number).state == "COMPLETED"


def test_nothing_is_submitted_by_asking_when_it_would_start(jobs: Jobs) -> None:
    order = jobs.order()
    words = jobs.backend.estimate(order)
    told = jobs.backend.read_estimate(jobs.cluster.ask(words))
    assert told.trouble is None
    assert told.start is not None
    assert told.partition == "cpu"
    assert not [job for job in jobs.cluster.queue().sightings if job.key == order.key]


def test_an_estimate_of_what_cannot_run_is_a_trouble(jobs: Jobs) -> None:
    words = jobs.backend.estimate(jobs.order(partition="nowhere"))
    told = jobs.backend.read_estimate(jobs.cluster.ask(words))
    assert told.trouble is not None
    assert told.trouble.kind == "wrong"


def test_a_held_job_waits_until_it_is_released(jobs: Jobs) -> None:
    number = jobs.submit(hold=True)
    job = jobs.one(number)
    assert (job.state, job.held, job.reason_code) == ("PENDING", True, "JobHeldUser")
    assert jobs.changed("release", number) == {}
    assert jobs.ended(number).state == "COMPLETED"


def test_a_waiting_job_is_held(jobs: Jobs) -> None:
    number = jobs.submit(begin=4_000_000_000.0)
    assert not jobs.one(number).held
    assert jobs.changed("hold", number) == {}
    assert jobs.one(number).held


def test_a_job_that_begins_later_says_when(jobs: Jobs) -> None:
    number = jobs.submit(begin=4_000_000_000.0)
    job = jobs.when(number, lambda job: job.expected_start)
    assert job.expected_start == pytest.approx(4_000_000_000, abs=120)
    assert job.start_time is None


def test_a_running_job_is_suspended_and_goes_on(jobs: Jobs) -> None:
    number = jobs.submit("sleep 60")
    jobs.running(number)
    assert jobs.changed("suspend", number) == {}
    assert jobs.one(number).state == "SUSPENDED"
    assert jobs.changed("resume", number) == {}
    assert jobs.one(number).state == "RUNNING"


def test_a_running_job_is_put_back(jobs: Jobs) -> None:
    number = jobs.submit("sleep 60")
    jobs.running(number)
    assert jobs.changed("requeue", number) == {}
    job = jobs.when(number, lambda job: job.state == "PENDING")
    assert job.restarts == 1


def test_a_signal_reaches_the_program_once(jobs: Jobs) -> None:
    number = jobs.submit(f"trap 'echo heard' USR1; {LISTEN}", name="listener")
    out = jobs.home / f"listener-{number}.out"
    jobs.when(number, lambda job: out.exists() and "ready" in out.read_text())
    assert jobs.changed("signal", number, name="USR1") == {}
    jobs.when(number, lambda job: "heard" in out.read_text())
    assert out.read_text().count("heard") == 1
    assert jobs.one(number).state == "RUNNING"


def test_a_cancelled_program_is_told_before_it_is_killed(jobs: Jobs) -> None:
    number = jobs.submit(f"trap 'echo heard; exit 0' TERM; {LISTEN}", name="tidy")
    out = jobs.home / f"tidy-{number}.out"
    jobs.when(number, lambda job: out.exists() and "ready" in out.read_text())
    assert jobs.changed("cancel", number) == {}
    assert jobs.ended(number).state == "CANCELLED"
    assert "heard" in out.read_text()


def test_a_waiting_job_is_changed(jobs: Jobs) -> None:
    number = jobs.submit(hold=True)
    changes = {
        "time_limit": 1200.0,
        "partition": "debug",
        "qos": "high",
        "name": "a 'new' name = $(x)",
        "nice": 10,
    }
    assert jobs.changed("edit", number, changes=changes) == {}
    job = jobs.one(number)
    assert (job.time_limit, job.partition, job.qos) == (1200, "debug", "high")
    assert job.name == "a 'new' name = $(x)"


def test_priority_is_how_far_a_job_stands_back(jobs: Jobs) -> None:
    plain, later = jobs.submit(begin=4e9), jobs.submit(begin=4e9, priority=400, nice=7)
    behind = (jobs.one(plain).priority or 0) - (jobs.one(later).priority or 0)
    assert behind == 107
    assert jobs.changed("edit", later, changes={"priority": 300}) == {}
    assert (jobs.one(plain).priority or 0) - (jobs.one(later).priority or 0) == 200


def test_each_id_has_a_trouble_of_its_own(jobs: Jobs) -> None:
    held = jobs.submit(hold=True)
    verbs: dict[str, dict[str, Any]] = {
        "hold": {},
        "edit": {"changes": {"time_limit": 60.0}},
        "release": {},  # last: it may start at once
    }
    for verb, more in verbs.items():
        troubles = jobs.changed(verb, "999999", held, **more)
        assert set(troubles) == {"999999"}, verb
        assert troubles["999999"].kind == "gone"
    assert jobs.one(held).time_limit == 60


def test_what_belongs_to_others_is_left_alone(jobs: Jobs) -> None:
    number = jobs.submit(hold=True)
    for verb in ("cancel", "hold", "release", "suspend"):
        troubles = jobs.changed(verb, number, user="games")
        assert troubles[number].kind == "denied", verb
    assert jobs.one(number).held


def test_a_thousand_ids_and_one_are_cancelled(jobs: Jobs) -> None:
    number = jobs.submit(hold=True)
    others = [str(999_000_000 + each) for each in range(1000)]
    assert jobs.changed("cancel", *others, number) == {}
    assert jobs.ended(number).state == "CANCELLED"


def test_a_job_waits_for_what_it_depends_on(jobs: Jobs) -> None:
    first = jobs.submit("exit 1", hold=True)
    waits = {
        kind: jobs.submit(of_order={"parents": (Parent(kind=kind, ids=(first,)),)})
        for kind in ("afterok", "afternotok", "afterany", "after")
    }
    for number in waits.values():
        assert jobs.one(number).reason_code == "Dependency"
    jobs.changed("release", first)
    for kind in ("afternotok", "afterany", "after"):
        assert jobs.ended(waits[kind]).state == "COMPLETED", kind
    assert jobs.ended(waits["afterok"]).state == "CANCELLED"


def test_any_of_several_parents_is_enough(jobs: Jobs) -> None:
    done, held = jobs.submit(), jobs.submit(hold=True)
    parents = (Parent(kind="afterok", ids=(done,)), Parent(kind="afterok", ids=(held,)))
    number = jobs.submit(of_order={"parents": parents, "any": True})
    assert jobs.ended(number).state == "COMPLETED"


def test_one_of_a_name_runs_at_a_time(jobs: Jobs) -> None:
    first = jobs.submit(name="alone", hold=True)
    second = jobs.submit(name="alone", of_order={"parents": (Parent(kind="singleton"),)})
    assert jobs.one(second).reason_code == "Dependency"
    jobs.changed("release", first)
    assert jobs.ended(second).state == "COMPLETED"


def test_a_key_is_found_in_the_queue(jobs: Jobs) -> None:
    number = jobs.submit(hold=True)
    keys = {job.key: job.native for job in jobs.cluster.queue("root").sightings}
    assert keys[f"{jobs.home.name}-1"] == number
