"""All verbs against a real Grid Engine: what a back end says is done, and what it reads is so."""

from __future__ import annotations

import os
import string
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from hpcshell.backends.contract import Answer, Change, Edit, Order, Parent, Site, Trouble, Words
from hpcshell.backends.jobscript import read_records
from hpcshell.backends.sge.script import job_name
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import WarnSignal
from tests.backends.sge.conftest import Orders, said_by
from tests.support.clusters.sge import SgeCluster, eventually

pytestmark = pytest.mark.timeout(600)

MB = 1024**2


def changed(sge: SgeCluster, verb: str, *ids: str) -> Change:
    return sge.backend.read_change(ids, sge.say_all(getattr(sge.backend, verb)(ids)))


# ------------------------------------------------------------------------------------ who is there


def test_the_site_tells_its_version_its_queues_and_what_can_be_asked_for(sge: SgeCluster) -> None:
    site = sge.backend.site
    assert (site.version, site.flavour) == ("8.1.9", "SGE")
    assert site.identity.endswith("/default")
    assert {queue.name: queue.max_time for queue in site.partitions} == {
        "all.q": None,
        "short.q": 60,
    }
    assert all(queue.cpus_per_node == 24 and queue.memory_per_node for queue in site.partitions)
    assert (site.most_elements, site.accounting) == (75000, True)
    assert site.details["pe smp"] == "$pe_slots"
    assert site.details["queue all.q"] == "smp mpi"
    assert site.details["resource gpu"] == "INT <= YES"


def test_a_qmaster_that_is_not_there_is_busy_and_says_nothing_of_jobs(sge: SgeCluster) -> None:
    def nowhere(words: Words) -> Answer:
        return sge.say(Words(argv=words.argv, env={**words.env, "SGE_QMASTER_PORT": "1"}))

    probed = sge.backend.read_probe(nowhere(sge.backend.probe()))
    seen = sge.backend.read_queue([nowhere(words) for words in sge.backend.queue("root")])
    assert isinstance(probed, Trouble)
    assert probed.kind == "busy"
    assert not seen.whole
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"
    lost = sge.backend.read_change(["12"], [nowhere(sge.backend.cancel(["12"])[0])])
    assert lost.troubles["12"].kind == "busy"


# -------------------------------------------------------------------------------------- submitting


def test_the_key_of_an_order_comes_back_with_its_job_in_every_state(
    sge: SgeCluster, order: Orders
) -> None:
    waits, runs = order("true", hold=True), order("sleep", "60")
    natives = [sge.submit(waits), sge.submit(runs)]
    assert sge.until(natives[0], "PENDING").key == waits.key
    assert sge.until(natives[1], "RUNNING").key == runs.key
    changed(sge, "cancel", *natives)


def test_a_running_job_shows_what_it_asked_for_and_since_when(
    sge: SgeCluster, order: Orders
) -> None:
    layout = Layout(cpus_per_task=2, gpus=2, memory=400 * MB)
    begun = time.time()
    native = sge.submit(order("sleep", "60", layout=layout, limit=90, name="shown.job"))
    seen = sge.until(native, "RUNNING")
    assert (seen.name, seen.user, seen.cpus, seen.gpus) == ("shown.job", "root", 2, 2)
    assert (seen.memory, seen.time_limit, seen.nodes) == (400 * MB, 90, (os.uname().nodename,))
    assert seen.start_time is not None
    assert abs(seen.start_time - begun) < 30
    changed(sge, "cancel", native)


