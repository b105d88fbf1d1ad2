"""Jobs are handed over, run as they were asked to, and end."""

from __future__ import annotations

import time

from hpcshell.cli.exits import of_process
from hpcshell.core.errors import Refused, Wrong
from tests.conformance.behaviours.kept import HOSTILE, behaviour
from tests.conformance.bench import Bench, Lacking


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
def every_code(bench: Bench) -> None:
    """Exit codes from 0 to 255 are told as they were, those of shells for signals as well"""
    codes = (0, 1, 2, 127, 128, 129, 130, 137, 143, 192, 193, 200, 254, 255)
    labels = {code: bench.shell(f"exit {code}") for code in codes}
    ends = {code: bench.end(label) for code, label in labels.items()}
    assert {code: of_process(end["exit_code"], end["signal"]) for code, end in ends.items()} == {
        code: code for code in codes
    }


@behaviour
def killed_by_a_signal(bench: Bench) -> None:
    """A job whose process is killed is FAILED, and the signal can be told"""
    view = bench.end(bench.shell("kill -9 $$"))
    assert (view["state"], view["exit_code"], view["signal"]) == ("FAILED", None, 9)


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
def stops_before(bench: Bench) -> None:
    """Where an environment fails, the job fails, and its command is not run"""
    labels = [
        bench.shell("touch ran", venv="/nonexistent/venv"),
        bench.shell("touch ran", conda="nowhere"),
    ]
    for label in labels:
        view = bench.end(label)
        assert (view["state"], view["exit_code"]) == ("FAILED", 1)
        assert "so the job is not run" in bench.output(label)
    assert not (bench.directory / "ran").exists()


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
        raise Lacking(
            "the cluster of the tests has no GPUs; where a site has them they are asked for"
        )
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
