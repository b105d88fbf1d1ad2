"""Jobs told from submission to end, through the commands of a stand-in for OpenPBS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.backends.contract import Order, Seen, Sighting, Trouble
from hpcshell.backends.pbs import PbsBackend
from hpcshell.core.jobspec import Layout
from tests.backends.pbs.made import order
from tests.support.clusters.pbs import StandIn, pbs_stand_in


class Cluster:
    """The stand-in, with a back end that has asked it for its site."""

    def __init__(self, machine: StandIn, folder: Path) -> None:
        self.machine, self.folder = machine, folder
        self.backend = PbsBackend()
        assert not isinstance(self.backend.read_probe(machine.run(self.backend.probe())), Trouble)
        self.site = self.backend.read_site([machine.run(said) for said in self.backend.ask_site()])

    def order(self, **words: Any) -> Order:
        asked = {"directory": str(self.folder), **words.pop("asked", {})}
        return order(**words, asked=asked)

    def submit(self, **words: Any) -> str | Trouble:
        """As whoever submits does: first the script is there, then qsub is told of it."""
        job = self.order(**words)
        Path(job.job_script).write_text(self.backend.script(job))
        return self.backend.read_submit(self.machine.run(self.backend.submit(job)))

    def id(self, **words: Any) -> str:
        native = self.submit(**words)
        assert isinstance(native, str), native
        return native

    def queue(self) -> Seen:
        return self.backend.read_queue([self.machine.run(w) for w in self.backend.queue("alice")])

    def history(self, *ids: str) -> Seen:
        said = self.backend.history(ids, 0.0)
        return self.backend.read_history([self.machine.run(words) for words in said])

    def change(self, what: str, ids: list[str], *more: Any) -> dict[str, Trouble]:
        said = getattr(self.backend, what)(ids, *more)
        answers = [self.machine.run(words) for words in said]
        return dict(self.backend.read_change(ids, answers).troubles)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "job").mkdir()
    with pbs_stand_in(tmp_path / "cluster") as machine:
        yield Cluster(machine, tmp_path / "job")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "job").mkdir()
    with pbs_stand_in(tmp_path / "cluster", history=False) as machine:
        yield Cluster(machine, tmp_path / "job")


def only(seen: Seen) -> Sighting:
    assert seen.whole, seen.trouble
    assert len(seen.sightings) == 1
    return seen.sightings[0]


def test_an_empty_queue_is_empty(cluster):
    assert cluster.queue() == Seen()


def test_a_job_is_seen_with_its_key_from_submission_to_end(cluster):
    native = cluster.id(name="story", layout=Layout(cpus_per_task=2), time=600, account="acct")
    seen = []
    for stage in ("queued", "running", "exiting", "finished"):
        cluster.machine.move(native, stage)
        known = cluster.history(native) if stage == "finished" else cluster.queue()
        seen.append(only(known))
    assert [one.state for one in seen] == ["PENDING", "RUNNING", "COMPLETING", "COMPLETED"]
    assert {(one.native, one.key, one.name) for one in seen} == {(native, "k-1", "story")}


def test_a_finished_job_is_no_longer_in_the_queue_but_in_the_history(cluster):
    native = cluster.id()
    cluster.machine.move(native, "finished")
    assert cluster.queue() == Seen()
    assert only(cluster.history(native)).exit_code == 0


def test_without_a_history_a_finished_job_is_absent_and_not_ended(fresh):
    assert not fresh.site.accounting
    native = fresh.id()
    (fresh.machine.folder / "jobs" / native).unlink()
    seen = fresh.history(native)
    assert (seen.whole, seen.absent, seen.sightings) == (True, (native,), ())


@pytest.mark.parametrize(
    ("stage", "state", "code", "signal"),
    [
        ("failed", "FAILED", 3, None),
        ("killed", "FAILED", None, 11),
        ("timeout", "TIMEOUT", None, None),
        ("cancelled", "CANCELLED", None, 15),
        ("deleted", "CANCELLED", None, None),
        ("dropped", "CANCELLED", None, None),
    ],
)
def test_each_end_of_the_story_is_told_apart(cluster, stage, state, code, signal):
    native = cluster.id()
    cluster.machine.move(native, stage)
    found = only(cluster.history(native))
    assert (found.state, found.exit_code, found.signal) == (state, code, signal)


def test_an_array_is_seen_as_its_elements(cluster):
    native = cluster.id(array="0-9:3", asked={"indices": "0-9:3", "throttle": 2})
    assert native.endswith("[].pbshost")
    cluster.machine.move(cluster.backend.element_id(native, 3), "element running")
    cluster.machine.move(cluster.backend.element_id(native, 6), "element failed")
    seen = cluster.queue()
    assert {one.element: one.state for one in seen.sightings} == {
        0: "PENDING",
        3: "RUNNING",
        6: "FAILED",
        9: "PENDING",
    }
    assert {one.key for one in seen.sightings} == {"k-1"}


def test_elements_that_only_fill_the_range_are_not_seen(cluster):
    native = cluster.id(array="0,1,7", asked={"indices": "0,1,7"})
    assert len(cluster.machine.jobs) == 1 + 8
    assert {one.element for one in cluster.queue().sightings} == {0, 1, 7}
    cluster.machine.move(cluster.backend.element_id(native, 3), "element failed")
    assert {one.element for one in cluster.history(native).sightings} == {0, 1, 7}


def test_the_key_is_seen_beside_the_users_own_variables(cluster):
    cluster.id(array="4", asked={"indices": "4"}, native=("-v", "A=1"))
    assert [(one.element, one.key) for one in cluster.queue().sightings] == [(4, "k-1")]
    (said,) = (words for words in cluster.machine.said if words[0] == "qsub")
    assert said[1:4] == ["-f", "-v", "HPC_SUBMISSION=k-1,HPC_ELEMENTS=4,A=1"]


def test_a_deleted_array_does_not_tell_what_became_of_its_elements(cluster):
    native = cluster.id(array="0-1", asked={"indices": "0-1"})
    assert cluster.change("cancel", [native]) == {}
    assert {one.state for one in cluster.history(native).sightings} == {"UNKNOWN"}


def test_a_held_job_is_released(cluster):
    native = cluster.id(hold=True)
    assert only(cluster.queue()).held
    assert cluster.change("release", [native]) == {}
    assert not only(cluster.queue()).held
    assert cluster.change("hold", [native]) == {}
    assert only(cluster.queue()).held


def test_cancelling_says_what_became_of_each(cluster):
    live, ended = cluster.id(), cluster.id()
    cluster.machine.move(ended, "finished")
    troubles = cluster.change("cancel", [live, ended, "99999.pbshost"])
    assert {native: found.kind for native, found in troubles.items()} == {
        ended: "gone",
        "99999.pbshost": "gone",
    }
    assert only(cluster.history(live)).state == "CANCELLED"


def test_a_signal_ends_a_job(cluster):
    native = cluster.id()
    assert cluster.change("signal", [native], "SIGTERM") == {}
    assert only(cluster.history(native)).exit_code == 143


def test_what_only_operators_may_do_is_denied(cluster):
    native = cluster.id()
    for what in ("suspend", "requeue"):
        assert cluster.change(what, [native])[native].kind == "denied"


def test_a_job_is_changed_while_it_waits(cluster):
    native = cluster.id()
    edit = {"name": "renamed", "time_limit": 1200.0, "account": "acc", "partition": "stopped"}
    assert cluster.change("edit", [native], edit) == {}
    found = only(cluster.queue())
    assert (found.name, found.partition) == ("renamed", "stopped")


def test_an_unknown_queue_is_refused_and_those_that_there_are_are_named(cluster):
    found = cluster.submit(partition="nosuch")
    assert isinstance(found, Trouble)
    assert (found.kind, found.message) == ("wrong", "qsub: Unknown queue")
    assert "workq" in found.hint
    assert "closed" not in found.hint
    moved = cluster.change("edit", [cluster.id()], {"partition": "nosuch"})
    assert [trouble.kind for trouble in moved.values()] == ["wrong"]


def test_the_queues_are_known_with_their_limits(cluster):
    queues = {part.name: part for part in cluster.site.partitions}
    assert [name for name, part in queues.items() if part.default] == ["workq"]
    assert [name for name, part in queues.items() if not part.up] == ["closed", "stopped"]
    short = queues["short"]
    assert (short.max_time, short.default_time, short.cpus_per_node) == (60.0, 30.0, 2)
    assert (queues["workq"].cpus_per_node, queues["workq"].gpus_per_node) == (4, 2)
    assert cluster.site.most_elements == 10_000
    assert cluster.site.accounting


def test_a_server_that_is_down_says_nothing_about_any_job(cluster):
    native = cluster.id()
    cluster.machine.down()
    seen = cluster.queue()
    assert (seen.whole, seen.sightings, seen.absent) == (False, (), ())
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"
    assert cluster.change("cancel", [native])[native].kind == "busy"
    refused = cluster.submit()
    assert isinstance(refused, Trouble)
    assert refused.kind == "busy"
    cluster.machine.up()
    assert only(cluster.queue()).native == native


def test_all_that_a_request_can_hold_has_forms_that_were_recorded(cluster):
    assert cluster.id(
        layout=Layout(nodes=1, tasks=4, cpus_per_task=1, memory=1 << 30, gpus_per_node=1),
        time=60,
        priority=490,
        hold=True,
        begin=1924991940.0,
        native=("-P", "myproject", "-v", "A=1"),
    )


def test_the_stand_in_refuses_what_was_never_recorded(cluster):
    found = cluster.submit(native=("-l", "vntype=x"))
    assert isinstance(found, Trouble)
    assert "never recorded" in found.message


def test_one_command_answers_for_all_jobs(cluster):
    for _ in range(3):
        cluster.id()
    before = len(cluster.machine.said)
    assert len(cluster.queue().sightings) == 3
    assert [said[0] for said in cluster.machine.said[before:]] == ["qselect", "qstat"]
