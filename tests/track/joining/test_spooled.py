"""What an epilog could not send is taken in later, once, and only if it is genuine."""

from __future__ import annotations

import os

import pytest

from hpcshell.track.joining.signing import sign
from hpcshell.track.joining.spooled import take_in
from hpcshell.track.store import runs
from hpcshell.track.store.paging import Wanted

KEY = b"k" * 32
END = b"job_id=12&event=end&exit_code=3&cluster=frontier"


@pytest.fixture
def spool(tmp_path):
    directory = tmp_path / "spool"
    directory.mkdir()
    return directory


def leave(spool, body=END, *, id="event-0001", key=KEY, kind=b"slurm"):
    path = spool / f"{id}.event"
    signature = str(sign(key, kind.decode("latin-1"), 1000, id, body)).encode()
    path.write_bytes(b"\n".join((signature, kind, body)))
    return path


def statuses(store):
    with store.reading() as connection:
        return [run.status for run in runs.page(connection, Wanted(limit=1000)).rows]


def test_an_event_is_taken_in_however_old_it_is_and_its_file_removed(store, spool):
    leave(spool)
    assert take_in(store, str(spool), KEY).taken == 1
    assert statuses(store) == ["FAILED"]
    assert list(spool.iterdir()) == []


def test_the_same_event_counts_once(store, spool):
    leave(spool)
    take_in(store, str(spool), KEY)
    leave(spool)
    assert take_in(store, str(spool), KEY).taken == 0
    assert list(spool.iterdir()) == []


def test_thousands_are_taken_in(store, spool):
    for number in range(1200):
        leave(spool, b"job_id=%d&event=end&exit_code=0" % (number + 1), id=f"event-{number:04}")
    assert take_in(store, str(spool), KEY).taken == 1200


@pytest.mark.parametrize(
    "how",
    [
        {"key": b"x" * 32},
        {"body": b"job_id=-1&event=end"},
        {"body": b""},
        {"kind": b"slrum"},
        {"kind": b"\xff"},
    ],
)
def test_what_is_not_genuine_or_makes_no_sense_is_put_aside(store, spool, how):
    path = leave(spool, **how)
    outcome = take_in(store, str(spool), KEY)
    assert (outcome.taken, outcome.bad) == (0, (str(path),))
    assert [each.name for each in spool.iterdir()] == [f"{path.name}.bad"]
    assert take_in(store, str(spool), KEY).bad == ()


def test_an_event_that_was_made_one_of_another_scheduler_is_put_aside(store, spool):
    path = leave(spool)
    path.write_bytes(path.read_bytes().replace(b"\nslurm\n", b"\npbs\n"))
    assert take_in(store, str(spool), KEY).bad == (str(path),)
    assert statuses(store) == []


def test_what_is_no_file_is_put_aside_and_never_waited_for(store, spool):
    os.mkfifo(spool / "pipe.event")
    os.symlink(leave(spool.parent), spool / "link.event")
    (spool / "folder.event").mkdir()
    (spool / "empty.event").write_bytes(b"")
    (spool / "large.event").write_bytes(b"x" * (1 << 20))
    assert len(take_in(store, str(spool), KEY).bad) == 5
    assert statuses(store) == []


def test_what_is_still_being_written_is_left_alone(store, spool):
    (spool / ".event-0001.new").write_bytes(b"t=1")
    assert take_in(store, str(spool), KEY).bad == ()
    assert len(list(spool.iterdir())) == 1


def test_a_directory_that_is_not_there_holds_nothing(store, spool):
    assert take_in(store, str(spool / "none"), KEY).taken == 0
