"""The behaviours, each a function that fails by an assertion where it does not hold.

Its docstring is the sentence that stands in the matrix.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hpcshell.core.errors import HpcError, NotFound, Refused, Wrong
from tests.conformance.bench import Bench, Lacking, lacking

Behaviour = Callable[[Bench], None]
BEHAVIOURS: dict[str, Behaviour] = {}
LONG: set[str] = set()
"""Those that wait for something that takes a site a minute or so."""
ALONE: set[str] = set()
"""Those that would disturb others."""
HOSTILE = 'it\'s a "name" with $(date) `date` ; & | , = and é'


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__] = function
    return function


def long(function: Behaviour) -> Behaviour:
    LONG.add(function.__name__)
    return function


def alone(function: Behaviour) -> Behaviour:
    ALONE.add(function.__name__)
    return function


# ---------------------------------------------------------------------------------- submit and end


@behaviour
def completes(bench: Bench) -> None:
    """A job that exits with 0 is COMPLETED, and its output is there"""
    label = bench.shell("echo hello; echo oops >&2")
    view = bench.end(label)
    assert (view["state"], view["exit_code"]) == ("COMPLETED", 0)
    assert bench.output(label) == "hello\noops\n"


@behaviour
def fails_with_its_code(bench: Bench) -> None:
    """A job that exits with 3 is FAILED, exit code 3"""
    view = bench.end(bench.shell("exit 3"))
    assert (view["state"], view["exit_code"]) == ("FAILED", 3)


@behaviour
def killed_by_a_signal(bench: Bench) -> None:
    """A job whose process is killed is FAILED, and the signal can be told"""
    view = bench.end(bench.shell("kill -9 $$"))
    assert view["state"] == "FAILED"
    assert view["signal"] == 9 or view["exit_code"] in (137, 9)


@behaviour
def runs_scripts(bench: Bench) -> None:
    """A script runs with its arguments as they were given"""
    script = '#!/bin/sh\nfor each; do printf "%s\\n" "<$each>"; done\n'
    words = ["a b", "$HOME", "it's", "", "*", "-x"]
    label = bench.submit(*words, script=script)
    bench.end(label)
    assert bench.output(label).splitlines() == [f"<{word}>" for word in words]


@behaviour
def runs_in_the_directory(bench: Bench) -> None:
    """A job runs in its directory, with its umask"""
    label = bench.shell("pwd; umask; touch made", umask="027")
    bench.end(label)
    assert bench.output(label).split() == [str(bench.directory), "0027"]
    assert (bench.directory / "made").exists()


@behaviour
def environment_arrives(bench: Bench) -> None:
    """Variables arrive as they were given, whatever is in them"""
    values = {"A": HOSTILE, "B": "two\nlines", "C": "", "D": " spaced ", "E": "a,b=c:d"}
    label = bench.shell('for n in A B C D E; do eval printf "%s\\|" \\"\\$$n\\"; done', env=values)
    bench.end(label)
    assert bench.output(label) == "".join(f"{value}|" for value in values.values())


@behaviour
def errors_apart(bench: Bench) -> None:
    """Output and errors go to files of their own, by pattern"""
    label = bench.shell(
        "echo out; echo err >&2", output="%x-%j.out", error="%x-%j.err", name="apart"
    )
    bench.end(label)
    assert bench.lines(f"apart-{label}.out") == ["out"]
    assert bench.lines(f"apart-{label}.err") == ["err"]


@behaviour
def output_as_written(bench: Bench) -> None:
    """What a job writes can be read while it runs"""
    label = bench.shell("echo begun; while [ ! -e stop ]; do sleep 0.2; done", output="live.out")
    bench.until(label, "RUNNING")
    for _ in range(100):
        if bench.lines("live.out") == ["begun"]:
            break
        bench.show(label)
        time.sleep(0.2)
    seen = bench.lines("live.out")
    (bench.directory / "stop").touch()
    bench.end(label)
    assert seen == ["begun"]


@behaviour
def reads_input(bench: Bench) -> None:
    """Standard input comes from a file"""
    (bench.directory / "in put").write_text("from a file\n")
    label = bench.submit("cat", input=str(bench.directory / "in put"))
    bench.end(label)
    assert bench.output(label) == "from a file\n"


@behaviour
def runs_setup(bench: Bench) -> None:
    """Lines of --setup run in front, in the job's own shell"""
    label = bench.shell("echo $PREPARED", setup=["PREPARED='so it is'", "export PREPARED"])
    bench.end(label)
    assert bench.output(label) == "so it is\n"


@behaviour
def hostile_names(bench: Bench) -> None:
    """A hostile name or comment arrives as given, or is refused in a sentence"""
    try:
        label = bench.submit("true", name=HOSTILE, comment=HOSTILE)
    except (Wrong, Refused) as error:
        if not error.hint:
            raise
        return
    view = bench.end(label)
    assert (view["name"], view["comment"]) == (HOSTILE, HOSTILE)
    assert view["state"] == "COMPLETED"


