"""Whoever takes in a spool file may be killed at any time: nothing is lost, nothing comes twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, select

from hpcshell.track.points.reading import raw
from hpcshell.track.points.spools import Sweep, sweep_spools
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.tables import sources
from tests.track.points.spooled import RUN, SOURCE, first, metric

STEPS = 3000
TAKER = """
import sys
from functools import partial
from hpcshell.track.points.ingest import take_in
from hpcshell.track.store.opening import open_store
from sqlalchemy import URL

path, file, source = sys.argv[1:]
lines = open(file, "rb").read().splitlines(keepends=True)
offset = 0
with open_store(URL.create("sqlite", database=path)) as store:
    for at in range(0, len(lines), 7):
        part = b"".join(lines[at : at + 7])
        work = partial(take_in, source=source, offset=offset, lines=part, now=1.0)
        offset = store.change(work).offset
        print(offset, flush=True)
"""


@pytest.mark.parametrize("answers", [1, 20, 100])
def test_what_was_answered_is_there_and_the_rest_is_taken_in_once(
    tmp_path: Path, answers: int
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    file = spool / f"{SOURCE}.jsonl"
    file.write_bytes(first() + b"".join(metric(step, loss=0.5) for step in range(STEPS)))
    path = str(tmp_path / "track.db")
    with subprocess.Popen(
        [sys.executable, "-c", TAKER, path, str(file), SOURCE], stdout=subprocess.PIPE
    ) as taker:
        assert taker.stdout is not None
        answered = [int(taker.stdout.readline()) for _ in range(answers)][-1]
        taker.send_signal(signal.SIGKILL)
    with open_store(URL.create("sqlite", database=path)) as store:
        with store.reading() as connection:
            known = connection.scalar(select(sources.c.offset))
            assert known is not None
            assert known >= answered
        sweep_spools(store, [str(spool)], Sweep(clock=lambda: 2.0))
        with store.reading() as connection:
            steps = raw(connection, RUN, "loss", limit=10_000).points.steps.tolist()
    assert steps == list(range(STEPS))
