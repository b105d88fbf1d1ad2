"""A real Grid Engine's own words, read by the back end: every refusal, every state, every end."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Answer, Partition, Site, Trouble
from hpcshell.backends.sge import SgeBackend
from hpcshell.backends.sge.troubles import classify
from tests.backends.sge.recordings import Recording, answer_to, asked

SITE = Site(
    partitions=(Partition(name="all.q"), Partition(name="short.q")),
    accounts=("noprod", "physics"),
    details={
        "pe smp": "$pe_slots",
        "pe mpi": "$fill_up",
        "queue all.q": "smp mpi",
        "resource gpu": "INT <= YES",
        "resource h_rt": "TIME <= NO",
    },
)
SGE = SgeBackend(SITE)
NOT_REFUSALS = ("Job 38 exited", "Job 39 exited", "cleared error state")
"""What `qsub -sync` says of a job's end, and `qmod -cj` of a success, with an exit code."""
REFUSALS = [
    one
    for one in asked("qsub", "qdel", "qalter", "qhold", "qrls", "qmod", "qconf")
    if one.answer.code != 0 and not any(text in one.answer.said for text in NOT_REFUSALS)
]


def command(one: Recording) -> str:
    return one.command


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("refusal", REFUSALS, ids=command)
def test_every_refusal_is_classified_and_says_what_to_do(refusal: Recording) -> None:
    trouble = classify(refusal.answer, SITE)
    assert trouble.kind != "broken" or "lonely" in trouble.message
    assert trouble.message
    assert trouble.hint
    assert "Exiting" not in trouble.message


@pytest.mark.parametrize(
    ("refused", "kind", "hint"),
    [
        ("qsub -q nosuch.q ok.sh", "wrong", "this site has all.q, short.q"),
        ("qsub -pe nosuchpe 2 ok.sh", "wrong", "this site has smp, mpi"),
        ("qsub -l nosuch=1 ok.sh", "wrong", "this site has gpu, h_rt"),
        ("qsub -terse -cwd -P noproj ok.sh", "wrong", "did you mean noprod?"),
        ("qsub -p 10 ok.sh", "denied", "ask for a priority of 500 or less"),
        ("qsub -t 1-100000 ok.sh", "limit", "split the array: at most 75000 elements in one"),
        ("SGE_ROOT=/nosuch qstat", "broken", "source the site's settings.sh"),
    ],
)
def test_a_hint_names_the_nearest_right_value(refused: str, kind: str, hint: str) -> None:
    trouble = classify(answer_to(refused), SITE)
    assert trouble.kind == kind
    assert hint in trouble.hint


def test_of_a_page_of_usage_only_the_line_that_matters_is_kept() -> None:
    trouble = classify(answer_to("qstat -nosuchoption"), SITE)
    assert trouble.message == 'invalid option argument "-nosuchoption"'


@pytest.mark.parametrize("file", ["09"])
def test_a_qmaster_that_is_down_is_busy_for_everybody(file: str) -> None:
    for asked_for in ("qstat -xml", "qsub -terse -cwd ok.sh", "qdel 1", "qconf -sql"):
        assert classify(answer_to(asked_for, file), SITE).kind == "busy"
    seen = SGE.read_queue([answer_to("qstat -xml", file)])
    assert not seen.whole
    assert seen.sightings == ()


# -------------------------------------------------------------------------------------- submitting


@pytest.mark.parametrize(
    ("said", "native"),
    [
        ("qsub ok.sh", "1"),
        ("qsub -terse ok.sh", "2"),
        ("qsub -cwd -t 1-4 -N verbose taskfail.sh", "103"),
        ("qsub -terse -cwd -t 1-10 -tc 2 -N arr taskfail.sh", "104"),
        ("qsub -terse -sync y -cwd exit3.sh", "38"),
    ],
)
def test_the_id_of_a_job_and_of_an_array_as_a_whole(said: str, native: str) -> None:
    assert SGE.read_submit(answer_to(said)) == native


def test_a_job_that_was_not_taken_has_no_id() -> None:
    for one in asked("qsub"):
        if one.answer.code != 0 and "exited" not in one.answer.said:
            assert isinstance(SGE.read_submit(one.answer), Trouble)


def test_a_success_without_an_id_may_have_submitted_it() -> None:
    trouble = SGE.read_submit(Answer(code=0, out="Welcome to the cluster\n"))
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "busy"


# --------------------------------------------------------------------------------------- the queue


def test_an_idle_queue_is_believed_because_it_says_so() -> None:
    seen = SGE.read_queue([answer_to("qstat -xml", "01")])
    assert (seen.whole, seen.sightings) == (True, ())


