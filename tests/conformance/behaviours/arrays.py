"""Arrays and their elements."""

from __future__ import annotations

from hpcshell.core.errors import HpcError
from tests.conformance.behaviours.kept import alone, behaviour
from tests.conformance.bench import Bench, lacking


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


@behaviour
def shows_an_element(bench: Bench) -> None:
    """An element can be shown, and waited for, on its own"""
    label = bench.shell('[ "$HPC_ARRAY_TASK_ID" != 1 ] || exit 4', array="0-2")
    answer = bench.door.call("wait", ids=[f"{label}_1"], any=False, timeout=120)
    view = bench.show(f"{label}_1")
    bench.end(label)
    assert [line["element"] for line in answer["done"]] == [1]
    assert (view["element"], view["label"]) == (1, f"{label}_1")
    assert (view["state"], view["exit_code"]) == ("FAILED", 4)


@behaviour
def arrays_are_cancelled(bench: Bench) -> None:
    """A whole array is cancelled: what runs of it, and what waits"""
    label = bench.shell("touch on-$HPC_ARRAY_TASK_ID; sleep 60", array="0-3%1")
    bench.until(f"{label}_0", "RUNNING")
    bench.change("cancel", label)
    assert bench.end(label)["elements"]["counts"] == {"CANCELLED": 4}
    assert not (bench.directory / "on-3").exists()


@behaviour
def holds_the_rest(bench: Bench) -> None:
    """An array of which an element was cancelled is held and let go like any other"""
    label = bench.shell('echo "$HPC_ARRAY_TASK_ID" >>ran', array="0-3", begin="now+1h")
    bench.until(label, "PENDING")
    bench.change("cancel", f"{label}_2")
    bench.change("hold", label)
    assert bench.show(f"{label}_1")["held"]
    bench.change("release", label)
    assert not bench.show(f"{label}_1")["held"]
    bench.change("cancel", label)
    assert bench.end(label)["elements"]["counts"] == {"CANCELLED": 4}


@behaviour
@alone
def large_arrays(bench: Bench) -> None:
    """An array larger than the site takes at once is taken all the same, and cancelled as one"""
    label = bench.shell("touch ran", array="0-1200", hold=True)
    assert bench.until(label, "PENDING")["elements"]["counts"] == {"PENDING": 1201}
    bench.change("cancel", label)
    assert bench.end(label)["elements"]["counts"] == {"CANCELLED": 1201}
    assert not (bench.directory / "ran").exists()
