"""What a run records, line by line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell import track
from hpcshell.core.errors import Wrong
from hpcshell.track.client import lines
from tests.track.client.conftest import of_kind, spooled


def logged(tmp_path: Path) -> list[dict[str, object]]:
    return [line["v"] for line in of_kind("m", spooled(tmp_path / "spool"))]


def test_the_first_line_says_who_it_is_and_the_last_how_it_ended(tmp_path):
    with track.run("mnist", name="first", config={"lr": 0.1}, tags={"a": 1}, seed=7) as run:
        run.log(loss=0.5, step=3)
    first, metrics, end = spooled(tmp_path / "spool")
    assert (first["k"], first["run_id"], first["experiment"]) == ("run", run.run_id, "mnist")
    assert (first["config"], first["tags"], first["seed"]) == ({"lr": 0.1}, {"a": "1"}, 7)
    assert (first["job"], first["parent"], first["name"]) == (None, None, "first")
    assert first["user"]
    assert first["host"]
    assert (metrics["s"], metrics["v"]) == (3, {"loss": 0.5})
    assert (end["k"], end["status"], end["reason"], end["exit_code"]) == (
        "end",
        "COMPLETED",
        None,
        None,
    )


def test_a_file_is_named_by_its_run_and_fits_a_source(tmp_path):
    with track.run("mnist") as run:
        assert run.spool.path.startswith(str(tmp_path / "spool" / run.run_id))
        assert len(run.spool.source) <= 64


def test_steps_are_counted_where_none_is_said():
    with track.run("mnist") as run:
        run.log(loss=1)
        run.log(loss=2)
        run.log(loss=3, step=10)
        run.log(loss=4)
        path = Path(run.spool.path)
        steps = [json.loads(line)["s"] for line in path.read_text().splitlines()[1:]]
    assert steps == [0, 1, 10, 11]


def test_numbers_of_all_kinds_are_numbers(tmp_path):
    values = [1, True, numpy.float32(0.5), numpy.int64(3), numpy.array([2.0]).sum(), Fraction(1, 4)]
    with track.run("mnist") as run:
        for value in [*values, numpy.float64("nan"), math.inf, -math.inf]:
            run.log(x=value)
    found = [line["x"] for line in logged(tmp_path)]
    assert found == [1.0, 1.0, 0.5, 3.0, 2.0, 0.25, "NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize(
    "value", ["0.3", None, [1], {}, 1j, b"1", numpy.zeros(3), 10**400], ids=repr
)
def test_what_is_no_number_is_left_out_with_one_warning_that_names_it(value, tmp_path, caplog):
    with track.run("mnist") as run:
        for _ in range(3):
            run.log(odd=value, loss=0.5)
    assert logged(tmp_path) == [{"loss": 0.5}] * 3
    assert len([record for record in caplog.records if "'odd'" in record.message]) == 1


@pytest.mark.parametrize("key", ["", "a\nb", "\x1b[2J", "x" * 251, 5, "a\ud800"], ids=repr)
def test_a_name_that_cannot_be_printed_is_left_out_with_one_warning(key, tmp_path, caplog):
    with track.run("mnist") as run:
        for _ in range(3):
            run.log_many({key: 1.0, "loss": 0.5})
    assert logged(tmp_path) == [{"loss": 0.5}] * 3
    assert len([record for record in caplog.records if "not recorded" in record.message]) == 1


@pytest.mark.parametrize("step", ["x", None.__class__, 2**63, math.nan, -(2**63) - 1], ids=repr)
def test_a_step_that_is_none_is_counted_instead(step, tmp_path):
    with track.run("mnist") as run:
        run.log(loss=1, step=5)
        run.log(loss=2, step=step)
    steps = [line["s"] for line in of_kind("m", spooled(tmp_path / "spool"))]
    assert steps == [5, 6]


def test_names_with_slashes_and_html_are_kept_as_they_are(tmp_path):
    with track.run("mnist") as run:
        run.log_many({"train/loss": 1, "<b>x</b>": 2, "schön": 3}, step=0)
    assert logged(tmp_path) == [{"train/loss": 1.0, "<b>x</b>": 2.0, "schön": 3.0}]


def test_very_many_metrics_are_several_lines_of_one_step(tmp_path):
    with track.run("mnist") as run:
        run.log_many({f"m{i}": i for i in range(2500)}, step=4)
    found = of_kind("m", spooled(tmp_path / "spool"))
    assert [len(line["v"]) for line in found] == [1000, 1000, 500]
    assert {line["s"] for line in found} == {4}


@pytest.mark.parametrize("metrics", [None, 5, "loss", [("a", 1)]], ids=repr)
def test_what_is_no_mapping_of_metrics_does_not_stop_training(metrics, caplog):
    with track.run("mnist") as run:
        run.log_many(metrics)
        run.params(metrics)
        run.tag(metrics)
    assert "metrics were not recorded" in caplog.text


def test_parameters_tags_and_notes(tmp_path):
    with track.run("mnist") as run:
        run.params({"lr": 0.1}, layers=[1, 2])
        run.tag(stage="late")
        run.note("went well\nenough")
    found = spooled(tmp_path / "spool")
    assert of_kind("p", found)[0]["v"] == {"lr": "0.1", "layers": "[1,2]"}
    assert of_kind("g", found)[0]["v"] == {"stage": "late"}
    assert of_kind("n", found)[0]["v"] == "went well\nenough"


def test_files_are_recorded_by_where_they_lie(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.pt").write_bytes(b"12345")
    with track.run("mnist") as run:
        run.artifact("best.pt", name="models/best")
        run.checkpoint(tmp_path / "best.pt", step=9)
        run.artifact("later.txt")
        run.artifact("best.pt", name="../../etc/passwd")
        run.artifact(None)  # type: ignore[arg-type]
        run.artifact("half\0path", name="half")
        run.artifact("x" * 5000, name="long")
    found = of_kind("f", spooled(tmp_path / "spool"))
    where = str(tmp_path / "best.pt")
    one, two, three = ({name: line[name] for name in line if name != "k"} for line in found)
    assert one == {"path": "models/best", "uri": where, "kind": "artifact", "step": None, "size": 5}
    assert two == {"path": "best.pt", "uri": where, "kind": "checkpoint", "step": 9, "size": 5}
    assert three["size"] is None
    assert caplog.text.count("is not recorded") == 4


def test_the_functions_of_the_module_mean_the_run_at_hand(tmp_path, caplog):
    track.log(loss=1)
    assert "no run has begun" in caplog.text
    with track.run("mnist") as run:
        assert track.active() is run
        track.log(loss=2)
        track.log_many({"a/b": 3})
        track.params(lr=1)
        track.tag(x=1)
        track.note("n")
        track.artifact(__file__)
        track.checkpoint(__file__, 1)
    assert track.active() is None
    assert logged(tmp_path) == [{"loss": 2.0}, {"a/b": 3.0}]
    assert [line["k"] for line in spooled(tmp_path / "spool")[3:]] == [*list("pgnff"), "end"]


def test_runs_within_runs_know_their_parent(tmp_path):
    with track.run("outer") as outer:
        with track.run("inner") as inner:
            assert track.active() is inner
        assert track.active() is outer
        with track.run("other", parent="f" * 32):
            pass
    parents = {
        line["experiment"]: line["parent"] for line in of_kind("run", spooled(tmp_path / "spool"))
    }
    assert parents == {"outer": None, "inner": outer.run_id, "other": "f" * 32}


def test_threads_have_their_own_runs_and_share_the_process_s(tmp_path):
    def trial(number: int) -> None:
        with track.run(f"trial {number}") as run:
            track.log(loss=number)
            assert track.active() is run

    with track.run("outer") as outer:
        threads = [threading.Thread(target=trial, args=(number,)) for number in range(4)]
        threads.append(threading.Thread(target=lambda: track.log(shared=1)))
        threads[-1].start()
        threads[-1].join()
        for thread in threads[:-1]:
            thread.start()
        for thread in threads[:-1]:
            thread.join()
        assert track.active() is outer
    found = spooled(tmp_path / "spool")
    assert {line["parent"] for line in of_kind("run", found)} == {None}
    assert of_kind("m", found).count({}) == 0
    assert sorted(str(line["v"]) for line in of_kind("m", found))[-1] == "{'shared': 1.0}"


def test_many_threads_write_whole_lines(tmp_path):
    with track.run("mnist") as run:

        def work(number: int) -> None:
            for at in range(500):
                run.log_many({f"thread/{number}": at}, step=at)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = logged(tmp_path)
    assert len(found) == 4000
    for number in range(8):
        mine = [line[f"thread/{number}"] for line in found if f"thread/{number}" in line]
        assert mine == [float(at) for at in range(500)]


def test_a_run_that_has_ended_records_nothing_more(tmp_path, caplog):
    with track.run("mnist") as run:
        pass
    run.log(loss=1)
    run.note("late")
    run.end("FAILED")
    assert [line["k"] for line in spooled(tmp_path / "spool")] == ["run", "end"]
    assert caplog.text.count("has ended") == 1


@pytest.mark.parametrize(("word", "status"), [("finished", "COMPLETED"), ("oom?", "FAILED")])
def test_an_end_is_said_in_any_word_for_it(word, status, tmp_path):
    run = track.run("mnist")
    run.end(word)
    assert spooled(tmp_path / "spool")[-1]["status"] == status


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 256], ids=repr)
def test_an_experiment_that_cannot_be_called_so_is_refused_at_once(name):
    with pytest.raises(Wrong):
        track.run(name)


def test_a_configuration_may_be_what_argparse_gives_and_hold_anything(tmp_path):
    @dataclasses.dataclass
    class Sizes:
        width: int = 3

    config = argparse.Namespace(
        lr=numpy.float32(0.5), path=Path("/x"), sizes=Sizes(), bad="a\ud800", nan=math.nan, n=2**70
    )
    with track.run("mnist", config=config):
        pass
    assert spooled(tmp_path / "spool")[0]["config"] == {
        "lr": 0.5,
        "path": "/x",
        "sizes": {"width": 3},
        "bad": "a\\ud800",
        "nan": "NaN",
        "n": str(2**70),
    }


class Odd(dict):
    """A mapping that fails as it is read."""

    def items(self):
        raise RuntimeError("not now")


def test_what_fails_as_it_is_read_does_not_stop_training_and_is_told_once(tmp_path, caplog):
    odd: Any = Odd(a=1)
    seven: Any = 7
    with track.run("x", config={"odd": odd}) as run:
        for _ in range(3):
            run.params({"odd": odd, "fine": 1})
            run.tag(odd)
            run.note(odd)
        run.artifact(tmp_path, name=seven)
    lines = spooled(tmp_path / "spool")
    assert [line["v"] for line in of_kind("p", lines)] == [{"odd": "<Odd>", "fine": "1"}] * 3
    assert [line["path"] for line in of_kind("f", lines)] == ["7"]
    assert caplog.text.count("a Odd is recorded as no more than that") == 1


def test_a_configuration_that_holds_itself_ends_somewhere():
    config: dict[str, object] = {"lr": 1}
    config["self"] = config
    with track.run("mnist", config=config) as run:
        assert run.spool.size < 2000


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(anything)
def test_whatever_there_is_can_be_said_in_json_and_stays_so(value):
    said = lines.plain(value)
    assert json.loads(lines.encode(said)) == said


@given(st.dictionaries(st.text(min_size=1), st.floats()), st.integers(-(2**63), 2**63 - 1))
def test_a_line_of_metrics_is_one_line_that_reads_as_it_was_meant(values, step):
    taken = {key: lines.number(value) for key, value in values.items() if lines.is_key(key)}
    line = lines.metrics_line(1.5, step, taken)
    assert line.count(b"\n") == 1
    read = json.loads(line)
    assert read["s"] == step
    for key, value in read["v"].items():
        assert float(value) == values[key] or math.isnan(values[key])
