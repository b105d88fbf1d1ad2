"""What is said to LSF and what its sentences mean: probes, submissions, changes, troubles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import Answer, Partition, Site, Trouble
from hpcshell.backends.lsf import LsfBackend
from hpcshell.core.errors import Refused, Wrong
from tests.backends.lsf.orders import order

LSF = LsfBackend()
LSID = "IBM Spectrum LSF Standard 10.1.0.9, Nov 01 2019\nCopyright IBM\n\nMy cluster name is juno\n"


def trouble(said: str, code: int | None = 255) -> Trouble:
    found = LSF.read_submit(Answer(code=code, err=said))
    assert isinstance(found, Trouble)
    return found


# ------------------------------------------------------------------------------------ who is it


@pytest.mark.parametrize(
    ("said", "version", "flavour", "name"),
    [
        (LSID, "10.1.0.9", "IBM Spectrum LSF Standard", "juno"),
        (
            "LSF 10.1.0, Jan 5 2016\n\nMy cluster name is lsf10\nMy master name is a\n",
            "10.1.0",
            "LSF",
            "lsf10",
        ),
    ],
)
def test_lsid_tells_the_version_and_which_cluster_it_is(said, version, flavour, name):
    site = LSF.read_probe(Answer(code=0, out=said))
    assert isinstance(site, Site)
    assert (site.version, site.flavour, site.identity) == (version, flavour, name)


def test_an_older_lsf_is_told_what_it_lacks():
    found = LSF.read_probe(Answer(code=0, out="Platform LSF 9.1.3.0, x\nMy cluster name is a\n"))
    assert isinstance(found, Trouble)
    assert found.kind == "wrong"
    assert "older than 10.1" in found.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(code=127, missing=True), "unset"),
        (Answer(code=None), "busy"),
        (Answer(code=255, err="lsid: LIM is down; try later"), "busy"),
        (Answer(code=0, out="openlava 3.0\nMy cluster name is a\n"), "broken"),
        (Answer(code=0, out="LSF 10.1 documentation"), "broken"),
    ],
)
def test_what_is_no_lsf(answer, kind):
    found = LSF.read_probe(answer)
    assert isinstance(found, Trouble)
    assert found.kind == kind


def test_queues_and_limits():
    queues = (
        '{"COMMAND":"bqueues","QUEUES":2,"RECORDS":['
        '{"QUEUE_NAME":"short","STATUS":"Open:Active","MAX_RUNLIMIT":"60.0/hostA",'
        '"DEFAULT_RUNLIMIT":"30.0/hostA"},'
        '{"QUEUE_NAME":"old","STATUS":"Closed:Inact","MAX_RUNLIMIT":"","DEFAULT_RUNLIMIT":"-"}]}'
    )
    told = "    DEFAULT_QUEUE =  short normal\n    MAX_JOB_ARRAY_SIZE = 5000\n"
    site = LSF.read_site([Answer(code=0, out=queues), Answer(code=0, out=told)])
    assert site.partitions == (
        Partition(name="short", default=True, max_time=3600.0, default_time=1800.0),
        Partition(name="old", up=False),
    )
    assert (site.most_elements, site.highest_index) == (4999, 4999)


@given(st.text(), st.text())
def test_any_text_about_a_site_leaves_the_limit_of_lsf_itself(queues: str, told: str):
    site = LSF.read_site([Answer(code=0, out=queues), Answer(code=0, out=told)])
    assert site == Site(most_elements=999, highest_index=999)


# ---------------------------------------------------------------------------------- submitted


@pytest.mark.parametrize(
    ("out", "number"),
    [
        ("Job <764254593> is submitted to queue <test>.\n", "764254593"),
        ("Job <2329803> is submitted to default queue <research-rh6>.", "2329803"),
        ("Verifying job submission parameters...\nJob <7> is submitted to queue <a>.\n", "7"),
        (
            "LSF is processing your request. Please wait ...\nJob <7> is submitted to queue <a>.",
            "7",
        ),
        ("Cannot connect to LSF. Please wait ...\nJob <7> is submitted to queue <a>.\n", "7"),
    ],
)
def test_the_number_is_found_behind_a_sites_own_lines(out, number):
    assert LSF.read_submit(Answer(code=0, out=out)) == number


@given(st.text())
def test_no_other_text_is_a_number(text: str):
    assert isinstance(LSF.read_submit(Answer(code=0, out=f"Job <x> {text}")), Trouble)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("rhel7: No such queue. Job not submitted.", "wrong"),
        ("Too many processors requested. Job not submitted.", "wrong"),
        ("Error in rusage section: Job not submitted.", "wrong"),
        ("Bad resource requirement syntax. Job not submitted.", "wrong"),
        ("Cannot exceed queue's hard limit(s). Job not submitted.", "wrong"),
        ("123: No matching job found. Job not submitted.", "wrong"),
        ("User cannot use the queue. Job not submitted.", "denied"),
        ("Request aborted by esub. Job not submitted.", "denied"),
        ("User <ada>: Pending job threshold reached. Retrying in 60 seconds...", "limit"),
        ("Cannot connect to LSF. Please wait ...", "busy"),
        ("LSF is down. Please wait ...", "busy"),
        ("Something that no source shows. Job not submitted.", "broken"),
        ("", "busy"),
    ],
)
def test_refusals(said, kind):
    found = trouble(said)
    assert found.kind == kind
    assert said.split(".")[0] in found.message
    if kind in ("wrong", "denied", "limit"):
        assert found.hint


def test_a_submission_that_is_not_answered_may_have_been_taken():
    assert trouble("", code=None).kind == "busy"
    assert trouble("", code=0).kind == "busy"


def test_the_nearest_queue_is_named():
    lsf = LsfBackend(Site(partitions=(Partition(name="normal"), Partition(name="short"))))
    found = lsf.read_submit(Answer(code=255, err="norml: No such queue. Job not submitted."))
    assert isinstance(found, Trouble)
    assert found.hint == "did you mean normal?"


def test_a_refusal_hides_no_secret_and_keeps_the_sites_words():
    assert trouble("a\n\n b \nc\nd").message == "a; b; c"


# ------------------------------------------------------------------------------------ changes


def test_changes_name_all_ids_at_once():
    ids = ["12", "13[4]"]
    assert [words.argv for words in LSF.cancel(ids)] == [("bkill", "12", "13[4]")]
    assert [words.argv for words in LSF.signal(ids, "SIGUSR1")] == [("bkill", "-s", "USR1", *ids)]
    assert [words.argv for words in LSF.hold(ids)] == [("bstop", *ids)]
    assert [words.argv for words in LSF.release(ids)] == [("bresume", *ids)]
    assert [words.argv for words in LSF.suspend(ids)] == [("bstop", *ids)]
    assert [words.argv for words in LSF.resume(ids)] == [("bresume", *ids)]
    assert [words.argv for words in LSF.requeue(ids)] == [("brequeue", "-r", "-d", "-e", *ids)]


def test_no_ids_are_never_said_because_lsf_would_take_the_last_job():
    for change in (LSF.cancel, LSF.hold, LSF.release, LSF.suspend, LSF.resume, LSF.requeue):
        assert change([]) == []
    assert LSF.signal([], "TERM") == []


@pytest.mark.parametrize("native", ["0", "-J", "12 13", "all", "12[0]", "12[3-5]", ""])
def test_what_would_mean_more_than_one_job_is_refused(native):
    for change in (LSF.cancel, LSF.hold, LSF.requeue):
        with pytest.raises(Wrong):
            change([native])


def test_edits():
    said = LSF.edit(["12", "13"], {"time_limit": 61.0, "priority": 700, "partition": "short"})
    assert [words.argv for words in said] == [
        ("bmod", "-W", "2", "12"),
        ("bmod", "-W", "2", "13"),
        ("bmod", "-sp", "70", "12"),
        ("bmod", "-sp", "70", "13"),
        ("bswitch", "short", "12", "13"),
    ]
    more = LSF.edit(["12"], {"time_limit": None, "account": "a", "name": "b c", "throttle": 3})
    assert [words.argv[1:-1] for words in more] == [
        ("-Wn",),
        ("-P", "a"),
        ("-J", "b c"),
        ("-J", "%3"),
    ]


@pytest.mark.parametrize("name", ["qos", "nice"])
def test_what_lsf_cannot_change_is_refused_with_the_nearest_thing(name):
    with pytest.raises(Refused) as caught:
        LSF.edit(["12"], {name: 5})
    assert caught.value.hint


@pytest.mark.parametrize("name", ["name", "account", "partition"])
def test_an_edit_smuggles_no_option_in(name):
    with pytest.raises(Wrong):
        LSF.edit(["12"], {name: "-m host"})


def test_every_id_has_its_own_answer():
    said = Answer(
        code=255,
        out="Job <11> is being terminated\n",
        err="Job <22>: No matching job found\nJob <33>: Job has already finished\n",
    )
    troubles = LSF.read_change(["11", "22", "33"], [said]).troubles
    assert {native: why.kind for native, why in troubles.items()} == {"22": "gone", "33": "gone"}


@pytest.mark.parametrize(
    "said",
    [
        "Job <11> is being signaled", "Job <11> is being stopped", "Job <11> is being requeued ",
        "Parameters of job <11> are being changed", "Job <11> is switched to queue <short>",
        "Job <11[3]> is being terminated",
    ],
)  # fmt: skip
def test_good_news(said):
    native = "11[3]" if "[3]" in said else "11"
    assert not LSF.read_change([native], [Answer(code=0, out=said)]).troubles
    assert not LSF.read_change([native], [Answer(code=255, out=said)]).troubles


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(code=None), "busy"),
        (Answer(code=255, err="Cannot connect to LSF. Please wait ..."), "busy"),
        (Answer(code=255, err="User permission denied"), "denied"),
        (Answer(code=127, missing=True), "unset"),
        (Answer(code=255, err="Job <11> is not found"), "gone"),
    ],
)
def test_a_change_that_is_not_confirmed_is_none(answer, kind):
    assert LSF.read_change(["11"], [answer]).troubles["11"].kind == kind


# ---------------------------------------------------------------------------------------- asked


def test_all_jobs_of_a_user_are_one_question():
    asked = LSF.queue("ada")
    assert [words.argv[0] for words in asked] == ["date", "bjobs"]
    assert asked[1].argv[1:5] == ("-u", "ada", "-a", "-json")
    assert LSF.queue(None)[1].argv[2] == "all"


@pytest.mark.parametrize("user", ["-all", "", "a\nb"])
def test_a_user_that_is_none_is_refused(user):
    with pytest.raises(Wrong):
        LSF.queue(user)


def test_everything_is_said_in_one_language_and_zone_and_given_up_at_once():
    said = [
        LSF.probe(),
        *LSF.ask_site(),
        *LSF.queue("a"),
        *LSF.history(["1"], 0),
        *LSF.cancel(["1"]),
    ]
    for words in [*said, LSF.submit(order())]:
        assert words.env == {"LC_ALL": "C", "TZ": "UTC0", "LSB_NTRIES": "1"}


@given(st.integers(1, 10**12), st.integers(0, 10**6))
def test_ids_come_back(number: int, index: int):
    assert LSF.parse_id(LSF.element_id(str(number), index)) == (str(number), index)
    assert LSF.parse_id(str(number)) == (str(number), None)
