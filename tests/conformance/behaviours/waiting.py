"""What waits for others, or for its time."""

from __future__ import annotations

import time

from hpcshell.core.errors import HpcError
from tests.conformance.behaviours.kept import behaviour
from tests.conformance.bench import Bench, lacking


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
    first = bench.shell(
        'while [ ! -e go ]; do sleep 0.2; done; echo "a$HPC_ARRAY_TASK_ID" >>order', array="0-1"
    )
    try:
        second = bench.shell(
            'echo "b$HPC_ARRAY_TASK_ID" >>order', array="0-1", dependency=f"aftercorr:{first}"
        )
    except HpcError as error:
        raise lacking(error) from error
    finally:
        (bench.directory / "go").touch()
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


@behaviour
def after_runs(bench: Bench) -> None:
    """after: it runs once the other has started"""
    first = bench.shell("while [ ! -e ran ]; do sleep 0.2; done")
    second = bench.shell("touch ran", dependency=f"after:{first}")
    assert bench.end(second)["state"] == "COMPLETED"
    assert bench.end(first)["state"] == "COMPLETED"


@behaviour
def afterany_of_the_cancelled(bench: Bench) -> None:
    """afterany: it runs after the other has been cancelled while it ran"""
    first = bench.submit("sleep", "60")
    second = bench.submit("true", afterany=first)
    bench.until(first, "RUNNING")
    bench.change("cancel", first)
    assert bench.end(second)["state"] == "COMPLETED"


@behaviour
def after_an_array(bench: Bench) -> None:
    """afterany of an array: it runs after all of its elements"""
    first = bench.shell("sleep 1; echo one >>ran", array="0-2")
    second = bench.shell("wc -l <ran", afterany=first)
    assert bench.end(second)["state"] == "COMPLETED"
    assert bench.output(second).strip() == "3"
