"""Limits, and what is done to jobs that are there."""

from __future__ import annotations

import re
import time

import pytest

from hpcshell.core.errors import HpcError, Refused, Wrong
from tests.conformance.behaviours.kept import HOSTILE, alone, behaviour, long
from tests.conformance.bench import Bench, Lacking, lacking


@behaviour
@long
def time_limit_ends_it(bench: Bench) -> None:
    """A job that exceeds its time limit is TIMEOUT"""
    view = bench.end(bench.submit("sleep", "600", time_limit=bench.limits.get("time", "5s")))
    assert view["state"] == "TIMEOUT"


@behaviour
def memory_limit_ends_it(bench: Bench) -> None:
    """A job that exceeds its memory is OUT_OF_MEMORY"""
    if not bench.limits.get("memory"):
        raise Lacking("memory is not enforced on the cluster of the tests; where it is, it is kept")
    hungry = (
        "import time; x = bytearray(900 << 20); x[::4096] = b'x' * len(x[::4096]); time.sleep(9)"
    )
    view = bench.end(bench.submit("python3", "-c", hungry, memory="120M"))
    assert view["state"] == "OUT_OF_MEMORY"


@behaviour
def never_is_refused(bench: Bench) -> None:
    """A partition that is not there is refused at once, with those that are, exit code 2"""
    with pytest.raises(HpcError) as refused:
        bench.submit("true", partition="nosuchqueue")
    assert refused.value.exit_code in (2, 3, 4)
    assert re.search("nosuchqueue|queue|partition", refused.value.message)
    assert refused.value.hint


@behaviour
def cancels_what_runs(bench: Bench) -> None:
    """A running job is cancelled: CANCELLED, and nothing of it goes on"""
    label = bench.shell("while :; do echo x >>beat; sleep 0.2; done")
    bench.until(label, "RUNNING")
    bench.change("cancel", label)
    assert bench.end(label)["state"] == "CANCELLED"
    time.sleep(1.0)
    before = len(bench.lines("beat"))
    time.sleep(1.5)
    assert len(bench.lines("beat")) == before


@behaviour
def cancels_what_waits(bench: Bench) -> None:
    """A waiting job is cancelled, and never starts"""
    label = bench.shell("touch started", hold=True)
    bench.change("cancel", label)
    view = bench.end(label)
    assert (view["state"], view["start_time"]) == ("CANCELLED", None)
    assert not (bench.directory / "started").exists()


@behaviour
def cancelling_the_ended(bench: Bench) -> None:
    """Cancelling what has ended changes nothing, and says so"""
    label = bench.submit("true")
    bench.end(label)
    answer = bench.door.call("cancel", ids=[label])
    assert not answer["jobs"]
    assert "ended" in answer["unchanged"][0]["why"]


@behaviour
def hold_and_release(bench: Bench) -> None:
    """A held job waits until it is released"""
    label = bench.shell("touch started", hold=True)
    view = bench.until(label, "PENDING")
    assert view["held"]
    assert not (bench.directory / "started").exists()
    bench.change("release", label)
    assert bench.end(label)["state"] == "COMPLETED"


@behaviour
def holds_what_waits(bench: Bench) -> None:
    """What waits can be held, and let go"""
    label = bench.submit("true", begin="now+1h")
    bench.until(label, "PENDING")
    bench.change("hold", label)
    assert bench.show(label)["held"]
    bench.change("cancel", label)
    bench.end(label)


@behaviour
@long
def requeues(bench: Bench) -> None:
    """A running job is put back into the queue, and runs again"""
    label = bench.shell("echo x >>runs; while [ ! -e stop ]; do sleep 0.2; done", requeue=True)
    bench.until(label, "RUNNING")
    bench.change("requeue", label)
    view = bench.until(label, "PENDING", "RUNNING", "COMPLETING")
    (bench.directory / "stop").touch()
    if bench.limits.get("requeue_waits"):
        bench.change("cancel", label)
    view = bench.end(label)
    assert view["state"] in ("COMPLETED", "CANCELLED")


