"""`hpc simulate`: what it answers, what it writes, what it refuses."""

from __future__ import annotations

import csv
import gzip
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from hpcshell.cli import simulating
from hpcshell.sim import simulate as engine
from hpcshell.sim.policies import NAMED, ORDERS, PREDICTORS, VARIANTS
from hpcshell.trace.clean import FILTERS
from tests.cli.conftest import call
from tests.trace.made import jobs

ROOT = Path(__file__).resolve().parents[2]

KEYS = (
    "policy jobs makespan utilization mean_wait median_wait p95_wait max_wait avebsld backfilled "
    "cpu_seconds"
)
ROWS = ((0, 100, 6, 100), (10, 50, 6, 200), (20, 30, 2, 60), (30, 10, 8, 600))
"""Jobs on a machine of 8: the second waits for the first, and only the third fits beside it."""


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.swf"
    path.write_bytes(jobs(*ROWS))
    return path


def test_one_policy_is_answered_by_an_object_with_the_documented_keys(trace: Path) -> None:
    found = call("simulate", trace, "--policy", "easy", "--json", check=True).json
    assert set(KEYS.split()) <= set(found)
    assert found["policy"] == "easy"
    assert found["jobs"] == 4
    assert found["makespan"] == 160
    assert found["mean_wait"] == (0 + 90 + 0 + 120) / 4
    assert found["max_wait"] == 120
    assert found["backfilled"] == 0.25
    assert found["oddities"] == {}


def test_several_policies_are_answered_by_an_array_in_their_order(trace: Path) -> None:
    found = call("simulate", trace, "-p", "fcfs", "--compare", "easy, fcfs", "--json").json
    assert [row["policy"] for row in found] == ["fcfs", "easy"]
    found = call("simulate", trace, "--compare", "all", "--json").json
    assert [row["policy"] for row in found] == list(NAMED)


def test_a_person_gets_a_table_and_is_told_what_was_odd(trace: Path) -> None:
    trace.write_bytes(jobs(*ROWS, (40, 0, 1, 10), (50, 20, 1, 10)))
    said = call("simulate", trace, "--policy", "easy", "--order", "wfp3", check=True)
    head, row, *rest = said.out.splitlines()
    assert head.split()[:3] == ["POLICY", "JOBS", "MAKESPAN"]
    assert row.startswith("easy, order wfp3")
    assert rest[0] == "oddities:"
    assert f"1 x ran for no time at all: left out ({trace}:6)" in rest[1]
    assert f"1 x ran longer than it asked for: cut to what it asked for ({trace}:7)" in rest[2]
    assert "5 jobs submitted over 50s to 8 processors" in said.err


def test_nothing_odd_is_said_to_be_nothing(trace: Path) -> None:
    assert call("simulate", trace, "--quiet").out.splitlines()[-1] == "oddities: none"
    assert call("simulate", trace, "--quiet").err == ""


def test_the_schedule_is_written_job_by_job(trace: Path) -> None:
    call("simulate", trace, "--jobs-out", "jobs.csv", check=True)
    assert Path("jobs.csv").read_text().splitlines() == [
        "job,submit,start,end,wait",
        "1,0,0,100,0",
        "2,10,100,150,90",
        "3,20,20,50,0",
        "4,30,150,160,120",
    ]


def test_of_several_policies_each_has_its_file(trace: Path) -> None:
    call("simulate", trace, "-c", "easy,hybrid:2", "--jobs-out", "jobs.csv", check=True)
    assert Path("jobs-easy.csv").exists()
    assert Path("jobs-hybrid-2.csv").exists()


def test_the_table_is_written_as_csv(trace: Path) -> None:
    call("simulate", trace, "-c", "easy,fcfs", "--csv", "table.csv", check=True)
    rows = list(csv.DictReader(Path("table.csv").read_text().splitlines()))
    assert [row["policy"] for row in rows] == ["easy", "fcfs"]
    assert rows[0]["max_wait"] == "120.0"


