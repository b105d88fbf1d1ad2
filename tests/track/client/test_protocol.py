"""What the client writes, the store reads: every line of it, as it was meant."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcshell import track
from hpcshell.track.points.spools import Sweep, Swept, sweep_spools
from hpcshell.track.records import Run
from hpcshell.track.store import files, runs
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.store import Store
from tests.support.stores import new_database


@pytest.fixture
def store(tmp_path: Path):
    with open_store(new_database(tmp_path / "store" / "track.db")) as opened:
        yield opened


def taken(store: Store, directory: Path) -> Swept:
    return sweep_spools(store, [str(directory)], Sweep(clock=time.time))


def shown(store: Store, run_id: str) -> Run:
    with store.reading() as connection:
        return runs.show(connection, run_id)


def train(run: track.ActiveRun) -> None:
    """Of everything that can be recorded some, and then the end of it."""
    for value in (0.5, math.nan, math.inf, 0.25):
        run.log(loss=value)
    run.params(layers=3)
    run.tag(stage="late")
    run.note("odd <b>\x00</b>")
    run.artifact(__file__, name="code/test.py")
    run.checkpoint("/shared/best.pt", step=3)
    raise ValueError("diverged")


def test_a_whole_run_is_read_as_it_was_written(store, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "demo")
    config = {"lr": 0.1, "opt": {"name": "adam"}}
    run = track.run("mnist", name="first", config=config, tags={"a": 1}, seed=7)
    with pytest.raises(ValueError, match="diverged"), run:
        train(run)
    swept = taken(store, tmp_path / "spool")
    assert (swept.passed, swept.troubles) == (0, [])
    found = shown(store, run.run_id)
    assert (found.experiment, found.name, found.seed, found.source) == (
        "mnist",
        "first",
        7,
        "client",
    )
    assert (found.status, found.reason) == ("FAILED", "ValueError: diverged")
    assert found.config == config
    assert found.params == {"lr": "0.1", "opt.name": "adam", "layers": "3"}
    assert found.tags == {"a": "1", "stage": "late"}
    assert found.note == "odd <b>\\x00</b>"
    loss = found.metrics["loss"]
    assert (loss.count, loss.last, loss.min, loss.max) == (4, 0.25, 0.25, "Infinity")
    assert found.job is not None
    assert (found.job.kind, found.job.cluster, found.job.id) == ("slurm", "demo", "41")
    with store.reading() as connection:
        assert files.show(connection, run.run_id, "best.pt").step == 3
        assert files.show(connection, run.run_id, "code/test.py").uri == __file__


def test_ranks_that_fork_are_one_run_with_all_their_points(store, script, tmp_path):
    text = """
        import os
        from hpcshell import track
        with track.run("x") as run:
            rank = int(os.environ["RANK"])
            for step in range(50):
                run.log_many({f"loss/{rank}": step}, step=step)
            if os.fork() == 0:
                run.log_many({f"child/{rank}": 1}, step=0)
                os._exit(0)
            os.wait()
        """
    for rank in range(3):
        assert script(text, RANK=str(rank), HPC_TRACK_RUN_ID="job 7").returncode == 0
    assert taken(store, tmp_path / "spool").passed == 0
    assert taken(store, tmp_path / "spool").lines == 0
    with store.reading() as connection:
        (source,) = {path.name[:32] for path in (tmp_path / "spool").iterdir()}
        found = runs.show(connection, source)
    counts = {key: summary.count for key, summary in found.metrics.items()}
    assert counts == {f"loss/{rank}": 50 for rank in range(3)} | {
        f"child/{rank}": 1 for rank in range(3)
    }
    assert found.status == "COMPLETED"


texts = st.text() | st.characters(codec=None)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)


@settings(max_examples=30)
@given(
    config=values,
    tags=st.dictionaries(texts, values, max_size=3),
    name=texts,
    metrics=st.dictionaries(texts, values, max_size=4),
    step=values,
    seed=values,
    path=texts,
)
def test_whatever_a_script_records_no_line_of_it_is_passed_over(
    tmp_path_factory, config, tags, name, metrics, step, seed, path
):
    where = tmp_path_factory.mktemp("any")
    with track.run(
        "x", config=config, tags=tags, name=name, seed=seed, dir=where, parent=name, url=""
    ) as run:
        run.log_many(metrics, step=step)
        run.params(config)
        run.tag(tags)
        run.note(name)
        run.artifact(path, name=name)
        run.end("FAILED", reason=name)
    with open_store(new_database(where / "store" / "track.db")) as opened:
        swept = taken(opened, where)
        assert (swept.passed, swept.troubles) == (0, [])
        assert shown(opened, run.run_id).status == "FAILED"
