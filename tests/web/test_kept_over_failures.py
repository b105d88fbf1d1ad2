"""What was acknowledged is there exactly once, whatever dies meanwhile: `hpc web`, its database."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from hpcshell.machine.paths import places
from hpcshell.track.points.reading import LIMIT, raw
from hpcshell.track.store.opening import open_store, url_of
from tests.support.postgres import Server as Postgres
from tests.support.postgres import new_server
from tests.support.runners import eventually
from tests.support.web import Server, make_token, serving

PART = 5
"""Points of a request."""
TRAINING = """
import itertools, select, sys
from hpcshell import track

with track.run("spooled", run_id=sys.argv[1], flush=60) as run:
    for step in itertools.count():
        run.log(loss=step, step=step)
        if select.select([sys.stdin], [], [], 0.001)[0]:
            break
print(step + 1)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def postgres_of_its_own(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Postgres | None]:
    """A PostgreSQL that may be stopped, on which the tracker keeps its rows; None: SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with new_server() as running:
        monkeypatch.setenv("HPC_TRACK__URL", running.database())
        yield running


class Poster(threading.Thread):
    """Logs points by requests, each with a key, and asks the same again until it is answered."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.url = url
        self.acknowledged = 0
        self.refused = 0
        self.over = threading.Event()
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=20)
        experiment = self.client.post("/experiments", json={"name": "asked"}).json()["id"]
        self.run_id = self.client.post(f"/experiments/{experiment}/runs", json={}).json()["run_id"]

    def run(self) -> None:
        while not self.over.is_set():
            if self._post(self.acknowledged):
                self.acknowledged += PART
            else:
                self.refused += 1
                self.over.wait(0.05)

    def _post(self, begin: int) -> bool:
        points = [
            {"name": "loss", "value": step, "step": step} for step in range(begin, begin + PART)
        ]
        with contextlib.suppress(httpx.HTTPError):
            answer = self.client.post(
                f"/runs/{self.run_id}/metrics", json=points, headers={"Idempotency-Key": str(begin)}
            )
            return answer.is_success
        return False


@contextlib.contextmanager
def posting(server: Server) -> Iterator[Poster]:
    poster = Poster(server.url, server.token)
    poster.start()
    try:
        yield poster
    finally:
        poster.over.set()
        poster.join()
        poster.client.close()


@contextlib.contextmanager
def training(server: Server, directory: Path, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process that logs until its standard input has an end."""
    where = {"HPC_TRACK_URL": server.url, "HPC_TRACK_TOKEN": server.token}
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, run_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | where | {"HPC_TRACK_DIR": str(directory)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def steps_of(run_id: str) -> list[int]:
    url = url_of(os.environ.get("HPC_TRACK__URL", ""), places(os.environ))
    with open_store(url) as store, store.reading() as connection:
        found = raw(connection, run_id, "loss", limit=LIMIT).points
    assert found.values.tolist() == found.steps.tolist()
    return [int(step) for step in found.steps]


def test_every_acknowledged_point_is_there_exactly_once(
    postgres_of_its_own: Postgres | None, tmp_path: Path
) -> None:
    where = places(os.environ)
    where.prepare()
    with open_store(url_of(os.environ.get("HPC_TRACK__URL", ""), where)) as store:
        token = make_token(store)
    run_id = "ab" * 16
    with contextlib.ExitStack() as held:
        first = held.enter_context(serving(token=token))
        again = ("--port", str(first.port))
        poster = held.enter_context(posting(first))
        trainer = held.enter_context(training(first, tmp_path, run_id))
        goes_on(first, poster, run_id)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        second = held.enter_context(serving(*again, token=token))
        goes_on(second, poster, run_id)
        if postgres_of_its_own is None:
            second.process.send_signal(signal.SIGKILL)
            second.process.wait()
            second = held.enter_context(serving(*again, token=token))
        else:
            refused = poster.refused
            postgres_of_its_own.stop(signal.SIGQUIT)
            eventually(lambda: poster.refused > refused)
            says_that_its_database_is_away(second)
            postgres_of_its_own.start()
        goes_on(second, poster, run_id)
        logged = int(trainer.communicate(timeout=90)[0])
        poster.over.set()
        poster.join()
        assert second.end() == 0
    assert steps_of(poster.run_id)[: poster.acknowledged] == list(range(poster.acknowledged))
    assert len(steps_of(poster.run_id)) in (poster.acknowledged, poster.acknowledged + PART)
    assert steps_of(run_id) == list(range(logged))


def says_that_its_database_is_away(server: Server) -> None:
    """Whatever is asked is told to be asked again, and the server itself lives."""
    assert server.ask("GET", "/healthz").status == 200
    with server.client() as client:
        for method, path, body in (
            ("GET", "/readyz", None),
            ("GET", "/runs", None),
            ("GET", "/api/2.0/mlflow/experiments/search", None),
            ("POST", "/experiments", {"name": "meanwhile"}),
        ):
            answer = client.request(method, path, json=body)
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) >= 1
            if "mlflow" not in path:  # whose errors have another form
                assert answer.json()["hint"]
                assert answer.json()["kind"] == "not_yet"


def goes_on(server: Server, poster: Poster, run_id: str) -> None:
    """Both have been answered some more."""
    with server.client() as client:
        count = counting(client, run_id)
        seen, told = count(), poster.acknowledged
        eventually(lambda: count() > seen and poster.acknowledged > told + 20 * PART)


def counting(client: httpx.Client, run_id: str) -> Callable[[], int]:
    def count() -> int:
        answer = client.get(f"/runs/{run_id}")
        if not answer.is_success or "loss" not in answer.json()["metrics"]:
            return 0
        return int(answer.json()["metrics"]["loss"]["count"])

    return count