def test_stdin_is_a_trace(trace: Path) -> None:
    text = trace.read_text()
    assert call("simulate", "-", "--json", input=text, check=True).json["jobs"] == 4


def test_a_trace_may_be_compressed_whatever_its_name(trace: Path) -> None:
    trace.write_bytes(gzip.compress(trace.read_bytes()))
    assert call("simulate", trace, "--json", check=True).json["jobs"] == 4


@pytest.mark.parametrize(
    ("options", "jobs_left"),
    [
        (["--jobs", "2-3"], 2),
        (["--jobs", "3-99"], 2),
        (["--jobs", "3"], 3),
        (["--from", "15s"], 2),
        (["--until", "15s"], 2),
        (["--from", "10s", "--until", "20s"], 1),
        (["--cpus", "6"], 3),
        (["--cpus", "100"], 4),
    ],
)
def test_a_part_may_be_taken_and_the_machine_be_another(
    trace: Path, options: list[str], jobs_left: int
) -> None:
    assert call("simulate", trace, *options, "--json", check=True).json["jobs"] == jobs_left


def test_only_the_oddities_of_the_part_are_counted(trace: Path) -> None:
    trace.write_bytes(jobs(*ROWS, (40, 0, 1, 10), (50, 20, 1, 10), header=""))
    found = call("simulate", trace, "--jobs", "1-4", "--json", check=True).json
    assert found["oddities"] == {"machine_unknown": 1}
    found = call("simulate", trace, "--from", "40s", "--json", check=True).json
    assert found["oddities"] == {"machine_unknown": 1, "zero_run": 1, "run_over_request": 1}
    assert found["machine"] == 8


def test_the_jobs_keep_the_ids_of_their_log(trace: Path) -> None:
    head = "JobID|Submit|Elapsed|ReqCPUS|Timelimit"
    ids = ("100", "101+0", "101+1", '=1,"x"', "103")
    lines = (f"{one}|2026-01-01T00:00:0{at}|00:00:10|2|00:01:00" for at, one in enumerate(ids))
    trace.write_text("\n".join([head, *lines]))
    Path("gangs").write_text("100,g\n103,g\n")
    words = ("--gangs", "gangs", "--jobs", "4", "--jobs-out", "jobs.csv")
    said = call("simulate", trace, *words, check=True)
    rows = list(csv.reader(Path("jobs.csv").read_text().splitlines()))
    assert [row[0] for row in rows] == ["job", "100", "101+0", "101+1", '\'=1,"x"']
    assert "not all jobs are simulated: starts with those that are (job 100)" in said.out


def test_what_is_larger_than_the_machine_is_left_out_and_counted(trace: Path) -> None:
    found = call("simulate", trace, "--cpus", 6, "--json", check=True).json
    assert found["oddities"] == {"over_machine": 1}


def test_jobs_are_placed_on_the_nodes_of_a_machine_file(trace: Path, tmp_path: Path) -> None:
    machine = tmp_path / "machine.toml"
    machine.write_text("[[node]]\ncount = 2\ncpus = 4\n")
    nodes = ("--machine", machine, "--place", "spread")
    found = call("simulate", trace, *nodes, "--json", check=True).json
    assert (found["nodes"], found["place"], found["engine"]) == (2, "spread", "replay")
    assert found["mean_wait"] == (0 + 90 + 0 + 120) / 4
    fault = ("--fault", "25s down node node2 for 1m", "--jobs-out", "jobs.csv")
    said = call("simulate", trace, *nodes, *fault, check=True)
    assert "jobs are placed on 2 nodes: spread" in said.err
    assert "fault: node2 goes down at 25s for 1m 0s; jobs on it run again" in said.err
    assert "faults: easy: 2 runs killed" in said.out
    assert found["place"] != call("simulate", trace, "--json", check=True).json["place"]


def test_whatever_is_named_is_simulated(trace: Path) -> None:
    how = ["--order", "wfp3", "--fill", "f1", "--predict", "median", "--policy", "hybrid:2"]
    found = call("simulate", trace, *how, "--json", check=True).json
    assert (found["jobs"], found["engine"]) == (4, "replay")