@pytest.mark.parametrize(
    ("wanted", "kind", "part"),
    [
        ({"partition": "al.q"}, "wrong", "did you mean all.q?"),
        ({"native": ("-pe", "spm", "2")}, "wrong", "did you mean smp?"),
        ({"native": ("-l", "gpo=1")}, "wrong", "did you mean gpu?"),
        ({"native": ("-P", "physics")}, "wrong", "qconf -sprjl"),
        ({"layout": Layout(cpus_per_task=99)}, "wrong", "no queue could ever run it"),
        ({"layout": Layout(gpus=3)}, "wrong", "no queue could ever run it"),
        ({"partition": "short.q", "limit": 3600.0}, "wrong", "no queue could ever run it"),
        ({"native": ("-nosuchoption",)}, "wrong", "--native"),
        ({"reservation": "999"}, "wrong", "qrstat"),
        ({"deadline": 2e9}, "denied", "deadlineusers"),
        ({"indices": "0-80000"}, "limit", "at most 75000"),
    ],
)
def test_what_can_never_run_is_refused_at_once_with_the_sites_words_and_a_hint(
    sge: SgeCluster, order: Orders, wanted: dict, kind: str, part: str
) -> None:
    answer = sge.backend.read_submit(sge.say(sge.written(order("true", **wanted))))
    assert isinstance(answer, Trouble)
    assert answer.kind == kind
    assert part in answer.hint
    assert answer.message
    assert "Exiting" not in answer.message


def test_whether_it_could_run_is_told_without_submitting_it(sge: SgeCluster, order: Orders) -> None:
    fits, never = order("true"), order("true", layout=Layout(cpus_per_task=99))
    told = []
    for one in (fits, never):
        sge.written(one)
        told.append(sge.backend.read_estimate(sge.say(sge.backend.estimate(one))).trouble)
    assert told[0] is None
    assert told[1] is not None
    assert told[1].kind == "wrong"
    assert all(one.key not in (fits.key, never.key) for one in sge.queue().sightings)


# --------------------------------------------------------------------------- hostile names, values


def acceptable(name: str) -> str:
    """The name itself, or the one that is proposed in its place."""
    try:
        return job_name(name)
    except Wrong as error:
        proposed = str(error.hint).removeprefix("name it ")
        assert sign_by_sign(proposed) == sign_by_sign(name)
        return proposed


def sign_by_sign(name: str) -> str:
    return "".join(sign for sign in name if sign.isalnum())


def test_names_with_any_sign_arrive_as_given_or_are_refused_with_one_that_would_do(
    sge: SgeCluster, order: Orders
) -> None:
    names = [acceptable(f"a{sign}b{sign}c") for sign in string.punctuation]
    natives = [sge.submit(order("true", name=name, hold=True)) for name in names]
    shown = {one.native: one.name for one in sge.queue().sightings}
    assert [shown[native] for native in natives] == names
    changed(sge, "cancel", *natives)


def test_paths_arguments_and_values_reach_the_job_as_they_were_given(
    sge: SgeCluster, order: Orders, tmp_path: Path
) -> None:
    odd = 'it\'s "a" $(touch evil) `id`; x=1,2 \\ é\nline'
    where = tmp_path / "a b'c$(touch evil),d=e"
    where.mkdir()
    script = 'printf "%s\\0" "$1" "$ODD" "$PWD"; echo done >&2'
    one = order(
        *("script", odd), script=script, env={"ODD": odd}, cwd=str(where), stdout="o 'ut,$(x).txt"
    )
    native = sge.submit(one)
    assert sge.ended(native)[0].state == "COMPLETED"
    said = (where / "o 'ut,$(x).txt").read_text()
    assert said == f"{odd}\0{odd}\0{where}\0done\n"
    assert not (where / "evil").exists()
    assert not Path("/root/evil").exists()


def test_a_jobs_directory_of_any_name_will_do(
    sge: SgeCluster, order: Orders, tmp_path: Path
) -> None:
    plain = order(script="echo hello")
    odd = Order(spec=plain.spec, key=plain.key, directory=str(tmp_path / "x y'$(z):,#"), indices="")
    assert sge.ended(sge.submit(odd))[0].state == "COMPLETED"
    assert said_by(plain) == "hello\n"
    assert (Path(odd.directory) / "record/job.end").read_text().startswith("0 ")


# ------------------------------------------------------------------------------------------ arrays


