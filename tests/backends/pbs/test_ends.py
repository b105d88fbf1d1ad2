"""How jobs ended, read from what OpenPBS was heard to say of each end."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Answer, Seen, Sighting
from hpcshell.backends.pbs import PbsBackend
from hpcshell.backends.pbs.states import how_it_ended
from tests.support.clusters.pbs_recordings import Recorded, recorded, recordings


def read(record: Recorded) -> Seen:
    answer = Answer(code=record.code, out=record.out, err=record.err)
    return PbsBackend().read_history([answer])


def only(command: str) -> Sighting:
    seen = read(recorded(command))
    assert seen.whole
    assert len(seen.sightings) == 1
    return seen.sightings[0]


def through_grep(command: str) -> dict[str, Sighting]:
    """Of a recording that went through grep: blank lines put back, for they end each job."""
    record = recorded(command)
    text = record.out if record.out.startswith("Job Id") else f"Job Id: 1.pbshost\n{record.out}"
    out = text.replace("Job Id: ", "\nJob Id: ").lstrip("\n") + "\n"
    seen = read(record._replace(out=out))
    return {sighting.native: sighting for sighting in seen.sightings}


@pytest.mark.parametrize(
    ("command", "state", "code", "signal"),
    [
        ("qstat -x -f 90.pbshost", "COMPLETED", 0, None),
        ("qstat -x -f 95.pbshost", "TIMEOUT", None, None),
        ("qstat -x -f 89.pbshost", "CANCELLED", None, 15),
        ("qstat -x -f 97.pbshost", "CANCELLED", None, None),
        ("qstat -x -f $(qselect -x -N badexe)", "FAILED", 254, None),
        ("qstat -x -f $(qselect -x -N badshell)", "FAILED", 254, None),
        ("qstat -x -f 78", "CANCELLED", None, None),
    ],
)
def test_each_end_is_told_apart(command, state, code, signal):
    sighting = only(command)
    assert (sighting.state, sighting.exit_code, sighting.signal) == (state, code, signal)


_GREP = "job_state|substate|Exit_status|comment|walltime|Stageout"
_SHORT = "job_state|substate|Exit_status|comment"


@pytest.mark.parametrize(
    ("command", "state", "code", "signal"),
    [
        (f"qstat -x -f 91.pbshost | grep -E '{_GREP}'", "FAILED", 3, None),
        (f"qstat -x -f 92.pbshost | grep -E '{_GREP}'", "FAILED", 139, None),
        (f"qstat -x -f 93.pbshost | grep -E '{_GREP}'", "FAILED", None, 11),
        (f"qstat -x -f 94.pbshost | grep -E '{_GREP}'", "FAILED", 143, None),
        (f"qstat -x -f 169.pbshost | grep -E '{_SHORT}'", "CANCELLED", 0, None),
        (f"qstat -x -f 170.pbshost | grep -E '{_SHORT}'", "CANCELLED", None, 15),
        (f"date +%T; qstat -x -f 171.pbshost | grep -E '{_SHORT}'", "CANCELLED", None, 9),
    ],
)
def test_signals_and_codes_are_told_apart(command, state, code, signal):
    (sighting,) = through_grep(command).values()
    assert (sighting.state, sighting.exit_code, sighting.signal) == (state, code, signal)


def test_dependents_that_pbs_dropped_are_cancelled_and_say_why():
    seen = through_grep(
        "qstat -x -f 118.pbshost 119.pbshost 120.pbshost 121.pbshost 122.pbshost"
        " | grep -E 'Job Id|job_state|substate|Exit_status|comment|depend|Hold_Types'"
    )
    dropped = {native for native, seen in seen.items() if seen.state == "CANCELLED"}
    assert dropped == {"118.pbshost", "121.pbshost", "122.pbshost"}
    assert {seen[native].reason_code for native in dropped} == {"DependencyNeverSatisfied"}
    assert seen["119.pbshost"].state == seen["120.pbshost"].state == "COMPLETED"


def test_the_state_of_an_array_says_nothing_of_its_elements():
    assert only("qstat -x -f 106[].pbshost").state == "UNKNOWN"


def test_elements_are_seen_in_place_of_their_array():
    what = "Job Id|job_state|substate|Exit_status|array_index"
    seen = through_grep(f"qstat -x -t -f 106[].pbshost | grep -E '{what}'")
    assert list(seen) == [f"106[{index}].pbshost" for index in range(10)]
    assert {sighting.element for sighting in seen.values()} == set(range(10))
    ends = {one.element: (one.state, one.exit_code) for one in seen.values()}
    assert ends[2] == ("FAILED", 4)
    assert {ends[index] for index in ends if index != 2} == {("COMPLETED", 0)}


def test_an_element_overwritten_by_the_deletion_of_its_array_is_not_believed():
    what = "Job Id|job_state|substate|Exit_status|comment"
    seen = through_grep(f"qstat -x -t -f 162[].pbshost | grep -E '{what}'")
    states = {sighting.element: sighting.state for sighting in seen.values()}
    assert states == {1: "UNKNOWN", 2: "CANCELLED", 3: "UNKNOWN"}
    assert seen["162[1].pbshost"].reason_code == "ArrayDeleted"


def test_an_element_deleted_while_it_waited_is_not_taken_for_completed():
    what = "Job Id|job_state|substate|Exit_status|comment"
    seen = through_grep(f"qstat -x -t -f 163[].pbshost | grep -E '{what}'")
    states = {sighting.element: sighting.state for sighting in seen.values()}
    assert states == {1: "COMPLETED", 2: "COMPLETED", 3: "CANCELLED"}


def test_elements_that_ended_while_the_array_lives_are_read():
    what = "Job Id|job_state|substate|Exit_status|comment"
    seen = through_grep(f"qstat -x -t -f $(qselect -x -N arr2 | head -1) | grep -E '{what}'")
    ends = {one.element: (one.state, one.word, one.exit_code) for one in seen.values()}
    assert ends == {
        1: ("FAILED", "X", 4),
        2: ("COMPLETED", "X", 0),
        3: ("RUNNING", "R", None),
    }


def test_a_waiting_element_does_not_show_what_its_array_has_ended_with():
    sighting = only("qstat -f $(echo '106[].pbshost' | sed 's/\\[\\]/[9]/')")
    assert (sighting.state, sighting.exit_code) == ("PENDING", None)
    assert sighting.start_time is None


def test_undelivered_output_keeps_a_job_alive():
    assert only("qstat -x -f $(qselect -x -N badout)").state == "COMPLETING"


def test_a_suspended_job_is_suspended():
    grep = "qstat -f $(qselect -N opjob) | grep -E 'job_state|substate|comment'"
    assert [one.state for one in through_grep(grep).values()] == ["SUSPENDED"]


def test_every_field_of_a_running_job_is_read():
    assert only("qstat -f 89.pbshost") == Sighting(
        native="89.pbshost",
        number="89",
        state="RUNNING",
        word="R",
        name="run",
        user="alice",
        partition="workq",
        priority=0,
        submit_time=1795293508.0,
        start_time=1795293508.0,
        cpus=1,
        memory=64 << 20,
        time_limit=600.0,
        nodes=("pbshost",),
        cpu_time=0.0,
        max_rss=0,
        stdout="/home/alice/p/run.o89",
        stderr="/home/alice/p/run.e89",
    )


def test_folded_lines_are_one_again():
    comment = "exceeded resource walltime"
    assert comment not in recorded("qstat -x -f 95.pbshost").out
    assert only("qstat -x -f 95.pbshost").reason == "it exceeded its walltime"


def test_no_answer_that_was_ever_recorded_ends_a_job_that_lives():
    """Of all answers in full form: only what PBS shows as X or F has ended."""
    ended = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}
    for record in recordings():
        for sighting in read(record).sightings:
            assert sighting.state not in ended or sighting.word in ("X", "F"), record.command


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("-29", "TIMEOUT"),
        ("-28", "TIMEOUT"),
        ("-27", "OUT_OF_MEMORY"),
        ("-20", "NODE_FAIL"),
        ("-1", "FAILED"),
        ("x", "UNKNOWN"),
    ],
)
def test_what_pbs_did_to_a_job_is_told_by_codes_below_zero(status, state):
    end = how_it_ended({"job_state": "F", "substate": "93", "Exit_status": status})
    assert (end.state, end.exit_code, end.signal) == (state, None, None)
    assert end.reason


@pytest.mark.parametrize(
    "shown",
    [
        {"job_state": "X", "substate": "92", "Exit_status": "0", "comment": "Subjob finished"},
        {"job_state": "F", "substate": "93", "Exit_status": "1", "comment": "Subjob failed"},
        {"job_state": "F", "substate": "91", "Exit_status": "1", "comment": "Subjob terminated"},
    ],
)
def test_an_element_without_a_record_of_its_own_is_unknown(shown):
    for array in (None, "70", "91", "93"):
        assert how_it_ended(shown, array).state == "UNKNOWN"


@pytest.mark.parametrize(("used", "state"), [("00:01:00", "TIMEOUT"), ("00:00:59", "FAILED")])
def test_before_22_05_a_job_at_its_limit_is_told_by_the_time_that_it_used(used, state):
    shown = {
        "job_state": "F",
        "substate": "93",
        "Exit_status": "271",
        "resources_used.walltime": used,
        "Resource_List.walltime": "00:01:00",
    }
    assert how_it_ended(shown).state == state