def test_a_machine_file_says_how_large_the_machine_is(trace: Path, tmp_path: Path) -> None:
    machine = tmp_path / "machine.toml"
    machine.write_text('[[node]]\ncount = 4\ncpus = 16\nmemory = "64G"\nfeatures = ["ib"]\n')
    found = call("simulate", trace, "--machine", machine, "--json", check=True).json
    assert found["machine"] == 64
    machine.write_text("cpus = 10\n")
    found = call("simulate", trace, "--machine", machine, "--json", check=True).json
    assert found["machine"] == 10


def test_the_engines_agree(trace: Path) -> None:
    pytest.importorskip("numba")
    one, other = (
        call("simulate", trace, "--engine", engine, "--json").json
        for engine in ("python", "compiled")
    )
    differing = {key for key in one if one[key] != other[key]}
    assert differing <= {"engine", "cpu_seconds", "simulated_per_second"}


def test_jobs_on_processors_that_go_down_run_again(trace: Path) -> None:
    fault = ["--fault", "25s down 3 cpus for 1m"]
    found = call("simulate", trace, *fault, "--jobs-out", "jobs.csv", "--json", check=True).json
    assert (found["killed"], found["lost"], found["jobs"]) == (2, 0, 4)
    starts = [line.split(",")[2] for line in Path("jobs.csv").read_text().splitlines()]
    assert starts[3] != "20"


def test_a_fault_is_said_in_the_words_in_which_it_is_told(trace: Path) -> None:
    for words in ("1d 2h 3m 4s down 3 cpus for 1h 30m 5s", "1d2h3m4s down 3 cpus for 1h30m5s"):
        said = call("simulate", trace, "--fault", words, check=True)
        assert "3 processors go down at 1d 2h 3m 4s for 1h 30m 5s" in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("-p p.toml", "p: the compiled kernel is not used: it is a policy file"),
        ("--predict median", "easy: the compiled kernel is not used: it does not know run times"),
        ("-p conservative --order sjf", "many are promised a start in another order than fifo"),
        ("-p hybrid:2 --predict last2", "many are promised a start by last2"),
        ("-p conservative --fault F", "not used: faults take what has been promised"),
        ("--fault F", "easy: the compiled kernel is not used: faults strike in plain Python only"),
        ("--machine m.toml", "parts of the machine are set apart"),
        ("--machine n.toml --place pack", "jobs are placed on nodes"),
        ("--gangs gangs", "some jobs start together"),
        ("", ""),
    ],
)
def test_it_is_told_why_the_compiled_kernel_is_not_used(trace: Path, words: str, why: str) -> None:
    pytest.importorskip("numba")
    apart = '[[reservation]]\nstart = "1h"\nduration = 9\nall = true\nmaintenance = true\n'
    Path("p.toml").write_text('[scheduler]\norder = "sjf"\n')
    Path("m.toml").write_text(apart)
    Path("n.toml").write_text("[[node]]\ncpus = 8\n")
    Path("gangs").write_text("2,g\n3,g\n")
    typed = ["5s down 1 cpu for 1s" if word == "F" else word for word in words.split()]
    said = call("simulate", trace, "--engine", "compiled", *typed, "--json", check=True)
    assert why in said.err
    assert ("not used" in said.err) == bool(why)
    assert (said.json["engine"] == "compiled") != bool(why)
    assert "not used" not in call("simulate", trace, *typed, check=True).err


def test_it_is_told_that_a_map_changes_nothing_where_nothing_goes_by_it(trace: Path) -> None:
    Path("p.toml").write_text('[scheduler]\norder = "sjf"\n')
    maps = ("--map", "qos=queue", "--map", "user=group")
    said = call("simulate", trace, *maps, check=True)
    told = "--map qos=queue changes nothing: only a policy file goes by the qos"
    assert [line for line in said.err.splitlines() if "--map" in line] == [told]
    assert "--map" not in call("simulate", trace, *maps, "-c", "easy", "-p", "p.toml").err


