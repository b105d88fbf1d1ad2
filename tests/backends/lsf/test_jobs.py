"""What bjobs shows: states, ends, elements, times; and what is not believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.backends.contract import ENDED, UNKNOWN, Answer, Seen, Sighting
from hpcshell.backends.lsf import LsfBackend, times
from hpcshell.backends.lsf.states import ENDS

LSF = LsfBackend()
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()
DATE = Answer(code=0, out=f"{NOW:.0f}\n")


def bjobs(*records: Mapping[str, object], count: int | None = None) -> str:
    jobs = len(records) if count is None else count
    return json.dumps({"COMMAND": "bjobs", "JOBS": jobs, "RECORDS": records}, indent=2)


def read(out: str, code: int | None = 0, err: str = "") -> Seen:
    return LSF.read_queue([DATE, Answer(code=code, out=out, err=err)])


def one(**fields: object) -> Sighting:
    seen = read(bjobs({"JOBID": "58652", "JOBINDEX": "0", **fields}))
    assert seen.whole
    return seen.sightings[0]


def test_a_held_job():
    """As OLCF's LSF prints it."""
    held = one(JOB_NAME="hold_job", STAT="PSUSP", USER="ada", QUEUE="batch", EXIT_CODE="",
               SUBMIT_TIME="May 28 12:45", START_TIME="", FINISH_TIME="")  # fmt: skip
    assert (held.state, held.word, held.held, held.name) == ("PENDING", "PSUSP", True, "hold_job")
    assert held.submit_time == datetime(2025, 5, 28, 12, 45, tzinfo=UTC).timestamp()
    assert (held.start_time, held.end_time, held.exit_code) == (None, None, None)


def test_a_job_that_went_well_has_no_exit_code_in_lsf():
    done = one(
        JOB_NAME="ls -l", STAT="DONE", EXIT_CODE="", EXEC_HOST="tbi-cn019:tbi-cn019",
        SUBMIT_TIME="Dec 28 19:56", FINISH_TIME="Dec 28 19:56 L", CPU_USED="00:00:01",
        MAX_MEM="5.2 Gbytes", RUNTIMELIMIT="10.0/tbi-cn019", SLOTS="2", PROJ_NAME="default",
    )  # fmt: skip
    assert (done.state, done.exit_code, done.cpu_time) == ("COMPLETED", 0, 1.0)
    assert (done.nodes, done.cpus, done.time_limit) == (("tbi-cn019",), 2, 600.0)
    assert done.max_rss == int(5.2 * (1 << 30))
    assert done.end_time == datetime(2025, 12, 28, 19, 56, tzinfo=UTC).timestamp()


def test_a_job_that_was_killed_may_have_no_exit_code():
    killed = one(STAT="EXIT", EXIT_CODE="", EXIT_REASON="TERM_OWNER: job killed by owner")
    assert (killed.state, killed.exit_code) == ("CANCELLED", None)
    assert killed.reason == "TERM_OWNER: job killed by owner"


@pytest.mark.parametrize(("term", "state"), ENDS.items())
def test_how_a_job_was_ended(term, state):
    assert one(STAT="EXIT", EXIT_CODE="130", EXIT_REASON=f"{term}: because").state == state


@pytest.mark.parametrize("reason", ["", "-", "TERM_UNKNOWN: who knows", "TERM_CWD_NOTEXIST: no",
                                    "TERM_NEVER_HEARD", "killed"])  # fmt: skip
def test_any_other_end_is_a_failure(reason):
    assert one(STAT="EXIT", EXIT_CODE="3", EXIT_REASON=reason).state == "FAILED"


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PEND", "PENDING"), ("WAIT", "PENDING"), ("PROV", "PENDING"), ("RUN", "RUNNING"),
        ("USUSP", "SUSPENDED"), ("SSUSP", "SUSPENDED"), ("UNKWN", UNKNOWN), ("ZOMBI", UNKNOWN),
    ],
)  # fmt: skip
def test_states(word, state):
    assert one(STAT=word).state == state


@given(st.text(min_size=1).filter(lambda text: text != "-"))
def test_a_word_never_heard_of_is_unknown_and_kept(word: str):
    seen = one(STAT=f"X{word}")
    assert (seen.state, seen.word) == (UNKNOWN, f"X{word}")


