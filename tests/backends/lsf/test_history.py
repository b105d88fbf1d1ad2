"""What `bhist -l` tells: folded lines, ends with and without a code, and jobs begun once more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hpcshell.backends.contract import UNKNOWN, Answer, Seen, Sighting
from hpcshell.backends.lsf import LsfBackend

LSF = LsfBackend()
DATE = Answer(code=0, out="1612000000\n")
RULE = "-" * 78 + "\n"
TAIL = """
Summary of time in seconds spent in various states by  Sun Jan 10 17:50:12
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  1        0        0        0        0        0        1
"""
FAILED = """\

Job <873209>, User <rasko>, Project <default>, Command <fdfs>, Esub <esub>
Sun Jan 10 17:50:11: Submitted from host <noah-login-01>, to Queue <research-rh
                     74>, CWD <$HOME>, Requested Resources <rusage[numcpus=1:du
                     ration=480]>;
Sun Jan 10 17:50:12: Dispatched to <hx-noah-10-04>, Effective RES_REQ <select[ty
                     pe == local] >;
Sun Jan 10 17:50:12: Starting (Pid 87178);
Sun Jan 10 17:50:12: Exited with exit code 127. The CPU time used is 0.0 second
                     s;
Sun Jan 10 17:50:12: Completed <exit>;
"""
"""As EBI's LSF printed it."""


def story(*events: str, header: str = "Job <12>, User <ada>, Project <default>") -> str:
    stamped = [f"Sun Jan 10 17:5{place}:00: {event}" for place, event in enumerate(events)]
    return "\n".join(["", header, *stamped]) + "\n" + TAIL


def read(out: str, err: str = "", code: int | None = 0) -> Seen:
    return LSF.read_history([DATE, Answer(code=code, out=out, err=err)])


def one(out: str) -> Sighting:
    seen = read(out)
    assert seen.whole
    (sighting,) = seen.sightings
    return sighting


def at(minute: int, second: int = 0) -> float:
    return datetime(2021, 1, 10, 17, minute, second, tzinfo=UTC).timestamp()


def test_a_failed_job():
    seen = one(FAILED + TAIL)
    assert (seen.native, seen.state, seen.exit_code) == ("873209", "FAILED", 127)
    assert (seen.user, seen.account, seen.partition) == ("rasko", "default", "research-rh74")
    assert (seen.submit_time, seen.start_time, seen.end_time) == (
        at(50, 11),
        at(50, 12),
        at(50, 12),
    )
    assert seen.cpu_time == 0.0


@pytest.mark.parametrize(
    ("events", "state", "code", "signal"),
    [
        (["Done successfully. The CPU time used is 1.5 seconds;", "Post job process done;"],
         "COMPLETED", 0, None),
        (["Exited with exit code 3. The CPU time used is 0.0 seconds;", "Completed <exit>;"],
         "FAILED", 3, None),
        (["Exited by signal 9. The CPU time used is 0.0 seconds;", "Completed <exit>;"],
         "FAILED", None, 9),
        (["Exited with exit code 140. The CPU time used is 60.0 seconds;",
          "Completed <exit>; TERM_RUNLIMIT: job killed after reaching LSF run time limit;"],
         "TIMEOUT", 140, None),
        (["Exited; The CPU time used is 0.0 seconds;", "Completed <exit>; TERM_MEMLIMIT: x;"],
         "OUT_OF_MEMORY", None, None),
        (["Signal <KILL> requested by user or administrator <ada>;", "Exited by signal 9. x;",
          "Completed <exit>; TERM_OWNER: job killed by owner;"], "CANCELLED", None, 9),
        ([], "RUNNING", None, None),
    ],
)  # fmt: skip
def test_ends(events, state, code, signal):
    seen = one(story("Submitted from host <l>, to Queue <q>;", "Starting (Pid 1);", *events))
    assert (seen.state, seen.exit_code, seen.signal) == (state, code, signal)


def test_a_job_that_was_begun_once_more_has_not_ended():
    events = ["Submitted from host <l>;", "Starting (Pid 1);", "Exited with exit code 1. x;"]
    again = one(story(*events, "Requeue the job for the next run;", "Pending: Waiting;"))
    assert (again.state, again.exit_code, again.end_time) == ("PENDING", None, None)
    assert one(story(*events, "Pending:;", "Starting (Pid 2);")).state == "RUNNING"


def test_the_key_is_in_the_description_even_when_it_is_folded():
    header = ("Job <12[4]>, Job Name <prep[4]>, User <ada>, Project <default>, Job Descr\n"
              "                     iption <hpc:0123456789abc\n"
              "                     def a comment>")  # fmt: skip
    seen = one(story("Submitted from host <l>;", header=header))
    assert (seen.key, seen.name, seen.native, seen.element) == (
        "0123456789abcdef", "prep[4]", "12[4]", 3,
    )  # fmt: skip


def test_a_story_without_a_known_event_is_unknown():
    assert one(story("Something else;")).state == UNKNOWN


def test_several_jobs_are_told_apart():
    text = RULE.join([FAILED + TAIL, story("Submitted from host <l>;")])
    assert [job.native for job in read(text).sightings] == ["873209", "12"]


def test_half_a_history_is_not_whole():
    seen = read(FAILED + TAIL + RULE + FAILED[:300])
    assert not seen.whole
    assert seen.trouble is not None


@pytest.mark.parametrize(
    ("out", "err", "absent"),
    [("", "No matching job found\n", ()), ("", "Job <99>: No matching job found\n", ("99",))],
)
def test_what_it_does_not_know_is_not_ended(out, err, absent):
    seen = read(out, err, code=255)
    assert seen == Seen(absent=absent)


def test_a_bundle_that_does_not_come_is_missed():
    seen = LSF.read_history([DATE, Answer(code=0, out=FAILED + TAIL), Answer(code=None)])
    assert len(seen.sightings) == 1
    assert not seen.whole
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"


def test_many_jobs_are_asked_for_in_few_bundles_and_none_in_none():
    asked = LSF.history([str(n) for n in range(1, 1201)], 0.0)
    assert [words.argv[0] for words in asked] == ["date", "bhist", "bhist", "bhist"]
    assert LSF.history([], 0.0) == []