def test_it_is_told_who_uses_a_reservation_and_who_is_not_there(trace: Path) -> None:
    Path("m.toml").write_text(
        '[[reservation]]\nname = "course"\nstart = "5s"\nduration = "5m"\ncpus = 2\n'
        'users = ["1", "zoe"]\naccounts = ["lab"]\n'
        '[[reservation]]\nname = "idle"\nstart = "40s"\nduration = "9m"\ncpus = 1\n'
        'users = ["zoe"]\nidle = "20s"\n'
    )
    said = call("simulate", trace, "--machine", "m.toml", check=True)
    for told in ("user zoe: the log has 1", "account lab: the log has 1"):
        assert f"reservation course: no job is of {told}" in said.err
    assert "of user 1" not in said.err
    assert "reservation course: easy: 1 job ran in it" in said.out
    assert "reservation idle: easy: 0 jobs ran in it; let go at 1m 0s, unused" in said.out
    assert call("simulate", trace, "--machine", "m.toml", "--json").json["reservations"] == [
        {"name": "course", "jobs": 1, "let_go": None},
        {"name": "idle", "jobs": 0, "let_go": 60},
    ]


def test_or_are_lost(trace: Path) -> None:
    fault = ["--fault", "25s down 1 cpu for 1m losing jobs"]
    said = call("simulate", trace, *fault, "--jobs-out", "jobs.csv", check=True)
    assert "faults: easy: 1 run killed, 1 of them lost" in said.out
    assert "3,20,,,\n" in Path("jobs.csv").read_text()


def test_every_policy_order_and_predictor_is_in_the_help_and_in_the_how_to() -> None:
    said = " ".join(call("simulate", "--help", check=True).out.split())
    page = (ROOT / "docs" / "how-to" / "simulate.md").read_text()
    for word in (*NAMED, *ORDERS, *PREDICTORS, *VARIANTS, *FILTERS):
        assert re.search(rf"\b{re.escape(word)}(?!\w)", said), word
        assert f"`{word}`" in page or word in ("f2", "f3"), word
    for key in call("simulate", "--generate", "lublin", "--jobs", 5, "--json").json:
        assert key == "schema" or f"`{key}`" in page, key


# ------------------------------------------------------------------------------------ workloads


def test_a_workload_is_made_and_simulated(trace: Path) -> None:
    words = ("simulate", "--generate", "lublin", "--jobs", 50, "--cpus", 32, "--json")
    found = call(*words, check=True).json
    assert (found["jobs"], found["machine"]) == (50, 32)


def test_equal_seeds_make_equal_files(trace: Path) -> None:
    words = ("simulate", "--generate", "lublin:all", "--jobs", 50, "--load", "0.8")
    for seed, path in ((1, "a.swf"), (1, "b.swf"), (2, "c.swf")):
        said = call(*words, "--seed", seed, "--out", path, check=True)
        assert (said.out, said.err) == ("", "wrote 50 jobs\n")
    assert Path("a.swf").read_bytes() == Path("b.swf").read_bytes() != Path("c.swf").read_bytes()
    assert call("simulate", "a.swf", "--json", check=True).json["jobs"] == 50


def test_a_workload_that_is_written_is_simulated_if_a_policy_is_named(trace: Path) -> None:
    words = ("simulate", "--generate", "lublin", "--jobs", 9, "--out", "a.swf", "-p", "fcfs")
    assert "fcfs" in call(*words, check=True).out
    piped = call("simulate", "--generate", "lublin", "--jobs", 9, "--out", "-", check=True)
    assert piped.out == Path("a.swf").read_text()


# ------------------------------------------------------------------------------------- pictures