def test_a_running_job_with_what_it_asked_for_of_all_its_slots() -> None:
    (one,) = SGE.read_queue([answer_to("qstat -xml -r", "04")]).sightings
    assert (one.native, one.state, one.word, one.name) == ("80", "RUNNING", "r", "run")
    assert (one.cpus, one.memory, one.time_limit) == (2, 2 * 1024**3, 600)
    assert (one.partition, one.nodes, one.start_time) == ("all.q", ("vm",), 1795294255.0)


def test_an_array_is_its_elements_from_0_and_the_rest_of_it() -> None:
    seen = SGE.read_queue([answer_to("qstat -xml", "06")])
    assert [(one.native, one.element, one.waiting, one.state) for one in seen.sightings] == [
        ("104.1", 0, "", "RUNNING"),
        ("104.3", 2, "", "RUNNING"),
        ("104", None, "3-9", "PENDING"),
    ]


def test_the_error_state_is_held_with_the_reason_that_qstat_j_gives() -> None:
    listed = answer_to("qstat -u alice -s p -xml", "04").out
    why = (
        "job_number:                 97\n"
        + answer_to("qstat -j 97 | grep -E 'error|reason'", "04").out
    )
    seen = SGE.read_queue([Answer(code=0, out=listed + why)])
    words = {one.native: (one.word, one.state, one.held) for one in seen.sightings}
    assert words == {
        "96": ("qw", "PENDING", False),
        "94": ("qw", "PENDING", False),
        "97": ("Eqw", "PENDING", True),
    }
    assert seen.sightings[2].reason == (
        'error: can\'t open output file "/no/such/dir/out": No such file or directory'
    )
    bare = SGE.read_queue([Answer(code=0, out=listed)])
    assert "qstat -j" in bare.sightings[2].reason


def test_names_come_back_whole_and_with_the_signs_that_xml_would_eat() -> None:
    seen = SGE.read_queue([answer_to("qstat -u '*' -xml", "08")])
    assert [one.name for one in seen.sightings] == ["alicejob-with-a-long-name", "a<b>&c"]


# ---------------------------------------------------------------------------------- the accounting


@pytest.mark.parametrize(
    ("number", "state", "code", "signal", "restarts"),
    [
        ("81", "COMPLETED", 0, None, 0),
        ("85", "COMPLETED", 0, None, 1),
        ("88", "TIMEOUT", None, 9, 0),
        ("80", "FAILED", None, 9, 0),
        ("97", "UNKNOWN", None, None, 0),
    ],
)
def test_how_jobs_ended(
    number: str, state: str, code: int | None, signal: int | None, restarts: int
) -> None:
    (one,) = SGE.read_history([answer_to(f"qacct -j {number}", "04")]).sightings
    assert (one.native, one.state, one.exit_code, one.signal) == (number, state, code, signal)
    assert one.restarts == restarts


@pytest.mark.parametrize(
    ("line", "state", "code", "signal"),
    [
        (("failed       0    ", "exit_status  3"), "FAILED", 3, None),
        (("failed       0    ", "exit_status  137                  (Killed)"), "FAILED", 137, None),
        (("failed       100 : assumedly after job", "exit_status  139"), "FAILED", None, 11),
        (("failed       25  : rescheduling", "exit_status  99"), "UNKNOWN", None, None),
        (("failed       26  : opening input/output file", "exit_status  0"), "UNKNOWN", None, None),
        (("failed       30  : application error", "exit_status  100"), "UNKNOWN", None, None),
        (("failed       21  : in recognizing job", "exit_status  0"), "NODE_FAIL", None, None),
        (("failed       nonsense", "exit_status  0"), "UNKNOWN", None, None),
        (("failed       0", "exit_status  0\ndeleted_by   root@vm"), "CANCELLED", None, None),
    ],
)
def test_failed_is_read_before_the_exit_status(
    line: tuple[str, str], state: str, code: int | None, signal: int | None
) -> None:
    text = answer_to("qacct -j 81", "04").out
    failed = next(one for one in text.splitlines() if one.startswith("failed"))
    status = next(one for one in text.splitlines() if one.startswith("exit_status"))
    said = text.replace(failed, line[0]).replace(status, line[1])
    (one,) = SGE.read_history([Answer(code=0, out=said)]).sightings
    assert (one.state, one.exit_code, one.signal) == (state, code, signal)


def test_a_limit_that_memory_reached_is_out_of_memory() -> None:
    text = answer_to("qacct -j 88", "04").out
    said = text.replace("category     -l h_rt=4", "category     -l h_vmem=4M,h_rt=400")
    (one,) = SGE.read_history([Answer(code=0, out=said)]).sightings
    assert one.state == "OUT_OF_MEMORY"


