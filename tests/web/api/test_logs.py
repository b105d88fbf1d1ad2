"""What jobs have written, over REST: parts of it, its end, and as it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Hpc
from tests.support.web import Server

TEN = "".join(f"line {number}\n" for number in range(10))


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def log(hpc: Hpc) -> str:
    """The address of a log of ten lines."""
    script = f"printf '{TEN}'".replace("\n", "\\n")
    hpc("submit", "--wait", "--", "sh", "-c", script, check=True)
    return "/api/v1/jobs/1/logs/stdout"


def events_of(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Events of a stream: `kind`, `id` and `data`."""
    kind, id = "", None
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            id = int(value)
        elif name == "data":
            yield {"kind": kind, "id": id, "data": json.loads(value)}
            kind = ""


def test_a_log_is_text_that_no_browser_takes_for_a_page(api: httpx.Client, log: str) -> None:
    answer = api.get(log)
    assert answer.text == TEN
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(TEN)


@pytest.mark.parametrize(
    ("wanted", "status", "text"),
    [
        ("bytes=0-5", 206, TEN[:6]),
        ("bytes=7-", 206, TEN[7:]),
        ("bytes=-7", 206, TEN[-7:]),
        ("bytes=60-900", 206, TEN[60:]),
        ("bytes=0-1,4-5", 200, TEN),
        ("lines=1-2", 200, TEN),
    ],
)
def test_a_part_of_a_log(api: httpx.Client, log: str, wanted: str, status: int, text: str) -> None:
    answer = api.get(log, headers={"Range": wanted})
    assert (answer.status_code, answer.text) == (status, text)


def test_a_part_behind_the_end_is_told_how_long_it_is(api: httpx.Client, log: str) -> None:
    answer = api.get(log, headers={"Range": "bytes=1000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(TEN)}"


@pytest.mark.parametrize("lines", [0, 1, 3, 10, 1000])
def test_the_last_lines(api: httpx.Client, log: str, lines: int) -> None:
    kept = TEN.splitlines(keepends=True)[-lines:] if lines else []
    assert api.get(f"{log}?tail={lines}").text == "".join(kept)


def test_what_has_not_begun_has_written_nothing(api: httpx.Client, hpc: Hpc) -> None:
    hpc("submit", "--hold", "--", "true", check=True)
    answer = api.get("/api/v1/jobs/1/logs/stdout")
    assert answer.status_code == 404
    assert "follow" in answer.json()["hint"]


def test_of_an_array_an_element_is_named(api: httpx.Client, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--array", "1-2", "--", "sh", "-c", "echo $HPC_ARRAY_TASK_ID")
    assert api.get("/api/v1/jobs/1/logs/stdout").status_code == 400
    assert api.get("/api/v1/jobs/1_2/logs/stdout").status_code == 200


# -- what lies there instead -------------------------------------------------------------------


def test_a_link_that_a_job_puts_in_place_of_its_log_is_not_followed(
    api: httpx.Client, log: str, work: Path
) -> None:
    secret = work / "secret"
    secret.write_text("key")
    (work / "hpc-1.out").unlink()
    (work / "hpc-1.out").symlink_to(secret)
    answer = api.get(log)
    assert answer.status_code == 403
    assert "key" not in answer.text


def test_a_pipe_in_its_place_is_not_waited_for(api: httpx.Client, log: str, work: Path) -> None:
    (work / "hpc-1.out").unlink()
    os.mkfifo(work / "hpc-1.out")
    assert api.get(log).status_code == 403


def test_a_device_keeps_nothing(api: httpx.Client, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--output", "/dev/null", "--", "true", check=True)
    assert api.get("/api/v1/jobs/1/logs/stdout").status_code == 403


def test_a_log_that_was_deleted_is_not_there(api: httpx.Client, log: str, work: Path) -> None:
    (work / "hpc-1.out").unlink()
    assert api.get(log).status_code == 404


# -- as it is written --------------------------------------------------------------------------


def test_following_an_ended_job_tells_all_of_it_and_how_it_ended(
    api: httpx.Client, log: str
) -> None:
    answer = api.get(f"{log}/follow")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *pieces, end = events_of(iter(answer.text.splitlines()))
    assert "".join(piece["data"]["text"] for piece in pieces) == TEN
    assert pieces[-1]["id"] == len(TEN)
    assert (end["kind"], end["data"]["state"]) == ("end", "COMPLETED")


@pytest.mark.parametrize("place", [0, 1, 35, len(TEN)])
def test_following_goes_on_behind_the_last_byte_that_was_received(
    api: httpx.Client, log: str, place: int
) -> None:
    answer = api.get(f"{log}/follow", headers={"Last-Event-ID": str(place)})
    *pieces, _ = events_of(iter(answer.text.splitlines()))
    assert "".join(piece["data"]["text"] for piece in pieces) == TEN[place:]


def test_following_begins_before_the_job_and_ends_with_it(
    server: Server, hpc: Hpc, work: Path
) -> None:
    os.mkfifo(work / "go")
    hpc("submit", "--hold", "--", "sh", "-c", "echo é; cat go; echo last", check=True)
    with (
        server.client() as client,
        client.stream("GET", "/api/v1/jobs/1/logs/stdout/follow") as answer,
    ):
        told = events_of(answer.iter_lines())
        hpc("release", "1", check=True)
        first = next(told)
        assert first == {"kind": "", "id": 3, "data": {"text": "é\n"}}
        (work / "go").write_text("on\n")
        text = ""
        last: dict[str, Any] = {}
        for last in told:
            text += last["data"].get("text", "")
        assert text == "on\nlast\n"
        assert last["kind"] == "end"


def test_a_place_that_is_no_number_is_refused(api: httpx.Client, log: str) -> None:
    answer = api.get(f"{log}/follow", headers={"Last-Event-ID": "-1; drop"})
    assert answer.status_code == 400