def test_pictures_are_drawn(trace: Path) -> None:
    pytest.importorskip("matplotlib")
    call("simulate", trace, "-c", "easy,fcfs", "--plot", "pictures", check=True)
    drawn = {path.name for path in Path("pictures").iterdir()}
    common = {"utilization.png", "queue.png", "waits.png", "slowdown.png"}
    assert drawn == common | {"gantt-easy.png", "gantt-fcfs.png"}
    call("simulate", trace, "--plot", "all.svg", check=True)
    assert Path("all.svg").read_text().startswith("<?xml")
    call("simulate", trace, "--plot", "all.png", check=True)
    assert Path("all.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_stands_alone_and_no_name_adds_to_it(trace: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    hostile = tmp_path / "<script>alert(1)<_script>$x^$&amp;\x1b.swf"
    hostile.write_bytes(trace.read_bytes())
    call("simulate", hostile, "-c", "easy,fcfs", "--report", "page.html", check=True)
    page = Path("page.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<svg") == 6
    call("simulate", hostile, "--plot", "all.png", check=True)


def test_equal_runs_draw_equal_pictures(trace: Path) -> None:
    pytest.importorskip("matplotlib")
    for path in ("a.svg", "b.svg"):
        call("simulate", trace, "--plot", path, check=True)
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()


# ----------------------------------------------------------------------------------- interrupted


def test_an_interrupt_leaves_what_there_is(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace.write_bytes(jobs(*((at, 10, 8, 10) for at in range(100))))
    monkeypatch.setattr(engine, "SLICE", 10)
    monkeypatch.setattr(engine, "QUICK", 0.0)

    def interrupt_at_150(done: int) -> None:
        if done >= 150:
            signal.raise_signal(signal.SIGINT)

    def interrupting(*_: Any) -> Any:
        class Bar:
            def __enter__(self) -> Any:
                return interrupt_at_150

            def __exit__(self, *_: Any) -> None: ...

        return Bar()

    monkeypatch.setattr(simulating, "_bar", interrupting)
    words = ("simulate", trace, "-c", "easy,fcfs,greedy")
    said = call(*words)
    assert said.code == 130
    assert "fcfs (cut short)" in said.out
    assert "cut short: fcfs had started" in said.out
    assert "greedy" not in said.out
    assert "interrupted before greedy ran" in said.err
    rows = json.loads(call(*words, "--json").out)
    assert [row["cut_short"] for row in rows] == [False, True]
    assert 50 <= rows[1]["jobs"] < 100


# -------------------------------------------------------------------------------------- bad input


LINE = b"1 0 -1 10 1 -1 -1 1 10 -1 1 1 1 -1 1 -1 -1 -1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.swf: is empty"),
        (b"\n \n", "bad.swf: is empty"),
        (b"; only\n; remarks\n", "bad.swf: has no job in it"),
        (b"hello world\n", "bad.swf:1: 'hello world' is no job of a trace"),
        (LINE + b"\x00\x01\x02", "bad.swf:2: is binary, not text"),
        (b"\x89PNG\r\n\x1a\n\x00", "bad.swf:3: is binary, not text"),
        (gzip.compress(LINE * 99, mtime=0)[:40], "bad.swf: the gzip file is truncated"),
        (b"\x1f\x8b" + b"x" * 40, "bad.swf: the gzip file is damaged"),
        (b"1 0 -1 0 1 -1 -1 1 10 -1 1 1 1 -1 1 -1 -1 -1\n", "none of its 1 jobs"),
        (b"1 0 -1 -5 1 -1 -1 1 10 -1 1 1 1 -1 1 -1 -1 -1\n", "none of its 1 jobs"),
        (b"1 0 -1 nan 1 -1 -1 1 10 -1 1 1 1 -1 1 -1 -1 -1\n", "bad.swf"),
        (b"1 0 -1 9 0 -1 -1 0 10 -1 1 1 1 -1 1 -1 -1 -1\n", "none of its 1 jobs"),
        (b"; MaxProcs: 4\n" + LINE.replace(b" 1 10 ", b" 5 10 "), "none of its 1 jobs"),
        (b'{"rows": 3}', "bad.swf: is no history"),
    ],
)
def test_a_bad_trace_is_refused_with_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.swf"
    path.write_bytes(content)
    said = call("simulate", path)
    assert said.code == 2, said
    assert message in said.err
    assert "hint: " in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("", "there is neither a trace nor --generate", "--generate lublin"),
        ("T --generate lublin", "there is both a trace and --generate", ""),
        ("T -p easi", "there is no policy 'easi'; did you mean easy?", "conservative"),
        ("T -p hybrid", "does not say how many promises it keeps", "hybrid:4"),
        ("T -p hybrid:0", "does not say how many promises", ""),
        ("T -p hybrid:x", "does not say how many promises", ""),
        ("T -c ,", "--compare: ',' names no policy", "all"),
        ("T --order wpf3", "--order: there is no 'wpf3'; did you mean wfp3?", "unicef"),
        ("T --fill xyz", "--fill: there is no 'xyz'", "sjf"),
        ("T --predict lats2", "did you mean last2?", "clairvoyant"),
        ("T --variant x", "--variant: there is no 'x'", "sc15"),
        ("T --filter x", "invalid value for '--filter'", ""),
        ("T --cpus -3", "--cpus: -3 is too small", "the least is 1"),
        ("T --cpus 0", "--cpus: 0 is too small", ""),
        ("T --cpus nan", "--cpus: 'nan' is no whole number", ""),
        ("T --cpus 3 --machine m", "--cpus and --machine both say", ""),
        ("T --from 2h --until 1h", "--from 2h is not before --until 1h", ""),
        ("T --from 5d", "no job was submitted from 5d 0h", "the last at 30s"),
        ("T --from -1", "--from: '-1' is no duration", ""),
        ("T --jobs 5-9", "has no jobs 5-9", "it has 1-4"),
        ("T --jobs 0-1", "has no jobs 0-1", ""),
        ("T --jobs x", "--jobs: 'x' is no range of jobs", "write 11-20, or 100 for the first"),
        ("T --jobs 0", "has no jobs 1-0", ""),
        ("T --jobs 1-2 --from 1h", "both choose a part", ""),
        ("T --seed 1", "--seed goes with --generate only", ""),
        ("T --out x", "--out goes with --generate only", ""),
        ("T --plot x.pdf", "'x.pdf' is no picture that can be drawn", ".png or .svg"),
        ("T --fault x", "--fault: 'x' is no fault", "3d12h down 16 cpus for 2h"),
        ("T --fault 1h_2x_down_3_cpus_for_1h", "--fault: '1h 2x' is no duration", ""),
        ("T --fault 1h_down_-3_cpus_for_1h", "--fault: -3 is too small", ""),
        ("T --fault 1h_down_9_cpus_for_1h", "9 processors cannot go down", ""),
        ("T --place pack", "it is not said what nodes the machine has", "--machine FILE"),
        ("T --place x", "--place: there is no 'x'", "best_fit, pack, spread, first_fit"),
        ("T --fault 1h_down_node_n_for_1h", "it is not said what nodes", "--machine FILE"),
        ("--generate lublinn", "there is no model 'lublinn'; did you mean lublin", ""),
        ("--generate lublin --load nan", "--load: 'nan' is no number", ""),
        ("--generate lublin --load 0", "--load: '0' is out of range", ""),
        ("--generate lublin --load -1", "--load: '-1' is out of range", "from 1e-06 to 1000"),
        ("--generate lublin --overestimate -1", "'-1' is out of range", "from 0 to 1e+06"),
        ("T --map qos", "--map: 'qos' is no pair", "write qos=queue"),
        ("T --map qs=queue", "there is no 'qs'; did you mean qos?", "account"),
        ("T --map qos=qeue", "there is no 'qeue'; did you mean queue?", "app"),
        ("T --map qos=qos", "small.swf says no qos of its jobs", "name another column"),
        ("T --checkpoint 1h", "none of the policies lets jobs make room", "preempts"),
        ("--generate lublin --jobs 1-2", "it is how many jobs are made, not '1-2'", "--jobs 5000"),
        ("--generate lublin --seed -1", "--seed: -1 is too small", ""),
        ("T --jobs-out no/such/place", "--jobs-out: no/such/place cannot be written", ""),
        ("T --csv .", "--csv: . cannot be written", ""),
    ],
)
def test_what_cannot_be_meant_is_refused(trace: Path, words: str, message: str, hint: str) -> None:
    typed = [str(trace) if word == "T" else word.replace("_", " ") for word in words.split()]
    said = call("simulate", *typed)
    assert said.code == 2, said
    assert message in said.err
    assert hint in said.err
    assert "Traceback" not in said.err


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    said = call("simulate", tmp_path / "none.swf")
    assert said.code == 3
    assert "there is no such file" in said.err


