"""What is seen of jobs."""

from __future__ import annotations

import time

import pytest

from hpcshell.core.errors import NotFound
from tests.conformance.behaviours.kept import alone, behaviour
from tests.conformance.bench import Bench


@behaviour
def seen_running(bench: Bench) -> None:
    """A running job is RUNNING, with node and start time, and hpc queue lists it"""
    label = bench.shell("while [ ! -e stop ]; do sleep 0.2; done", name="runner")
    view = bench.until(label, "RUNNING")
    listed = [row for row in bench.queued() if row["label"] == label]
    (bench.directory / "stop").touch()
    bench.end(label)
    assert bench.told(view["nodes"], "nodes")
    assert bench.told(view["start_time"], "start_time")
    assert [row["name"] for row in listed] == ["runner"]


@behaviour
def unknown_ids(bench: Bench) -> None:
    """An id that nobody has is not found, exit code 3"""
    with pytest.raises(NotFound):
        bench.show("999999999")


@behaviour
def names_in_place_of_ids(bench: Bench) -> None:
    """A name, and @ for the last job, work where ids do"""
    label = bench.submit("true", name="by-this-name")
    bench.end(label)
    assert bench.show("by-this-name")["label"] == label


@behaviour
def history_has_it(bench: Bench) -> None:
    """What has ended is in hpc history, with when it began and ended"""
    label = bench.submit("true", name="long-gone")
    bench.end(label)
    for _ in range(100):
        rows = bench.door.call("history", limit=1000, offset=0, names=["long-gone"])["rows"]
        if rows:
            break
        time.sleep(0.5)
    assert [row["label"] for row in rows] == [label]
    assert bench.told(rows[0]["start_time"], "start_time")
    assert rows[0]["start_time"] <= rows[0]["end_time"]


@behaviour
def dry_run(bench: Bench) -> None:
    """--dry-run shows what would be done, and submits nothing"""
    from hpcshell.core.options.values import from_keywords
    from hpcshell.jobs.asking import prepare_for

    asked = prepare_for(bench.door, ["true"], None, from_keywords(name="never"))
    answer = bench.door.call("submit", submissions=[asked.submission], dry_run=True)["jobs"][0]
    assert answer.get("script", "#!").startswith("#!")
    assert all(row["name"] != "never" for row in bench.queued())


@behaviour
def filters_the_queue(bench: Bench) -> None:
    """hpc queue shows those of a name, or in a state"""
    held = bench.shell("true", name="to-be-found", hold=True)
    other = bench.shell("while [ ! -e stop ]; do sleep 0.2; done", name="not-this-one")
    bench.until(other, "RUNNING")
    named = bench.queued(names=["to-be-found"])
    waiting = bench.queued(names=["to-be-found", "not-this-one"], states=["PENDING"])
    (bench.directory / "stop").touch()
    bench.change("cancel", held)
    bench.end(other)
    assert [row["label"] for row in named] == [held]
    assert [row["label"] for row in waiting] == [held]


@behaviour
def filters_the_history(bench: Bench) -> None:
    """hpc history shows those of a name that ended in a state"""
    good, bad = bench.submit("true", name="ends-so"), bench.submit("false", name="ends-so")
    bench.end(good)
    bench.end(bad)
    wanted = {"names": ["ends-so"], "states": ["FAILED"]}
    rows = bench.eventually(lambda: bench.past(**wanted))
    assert [row["label"] for row in rows] == [bad]


@behaviour
def waits_for_any(bench: Bench) -> None:
    """Waiting for any of several ends with the first"""
    long_one = bench.shell("while [ ! -e stop ]; do sleep 0.2; done")
    short = bench.submit("true")
    answer = bench.door.call("wait", ids=[long_one, short], any=True, timeout=120)
    (bench.directory / "stop").touch()
    bench.end(long_one)
    assert [str(line["id"]) for line in answer["done"]] == [short]
    assert [str(line["id"]) for line in answer["pending"]] == [long_one]


@behaviour
def waits_no_longer(bench: Bench) -> None:
    """Waiting with a time limit ends then, and says so"""
    label = bench.shell("true", hold=True)
    answer = bench.door.call("wait", ids=[label], any=False, timeout=1.0)
    bench.change("cancel", label)
    assert answer["timed_out"]
    assert [str(line["id"]) for line in answer["pending"]] == [label]


@behaviour
@alone
def unknown_while_away(bench: Bench) -> None:
    """While the scheduler does not answer a job is UNKNOWN, and neither ended nor lost"""
    label = bench.shell("while [ ! -e stop ]; do sleep 0.2; done")
    bench.until(label, "RUNNING")
    with bench.away():
        seen = bench.eventually(lambda: bench.unless(label, "RUNNING"))
        (bench.directory / "stop").touch()
    assert (seen["state"], seen["end_time"]) == ("UNKNOWN", None)
    assert bench.end(label)["state"] == "COMPLETED"