def test_elements_have_our_indices_from_0_in_the_job_in_files_and_in_what_is_seen(
    sge: SgeCluster, order: Orders
) -> None:
    script = "echo $HPC_ARRAY_TASK_ID $SGE_TASK_ID $SGE_TASK_FIRST-$SGE_TASK_LAST"
    one = order(script=script, indices="0-3", stdout="out-%a.txt")
    native = sge.submit(one)
    ends = sge.ended(native, 4)
    assert [(end.element, end.native, end.state) for end in ends] == [
        (index, f"{native}.{index + 1}", "COMPLETED") for index in range(4)
    ]
    said = [said_by(one, f"out-{index}.txt") for index in range(4)]
    assert said == ["0 0 0-3\n", "1 1 0-3\n", "2 2 0-3\n", "3 3 0-3\n"]
    assert Path(one.directory, "record/3.end").exists()


def test_the_parts_of_an_array_are_one_for_those_that_wait_for_it(
    sge: SgeCluster, order: Orders
) -> None:
    whole = order(script="sleep $HPC_ARRAY_TASK_ID; [ $SGE_TASK_ID != 3 ]", indices="0-1")
    parts = [replace(whole, key=f"{whole.key}.{part}", offset=2 * part) for part in range(2)]
    natives = [sge.submit(part) for part in parts]
    after = Parent(kind="afterok", ids=tuple(natives), directories=(whole.directory,) * 2)
    good = Parent(kind="afterok", ids=(natives[0],), directories=(whole.directory,))
    children = [sge.submit(order("true", parents=(parent,))) for parent in (after, good)]
    assert [end.exit_code for native in natives for end in sge.ended(native, 2)] == [0, 0, 0, 1]
    assert [sge.ended(child)[0].exit_code for child in children] == [1, 1]


def test_what_has_not_begun_of_an_array_is_one_line_and_the_throttle_holds(
    sge: SgeCluster, order: Orders
) -> None:
    native = sge.submit(replace(order("sleep", "60", indices="0-18:2"), throttle=2))

    def both() -> bool:
        return sum(one.state == "RUNNING" for one in sge.sightings(native)) == 2

    eventually(both)
    seen = sge.sightings(native)
    assert sorted(one.element for one in seen if one.element is not None) == [0, 2]
    assert [one.waiting for one in seen if one.waiting] == ["4-18:2"]
    assert changed(sge, "cancel", f"{native}.1", f"{native}.5", f"{native}.7").troubles == {}
    eventually(lambda: [one.waiting for one in sge.sightings(native)].count("10-18:2"))
    changed(sge, "cancel", native)
    sge.until_gone(native)


def test_a_set_with_holes_runs_its_elements_and_records_nobody_else(
    sge: SgeCluster, order: Orders
) -> None:
    one = order(script="echo $HPC_ARRAY_TASK_ID", indices="1,3,5-8", stdout="out-%a.txt")
    native = sge.submit(one)
    sge.ended(native)
    assert sorted(os.listdir(Path(one.directory, "record"))) == [
        f"{index}.{what}" for index in (1, 3, 5, 6, 7, 8) for what in ("begin", "end")
    ]
    assert not Path(one.directory, "out-2.txt").exists()


# ------------------------------------------------------------------------------------ dependencies


def after(kind: str, native: str, parent: Order) -> tuple[Parent, ...]:
    return (Parent(kind=kind, ids=(native,), directories=(parent.directory,)),)


def never(order: Order, element: int | None = None) -> str:
    files = {file.name: file.read_text() for file in Path(order.directory, "record").iterdir()}
    return read_records(files)[element].never


def test_a_job_waits_for_its_parent_and_the_guard_lets_it_run_or_not(
    sge: SgeCluster, order: Orders
) -> None:
    parents = {
        "good": order("sleep", "3"),
        "bad": order("sh", "-c", "sleep 3; exit 3"),
        "killed": order("sleep", "60"),
    }
    natives = {name: sge.submit(parent) for name, parent in parents.items()}
    children = {
        (kind, name): order("true", parents=after(kind, natives[name], parent))
        for name, parent in parents.items()
        for kind in ("afterok", "afternotok", "afterany")
    }
    submitted = {case: sge.submit(child) for case, child in children.items()}
    waiting = sge.until(submitted["afterok", "killed"], "PENDING")
    assert (waiting.held, waiting.reason_code) == (False, "Dependency")
    sge.until(natives["killed"], "RUNNING")
    changed(sge, "cancel", natives["killed"])
    ran = {case for case, native in submitted.items() if sge.ended(native)[0].exit_code == 0}
    assert ran == {
        *(("afterok", "good"), ("afterany", "good"), ("afternotok", "bad"), ("afterany", "bad")),
        *(("afternotok", "killed"), ("afterany", "killed")),
    }
    assert never(children["afterok", "bad"]) == f"job {natives['bad']} did not complete"
    assert never(children["afternotok", "good"]) == f"job {natives['good']} did not fail"