def test_a_directory_is_no_trace(tmp_path: Path) -> None:
    said = call("simulate", tmp_path)
    assert said.code == 2
    assert "cannot be read: Is a directory" in said.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpus = =", "m.toml line 1: "),
        ("cpus = -1", "m.toml line 1: cpus: expected `int` >= 1"),
        ("cpu = 4", "m.toml line 1: cpu: there is no such key"),
        ("", "m.toml: says neither cpus nor node"),
        ("cpus = 4\n[[node]]\ncpus = 4", "m.toml: says both cpus and node"),
        ('[[node]]\ncpus = 4\nmemory = "lots"', "line 3: node[0].memory: 'lots' is no size"),
        ("[[node]]\ncpus = 4\n\n[[node]]\ncpus = 'x'", "m.toml line 5: node[1].cpus: expected"),
        ("[[node]]\ncpus = 4\n[[node]]\ncpu = 4", "line 4: node[1].cpu: there is no such key"),
        ('[[reservation]]\nstart = 1\nusers = "1"', 'users = ["ann", "ben"]'),
        ("[[node]]\ncount = 2", "m.toml line 1: node[0].cpus: is not said"),
        ("[[node]]\ncpus = 9007199254740992\ncount = 2", "are too many"),
        (f"cpus = 1{'0' * 5000}", "m.toml: "),
    ],
)
def test_a_bad_machine_file_is_refused(trace: Path, text: str, message: str) -> None:
    Path("m.toml").write_text(text)
    said = call("simulate", trace, "--machine", "m.toml")
    assert said.code == 2, said
    assert message in said.err
    assert "hint: " in said.err


