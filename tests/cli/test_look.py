"""The verbs that look: queue, show, history, explain, events, resources."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.homes import HPC


@pytest.fixture(scope="module")
def study(shared: Cli) -> Cli:
    """A daemon with one of everything: a success, a failure, an array, a runner, a waiter."""
    shared("submit", "--wait", "--name", "good", "--tag", "t1", "--", "true")
    shared("submit", "--wait", "--name", "=cmd|calc", "--", "sh", "-c", "exit 4")
    shared("submit", "--wait", "--name", "mixed", "--array", "0-3", "--", "sh", "-c",
           "exit $((HPC_ARRAY_TASK_ID % 2))")  # fmt: skip
    shared("submit", "--name", "runs", "--cpus", "4", "--time", "1h", "--", "sleep", "600")
    shared("submit", "--name", "waits", "--cpus", "1", "--tag", "t2", "--", "true")
    shared("submit", "--name", "held", "--hold", "--array", "5-9", "--", "true")
    return shared


def test_the_queue_lists_what_runs_before_what_waits(study):
    lines = study("queue", check=True).out.splitlines()
    assert lines[0].split()[:3] == ["ID", "NAME", "STATE"]
    assert [line.split()[1] for line in lines[1:]] == ["runs", "waits", "held"]
    assert "01:00:00" in lines[1]
    assert "cpu" in lines[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--state", "running"], ["4"]),
        (["--state", "PD"], ["5", "6"]),
        (["--state", "R,PD"], ["4", "5", "6"]),
        (["--name", "waits"], ["5"]),
        (["--tag", "t2"], ["5"]),
        (["5-6"], ["5", "6"]),
        (["runs"], ["4"]),
        (["--user", "nobody-of-that-name"], []),
        (["--limit", "1"], ["4"]),
        (["--offset", "1", "--limit", "1"], ["5"]),
        (["--limit", "0"], ["4", "5", "6"]),
    ],
)
def test_the_queue_can_be_narrowed_down(study, words, expected):
    assert study("queue", "--quiet", *words, check=True).out.split() == expected


def test_the_queue_is_a_document_with_counts(study):
    answer = study("queue", "--json", check=True).json
    assert answer["schema"] == 1
    assert answer["total"] == 3
    assert answer["counts"]["RUNNING"] == 1
    assert {"id", "name", "state", "reason", "label"} <= answer["rows"][0].keys()


def test_what_is_left_out_is_said(study):
    assert "1 to 1 of 3" in study("queue", "--limit", "1").err


def test_a_state_nobody_knows_names_the_nearest(study):
    said = study("queue", "--state", "RUNING")
    assert (said.code, "RUNNING" in said.err) == (2, True)


def test_watching_needs_a_terminal(study):
    said = study("queue", "--watch", check=True)
    assert "--watch needs a terminal" in said.err
    assert "runs" in said.out


def test_show_is_one_object_for_one_id_and_a_list_for_several(study):
    one = study("show", "1", "--json", check=True).json
    wanted = (
        "id name user state exit_code reason submit_time start_time end_time cpus memory gpus "
        "time_limit nodes"
    )
    assert set(wanted.split()) <= one.keys()
    assert (one["id"], one["state"], one["exit_code"], one["schema"]) == (1, "COMPLETED", 0, 1)
    several = study("show", "1-2", "--json", check=True).json
    assert [view["id"] for view in several] == [1, 2]
    assert isinstance(study("show", "1,2", "--json", check=True).json, list)


def test_show_of_an_array_counts_and_names_what_failed(study):
    elements = study("show", "mixed", "--json", check=True).json["elements"]
    assert elements["counts"] == {"COMPLETED": 2, "FAILED": 2}
    assert [(one["element"], one["exit_code"]) for one in elements["failed"]] == [(1, 1), (3, 1)]
    text = study("show", "3", check=True).out
    assert "4 of 4 done, 2 failed" in text
    assert "3_1  FAILED" in text


def test_show_of_an_element(study):
    assert study("show", "3_1", "--json", check=True).json["exit_code"] == 1
    views = study("show", "3[0-1]", "--json", check=True).json
    assert [view["label"] for view in views] == ["3_0", "3_1"]


def test_show_reads_ids_from_stdin(study):
    assert study("show", "-", "--quiet", input="1 2\n3\n", check=True).out.split() == [
        "1",
        "2",
        "3",
    ]
    assert study("show", "-", input="", check=True).out == ""


def test_the_story_tells_every_change_with_its_cause(study):
    text = study("show", "--story", "2", check=True).out
    assert "submit" in text
    assert "-> RUNNING" in text
    assert "-> FAILED" in text
    story = study("show", "--story", "2", "--json", check=True).json["story"]
    assert [entry["kind"] for entry in story][:2] == ["submit", "start"]


@pytest.mark.parametrize("verb", ["show", "logs", "wait", "explain", "cancel", "hold", "edit"])
def test_a_job_that_is_not_there_exits_with_3(study, verb):
    more = ["--time", "1h"] if verb == "edit" else []
    said = study(verb, "999999", *more)
    assert said.code == 3
    assert "999999" in said.err


def test_history_does_not_say_that_nothing_failed_where_it_has_not_looked(study):
    [array] = [row for row in study("history", "--json").json["rows"] if row["elements"]]
    assert (array["elements"]["counts"]["FAILED"], array["elements"]["failed"]) == (2, None)


def test_history_lists_what_has_ended_latest_first(study):
    assert study("history", "--quiet", check=True).out.split() == ["3", "2", "1"]
    lines = study("history", check=True).out.splitlines()
    assert "4 of 4 done, 2 failed" in lines[1]
    assert "exit code 4" in lines[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--state", "FAILED"], ["3", "2"]),
        (["--state", "completed"], ["1"]),
        (["--name", "good"], ["1"]),
        (["--tag", "t1"], ["1"]),
        (["--since", "now+1h"], []),
        (["--since", "now-1h"], ["3", "2", "1"]),
        (["--until", "now-1h"], []),
        (["--limit", "1", "--offset", "1"], ["2"]),
    ],
)
def test_history_can_be_narrowed_down(study, words, expected):
    assert study("history", "--quiet", *words, check=True).out.split() == expected


def test_history_as_csv_holds_nothing_a_spreadsheet_would_run(study):
    rows = list(csv.DictReader(io.StringIO(study("history", "--csv", check=True).out)))
    assert [row["label"] for row in rows] == ["3", "2", "1"]
    assert rows[1]["name"] == "'=cmd|calc"
    assert rows[1]["exit_code"] == "4"


def test_a_peak_that_is_only_a_bound_is_shown_as_one(study):
    rows = study("history", "--json", check=True).json["rows"]
    assert all(row["usage"]["max_rss_at_most"] for row in rows)
    bound = f"<{(rows[-1]['usage']['max_rss'] >> 20) + 1}M"
    assert bound in study("history", check=True).out.splitlines()[-1].split()
    assert bound in study("show", "1", check=True).out.split()


def test_history_of_elements(study):
    found = study("history", "--elements", "--name", "mixed", "--quiet", check=True).out.split()
    assert sorted(found) == ["3_0", "3_1", "3_2", "3_3"]


def test_explain_says_why_and_when(study):
    said = study("explain", "5", check=True)
    assert "job 5 PENDING" in said.out
    assert "starts at the latest" in said.out
    answer = study("explain", "5", "--json", check=True).json["jobs"][0]
    assert answer["promise"]["start"] is not None
    assert answer["reason"]["code"]


def test_events_tell_everything_in_order(study):
    said = study("events", "--since", "0", "--json", "1", check=True)
    import json

    kinds = [json.loads(line)["kind"] for line in said.out.splitlines()]
    assert kinds == ["submit", "start", "end"]
    assert len(study("events", check=True).out.splitlines()) >= 10


def test_resources_say_what_there_is_and_who_has_it(study):
    answer = study("resources", "--json", check=True).json
    assert answer["total"]["cpus"] == 4
    assert answer["free"]["cpus"] == 0
    assert [claim["job"] for claim in answer["claims"]] == [4]
    text = study("resources", check=True).out
    assert "configured" in text
    assert "8G" in text


def test_the_files_of_a_job_can_be_named(study):
    assert study("logs", "--path", "1", check=True).out == f"{Path.cwd()}/hpc-1.out\n"


def test_on_a_terminal_a_watched_queue_is_drawn_again(study):
    master, slave = os.openpty()
    colourful = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [HPC, "queue", "--watch", "0.2"],
        stdout=slave,
        stderr=slave,
        env=colourful | {"TERM": "xterm", "COLUMNS": "60"},
    )
    os.close(slave)
    seen = b""
    try:
        while seen.count(b"\x1b[H") < 3:
            seen += os.read(master, 65536)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        os.close(master)
    assert b"runs" in seen
    assert b"\x1b[32mRUNNING" in seen
    assert b"Traceback" not in seen


def test_watching_every_nan_seconds_is_refused(cli):
    said = cli("queue", "--watch=nan")
    assert said.code == 2
    assert "no number of seconds" in said.err