def test_usage_and_times_of_a_job_that_ran() -> None:
    (one,) = SGE.read_history([answer_to("qacct -j 88", "04")]).sightings
    assert (one.start_time, one.end_time) == (1795294327.0, 1795294332.0)
    assert (one.cpu_time, one.max_rss, one.time_limit) == (0.012, 4608, 4)


def test_elements_of_an_array_are_told_apart() -> None:
    seen = SGE.read_history([answer_to("qacct -j 104.2", "06")])
    codes = {one.element: one.exit_code for one in seen.sightings}
    assert codes == {index: 4 if index == 1 else 0 for index in range(10)}


def test_a_job_that_the_accounting_does_not_know_yet_is_not_ended() -> None:
    seen = SGE.read_history([answer_to("qacct -j 92", "04")])
    assert (seen.whole, seen.sightings, seen.absent) == (True, (), ("92",))


def test_half_a_record_is_not_believed() -> None:
    text = answer_to("qacct -j 81", "04").out
    for length in range(0, text.index("maxvmem"), 97):
        seen = SGE.read_history([Answer(code=0, out=text[:length])])
        assert not seen.whole
        assert seen.sightings == ()


# ----------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize(
    ("said", "file", "ids", "troubles"),
    [
        ("qdel 98 99 100", "05", ("98", "99", "100"), {"99": "gone", "100": "gone"}),
        ("qdel 109 999999 110", "06", ("109", "999999", "110"), {"999999": "gone"}),
        ("qdel 105.7", "06", ("105.7",), {"105.7": "gone"}),
        ("qdel 105.1", "06", ("105.1",), {}),
        ("qdel 105", "06", ("105",), {}),
        ("qmod -sj 94", "04", ("94",), {"94": "wrong"}),
        ("qmod -cj 86", "04", ("86",), {}),
        ("qhold 999999", "03", ("999999",), {"999999": "gone"}),
        ("qalter -l h_rt=100 -N newname -pe smp 2 95", "04", ("95",), {}),
        ("qdel 1", "09", ("1", "2"), {"1": "busy", "2": "busy"}),
        ("qdel -u alice", "08", ("136", "137", "140"), {"136": "denied", "137": "denied"}),
    ],
)
def test_what_became_of_each_id(
    said: str, file: str, ids: tuple[str, ...], troubles: dict[str, str]
) -> None:
    change = SGE.read_change(ids, [answer_to(said, file)])
    assert {native: trouble.kind for native, trouble in change.troubles.items()} == troubles


# ------------------------------------------------------------------------------------ who is there


def test_the_site_is_read_from_what_qconf_and_qhost_say() -> None:
    commands = ("qconf -sq all.q", "qconf -sc", "qconf -sconf")
    answers = [answer_to(one, "01") for one in commands]
    answers.append(Answer(code=1, err="no project list defined\n"))
    environments = answer_to("qconf -sp smp", "01").out + answer_to("qconf -sp mpi", "01").out
    answers += [Answer(code=0, out=environments), answer_to("qhost -q", "01")]
    site = SgeBackend().read_site(answers)
    (queue,) = site.partitions
    assert (queue.name, queue.max_time, queue.cpus_per_node) == ("all.q", None, 4)
    assert queue.memory_per_node == int(23.5 * 1024**3)
    assert (site.most_elements, site.accounting, site.accounts) == (75000, True, ())
    assert (site.details["pe smp"], site.details["pe mpi"]) == ("$pe_slots", "$fill_up")


@pytest.mark.parametrize(
    "said",
    [
        "sh: 1: qconf: not found\n",
        "Usage: qstat [-f] [-J] ... [destination...]\nqstat --version  pbs_version = 23.06\n",
        "qstat: wrapper over Slurm's squeue\nall.q\n",
        "",
    ],
)
def test_what_is_not_a_grid_engine_is_said_to_be_none(said: str) -> None:
    found = SgeBackend().read_probe(Answer(code=0, out=said))
    assert isinstance(found, Trouble)
    assert found.kind == "broken"


def test_which_cell_it_is_stands_among_its_queues() -> None:
    said = "SGE 8.1.9\ncluster p6444 in /opt/sge/default\nall.q\n"
    found = SgeBackend().read_probe(Answer(code=0, out=said))
    assert isinstance(found, Site)
    assert found.identity == "p6444 in /opt/sge/default"
    assert [queue.name for queue in found.partitions] == ["all.q"]


def test_versions_and_flavours() -> None:
    for line, flavour, version in (
        ("SGE 8.1.9", "SGE", "8.1.9"),
        ("UGE 8.6.18", "UGE", "8.6.18"),
        ("OGS/GE 2011.11p1", "SGE", "2011.11p1"),
    ):
        found = SgeBackend().read_probe(Answer(code=0, out=f"{line}\nall.q\n"))
        assert isinstance(found, Site)
        assert (found.flavour, found.version) == (flavour, version)