def test_the_end_that_a_running_job_is_expected_to_have_is_no_end():
    running = one(STAT="RUN", FINISH_TIME="Jan  2 14:00 E", ESTIMATED_START_TIME="")
    assert running.end_time is None


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Dependency condition invalid or never satisfied;", "DependencyNeverSatisfied"),
        ("Job dependency condition not satisfied;", "Dependency"),
        ("New job is waiting for scheduling;", "Priority"),
        ("The job has a specified start time;", "BeginTime"),
        ("The job array has reached its job slot limit;", "ArrayTaskLimit"),
        ("Job's resource requirements not satisfied: 2 hosts;", "Resources"),
        ("Not enough slots or resources for whole duration of the job;", "Resources"),
        ("A site's own reason;", ""),
    ],
)
def test_why_a_job_waits(reason, code):
    seen = one(STAT="PEND", PEND_REASON=reason)
    assert (seen.reason, seen.reason_code) == (reason, code)


# ----------------------------------------------------------------------------------- elements


@pytest.mark.parametrize(
    "fields",
    [{"JOBID": "12", "JOBINDEX": "4"}, {"JOBID": "12[4]", "JOBINDEX": "4"}, {"JOBID": "12[4]"}],
)
def test_an_element_is_told_by_its_index_however_its_id_is_shown(fields):
    (seen,) = read(bjobs({**fields, "STAT": "RUN", "JOB_NAME": "a[4]"})).sightings
    assert (seen.native, seen.number, seen.element) == ("12[4]", "12", 3)
    assert LSF.parse_id(seen.native) == ("12", 3)


@given(st.text(alphabet="0123456789abcdef-", min_size=1), st.text())
def test_the_key_comes_back_with_any_comment(key: str, comment: str):
    seen = one(STAT="RUN", JOB_DESCRIPTION=f"hpc:{key} {comment}")
    assert seen.key == key


def test_jobs_of_others_have_no_key():
    assert one(STAT="RUN", JOB_DESCRIPTION="see hpc:12").key == ""


@given(st.lists(st.text(), max_size=5))
def test_a_name_may_hold_anything(names: list[str]):
    seen = read(bjobs(*({"JOBID": "1", "STAT": "RUN", "JOB_NAME": name} for name in names)))
    assert [one.name for one in seen.sightings] == ["" if n == "-" else n.strip() for n in names]


def test_a_bare_tab_in_a_name_and_a_number_without_quotes_are_read():
    text = bjobs({"JOBID": 12, "STAT": "RUN", "JOB_NAME": "a\tb"}).replace("\\t", "\t")
    (seen,) = read(text).sightings
    assert (seen.native, seen.name) == ("12", "a\tb")


# -------------------------------------------------------------------------- what is believed


def test_lines_of_a_busy_daemon_come_first():
    text = "LSF is processing your request. Please wait ...\n" + bjobs(
        {"JOBID": "1", "STAT": "RUN"}
    )
    assert read(text).whole


@pytest.mark.parametrize(
    "said", ["No unfinished job found", "No job found\n", "No unfinished job found for user ada"]
)
def test_no_jobs_are_only_believed_when_it_says_so(said):
    assert read("", code=0, err=said) == Seen()
    assert read("", code=255, err=said) == Seen()
    assert not read("", code=0).whole


@pytest.mark.parametrize(
    "record",
    [
        {"JOBID": "999"},
        {"JOBID": "999", "STAT": "-", "USER": "-"},
        {"JOBID": "999", "ERROR": "Job <999> is not found"},
    ],
)
def test_an_unknown_id_is_absent_and_not_ended(record):
    seen = read(bjobs(record, {"JOBID": "1", "STAT": "RUN"}))
    assert (seen.absent, len(seen.sightings), seen.whole) == (("999",), 1, True)


def test_an_unknown_id_alone_is_absent():
    seen = read("", code=255, err="Job <123> is not found\n")
    assert seen.absent == ("123",)
    assert not seen.sightings