@behaviour
def suspends_and_resumes(bench: Bench) -> None:
    """A running job is suspended, and goes on"""
    label = bench.shell("while [ ! -e stop ]; do sleep 0.2; done")
    bench.until(label, "RUNNING")
    try:
        bench.change("suspend", label)
        bench.until(label, "SUSPENDED")
        bench.change("resume", label)
        bench.until(label, "RUNNING")
    finally:
        (bench.directory / "stop").touch()
    assert bench.end(label)["state"] == "COMPLETED"


LISTENER = """
import signal, sys, time
def heard(number, frame):
    print("heard", flush=True)
    sys.exit(0)
signal.signal(signal.SIGUSR1, heard)
print("ready", flush=True)
time.sleep(120)
"""


@behaviour
def signals(bench: Bench) -> None:
    """A signal reaches a job's program"""
    label = bench.submit("python3", "-c", LISTENER, output="heard.out")
    for _ in range(300):
        if bench.lines("heard.out"):
            break
        time.sleep(0.2)
    try:
        bench.change("cancel", label, signal="USR1")
    except Lacking:
        bench.change("cancel", label)
        bench.end(label)
        raise
    bench.end(label)
    assert bench.lines("heard.out") == ["ready", "heard"]


@behaviour
def edits_the_time_limit(bench: Bench) -> None:
    """The time limit of a waiting job is changed"""
    label = bench.submit("true", hold=True, time_limit="10m")
    bench.until(label, "PENDING")
    try:
        bench.door.call("edit", ids=[label], changes={"time_limit": 1200.0})
        assert bench.show(label)["time_limit"] == 1200.0
    finally:
        bench.change("cancel", label)


@behaviour
def edits_the_name(bench: Bench) -> None:
    """The name of a waiting job is changed"""
    label = bench.submit("true", hold=True, name="before")
    bench.until(label, "PENDING")
    try:
        bench.door.call("edit", ids=[label], changes={"name": "after"})
    except HpcError as error:
        raise lacking(error) from error
    finally:
        bench.change("cancel", label)


@behaviour
def edits_the_priority(bench: Bench) -> None:
    """The priority of a waiting job is changed"""
    label = bench.shell("true", hold=True)
    bench.until(label, "PENDING")
    try:
        changed = bench.door.call("edit", ids=[label], changes={"priority": 300})
        assert [str(line["id"]) for line in changed["jobs"]] == [label]
    finally:
        bench.change("cancel", label)


@behaviour
def cancels_by_name(bench: Bench) -> None:
    """All jobs of a name are cancelled, whatever is in it, and no others"""
    name = HOSTILE
    try:
        mine = [bench.shell("true", hold=True, name=name)]
    except (Wrong, Refused):
        name = "cancel-these"
        mine = [bench.shell("true", hold=True, name=name)]
    mine.append(bench.shell("true", hold=True, name=name))
    other = bench.shell("true", hold=True, name="not-that-one")
    answer = bench.door.call("cancel", names=[name])
    assert sorted(str(line["id"]) for line in answer["jobs"]) == sorted(mine)
    assert [bench.end(label)["state"] for label in mine] == ["CANCELLED", "CANCELLED"]
    assert bench.show(other)["state"] == "PENDING"
    bench.change("cancel", other)


@behaviour
@alone
def tops_up(bench: Bench) -> None:
    """What passes the site's limit of jobs waits here, and is handed over as others end"""
    if "few" not in bench.limits:
        raise Lacking(
            "the cluster of the tests has no limit of jobs; where there is one it is kept"
        )
    texts = [f"echo {number} >>ran; sleep 1" for number in range(4)]
    labels = [bench.shell(text, taken=False, **bench.limits["few"]) for text in texts]
    for label in labels:
        assert bench.end(label)["state"] == "COMPLETED"
    assert sorted(bench.lines("ran")) == ["0", "1", "2", "3"]