@behaviour
def hostile_paths(bench: Bench) -> None:
    """Output goes to a path with blanks, quotes, dollars and commas in it"""
    name = 'it\'s, "a" $HOME (path).out'
    label = bench.shell("echo here", output=name)
    bench.end(label)
    assert bench.lines(name) == ["here"]


@behaviour
def knows_its_id(bench: Bench) -> None:
    """A job knows its own id and name"""
    label = bench.shell('echo "$HPC_JOB_ID $HPC_JOB_NAME"', name="who")
    bench.end(label)
    assert bench.output(label) == f"{label} who\n"


# -------------------------------------------------------------------------------- states and looks


@behaviour
def seen_running(bench: Bench) -> None:
    """A running job is RUNNING, with node and start time, and hpc queue lists it"""
    label = bench.shell("while [ ! -e stop ]; do sleep 0.2; done", name="runner")
    view = bench.until(label, "RUNNING")
    listed = [row for row in bench.queued() if row["label"] == label]
    (bench.directory / "stop").touch()
    bench.end(label)
    assert view["nodes"]
    assert view["start_time"]
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


# ----------------------------------------------------------------------------------------- limits


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
        raise Lacking("memory is not enforced on the cluster of the tests; it is where sites do")
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
    assert "nosuchqueue" in refused.value.message
    assert refused.value.hint


# ----------------------------------------------------------------------------------------- changes


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


# ------------------------------------------------------------------------------------------ arrays


@behaviour
def arrays_run(bench: Bench) -> None:
    """Every element of an array runs once, and knows its index"""
    label = bench.shell('echo "$HPC_ARRAY_TASK_ID" >>ran', array="0-4")
    view = bench.end(label)
    assert view["elements"]["counts"] == {"COMPLETED": 5}
    assert sorted(bench.lines("ran")) == ["0", "1", "2", "3", "4"]


@behaviour
def arrays_with_holes(bench: Bench) -> None:
    """Index sets with steps and holes are run as they are written"""
    try:
        label = bench.shell('echo "$HPC_ARRAY_TASK_ID" >>ran', array="1,4-8:2,20")
    except HpcError as error:
        raise lacking(error) from error
    view = bench.end(label)
    assert view["elements"]["counts"] == {"COMPLETED": 5}
    assert sorted(bench.lines("ran"), key=int) == ["1", "4", "6", "8", "20"]


@behaviour
def arrays_of_one(bench: Bench) -> None:
    """An array of one element is an array"""
    label = bench.shell('echo "$HPC_ARRAY_TASK_ID" >>ran', array="7")
    assert bench.end(label)["elements"]["counts"] == {"COMPLETED": 1}
    assert bench.lines("ran") == ["7"]


@behaviour
def elements_end_apart(bench: Bench) -> None:
    """Each element has its own end, and the array the worst of them"""
    label = bench.shell('[ "$HPC_ARRAY_TASK_ID" != 2 ] || exit 5', array="0-3")
    view = bench.end(label)
    assert view["state"] == "FAILED"
    assert view["elements"]["counts"] == {"COMPLETED": 3, "FAILED": 1}
    element = bench.show(f"{label}_2")
    assert (element["state"], element["exit_code"]) == ("FAILED", 5)
    assert bench.show(f"{label}_1")["state"] == "COMPLETED"


@behaviour
def elements_are_cancelled(bench: Bench) -> None:
    """One element is cancelled, and no other"""
    label = bench.shell("while [ ! -e stop ]; do sleep 0.2; done", array="0-2")
    bench.until(f"{label}_1", "RUNNING")
    bench.change("cancel", f"{label}_1")
    bench.until(f"{label}_1", "CANCELLED")
    (bench.directory / "stop").touch()
    assert bench.end(label)["elements"]["counts"] == {"COMPLETED": 2, "CANCELLED": 1}


@behaviour
def throttles(bench: Bench) -> None:
    """%N lets no more than N elements of an array run at once"""
    text = "touch on-$HPC_ARRAY_TASK_ID; ls on-* | wc -l >>most; sleep 1; rm on-$HPC_ARRAY_TASK_ID"
    label = bench.shell(text, array="0-3%1")
    bench.end(label)
    assert {int(line) for line in bench.lines("most")} == {1}


@behaviour
def outputs_of_elements(bench: Bench) -> None:
    """Elements write to files of their own, by pattern"""
    label = bench.shell("echo $HPC_ARRAY_TASK_ID", array="0-1", output="o-%A-%3a.out")
    bench.end(label)
    assert bench.lines(f"o-{label}-000.out") == ["0"]
    assert bench.lines(f"o-{label}-001.out") == ["1"]


