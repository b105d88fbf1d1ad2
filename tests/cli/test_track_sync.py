"""`hpc track sync`: what was logged without a server gets to one, each line once."""

from __future__ import annotations

import json
import os

import pytest

from hpcshell import track
from hpcshell.machine.paths import places
from hpcshell.track.joining.signing import sign, webhook_key
from tests.support.ingest_server import Answered, IngestServer


@pytest.fixture
def spool(home, tmp_path, monkeypatch):
    """A directory with two files: of a run that has ended, and of one that was killed."""
    place = tmp_path / "spool"
    monkeypatch.setenv("HPC_TRACK_DIR", str(place))
    with track.run("mnist", url="") as run:
        for step in range(10):
            run.log(loss=step, step=step)
    (ended,) = place.iterdir()
    text = ended.read_bytes()
    killed = f"{'a' * 32}-{'b' * 20}.jsonl"
    (place / killed).write_bytes(
        text[: text.rfind(b'{"k":"end"')].replace(run.run_id.encode(), b"a" * 32) + b'{"k":"m","t"'
    )
    return place


def test_files_are_sent_to_a_server_and_what_has_ended_is_removed(spool, hpc):
    with IngestServer(token="t") as server:
        done = hpc(
            "track", "sync", spool, "--url", server.url, "--token", "t", "--json", check=True
        )
        rows = {os.path.basename(row["file"])[:3]: row for row in json.loads(done.stdout)["rows"]}
        assert len(rows) == 2
        assert rows["aaa"]["state"] == "waiting", "its last line has no end"
        assert rows["aaa"]["offset"] < rows["aaa"]["size"]
        assert len(server.values("loss")) == 20
        assert [path.name[:3] for path in spool.iterdir()] == ["aaa"]
        again = hpc("track", "sync", spool, "--url", server.url, "--token", "t", check=True)
        assert "waiting" in again.stdout
        assert len(server.values("loss")) == 20


def test_a_server_that_went_away_amid_it_gets_the_rest_later(spool, hpc):
    source = f"{'a' * 32}-{'b' * 20}"
    with IngestServer() as server:
        whole = (spool / f"{source}.jsonl").read_bytes()
        server.taken[source] = whole[: whole.index(b"\n") + 1]
        server.faults = [Answered(503, {"Retry-After": "0"}), 502]
        hpc("track", "sync", spool, "--url", server.url, "--quiet", check=True)
        assert len(server.values("loss")) == 20


def test_the_url_and_the_token_may_come_from_the_environment(spool, hpc, home):
    (home / "config").mkdir()
    (home / "config" / "track.token").write_text("t\n")
    with IngestServer(token="t") as server:
        hpc("track", "sync", spool, env={"HPC_TRACK_URL": server.url}, check=True)
        assert len(server.values("loss")) == 20


def test_a_refusal_and_a_server_that_is_down_have_their_exit_codes(spool, hpc):
    with IngestServer(token="other") as server:
        done = hpc("track", "sync", spool, "--url", server.url)
        assert done.returncode == 4
        assert "401" in done.stdout
        assert len(server.requests) == 2, "one question, one file"
    done = hpc("track", "sync", spool, "--url", "http://127.0.0.1:9")
    assert done.returncode == 75
    assert "connection refused" in done.stdout
    assert len(list(spool.iterdir())) == 2


def test_a_dry_run_sends_nothing(spool, hpc):
    with IngestServer() as server:
        done = hpc("track", "sync", spool, "--url", server.url, "--dry-run", "--json", check=True)
        assert len(json.loads(done.stdout)["rows"]) == 2
        assert server.requests == []
    assert len(list(spool.iterdir())) == 2


def test_what_is_no_directory_and_what_is_no_url_is_said(spool, hpc, tmp_path):
    done = hpc("track", "sync", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "is no directory" in done.stderr
    done = hpc("track", "sync", spool, "--url", "nonsense")
    assert done.returncode == 2
    assert "hint" in done.stderr


def test_without_files_there_is_nothing_to_do(home, hpc):
    assert "no spool files" in hpc("track", "sync", check=True).stderr


def test_without_a_url_files_are_taken_into_the_store_here(spool, hpc, home):
    done = hpc("track", "sync", spool, "--json", check=True)
    rows = json.loads(done.stdout)["rows"]
    assert sorted(row["state"] for row in rows) == ["taken", "waiting"]
    assert [path.name[:3] for path in spool.iterdir()] == ["aaa"]
    hpc("track", "sync", spool, check=True)
    assert points(home, "a" * 32) == 10


def test_files_of_which_nothing_is_new_are_not_listed_again(spool, hpc, home):
    dead = spool / f"{'a' * 32}-{'b' * 20}.jsonl"
    dead.write_bytes(dead.read_bytes().rpartition(b"\n")[0] + b"\n")
    assert dead.name in hpc("track", "sync", spool, check=True).stdout
    again = hpc("track", "sync", spool, check=True)
    assert (again.stdout, again.stderr) == ("", "nothing is new in 1 spool file\n")
    (row,) = json.loads(hpc("track", "sync", spool, "--json", check=True).stdout)["rows"]
    assert (row["state"], row["new"]) == ("taken", 0)
    with IngestServer() as server:
        words = ("track", "sync", spool, "--url", server.url)
        assert dead.name in hpc(*words, check=True).stdout
        assert hpc(*words, check=True).stdout == ""


def test_events_of_epilogs_are_taken_into_the_store_here(home, hpc, tmp_path):
    body = b"job_id=12&event=end&exit_code=3&cluster=frontier"
    key = webhook_key(places({"HPCSHELL_HOME": str(home)}))
    event = tmp_path / "event-0001.event"
    event.write_bytes(
        str(sign(key, "slurm", 1000, "event-0001", body)).encode() + b"\nslurm\n" + body
    )
    assert "no spool files" in hpc("track", "sync", tmp_path, "--dry-run", check=True).stderr
    done = hpc("track", "sync", tmp_path, "--json", check=True)
    assert json.loads(done.stdout) == {"schema": 1, "rows": [], "events": 1}
    assert not event.exists()
    listed = json.loads(hpc("track", "runs", "--json", check=True).stdout)["rows"]
    assert [(run["status"], run["exit_code"]) for run in listed] == [("FAILED", 3)]


def points(home, run_id: str) -> int:
    """How many points of `loss` the store of a home has."""
    from hpcshell.track.store import runs
    from hpcshell.track.store.opening import open_store, url_of

    url = url_of("", places({"HPCSHELL_HOME": str(home)}))
    with open_store(url) as store, store.reading() as connection:
        return runs.show(connection, run_id).metrics["loss"].count
