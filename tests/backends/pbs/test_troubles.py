"""Every refusal that OpenPBS was heard to utter, and what is made of it."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Answer, Partition, Site, Trouble
from hpcshell.backends.pbs import PbsBackend
from hpcshell.backends.pbs.troubles import trouble
from tests.support.clusters.pbs_recordings import Recorded, recorded, recordings

COMMANDS = {"qsub", "qstat", "qdel", "qhold", "qrls", "qalter", "qmove", "qrerun", "qsig"}
REFUSED = [
    record
    for record in recordings()
    if record.code and record.err and set(record.argv[:1]) & (COMMANDS | {"pbsnodes", "qselect"})
]


def of(record: Recorded) -> Trouble:
    return trouble(Answer(code=record.code, out=record.out, err=record.err))


def test_there_are_refusals():
    assert len(REFUSED) > 100


@pytest.mark.parametrize("record", REFUSED, ids=lambda record: record.command)
def test_every_refusal_is_classified_with_a_hint_and_in_its_own_words(record):
    found = of(record)
    assert found.kind != "broken" or "Unknown Host" in record.err
    assert found.hint
    assert found.message.split("; ")[0] in record.err
    assert "usage" not in found.message or record.err.startswith("usage")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("qsub -q nosuch ok.sh", "wrong"),
        ("qsub -q closed ok.sh", "wrong"),
        ("qsub -q bobonly ok.sh", "denied"),
        ("qsub -q short -l walltime=01:00:00 ok.sh", "wrong"),
        ("qsub -l walltime=abc ok.sh", "wrong"),
        ("qsub -l nosuch=1 ok.sh", "wrong"),
        ("qsub -l gpus=1 ok.sh", "wrong"),
        ("qsub -W nosuchattr=1 ok.sh", "wrong"),
        ("qsub -J 0-20000 ok.sh", "wrong"),
        ("qsub -- /bin/true", "denied"),
        ("qdel 99999", "gone"),
        ("qdel 96.pbshost", "gone"),
        ("qdel $(qselect -u alice)", "denied"),
        ("qhold -h o 103.pbshost", "denied"),
        ("qalter -l walltime=01:05:00 102.pbshost", "denied"),
        ("qalter -l select=1:ncpus=2 102.pbshost", "wrong"),
        ("qmove nosuch 103.pbshost", "wrong"),
        ("qsub -f ok.sh", "busy"),
        ("qstat -B", "busy"),
        ("qhold 1", "busy"),
        ("qdel 1", "busy"),
        ("PBS_CONF_FILE=/tmp/bad.conf qsub ok.sh", "broken"),
        ("cd /tmp && mkdir -p x$$ && cd x$$ && rmdir ../x$$ && qsub ~/p/ok.sh", "busy"),
    ],
)
def test_each_kind_of_refusal_is_known(command, kind):
    failed = [record for record in recordings() if record.command == command and record.code]
    assert {of(record).kind for record in failed} == {kind}


def test_a_limit_of_the_user_is_not_an_error_of_the_request():
    third = [record for record in recordings() if record.command == "qsub -h -q limited ok.sh"][2]
    assert of(third).kind == "limit"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (153, "gone"),
        (162, "busy"),
        (255, "busy"),
        (159, "denied"),
        (166, "wrong"),
        (170, "wrong"),
        (187, "wrong"),
        (188, "wrong"),
        (1, "broken"),
    ],
)
def test_a_code_alone_says_enough_where_the_text_is_foreign(code, kind):
    assert trouble(Answer(code=code, err="qsub: Fehler")).kind == kind


def test_an_unknown_queue_is_answered_with_those_that_there_are():
    queues = (Partition(name="workq"), Partition(name="old", up=False), Partition(name="gpu"))
    record = recorded("qsub -q nosuch ok.sh")
    backend = PbsBackend(Site(flavour="openpbs", partitions=queues))
    found = backend.read_submit(Answer(code=record.code, err=record.err))
    assert isinstance(found, Trouble)
    assert "workq, gpu" in found.hint


def test_no_answer_may_hide_a_submission_that_was_taken():
    for answer in (Answer(code=None), Answer(code=0), Answer(code=0, out="Submitted!\n")):
        found = PbsBackend().read_submit(answer)
        assert isinstance(found, Trouble)
        assert found.kind == "busy"


def test_a_command_that_is_not_there_is_not_waited_for():
    found = PbsBackend().read_submit(Answer(code=127, missing=True))
    assert isinstance(found, Trouble)
    assert found.kind == "unset"


def test_a_submission_that_waits_for_its_job_is_one_whatever_the_job_ends_with():
    record = recorded("qsub -N blk3 -W block=true exit3.sh")
    for code in (record.code, None):
        assert PbsBackend().read_submit(Answer(code=code, out=record.out)) == "48.pbshost"


def test_an_id_that_came_before_the_patience_ended_is_one():
    late = Answer(code=None, out="48.pbshost\n", err="qsub: waiting for job 48 to start\n")
    assert PbsBackend().read_submit(late) == "48.pbshost"
    assert isinstance(PbsBackend().read_submit(Answer(code=1, out=late.out, err="x")), Trouble)


def test_the_id_is_found_below_a_banner():
    assert PbsBackend().read_submit(Answer(code=0, out="Hello\n12[].pbshost\n")) == "12[].pbshost"


def test_what_another_scheduler_says_by_the_same_name_hides_no_submission():
    said = "Unable to initialize environment because of error: unable to read qmaster name"
    found = PbsBackend().read_submit(Answer(code=1, err=f"{said}\nExiting.\n"))
    assert isinstance(found, Trouble)
    assert (found.kind, found.hint) == ("wrong", "use the back end sge")
    assert said in found.message


def test_what_pbs_refuses_is_its_own_though_it_names_another_scheduler():
    found = PbsBackend().read_submit(Answer(code=1, err="qsub: Unknown queue slurm"))
    assert isinstance(found, Trouble)
    assert found.message == "qsub: Unknown queue slurm"