def test_a_list_with_fewer_jobs_than_it_counts_is_not_whole():
    seen = read(bjobs({"JOBID": "1", "STAT": "RUN"}, count=2))
    assert not seen.whole
    assert len(seen.sightings) == 1
    assert seen.trouble is not None


@given(st.integers(1, 400))
def test_half_an_answer_says_nothing(cut: int):
    whole = bjobs(*({"JOBID": str(n), "STAT": "DONE"} for n in range(1, 9)))
    seen = read(whole[: len(whole) - 1 - cut])
    assert not seen.whole
    assert not seen.sightings


@given(st.text() | st.text(alphabet='{}[]":,JOBIDSTATDONEXCOMMANDbjobs1 \n'))
def test_any_text_is_read_and_ends_no_job(text: str):
    for seen in (
        read(text),
        read("", err=text),
        LSF.read_history([DATE, Answer(code=0, out=text)]),
    ):
        assert not any(sighting.state in ENDED for sighting in seen.sightings)


@given(
    st.dictionaries(
        st.sampled_from(["JOBID", "STAT", "JOBINDEX", "EXIT_REASON", "SUBMIT_TIME", "SLOTS"]),
        st.text() | st.integers() | st.none() | st.lists(st.text()),
    ),
    st.text(),
)
def test_any_record_is_read_and_ends_only_what_it_says(record: dict[str, object], date: str):
    answers = [Answer(code=0, out=date), Answer(code=0, out=bjobs(record))]
    for seen in LSF.read_queue(answers).sightings:
        assert (seen.state in ENDED) == (record["STAT"] in ("DONE", "EXIT"))


@pytest.mark.parametrize("answers", [[], [DATE], [Answer(code=None)] * 2])
def test_without_an_answer_nothing_is_known(answers):
    seen = LSF.read_queue(answers)
    assert not seen.whole
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"


def test_without_the_sites_clock_times_are_not_guessed():
    answer = Answer(code=0, out=bjobs({"JOBID": "1", "STAT": "RUN", "SUBMIT_TIME": "Jan  1 01:01"}))
    seen = LSF.read_queue([Answer(code=1, err="date: not found"), answer])
    assert seen.whole
    assert seen.sightings[0].submit_time is None


# -------------------------------------------------------------------------------------- times

INSTANTS = st.integers(min_value=946_684_800, max_value=4_000_000_000)


@given(INSTANTS, st.integers(min_value=0, max_value=300 * 86400))
def test_an_instant_of_the_last_months_is_read_back_to_its_minute(now: int, ago: int):
    then = datetime.fromtimestamp(now - ago, UTC)
    assert times.read(f"{then:%b %e %H:%M}", now) == then.replace(second=0).timestamp()
    assert times.read(f"{then:%a %b %e %H:%M:%S}", now) == then.timestamp()
    assert times.read(f"{then:%b %e %H:%M:%S %Y}", None) == then.timestamp()


@given(st.text() | st.from_regex(times.INSTANT), st.none() | INSTANTS)
def test_any_text_is_an_instant_or_none(text: str, now: int | None):
    instant = times.read(text, now)
    assert instant is None or isinstance(instant, float)


def test_ten_thousand_jobs_are_read_in_a_tenth_of_a_second_of_cpu():
    from time import process_time

    job = {
        "JOBINDEX": "0",
        "STAT": "PEND",
        "USER": "ada",
        "QUEUE": "normal",
        "JOB_NAME": "prep",
        "JOB_DESCRIPTION": "hpc:0123456789abcdef",
        "PROJ_NAME": "default",
        "EXIT_CODE": "",
        "PEND_REASON": "New job is waiting for scheduling;",
        "SUBMIT_TIME": "Jan  1 10:00",
        "FINISH_TIME": "",
        "EXEC_HOST": "",
        "SLOTS": "4",
        "RUNTIMELIMIT": "60.0",
    }
    answer = Answer(code=0, out=bjobs(*({"JOBID": str(n), **job} for n in range(1, 10_001))))
    least = 1.0
    for _ in range(5):
        begun = process_time()
        assert len(LSF.read_queue([DATE, answer]).sightings) == 10_000
        least = min(least, process_time() - begun)
    assert least < 0.1
