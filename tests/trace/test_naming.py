"""Columns may stand for others, and a list may say who starts together."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.trace.clean import clean
from hpcshell.trace.naming import MEANT, SAID, alone, ganged, mapped
from hpcshell.trace.record import Trace
from hpcshell.trace.sacct import read_sacct
from hpcshell.trace.swf import read_swf
from tests.trace.made import jobs
from tests.trace.test_sacct import table

LOG = read_swf(
    "log",
    b"; MaxProcs: 4\n"
    b"1 0 -1 9 1 -1 -1 1 9 -1 1 5 6 7 8 9 -1 -1\n"
    b"2 0 -1 9 1 -1 -1 1 9 -1 1 5 6 7 2 3 -1 -1\n",
)


@pytest.mark.parametrize("meant", MEANT)
@pytest.mark.parametrize("said", [said for said in SAID if said != "qos"])
def test_any_field_may_say_whose_a_job_is(meant: str, said: str) -> None:
    found = mapped(LOG, [f"{meant}={said}"])
    assert getattr(found, MEANT[meant]).tolist() == getattr(LOG, said).tolist()
    assert clean(found).words(MEANT[meant]) == [str(one) for one in getattr(LOG, said).tolist()]


def test_words_go_along() -> None:
    found = mapped(read_sacct("jobs", table()), ["qos=user", "account=queue"])
    assert clean(found).words("qos") == ["ann", "bob"]
    assert clean(found).words("group") == ["cpu", "gpu"]


def three() -> Trace:
    return read_swf("log", jobs((0, 9, 1, 9), (0, 9, 1, 9), (0, 9, 1, 9)))


def test_a_list_says_who_starts_together() -> None:
    for text in (b"job,gang\n1, solver\n\n3,solver\n", b"\xef\xbb\xbf1,solver\r\n3,solver"):
        assert clean(ganged(three(), "list", text)).words("gang") == ["solver", "", "solver"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "list: names no gang"),
        (b"job,gang\n", "list: names no gang"),
        (b"1,a\n1,b\n", "list line 2: job 1 is in a gang already"),
        (b"1,a\n7,a\n", "list line 2: the log has no job '7'"),
        (b"1 a\n", "list line 1: '1 a' is no job and its gang"),
        (b"2,b\n1,a,b\n", "list line 2: '1,a,b' is no job and its gang"),
        (b"1,\n", "list line 1: '1,' is no job and its gang"),
        (b"\xff\xfe", "list: is not text"),
    ],
)
def test_any_other_list_is_wrong(text: bytes, said: str) -> None:
    with pytest.raises(Wrong) as refused:
        ganged(three(), "list", text)
    assert refused.value.message == said
    assert refused.value.hint


@pytest.mark.parametrize("pairs", [["qos=queue", "qos=user"], ["qos=user", "user=app", "QOS=app"]])
def test_nothing_is_said_by_two_columns(pairs: list[str]) -> None:
    with pytest.raises(Wrong, match=r"^--map: qos is both "):
        mapped(LOG, pairs)
    assert mapped(LOG, ["qos=user", "qos=user"]).qos.tolist() == [5, 5]


def test_a_gang_of_one_is_alone() -> None:
    assert alone(clean(ganged(three(), "list", b"1,a\n2,b\n3,a\n"))) == ["b"]
    assert alone(clean(three())) == []
