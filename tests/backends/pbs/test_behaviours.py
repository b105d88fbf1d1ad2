"""What somebody who submits, changes and looks at jobs is told, from what OpenPBS was heard to say:
each behaviour once, by the recording that shows it."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Answer, Parent, Sighting
from hpcshell.backends.pbs import PbsBackend
from hpcshell.core.indexset import IndexSet
from tests.backends.pbs.made import OPENPBS, directives, order
from tests.support.clusters.pbs_recordings import Recorded, recorded

PBS = PbsBackend(OPENPBS)


def answer(record: Recorded) -> Answer:
    return Answer(code=record.code, out=record.out, err=record.err)


def kinds(command: str, *ids: str) -> dict[str, str]:
    """What a recorded change came to for each id, by the kind of trouble."""
    troubles = PBS.read_change(ids, [answer(recorded(command))]).troubles
    return {native: trouble.kind for native, trouble in troubles.items()}


def shown(native: str, **attributes: str) -> Sighting:
    lines = "".join(f"    {name} = {text}\n" for name, text in attributes.items())
    seen = PBS.read_queue([Answer(code=0, out=f"Job Id: {native}\n{lines}\n")])
    assert seen.whole
    return seen.sightings[0]


def of_grep(command: str, native: str) -> Sighting:
    """A job of which some lines were recorded."""
    seen = PBS.read_queue([Answer(code=0, out=f"Job Id: {native}\n{recorded(command).out}\n")])
    assert seen.whole
    return seen.sightings[0]


# --------------------------------------------------------------------------------------- submitting


def test_a_submission_is_answered_with_its_id():
    assert PBS.read_submit(answer(recorded("qsub -N later -a 203012312359 ok.sh"))) == "34.pbshost"


def test_what_is_written_into_scripts_was_taken_by_qsub():
    """-a, -h, one range and how many of it may run at once, -W umask, -v."""
    begin = directives(PBS.script(order(begin=1925000000.0)))
    assert [line for line in begin if line.startswith("-a ")] == ["-a 203101010213.20"]
    throttled = directives(PBS.script(order(array="0-9", asked={"indices": "0-9", "throttle": 2})))
    assert "-J 0-9%2" in throttled
    assert recorded("qsub -J 0-9%2 -N arr arr.sh").code == 0
    assert recorded("qsub -N um -W umask=022 -j oe -o um.out ok.sh").code == 0


@pytest.mark.parametrize(
    ("indices", "asked", "extra"),
    [("0-4", "-J 0-4", set()), ("1,4-8:2,20", "-J 1-20", {2, 3, 5, 19}), ("7", "-J 7-8", {8})],
)
def test_any_set_of_indices_is_asked_for_as_one_range_of_two_or_more(indices, asked, extra):
    script = PBS.script(order(array=indices, asked={"indices": indices}))
    assert asked in directives(script)
    assert ("hpc_asked_for || exit 0" in script) == bool(extra)
    listed = f"HPC_SUBMISSION=k-1,HPC_ELEMENTS={indices.replace(',', '+')}" if extra else "k-1"
    assert listed in script
    for index in extra:
        name = f"Job Id: 9[{index}].h\n    job_state = F\n    Variable_List = {listed}\n\n"
        assert not PBS.read_queue([Answer(code=0, out=name)]).sightings
    assert not extra & set(IndexSet.parse(indices))


def test_a_job_waits_for_others_by_the_words_that_were_recorded():
    parents = (Parent(kind="afterok", ids=("112.pbshost",)),)
    assert "-W depend=afterok:112.pbshost" in directives(
        PBS.script(order(asked={"parents": parents}))
    )


# ------------------------------------------------------------------------------------------ waiting


def test_a_job_that_waits_for_its_time_says_so():
    """Its letter was recorded, and no word with it."""
    waits = shown("34.pbshost", job_state="W", Hold_Types="n")
    assert (waits.state, waits.held, waits.reason_code) == ("PENDING", False, "BeginTime")
    assert waits.reason


@pytest.mark.parametrize("letter", ["H", "W"])
def test_what_is_held_is_held_whatever_else_it_waits_for(letter):
    held = shown("34.pbshost", job_state=letter, Hold_Types="u")
    assert (held.state, held.held, held.reason_code) == ("PENDING", True, "JobHeldUser")


def test_a_hold_and_its_end_are_seen():
    look = "qstat -f 103.pbshost | grep -E 'job_state|Hold_Types'"
    states = [recorded(look, number=which).out for which in (0, 1)]
    seen = [
        PBS.read_queue([Answer(code=0, out=f"Job Id: 103.pbshost\n{text}\n")]).sightings[0]
        for text in states
    ]
    assert [(one.state, one.held) for one in seen] == [("PENDING", True), ("PENDING", False)]
    assert kinds("qhold 103.pbshost", "103.pbshost") == {}
    assert kinds("qrls 103.pbshost", "103.pbshost") == {}


def test_a_hold_on_what_runs_does_not_make_it_wait():
    running = of_grep("qstat -f 102.pbshost | grep -E 'job_state|Hold_Types'", "102.pbshost")
    assert (running.state, running.held) == ("RUNNING", False)


# ----------------------------------------------------------------------------------------- changing


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("qalter -l walltime=00:20:00 -N renamed -A acc 103.pbshost", None),
        ("qalter -l walltime=00:05:00 102.pbshost", None),
        ("qalter -N other 102.pbshost", None),
        ("qsig -s TERM 94.pbshost", None),
        ("qdel 89.pbshost", None),
        ("qalter -l walltime=01:05:00 102.pbshost", "denied"),
        ("qalter -l select=1:ncpus=2 102.pbshost", "wrong"),
        ("qsig -s suspend 102.pbshost", "denied"),
        ("qrerun 102.pbshost", "denied"),
        ("qmove nosuch 103.pbshost", "wrong"),
        ("qmove short 103.pbshost", "wrong"),
        ("qdel 96.pbshost", "gone"),
    ],
)
def test_each_change_is_told_as_done_or_why_not(command, kind):
    native = command.split()[-1]
    assert kinds(command, native) == ({native: kind} if kind else {})


@pytest.mark.parametrize("verb", ["suspend", "resume", "requeue"])
def test_what_takes_an_operator_is_said_in_a_sentence_with_the_nearest_thing(verb):
    sentence, _, nearest = PBS.lacks[verb].partition(": ")
    assert "only operators" in sentence
    assert nearest


def test_a_changed_name_and_time_limit_are_seen():
    look = "qstat -f 103.pbshost | grep -E 'Job_Name|Account|walltime|Resource_List'"
    (edit,) = PBS.edit(["103.pbshost"], {"time_limit": 1200.0, "name": "renamed"})
    assert edit.argv == ("qalter", "-l", "walltime=00:20:00", "-N", "renamed", "103.pbshost")
    out = f"Job Id: 103.pbshost\n    job_state = Q\n{recorded(look).out}\n"
    (seen,) = PBS.read_queue([Answer(code=0, out=out)]).sightings
    assert (seen.name, seen.time_limit, seen.account) == ("renamed", 1200.0, "acc")


def test_one_element_that_was_cancelled_is_seen_as_that_while_its_array_lives():
    command = "qstat -f $(echo '109[].pbshost' | sed 's/\\[\\]/[1]/')"
    record = recorded(f"{command} | grep -E 'Job Id|job_state|substate|Exit_status|comment'")
    (seen,) = PBS.read_queue([Answer(code=0, out=f"{record.out}\n")]).sightings
    assert (seen.element, seen.state, seen.signal) == (1, "CANCELLED", 15)
    again = "qdel $(echo '109[].pbshost' | sed 's/\\[\\]/[1]/')"
    (trouble,) = PBS.read_change(
        ["109[1].pbshost"], [answer(recorded(again, number=1))]
    ).troubles.values()
    assert trouble.kind == "gone"


def test_an_element_cannot_be_held_alone_and_the_hint_says_what_can():
    for verb in ("qhold", "qrls"):
        record = recorded(f"{verb} $(echo '110[].pbshost' | sed 's/\\[\\]/[6]/')")
        (trouble,) = PBS.read_change(["110[6].pbshost"], [answer(record)]).troubles.values()
        assert (trouble.kind, "whole arrays" in trouble.hint) == ("wrong", True)


# ------------------------------------------------------------------------------------------- ending


def test_elements_of_an_array_that_went_through_have_ends_of_their_own():
    record = recorded(
        "qstat -x -t -f 106[].pbshost | grep -E 'Job Id|job_state|substate|Exit_status|array_index'"
    )
    out = record.out.replace("Job Id: ", "\nJob Id: ").lstrip("\n") + "\n"
    seen = PBS.read_history([Answer(code=0, out=out)]).sightings
    ends = {one.element: (one.state, one.exit_code) for one in seen}
    assert ends == dict.fromkeys(range(10), ("COMPLETED", 0)) | {2: ("FAILED", 4)}
