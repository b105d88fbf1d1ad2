"""Where the server is, and what it knows us by."""

from __future__ import annotations

import base64

import pytest

from hpcshell import track
from hpcshell.core.errors import Wrong
from hpcshell.machine.paths import places
from hpcshell.track.client.addresses import find_token, find_url, parse
from tests.support.ingest_server import IngestServer


def test_urls_of_all_kinds():
    plain = parse("http://127.0.0.1:8470/", "tok")
    assert (plain.host, plain.port, plain.path) == ("127.0.0.1", 8470, "")
    assert plain.authorization == "Bearer tok"
    far = parse("https://tracker.example.org/hpc/api/v1/")
    assert (far.scheme, far.port, far.path) == ("https", 443, "/hpc")
    unix = parse("http+unix://%2Frun%2Fhpc%2Fweb.sock/base")
    assert (unix.host, unix.path) == ("/run/hpc/web.sock", "/base")
    six = parse("http://[::1]:80")
    assert six.shown == "http://[::1]:80"


def test_a_password_in_a_url_is_sent_and_not_shown():
    target = parse("https://ann:s3c%2Fret@tracker.example.org")
    sent = target.authorization.removeprefix("Basic ")
    assert base64.b64decode(sent) == b"ann:s3c/ret"
    assert "s3c" not in target.shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://a/?token=1",
        "file:///x",
    ],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(Wrong) as caught:
        parse(url)
    assert caught.value.hint


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres", "sqlite"])
def test_a_database_is_no_server_and_that_is_said(scheme, monkeypatch, caplog):
    monkeypatch.setenv("HPC_TRACK_URL", f"{scheme}://ann:secret@localhost/tracker")
    with track.run("x"):
        pass
    (said,) = caplog.records
    assert "is the URL of a database" in said.message
    assert "HPC_TRACK__URL (two underscores)" in said.message
    assert "secret" not in said.message


def test_the_strongest_word_counts(tmp_path):
    here = places({"HPCSHELL_HOME": str(tmp_path)})
    env = {"TRACKER_API": "http://seed"}
    assert find_url(None, {}, here) == ""
    (tmp_path / "run").mkdir()
    (tmp_path / "config").mkdir()
    (tmp_path / "run" / "web.url").write_text("http://found\n")
    (tmp_path / "config" / "track.token").write_text("kept\n")
    assert find_url(None, {}, here) == "http://found"
    assert find_url(None, env, here) == "http://seed"
    assert find_url(None, env | {"HPC_TRACK_URL": "http://named"}, here) == "http://named"
    assert find_url("http://said", env, here) == "http://said"
    assert find_url("", env, here) == ""
    assert find_token(None, {}, here) == "kept"
    assert find_token(None, {"HPC_TRACK_TOKEN": " t "}, here) == "t"
    assert find_token("said", {"HPC_TRACK_TOKEN": "t"}, here) == "said"


def test_the_server_that_runs_here_is_sent_to_where_we_have_a_token(tmp_path):
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "config").mkdir()
    with IngestServer(token="t") as server:
        (home / "run" / "web.url").write_text(server.url)
        with track.run("x") as run:
            run.log(loss=1)
        assert server.requests == [], "it takes the files in by itself"
        (home / "config" / "track.token").write_text("t")
        with track.run("x") as run:
            run.log(loss=1)
        assert server.values("loss") == [1.0]