def test_without_the_libraries_it_is_said_what_to_install(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> int:
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(simulating, "answer", missing)
    said = call("simulate", trace)
    assert said.code == 2
    assert "this needs numpy, which is not installed" in said.err
    assert "pip install 'hpcshell[sim]'" in said.err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_million_lines_are_simulated(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    path = tmp_path / "long.swf"
    with path.open("wb") as file:
        file.write(b"; MaxProcs: 4\n")
        for first in range(0, 10**7, 10**5):
            file.write(
                b"".join(
                    b"%d %d -1 3 1 -1 -1 1 9 -1 1 %d 1 -1 1 -1 -1 -1\n" % (at, at, at % 1000 and 1)
                    for at in range(first, first + 10**5)
                )
            )
    found = call("simulate", path, "--json", check=True).json
    assert found["jobs"] == 10**7
    assert found["engine"] == "compiled"


def test_a_policy_may_be_a_file_of_configuration(trace: Path, tmp_path: Path) -> None:
    """It is what the daemon would go by; what its limits never let start is counted."""
    ours = tmp_path / "ours.toml"
    ours.write_text('[scheduler]\norder = "fairshare"\n[limits]\nmax_cpus_per_job = 1\n')
    plain = call("simulate", trace, "--json", check=True).json
    found = call("simulate", trace, "--policy", ours, "--json", check=True).json
    assert found["policy"] == "ours"
    assert found["order"] == "fairshare"
    assert found["jobs"] + found["oddities"].get("over_limits", 0) == plain["jobs"]


def test_a_policy_file_that_is_wrong_says_where(trace: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('[scheduler]\nordr = "sjf"\n')
    refused = call("simulate", trace, "--policy", bad)
    assert refused.code == 2
    assert "bad.toml line 2" in refused.err
    assert "did you mean order?" in refused.err
