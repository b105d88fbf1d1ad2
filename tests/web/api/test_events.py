"""The stream of what happens: nothing is left out and nothing is told twice."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Hpc
from tests.support.web import Server

EVENTS = "/api/v1/events"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextlib.contextmanager
def listening(
    server: Server, query: str = "", last: int | None = None
) -> Iterator[Iterator[dict[str, Any]]]:
    """Events as they come, each with the id that the stream gives it."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with (
        server.client() as client,
        client.stream("GET", EVENTS + query, headers=headers) as answer,
    ):
        assert answer.status_code == 200

        def told() -> Iterator[dict[str, Any]]:
            id = 0
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    id = int(value)
                elif name == "data":
                    event = json.loads(value)
                    assert event["seq"] == id
                    yield event

        yield told()


def until_end_of(told: Iterator[dict[str, Any]], job: int) -> list[dict[str, Any]]:
    found = []
    for event in told:
        found.append(event)
        if event["job"] == job and event["kind"] == "end":
            return found
    raise AssertionError("the stream ended")


def recorded(hpc: Hpc) -> list[dict[str, Any]]:
    """All events by the command's word."""
    return [json.loads(line) for line in hpc("events", "--json", check=True).stdout.splitlines()]


def test_a_stream_begins_with_what_happens_next(server: Server, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--", "true", check=True)
    with listening(server) as told:
        hpc("submit", "--", "true", check=True)
        assert {event["job"] for event in until_end_of(told, 2)} == {2}


def test_from_the_first_it_tells_what_the_command_tells(server: Server, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--", "true", check=True)
    with listening(server, "?since=0") as told:
        hpc("submit", "--", "true", check=True)
        found = until_end_of(told, 2)
    assert found == recorded(hpc)[: len(found)]


def test_whoever_comes_back_hears_what_they_missed(server: Server, hpc: Hpc) -> None:
    with listening(server) as told:
        hpc("submit", "--", "true", check=True)
        heard = list(itertools.islice(told, 2))
    hpc("submit", "--wait", "--", "true", check=True)
    with listening(server, last=heard[-1]["seq"]) as told:
        hpc("submit", "--", "true", check=True)
        heard += until_end_of(told, 3)
    assert [event["seq"] for event in heard] == list(range(heard[0]["seq"], heard[-1]["seq"] + 1))


def test_the_daemon_is_restarted_and_nothing_is_missing(server: Server, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--", "true", check=True)
    with listening(server, "?since=0") as told:
        first = next(told)
        hpc("daemon", "restart", check=True)
        hpc("submit", "--", "true", check=True)
        found = [first, *until_end_of(told, 2)]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))


def test_only_what_happens_to_some_jobs(server: Server, hpc: Hpc) -> None:
    with listening(server, "?job=2&job=9") as told:
        hpc("submit", "--wait", "--", "true", check=True)
        hpc("submit", "--wait", "--", "true", check=True)
        assert {event["job"] for event in until_end_of(told, 2)} == {2}


@pytest.mark.parametrize("place", ["x", "-1", "1.5", "9" * 30, "１"])
def test_a_place_that_is_none_is_refused(api: httpx.Client, place: str) -> None:
    answer = api.get(EVENTS, headers={b"Last-Event-ID": place.encode()})
    assert answer.status_code == 400
    assert api.get(f"{EVENTS}?since=-1").status_code == 400
