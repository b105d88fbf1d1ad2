"""The commands, and what came of each id under a change."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Answer, Site
from hpcshell.backends.pbs import PbsBackend
from hpcshell.core.errors import Refused, Wrong
from tests.backends.pbs.made import OPENPBS, TORQUE, order
from tests.support.clusters.pbs_recordings import recorded


def change(ids: list[str], command: str) -> dict[str, str]:
    record = recorded(command)
    answer = Answer(code=record.code, out=record.out, err=record.err)
    troubles = PbsBackend(OPENPBS).read_change(ids, [answer]).troubles
    return {native: found.kind for native, found in troubles.items()}


def argvs(said) -> list[tuple[str, ...]]:
    return [words.argv for words in said]


def test_qsub_leaves_no_process_behind():
    words = PbsBackend(OPENPBS).submit(order(native=("-l", "nodes=2")))
    assert words.argv == ("qsub", "-f", "-l", "nodes=2", "/home/alice/.hpc/1/job-k-1.sh")


def test_in_torque_and_where_nobody_knows_f_is_not_said():
    for site in (TORQUE, None):
        assert "-f" not in PbsBackend(site).submit(order()).argv


def test_times_are_said_and_read_in_utc_and_directives_are_ours():
    assert PbsBackend().submit(order()).env == {"LC_ALL": "C", "TZ": "UTC0", "PBS_DPREFIX": "#PBS"}
    assert [words.env["TZ"] for words in PbsBackend().queue("alice")] == ["UTC0"]


def test_variables_of_the_users_own_words_do_not_displace_the_key():
    for native in (("-v", "A=1,B"), ("-vA=1,B",)):
        argv = PbsBackend().submit(order(native=native)).argv
        assert argv[1:3] == ("-v", "HPC_SUBMISSION=k-1,A=1,B")


@pytest.mark.parametrize("native", [("--",), ("a\nb",), ("a\0",)])
def test_words_that_would_change_what_is_submitted_are_refused(native):
    with pytest.raises(Wrong):
        PbsBackend().submit(order(native=native))


def test_one_question_is_for_all_jobs_of_a_user():
    (words,) = PbsBackend().queue("alice")
    assert words.argv[-1] == "alice"
    assert argvs(PbsBackend().queue(None)) == [("qstat", "-f", "-t")]


def test_the_history_is_asked_where_there_is_one():
    ids = ["12.h", "13[].h"]
    assert argvs(PbsBackend(OPENPBS).history(ids, 0.0)) == [("qstat", "-x", "-f", "-t", *ids)]
    none = Site(flavour="openpbs", accounting=False)
    for site in (TORQUE, none):
        assert argvs(PbsBackend(site).history(ids, 0.0)) == [("qstat", "-f", "-t", *ids)]


def test_many_ids_are_said_in_few_commands():
    said = PbsBackend().cancel([f"{number}.h" for number in range(1200)])
    assert [len(words.argv) - 1 for words in said] == [500, 500, 200]


@pytest.mark.parametrize("native", ["", "-W", "abc", "12 13", "12;id", "12.h\n", "@server"])
def test_what_is_no_id_is_never_said(native):
    with pytest.raises(Wrong):
        PbsBackend().cancel([native])


def test_every_change_has_its_command():
    backend = PbsBackend(OPENPBS)
    assert argvs(backend.signal(["1.h"], "SIGUSR1")) == [("qsig", "-s", "USR1", "1.h")]
    assert argvs(backend.hold(["1.h"])) == [("qhold", "1.h")]
    assert argvs(backend.release(["1.h"])) == [("qrls", "1.h")]
    assert argvs(backend.requeue(["1.h"])) == [("qrerun", "1.h")]
    assert argvs(backend.suspend(["1.h"])) == [("qsig", "-s", "suspend", "1.h")]
    assert argvs(backend.resume(["1.h"])) == [("qsig", "-s", "resume", "1.h")]


def test_an_edit_is_said_by_qalter_and_qmove():
    said = PbsBackend(OPENPBS).edit(
        ["1.h"],
        {
            "time_limit": 90.0,
            "priority": 0,
            "name": "new",
            "account": "acc",
            "throttle": 2,
            "partition": "short",
        },
    )
    assert argvs(said) == [
        (
            *("qalter", "-l", "walltime=00:01:30", "-p", "-1024", "-N", "new", "-A", "acc"),
            *("-W", "max_run_subjobs=2", "1.h"),
        ),
        ("qmove", "short", "1.h"),
    ]


def test_a_throttle_of_none_is_as_many_as_an_array_can_have():
    site = Site(flavour="openpbs", most_elements=4000)
    (words,) = PbsBackend(site).edit(["1[].h"], {"throttle": 0})
    assert words.argv[2] == "max_run_subjobs=4000"
    (words,) = PbsBackend(TORQUE).edit(["1[].h"], {"throttle": 3})
    assert words.argv[1:3] == ("-t", "%3")


@pytest.mark.parametrize("changes", [{"time_limit": None}, {"nice": 3}, {"qos": "high"}])
def test_what_cannot_be_changed_is_refused(changes):
    with pytest.raises(Refused):
        PbsBackend().edit(["1.h"], changes)


@pytest.mark.parametrize("changes", [{"name": "a b"}, {"partition": "-x"}, {"account": "a\nb"}])
def test_a_change_to_what_pbs_cannot_have_is_refused(changes):
    with pytest.raises(Wrong):
        PbsBackend().edit(["1.h"], changes)


def test_a_complaint_is_about_the_id_that_it_names():
    ids = ["189.pbshost", "99999.pbshost", "190.pbshost"]
    assert change(ids, "qdel 99999") == {"99999.pbshost": "gone"}
    assert change(["189.pbshost", "99999"], "qdel 99999") == {"99999": "gone"}


def test_a_change_that_no_answer_came_to_is_unknown_for_all():
    troubles = PbsBackend().read_change(["1.h", "2.h"], [Answer(code=None)]).troubles
    assert {native: found.kind for native, found in troubles.items()} == {
        "1.h": "busy",
        "2.h": "busy",
    }
    assert change(["1.h", "2.h"], "qdel 1") == {"1.h": "busy", "2.h": "busy"}


def test_elements_cannot_be_held():
    command = "qhold $(echo '110[].pbshost' | sed 's/\\[\\]/[6]/')"
    assert change(["110[6].pbshost"], command) == {"110[6].pbshost": "wrong"}


def test_the_second_part_of_an_edit_is_about_the_same_ids():
    moved = recorded("qmove short 103.pbshost")
    answers = [Answer(code=0), Answer(code=moved.code, err=moved.err)]
    troubles = PbsBackend().read_change(["103.pbshost"], answers).troubles
    assert [found.kind for found in troubles.values()] == ["wrong"]


def test_a_complaint_about_a_job_of_another_server_is_not_about_this_one():
    answer = Answer(code=153, err="qdel: Unknown Job Id 1.other\nqdel: Unknown Job Id 2.h\n")
    assert set(PbsBackend().read_change(["1.h", "2.h"], [answer]).troubles) == {"2.h"}


def test_answers_to_many_ids_belong_to_the_ids_of_their_command():
    ids = [f"{number}.h" for number in range(600)]
    backend = PbsBackend()
    said = backend.edit(ids, {"name": "new", "partition": "short"})
    down = Answer(code=162, err="Connection refused\n")
    answers = [Answer(code=0), Answer(code=0), down, Answer(code=0)]
    assert [words.argv[0] for words in said] == ["qalter", "qalter", "qmove", "qmove"]
    assert set(backend.read_change(ids, answers).troubles) == set(ids[:500])


def test_what_went_well_has_no_trouble():
    assert PbsBackend().read_change(["1.h"], [Answer(code=0)]).troubles == {}
