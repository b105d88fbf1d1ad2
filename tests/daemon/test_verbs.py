"""What users ask for, said to the daemon on the bench."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.daemon.asked import CHANGES
from hpcshell.daemon.bounds import TEXTS
from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock, submission
from tests.support.refusals import refusal


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


def stranger(bench: Bench) -> None:
    """From now on the bench is asked by another user."""
    bench.peer.uid = 4242


# -- submit ------------------------------------------------------------------------------------


def test_all_submissions_are_accepted_or_none(bench: Bench) -> None:
    with pytest.raises(Wrong):
        bench.ask("submit", submissions=[submission("true"), submission("true", array="5-1")])
    assert bench.ask("queue")["total"] == 0
    assert bench.submit("true") == 1, "the refused ones used no id"


def test_a_dry_run_says_what_would_be_and_changes_nothing(bench: Bench) -> None:
    answer = bench.ask("submit", submissions=[submission("true")], dry_run=True)
    assert answer["jobs"][0]["id"] is None
    assert answer["jobs"][0]["job"]["state"] == "PENDING"
    assert bench.ask("queue")["total"] == 0


def test_an_identical_live_job_is_refused_when_uniqueness_is_asked_for(bench: Bench) -> None:
    job = bench.submit("true", unique=True)
    with pytest.raises(Refused, match=f"job {job} is the same"):
        bench.submit("true", unique=True)
    bench.submit("true")
    bench.submit("false", unique=True)
    bench.finish(job)
    bench.submit("true", unique=True)


def test_two_identical_ones_at_once_are_refused_too(bench: Bench) -> None:
    twin = submission("true", unique=True)
    with pytest.raises(Refused):
        bench.ask("submit", submissions=[twin, twin])


def test_a_failed_rerun_of_a_unique_job_does_not_hide_the_first(bench: Bench) -> None:
    job = bench.submit("true", unique=True, array="0-1")
    bench.finish(job, 0, code=1)
    again = bench.ask("rerun", ids=[job], failed=True)["jobs"][0]["id"]
    bench.finish(job, 1)
    assert bench.state(job) == "FAILED"
    with pytest.raises(Refused, match=f"job {again}"):
        bench.submit("true", unique=True, array="0-1")


def test_of_two_reruns_of_a_unique_job_the_one_that_lives_is_known(bench: Bench) -> None:
    job = bench.submit("true", unique=True)
    bench.finish(job)
    first, second = (bench.ask("rerun", ids=[job])["jobs"][0]["id"] for _ in range(2))
    bench.finish(second)
    with pytest.raises(Refused, match=f"job {first} is the same"):
        bench.submit("true", unique=True)
    bench.finish(first)
    bench.submit("true", unique=True)


def test_a_million_elements_are_one_row(bench: Bench) -> None:
    job = bench.submit("true", array="0-999999")
    view = bench.show(job)
    assert view["elements"]["counts"] == {"PENDING": 999_996, "RUNNING": 4}
    assert len(bench.store.tasks(job)) == 4


def test_a_request_that_can_never_fit_is_refused_with_what_would(bench: Bench) -> None:
    with pytest.raises(Wrong) as caught:
        bench.submit("true", request={"cpus": 5})
    assert "largest that would fit is 4" in str(caught.value.hint)


@pytest.mark.parametrize(
    "figures",
    [
        {"priority": 2**40},
        {"nice": -(2**40)},
        {"umask": 0o1777},
        {"begin": -1.0},
        {"deadline": 1e300},
        {"grace": -1.0},
        {"request": {"time_limit": 1e300}},
        {"retry": {"limit": -1}},
        {"retry": {"jitter": 2.0}},
        {"retry": {"grow": {"mem": 0.0}}},
        {"retry": {"grow": {"disk": 2.0}}},
        {"retry": {"on": ["\x1b"]}},
        {"retry": {"delay": 1e300}},
        {"warn": {"number": 65}},
        {"warn": {"number": 10, "to": "everybody"}},
        {"on_never": "panic"},
        {"model": {"name": "x", "mode": "train"}},
        {"model": {"name": "x", "dtype": "fp7"}},
        {"model": {"name": "x", "family": "a\nb"}},
        {"model": {"name": "\x1b"}},
        {"model": {"name": "x", "ctx": -1}},
        {"model": {"name": "x", "predicted": 2**62}},
    ],
    ids=str,
)
def test_figures_out_of_bounds_are_refused(bench: Bench, figures: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        bench.submit("true", **figures)
    assert bench.ask("queue")["total"] == 0


@pytest.mark.parametrize("field", sorted(TEXTS))
@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "two\nlines", "x" * 1_000_000], ids=repr)
def test_texts_that_no_terminal_or_file_system_would_take_are_refused(
    bench: Bench, field: str, text: str
) -> None:
    if field == "cwd":  # a directory may be called so
        text = "/" + "x" * 1_000_000
    value = [text] if field == "tags" else text
    assert refusal(bench.submit, "true", **{field: value})
    job = bench.submit("true", hold=True)
    if field in CHANGES:
        assert refusal(partial(bench.ask, "edit", ids=[job]), changes={field: value})
    assert bench.ask("queue")["total"] == 1


def test_a_thousand_tags_are_enough(bench: Bench) -> None:
    bench.submit("true", tags=["x"] * 1000)
    assert refusal(bench.submit, "true", tags=["x"] * 1001)


def test_arguments_that_the_kernel_would_not_take_are_refused(bench: Bench) -> None:
    assert refusal(bench.submit, "true", *["x"] * 700_000)
    assert refusal(bench.submit, "true", "x" * 131_072)


def test_a_command_whose_name_cannot_be_printed_has_it_written_out(bench: Bench) -> None:
    assert bench.show(bench.submit("/bin/a\x1b[31m\nb"))["name"] == r"a\x1b[31m\x0ab"
    assert len(bench.show(bench.submit("é" * 1000))["name"].encode()) <= 255
    assert bench.show(bench.submit(" "))["name"] == "job"


# -- cancel ------------------------------------------------------------------------------------


def test_what_waits_is_cancelled_at_once_and_what_runs_is_told_to_end(bench: Bench) -> None:
    running = bench.submit("sleep", request={"cpus": 4})
    waiting = bench.submit("true")
    answer = bench.ask("cancel", ids=[running, waiting])
    assert [line["now"] for line in answer["jobs"]] == ["COMPLETING", "CANCELLED"]
    assert bench.runner.stopping == {bench.run_of(running): "cancel"}
    bench.runner.end(bench.run_of(running), signal=15)
    bench.settle()
    assert bench.state(running) == "CANCELLED"


def test_an_end_that_was_quicker_than_the_cancel_is_not_disguised(bench: Bench) -> None:
    job = bench.submit("true")
    bench.runner.end(bench.run_of(job))
    bench.send("cancel", ids=[job])
    bench.settle()
    assert bench.state(job) == "COMPLETED"


def test_one_element_is_cancelled_and_the_rest_goes_on(bench: Bench) -> None:
    job = bench.submit("true", array="0-9")
    bench.ask("cancel", ids=[f"{job}_7"])
    assert bench.state(f"{job}_7") == "CANCELLED"
    assert bench.show(job)["elements"]["counts"] == {"CANCELLED": 1, "PENDING": 5, "RUNNING": 4}


def test_cancelling_by_state_leaves_the_other_states_alone(bench: Bench) -> None:
    job = bench.submit("true", array="0-9")
    bench.ask("cancel", ids=[job], states=["PENDING"])
    assert bench.show(job)["elements"]["counts"] == {"CANCELLED": 6, "RUNNING": 4}


def test_what_still_runs_of_a_parent_counts_after_a_restart_too(bench: Bench) -> None:
    parent = bench.submit("true", array="0-5")
    child = bench.submit("true", dependency=f"afterany:{parent}")
    bench.ask("cancel", ids=[parent], states=["PENDING"])
    for index in (0, 1):
        bench.finish(parent, index)
    bench.crash()
    bench.settle()
    assert bench.state(child) == "PENDING"
    for index in (2, 3):
        bench.finish(parent, index)
    assert bench.state(child) == "RUNNING"


def test_a_signal_is_sent_and_changes_nothing(bench: Bench) -> None:
    job = bench.submit("true")
    bench.ask("cancel", ids=[job], signal="USR1")
    assert bench.state(job) == "RUNNING"
    assert [order.signal for order in bench.runner.orders if isinstance(order, wire.Signal)] == [10]


def test_what_has_ended_is_said_to_be_unchanged(bench: Bench) -> None:
    job = bench.submit("true")
    bench.finish(job)
    answer = bench.ask("cancel", ids=[job])
    assert answer["jobs"] == []
    assert answer["unchanged"][0]["ended"]


# -- hold, release, requeue --------------------------------------------------------------------


def test_a_held_job_waits_until_it_is_released(bench: Bench) -> None:
    job = bench.submit("true", hold=True)
    assert bench.state(job) == "PENDING"
    bench.ask("release", ids=[job])
    assert bench.state(job) == "RUNNING"


def test_holding_what_runs_changes_nothing_and_says_so(bench: Bench) -> None:
    job = bench.submit("true")
    answer = bench.ask("hold", ids=[job])
    assert answer["jobs"] == []
    assert "cannot be held" in answer["unchanged"][0]["why"]


def test_one_element_is_held_alone(bench: Bench) -> None:
    job = bench.submit("true", array="0-5", hold=True)
    bench.ask("hold", ids=[f"{job}_0"])
    with pytest.raises(Refused, match="as a whole"):
        bench.ask("release", ids=[f"{job}_1"])
    assert bench.state(f"{job}_1") == "PENDING"
    bench.ask("release", ids=[job])
    assert bench.state(f"{job}_0") == "RUNNING", "releasing the job releases all of it"


def test_a_back_off_ends_with_a_release(bench: Bench) -> None:
    job = bench.submit("false", retry={"limit": 1, "delay": 1000.0})
    bench.finish(job, code=1)
    assert bench.state(job) == "PENDING"
    bench.ask("release", ids=[job])
    assert bench.show(job)["attempt"] == 2


def test_elements_in_back_off_are_held_with_their_job_and_named(bench: Bench) -> None:
    job = bench.submit("false", array="0-1", retry={"limit": 1, "delay": 1000.0})
    bench.finish(job, 0, code=1)
    answer = bench.ask("hold", ids=[job])
    assert [line["element"] for line in answer["jobs"]] == [0]
    assert bench.show(f"{job}_0")["held"]


def test_a_requeue_is_a_new_run(bench: Bench) -> None:
    job = bench.submit("true")
    first = bench.run_of(job)
    bench.ask("requeue", ids=[job])
    bench.runner.end(first, signal=15)
    bench.settle()
    assert bench.state(job) == "RUNNING"
    assert bench.run_of(job) > first
    assert bench.show(job)["attempt"] == 2


def test_a_cancel_is_stronger_than_the_requeue_before_it(bench: Bench) -> None:
    job = bench.submit("true")
    run = bench.run_of(job)
    bench.ask("requeue", ids=[job])
    bench.ask("cancel", ids=[job])
    bench.runner.end(run, signal=15)
    bench.settle()
    assert bench.state(job) == "CANCELLED"


# -- edit --------------------------------------------------------------------------------------


def test_an_edit_takes_hold_at_once(bench: Bench) -> None:
    full = bench.submit("true", request={"cpus": 3})
    job = bench.submit("true", request={"cpus": 2})
    assert bench.state(job) == "PENDING"
    bench.ask("edit", ids=[job], changes={"cpus": 1})
    assert bench.state(job) == "RUNNING"
    assert bench.state(full) == "RUNNING"


def test_an_edit_of_several_fields_is_all_or_none(bench: Bench) -> None:
    job = bench.submit("true", hold=True)
    with pytest.raises(Wrong):
        bench.ask("edit", ids=[job], changes={"priority": 900, "cpus": 99})
    assert bench.show(job)["priority"] == 500


def test_the_limit_of_what_runs_can_be_changed_and_its_size_cannot(bench: Bench) -> None:
    job = bench.submit("true", request={"time_limit": 60.0})
    bench.ask("edit", ids=[job], changes={"time_limit": 600.0})
    assert bench.runner.limits[bench.run_of(job)] == 600.0
    with pytest.raises(Refused, match="has begun"):
        bench.ask("edit", ids=[job], changes={"cpus": 2})


GROWING = {"limit": 3, "delay": 1000.0, "grow": {"mem": 2.0, "time": 2.0}}


def failed_once(bench: Bench, **fields: Any) -> int:
    """A job whose first element waits to be tried again, with twice the memory and time."""
    request = {"memory": 100, "time_limit": 60.0}
    job = bench.submit("false", request=request, retry=GROWING, **fields)
    bench.finish(job, 0 if fields.get("array") else -1, code=1)
    return job


def asked_for(bench: Bench, name: object) -> tuple[int, float]:
    view = bench.show(name)
    return view["memory"], view["time_limit"]


def test_an_edit_wins_over_what_a_retry_has_grown_and_growth_goes_on_from_it(bench: Bench) -> None:
    job = failed_once(bench)
    assert asked_for(bench, job) == (200, 120.0)
    [done] = bench.ask("edit", ids=[job], changes={"memory": 150})["jobs"]
    assert done["changed"] == {"memory": [200, 150]}
    assert asked_for(bench, job) == (150, 120.0), "what was not named stays as it has grown"
    bench.ask("release", ids=[job])
    assert bench.engine.view.claims[bench.run_of(job)].memory == 150
    bench.finish(job, code=1)
    assert asked_for(bench, job) == (300, 240.0)


def test_an_edit_to_what_the_job_asked_for_at_first_undoes_the_growth(bench: Bench) -> None:
    job = failed_once(bench)
    changes = {"memory": 100, "time_limit": 60.0}
    answer = bench.ask("edit", ids=[job], changes=changes, dry_run=True)
    assert answer["jobs"][0]["changed"] == {"memory": [200, 100], "time_limit": [120.0, 60.0]}
    assert asked_for(bench, job) == (200, 120.0)
    bench.ask("edit", ids=[job], changes=changes)
    assert bench.engine.live[job].tasks[-1].request is None


def test_an_edit_reaches_the_elements_that_wait_for_their_retry(bench: Bench) -> None:
    job = failed_once(bench, array="0-1")
    bench.ask("edit", ids=[job], changes={"memory": 150})
    assert asked_for(bench, f"{job}_0") == (150, 120.0)
    assert [
        entry["kind"]
        for entry in bench.ask("show", ids=[f"{job}_0"], story=True)["jobs"][0]["story"]
    ][-1] == "adjust"


def test_an_edit_of_its_size_leaves_the_limit_of_what_runs_as_it_has_grown(bench: Bench) -> None:
    job = failed_once(bench, array="0-9")
    bench.ask("release", ids=[f"{job}_0"])
    bench.finish(job, 1)
    run = bench.run_of(job, 0)
    bench.ask("edit", ids=[job], changes={"memory": 150})
    assert bench.runner.limits[run] == 120.0
    bench.ask("edit", ids=[job], changes={"time_limit": 90.0})
    assert bench.runner.limits[run] == 90.0
    bench.finish(job, 0, code=1)
    assert asked_for(bench, f"{job}_0") == (300, 180.0)


def test_a_job_is_edited_as_a_whole(bench: Bench) -> None:
    job = bench.submit("true", array="0-9", hold=True)
    with pytest.raises(Wrong, match="as a whole"):
        bench.ask("edit", ids=[f"{job}_3"], changes={"priority": 1})
    assert bench.show(job)["priority"] == 500


def test_a_cycle_by_edit_is_refused(bench: Bench) -> None:
    first = bench.submit("true", hold=True)
    second = bench.submit("true", dependency=f"afterok:{first}")
    third = bench.submit("true", dependency=f"afterok:{second}")
    with pytest.raises(Wrong, match="depend on itself"):
        bench.ask("edit", ids=[first], changes={"dependency": f"afterok:{third}"})


@pytest.mark.parametrize(
    "changes", [{"time_limit": 300.0}, {"begin": 1_700_000_150.0}, {"deadline": 1_700_000_030.0}]
)
def test_an_edit_that_leaves_no_time_until_the_deadline_is_refused(
    bench: Bench, clock: Clock, changes: dict[str, float]
) -> None:
    job = bench.submit("true", hold=True, deadline=clock.wall + 200, request={"time_limit": 60.0})
    before = bench.show(job)
    with pytest.raises(Wrong, match="deadline"):
        bench.ask("edit", ids=[job], changes=changes)
    assert bench.show(job) == before
    bench.ask("edit", ids=[job], changes=changes | {"deadline": clock.wall + 500})


def test_an_edited_name_is_found_and_the_old_one_is_not(bench: Bench) -> None:
    job = bench.submit("true", hold=True, name="old")
    bench.ask("edit", ids=["old"], changes={"name": "new"})
    assert bench.show("new")["id"] == job
    with pytest.raises(NotFound):
        bench.show("old")


def test_a_dependency_can_be_lifted(bench: Bench) -> None:
    first = bench.submit("true", hold=True)
    job = bench.submit("true", dependency=f"afterok:{first}")
    bench.ask("edit", ids=[job], changes={"dependency": ""})
    assert bench.state(job) == "RUNNING"


# -- rerun -------------------------------------------------------------------------------------


def test_the_failed_elements_alone_are_run_again(bench: Bench) -> None:
    job = bench.submit("true", array="0-3")
    for index in range(4):
        bench.finish(job, index, code=index % 2)
    [again] = bench.ask("rerun", ids=[job], failed=True)["jobs"]
    assert again["elements"] == 2
    assert bench.show(again["id"])["array"] == "1,3"


def test_elements_that_were_dropped_count_as_failed(bench: Bench) -> None:
    job = bench.submit("true", array="0-9")
    bench.ask("cancel", ids=[job], states=["PENDING"])
    for index in range(4):
        bench.finish(job, index)
    [again] = bench.ask("rerun", ids=[job], failed=True)["jobs"]
    assert bench.show(again["id"])["array"] == "4-9"


def test_a_dry_rerun_uses_no_id(bench: Bench) -> None:
    job = bench.submit("true")
    bench.finish(job)
    bench.ask("rerun", ids=[job], dry_run=True)
    assert bench.submit("true") == job + 1


# -- others' jobs ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "requeue", "edit", "rerun"])
def test_what_is_another_users_is_left_alone_and_so_is_the_rest(bench: Bench, verb: str) -> None:
    ours = bench.submit("true", hold=True)
    stranger(bench)
    theirs = bench.submit("true", hold=True)
    before = bench.ask("show", ids=[theirs, ours])["jobs"]
    args = {"changes": {"priority": 1}} if verb == "edit" else {}
    with pytest.raises(Refused, match="belongs to"):
        bench.ask(verb, ids=[theirs, ours], failed=True, **args)
    assert bench.ask("show", ids=[theirs, ours])["jobs"] == before


# -- naming ------------------------------------------------------------------------------------


def test_ids_elements_ranges_names_and_the_last_are_found(bench: Bench) -> None:
    first = bench.submit("true", name="one", hold=True)
    array = bench.submit("true", name="many", array="0-9", hold=True)
    last = bench.submit("true", hold=True)
    found = {
        text: [job["label"] for job in bench.ask("show", ids=[text])["jobs"]]
        for text in ("one", f"{array}_3", f"{array}[3-5]", "1-3", "@", "@~2", "local_1")
    }
    assert found == {
        "one": ["1"],
        "2_3": ["2_3"],
        "2[3-5]": ["2_3", "2_4", "2_5"],
        "1-3": ["1", "2", "3"],
        "@": [str(last)],
        "@~2": [str(first)],
        "local_1": ["1"],
    }


@pytest.mark.parametrize("text", ["99", "0", "1_3", "2_10", "2[8-12]", "@~7", "nobody", "5-9"])
def test_what_is_not_there_is_named_in_the_refusal(bench: Bench, text: str) -> None:
    bench.submit("true", hold=True)
    bench.submit("true", array="0-9", hold=True)
    with pytest.raises(NotFound):
        bench.ask("show", ids=[text])


def test_of_several_names_one_unknown_spoils_the_whole_request(bench: Bench) -> None:
    job = bench.submit("true", hold=True)
    with pytest.raises(NotFound):
        bench.ask("cancel", ids=[job, "99"])
    assert bench.state(job) == "PENDING"


# -- wait --------------------------------------------------------------------------------------


def test_a_wait_for_any_is_over_with_the_first(bench: Bench) -> None:
    jobs = [bench.submit("true"), bench.submit("true")]
    number = bench.send("wait", ids=jobs, any=True)
    bench.settle()
    bench.finish(jobs[1], code=3)
    answer = bench.answer(number)
    assert [line["id"] for line in answer["done"]] == [jobs[1]]
    assert answer["done"][0]["exit_code"] == 3
    assert answer["pending"] == [{"id": jobs[0], "element": None}]


def test_a_wait_for_what_has_ended_is_answered_at_once(bench: Bench) -> None:
    job = bench.submit("true")
    bench.finish(job)
    assert bench.ask("wait", ids=[job])["done"][0]["state"] == "COMPLETED"


def test_a_wait_for_elements_is_told_of_dropped_ones(bench: Bench) -> None:
    job = bench.submit("true", array="0-9")
    number = bench.send("wait", ids=[f"{job}_9"])
    bench.settle()
    bench.send("cancel", ids=[job], states=["PENDING"])
    bench.settle()
    assert bench.answer(number)["done"][0]["state"] == "CANCELLED"


# -- events ------------------------------------------------------------------------------------


def test_the_story_of_a_job_is_told_from_any_point(bench: Bench) -> None:
    job = bench.submit("true")
    bench.finish(job)
    bench.send("events", since=0, ids=[job])
    bench.settle()
    *told, done = bench.heard()
    assert [line["event"]["kind"] for line in told] == ["submit", "start", "end"]
    assert done["ok"] == {"cursor": told[-1]["event"]["seq"], "more": False}
    bench.send("events", since=done["ok"]["cursor"])
    bench.settle()
    assert len(bench.heard()) == 1


def test_a_new_dependency_lets_go_what_the_old_one_held(bench: Bench) -> None:
    parent = bench.submit("false")
    child = bench.submit("true", dependency=f"afterok:{parent}", on_never="hold")
    bench.finish(parent, code=1)
    assert bench.show(child)["held"]
    bench.ask("edit", ids=[child], changes={"dependency": f"afterany:{parent}"})
    assert bench.state(child) == "RUNNING"


def test_of_an_array_only_the_element_is_held_that_can_never_start(bench: Bench) -> None:
    parent = bench.submit("true", array="0-2")
    child = bench.submit("true", array="0-2", dependency=f"aftercorr:{parent}", on_never="hold")
    for index, code in enumerate((0, 1, 0)):
        bench.finish(parent, index, code)
    assert [bench.state(f"{child}_{index}") for index in (0, 2)] == ["RUNNING", "RUNNING"]
    assert bench.state(f"{child}_1") == "PENDING"
    assert not bench.engine.live[child].job.held
    assert bench.engine.live[child].tasks[1].held


def test_a_release_that_could_let_nothing_go_is_refused(bench: Bench) -> None:
    whole = bench.submit("true", array="0-2", hold=True)
    with pytest.raises(Refused, match="as a whole"):
        bench.ask("release", ids=[f"{whole}_1"])
    parent = bench.submit("false")
    child = bench.submit("true", dependency=f"afterok:{parent}", on_never="hold")
    bench.finish(parent, code=1)
    with pytest.raises(Refused, match="can never be met"):
        bench.ask("release", ids=[child])