def test_an_array_completed_when_all_of_its_elements_did(sge: SgeCluster, order: Orders) -> None:
    parent = order("sh", "-c", "[ $HPC_ARRAY_TASK_ID != 1 ]", indices="0-2")
    native = sge.submit(parent)
    whole = order("true", parents=after("afterok", native, parent))
    one = order("true", parents=after("afterok", f"{native}.1", parent))
    alike = order("true", indices="0-2", parents=after("aftercorr", native, parent))
    children = [sge.submit(child) for child in (whole, one, alike)]
    codes = [
        [end.exit_code for end in sge.ended(child, count)]
        for child, count in zip(children, (1, 1, 3), strict=True)
    ]
    assert codes == [[1], [0], [0, 1, 0]]
    assert never(alike, 1) == f"job {native} did not complete"


def test_of_one_name_only_one_runs_at_a_time(sge: SgeCluster, order: Orders) -> None:
    alone = (Parent(kind="singleton"),)
    first = sge.submit(order("sleep", "4", name="alone", parents=alone))
    second = sge.submit(order("true", name="alone", parents=alone))
    assert sge.until(second, "PENDING").reason == f"waits for the end of {first}"
    ends = [sge.ended(native)[0] for native in (first, second)]
    assert ends[0].end_time is not None
    assert ends[1].start_time is not None
    assert ends[0].end_time <= ends[1].start_time


# ----------------------------------------------------------------------------------------- changes


def test_a_job_is_held_released_suspended_resumed_and_cancelled(
    sge: SgeCluster, order: Orders
) -> None:
    native = sge.submit(order("sleep", "60", hold=True))
    assert sge.until(native, "PENDING").held
    refused = changed(sge, "suspend", native).troubles
    assert refused[native].kind == "wrong"
    for verb, state in (("release", "RUNNING"), ("suspend", "SUSPENDED"), ("resume", "RUNNING")):
        assert changed(sge, verb, native).troubles == {}
        sge.until(native, state)
    assert changed(sge, "hold", native).troubles == {}
    assert changed(sge, "cancel", native).troubles == {}
    sge.until_gone(native)


def test_only_what_may_be_run_again_can_be_put_back(sge: SgeCluster, order: Orders) -> None:
    script = "[ -e seen ] && exit 0; touch seen; until [ -e go ]; do sleep 0.2; done"
    again, once = order(script=script, requeue=True), order("sleep", "60")
    natives = [sge.submit(again), sge.submit(once)]
    for native in natives:
        sge.until(native, "RUNNING")
    eventually(lambda: Path(again.directory, "seen").exists())
    troubles = changed(sge, "requeue", *natives).troubles
    assert list(troubles) == [natives[1]]
    assert troubles[natives[1]].kind == "wrong"
    Path(again.directory, "go").touch()  # what is put back starts again once it has ended
    assert [(one.state, one.restarts) for one in sge.ended(natives[0])] == [("COMPLETED", 1)]
    changed(sge, "cancel", natives[1])


def test_an_edit_changes_what_was_asked_and_leaves_the_other_resources(
    sge: SgeCluster, order: Orders
) -> None:
    native = sge.submit(order("true", hold=True, layout=Layout(gpus=1, memory=100 * MB)))
    edits: dict[Edit, object] = {
        "time_limit": 45.0,
        "name": "renamed",
        "partition": "short.q",
        "priority": 400,
    }
    answers = sge.say_all(sge.backend.edit([native], edits))
    assert sge.backend.read_change([native], answers).troubles == {}
    seen = sge.until(native, "PENDING")
    assert (seen.name, seen.time_limit, seen.gpus, seen.memory) == ("renamed", 45, 1, 100 * MB)
    unlimited = sge.say_all(sge.backend.edit([native], {"time_limit": None}))
    assert sge.backend.read_change([native], unlimited).troubles == {}
    assert sge.until(native, "PENDING").time_limit is None
    wrong = sge.say_all(sge.backend.edit([native], {"partition": "nosuch.q"}))
    assert sge.backend.read_change([native], wrong).troubles[native].kind == "wrong"
    changed(sge, "cancel", native)


