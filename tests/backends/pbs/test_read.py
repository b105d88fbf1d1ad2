"""When an answer of qstat is believed, and in what."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Answer, Seen
from hpcshell.backends.pbs import PbsBackend
from hpcshell.core.indexset import IndexSet
from tests.support.clusters.pbs_recordings import recorded

RUNNING = recorded("qstat -f 89.pbshost").out
FINISHED = recorded("qstat -x -f 90.pbshost").out


def read(out: str = "", err: str = "", code: int | None = 0) -> Seen:
    return PbsBackend().read_queue([Answer(code=code, out=out, err=err)])


def test_an_empty_queue_is_believed():
    assert read() == Seen()


@pytest.mark.parametrize(
    ("out", "err", "code"),
    [
        ("", "", None),
        ("", "", 1),
        ("", "qstat: nobody knows", 0),
        ("Welcome to the cluster\n", "", 0),
        ("<html><body>503</body></html>\n", "", 0),
        ("Fichier introuvable\n", "", 0),
        ("", "Connection refused\nqstat: cannot connect to server x (errno=15010)\n", 255),
        ("Job id   Name\n-------  ----\n12.host  x\n", "", 0),
    ],
)
def test_nothing_follows_from_what_another_answer_leaves_out(out, err, code):
    seen = read(out, err, code)
    assert not seen.whole
    assert seen.trouble is not None
    assert not seen.sightings
    assert not seen.absent


def test_a_banner_in_front_hides_no_job_but_is_not_whole():
    seen = read("Welcome!\n" + RUNNING)
    assert [sighting.native for sighting in seen.sightings] == ["89.pbshost"]
    assert not seen.whole


@pytest.mark.parametrize("kept", range(0, len(FINISHED) - 1, 37))
def test_half_an_answer_ends_no_job(kept):
    seen = read(RUNNING + FINISHED[:kept])
    assert [sighting.state for sighting in seen.sightings] in (["RUNNING"], [])
    assert not seen.whole or kept == 0


def test_one_unknown_id_takes_nothing_from_the_others():
    seen = read(RUNNING, "qstat: Unknown Job Id 99999.pbshost\n", 153)
    assert seen.whole
    assert seen.absent == ("99999.pbshost",)
    assert [sighting.native for sighting in seen.sightings] == ["89.pbshost"]


def test_a_job_that_has_just_finished_is_no_longer_in_the_queue_and_not_unknown():
    record = recorded("qstat -f 90.pbshost")
    seen = read(record.out, record.err, record.code)
    assert (seen.whole, seen.absent, seen.sightings) == (True, (), ())


def test_a_server_without_history_says_nothing_about_a_job():
    record = recorded("qstat -x -f 1")
    seen = read(record.out, record.err, record.code)
    assert not seen.whole
    assert seen.absent == ()


def test_an_unheard_of_state_is_kept_as_said():
    seen = read(RUNNING.replace("job_state = R", "job_state = Z"))
    assert [(one.state, one.word) for one in seen.sightings] == [("UNKNOWN", "Z")]
    assert seen.whole


def test_a_job_without_a_state_is_unknown():
    seen = read(RUNNING.replace("    job_state = R\n", ""))
    assert [one.state for one in seen.sightings] == ["UNKNOWN"]
    assert not seen.whole


def test_a_value_with_line_breaks_cannot_end_its_job():
    """A variable that holds `qstat -f` of an ended job, in the environment of one that runs."""
    forged = RUNNING.replace(
        "PBS_O_HOST=pbshost\n", f"X=\n{FINISHED.rstrip()}\n,PBS_O_HOST=pbshost\n"
    ).replace("Job Id: 90.pbshost\n", "")
    seen = read(forged)
    assert [(one.native, one.state) for one in seen.sightings] == [("89.pbshost", "UNKNOWN")]
    assert not seen.whole


def test_a_value_with_line_breaks_cannot_end_another_job():
    other = FINISHED.replace("90.pbshost", "91.pbshost", 1)
    running = RUNNING.replace("89.pbshost", "91.pbshost", 1)
    seen = read(running + RUNNING.rstrip() + f"\n    comment = x\n{other}")
    assert {one.native: one.state for one in seen.sightings}["91.pbshost"] == "UNKNOWN"


def test_values_are_read_past_line_breaks_and_equals_signs():
    record = recorded("qstat -f $(qselect -N q2) | sed -n '/Variable_List/,/Submit_arg/p'", "12*")
    listed = record.out.replace("PBS_O_SYSTEM=Linux,", "PBS_O_SYSTEM=Linux,HPC_SUBMISSION=k.1,")
    seen = read(f"Job Id: 7.pbshost\n    job_state = Q\n{listed}\n")
    assert [(one.native, one.key, one.state) for one in seen.sightings] == [
        ("7.pbshost", "k.1", "PENDING")
    ]


def test_a_job_held_for_a_dependency_is_not_held_by_anybody():
    record = recorded(
        "qstat -f 113.pbshost | grep -E 'job_state|Hold_Types|depend|comment|substate'"
    )
    (sighting,) = read(f"Job Id: 113.pbshost\n{record.out}\n").sightings
    assert (sighting.held, sighting.reason_code) == (False, "Dependency")
    assert "afterok:112.pbshost" in sighting.reason


def test_a_job_that_its_user_holds_is_held():
    record = recorded("qstat -f 97.pbshost | grep -E 'job_state|substate|Hold_Types|comment'")
    (sighting,) = read(f"Job Id: 97.pbshost\n{record.out}\n").sightings
    assert (sighting.state, sighting.held, sighting.reason_code) == ("PENDING", True, "JobHeldUser")


def test_why_a_job_waits_is_kept():
    record = recorded("qstat -f 100.pbshost | grep -E 'job_state|substate|comment|estimated'")
    (sighting,) = read(f"Job Id: 100.pbshost\n{record.out}\n").sightings
    assert sighting.reason == "Not Running: Not enough free nodes available"


def test_elements_are_held_with_their_array():
    array = "Job Id: 110[].h\n    job_state = H\n    Hold_Types = u\n\n"
    element = "Job Id: 110[4].h\n    job_state = Q\n    Hold_Types = n\n\n"
    (sighting,) = read(array + element).sightings
    assert (sighting.element, sighting.state, sighting.held) == (4, "PENDING", True)
    assert sighting.reason_code == "JobHeldUser"


def test_an_element_without_variables_has_those_of_its_array():
    listed = "    Variable_List = HPC_SUBMISSION=k,HPC_ELEMENTS=1+3-5,PBS_O_QUEUE=q\n"
    array = f"Job Id: 7[].h\n    job_state = B\n    array_indices_remaining = 1-5\n{listed}\n"
    elements = "".join(f"Job Id: 7[{n}].h\n    job_state = Q\n\n" for n in range(1, 6))
    seen = read(array + elements)
    assert [(one.element, one.key) for one in seen.sightings] == [(n, "k") for n in (1, 3, 4, 5)]
    (alone,) = read(array).sightings
    assert set(IndexSet.parse(alone.waiting)) == {1, 3, 4, 5}


def test_an_array_alone_tells_which_elements_wait():
    (sighting,) = read(recorded("qstat -f 106[].pbshost").out).sightings
    assert (sighting.number, sighting.element) == ("106", None)
    assert (sighting.state, sighting.waiting) == ("RUNNING", "2-9")