# ------------------------------------------------------------------------------------ dependencies


def _after(bench: Bench, kind: str, parent: str) -> tuple[str, str]:
    """A job with an end of its choice, and one that depends on it."""
    first = bench.shell(f"while [ ! -e go ]; do sleep 0.2; done; {parent}")
    try:
        second = bench.shell("touch ran", **{kind: first})
    except HpcError as error:
        (bench.directory / "go").touch()
        raise lacking(error) from error
    view = bench.until(second, "PENDING")
    assert view["state"] == "PENDING"
    assert not (bench.directory / "ran").exists()
    (bench.directory / "go").touch()
    bench.end(first)
    return first, second


@behaviour
def afterok_runs(bench: Bench) -> None:
    """afterok: it runs after the other has completed"""
    _, second = _after(bench, "afterok", "exit 0")
    assert bench.end(second)["state"] == "COMPLETED"
    assert (bench.directory / "ran").exists()


@behaviour
def afterok_does_not_run(bench: Bench) -> None:
    """afterok: it never runs after the other has failed"""
    _, second = _after(bench, "afterok", "exit 1")
    time.sleep(3.0)
    bench.change_quietly("cancel", second)
    assert bench.end(second)["state"] != "COMPLETED"
    assert not (bench.directory / "ran").exists()


@behaviour
def afternotok_runs(bench: Bench) -> None:
    """afternotok: it runs after the other has failed"""
    _, second = _after(bench, "afternotok", "exit 1")
    assert bench.end(second)["state"] == "COMPLETED"


@behaviour
def afterany_runs(bench: Bench) -> None:
    """afterany: it runs after the other has ended, however"""
    _, second = _after(bench, "afterany", "exit 1")
    assert bench.end(second)["state"] == "COMPLETED"


@behaviour
def aftercorr_runs(bench: Bench) -> None:
    """aftercorr: each element follows the element of its index"""
    first = bench.shell('echo "a$HPC_ARRAY_TASK_ID" >>order; sleep 1', array="0-1")
    try:
        second = bench.shell(
            'echo "b$HPC_ARRAY_TASK_ID" >>order', array="0-1", dependency=f"aftercorr:{first}"
        )
    except HpcError as error:
        raise lacking(error) from error
    bench.end(first)
    bench.end(second)
    order = bench.lines("order")
    assert order.index("a0") < order.index("b0")
    assert order.index("a1") < order.index("b1")


@behaviour
def ended_parents(bench: Bench) -> None:
    """A dependency on what has ended is settled at once, and what can never hold is refused"""
    good, bad = bench.submit("true"), bench.submit("false")
    bench.end(good)
    bench.end(bad)
    label = bench.shell("touch ran", afterok=good)
    assert bench.end(label)["state"] == "COMPLETED"
    try:
        never = bench.submit("true", afterok=bad)
    except HpcError as error:
        if error.exit_code not in (2, 4) or not error.hint:
            raise
        return
    bench.change_quietly("cancel", never)
    assert bench.end(never)["state"] != "COMPLETED"


@behaviour
def begins_later(bench: Bench) -> None:
    """--begin keeps it from starting before then"""
    label = bench.shell("touch ran", begin="now+1h")
    view = bench.until(label, "PENDING")
    assert view["reason"]
    bench.change("cancel", label)
    assert not (bench.directory / "ran").exists()


# ----------------------------------------------------------------------------------------- the rest


@behaviour
def several_cpus(bench: Bench) -> None:
    """CPUs that are asked for are had"""
    label = bench.submit("true", cpus=2)
    assert bench.end(label)["state"] == "COMPLETED"
    assert bench.show(label)["cpus"] == 2


@behaviour
def gpus(bench: Bench) -> None:
    """GPUs that are asked for are had"""
    if not bench.limits.get("gpus"):
        raise Lacking("the cluster of the tests has no GPUs")
    label = bench.submit("true", gpus=1, **bench.limits["gpus"])
    assert bench.end(label)["state"] == "COMPLETED"


@behaviour
def runs_again(bench: Bench) -> None:
    """What has ended is submitted again with hpc rerun"""
    label = bench.shell("echo x >>ran")
    bench.end(label)
    again = str(bench.door.call("rerun", ids=[label])["jobs"][0]["id"])
    assert again != label
    bench.end(again)
    assert bench.lines("ran") == ["x", "x"]


@behaviour
def many_at_once(bench: Bench) -> None:
    """Twenty jobs at once are twenty jobs"""
    labels = [bench.shell(f"echo {n} >>ran") for n in range(20)]
    assert len(set(labels)) == 20
    for label in labels:
        assert bench.end(label)["state"] == "COMPLETED"
    assert sorted(bench.lines("ran"), key=int) == [str(n) for n in range(20)]