def test_the_throttle_of_an_array_can_be_changed(sge: SgeCluster, order: Orders) -> None:
    native = sge.submit(replace(order("sleep", "60", indices="0-5"), throttle=1))
    sge.until(native, "RUNNING")
    answers = sge.say_all(sge.backend.edit([native], {"throttle": 3}))
    assert sge.backend.read_change([native], answers).troubles == {}
    eventually(lambda: sum(one.state == "RUNNING" for one in sge.sightings(native)) == 3)
    changed(sge, "cancel", native)


@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "requeue", "suspend", "resume"])
def test_of_several_ids_each_has_its_own_trouble(sge: SgeCluster, order: Orders, verb: str) -> None:
    native = sge.submit(order("true", hold=True, indices="0-1", requeue=True))
    ids = [f"{native}.2", "999999", "999999.3"]
    troubles = changed(sge, verb, *ids).troubles
    assert {one: troubles[one].kind for one in ids[1:]} == dict.fromkeys(ids[1:], "gone")
    if verb in ("cancel", "hold", "release"):
        assert ids[0] not in troubles
    changed(sge, "cancel", native)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "requeue", "suspend", "resume"])
def test_nobody_changes_the_jobs_of_others(sge: SgeCluster, order: Orders, verb: str) -> None:
    native = sge.submit(order("true", hold=True, requeue=True))
    answers = [sge.say(words, user="nobody") for words in getattr(sge.backend, verb)([native])]
    assert sge.backend.read_change([native], answers).troubles[native].kind == "denied"
    changed(sge, "cancel", native)


# ------------------------------------------------------------------------------------------- times


def test_a_warning_reaches_the_job_before_its_time_limit(sge: SgeCluster, order: Orders) -> None:
    script = "trap 'echo warned' USR1; for i in $(seq 60); do sleep 0.1; done; exit 7"
    one = order(script=script, limit=60, warn=WarnSignal(number=10, before=57))
    end = sge.ended(sge.submit(one))[0]
    assert (end.state, end.exit_code) == ("FAILED", 7)
    assert "warned" in said_by(one)
    assert Path(one.directory, "record/job.end").read_text().startswith("7 ")


def test_a_job_does_not_begin_before_its_time_and_the_zone_is_nobodys(
    sge: SgeCluster, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    begin = time.time() + 6
    native = sge.submit(order("true", begin=begin))
    seen = sge.until(native, "PENDING")
    assert seen.submit_time is not None
    assert abs(seen.submit_time - begin) < 60
    end = sge.ended(native)[0]
    assert end.start_time is not None
    assert begin - 1 <= end.start_time <= begin + 30


def test_many_jobs_are_looked_up_in_the_accounting_at_once(sge: SgeCluster, order: Orders) -> None:
    begun = time.time()
    natives = [sge.submit(order("true")) for _ in range(6)]
    sge.until_gone(*natives)
    questions = sge.backend.history(natives, begun)
    assert len(questions) == 1

    def all_told() -> bool:
        seen = sge.backend.read_history(sge.say_all(questions))
        assert seen.whole
        return set(natives) <= {one.number for one in seen.sightings if one.state == "COMPLETED"}

    eventually(all_told)


def test_a_site_is_known_by_a_back_end_made_from_what_it_told(
    sge: SgeCluster, order: Orders
) -> None:
    again = type(sge.backend)(sge.backend.site)
    one = order("true", layout=Layout(tasks=4))
    assert again.script(one) == sge.backend.script(one)
    assert isinstance(again.site, Site)
    assert "#$ -pe mpi 4\n" in again.script(one)
