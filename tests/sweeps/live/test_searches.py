"""Searches on this machine's scheduler: they go on where they were, and converge."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hpcshell.sweeps import Sweep
from hpcshell.sweeps.searching import trials
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, Study, with_states

TRIALS = 16
AT_ONCE = 5.0
"""Seconds, on a machine that is busy with other tests."""
SPACE = {"x": {"uniform": [-4.0, 4.0]}, "y": {"uniform": [-4.0, 4.0]}}
BOWL = """awk -v x="$X" -v y="$Y" 'BEGIN {print "loss=" (x - 1) ^ 2 + (y + 2) ^ 2}'"""


@pytest.fixture(autouse=True)
def wide(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "4")


def searching(made: Made, body: str, **search: Any) -> Study:
    """A study whose points follow from one another."""
    study = made(1, body, name="study")
    asked: Mapping[str, Any] = {
        "method": "tpe",
        "metric": "loss",
        "trials": TRIALS,
        "parallel": 4,
        "seed": 1,
        "parameters": SPACE,
        **search,
    }
    del study.spec["sweep"]
    study.spec["search"] = asked
    return study


def logged(sweep: Sweep) -> list[dict[str, Any]]:
    """All that was ever written down of trials."""
    text = Path(sweep.folder.file("trials.jsonl")).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_keeper_that_is_killed_in_the_middle_asks_no_trial_twice(made: Made) -> None:
    study = searching(made, BOWL)
    sweep = study.create()
    sweep.run(on="local")
    for count in (4, 8, 12):
        study.until_ended(count)
        os.kill(study.keeper(), signal.SIGKILL)
        sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1
    told = trials(sweep.folder)
    assert len(told) == len(sweep.folder.rows()) == TRIALS
    assert len({json.dumps(one.params) for one in told.values()}) == TRIALS
    assert {one.state for one in told.values()} == {"complete"}


def test_a_search_comes_near_the_lowest_point_of_a_bowl(made: Made) -> None:
    study = searching(made, BOWL, trials=40)
    sweep = study.create()
    sweep.run(on="local")
    sweep.wait(PATIENCE)
    best = min(one.values[0] for one in trials(sweep.folder).values())
    assert best < 0.5, "chance alone would be there once in 40 draws in 100"


def test_a_trial_that_is_given_up_ends_at_once_and_another_begins(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two run at once. The first to begin does well and ends; who does worse than it is stopped."""
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "2")
    body = """\
mkdir first 2>/dev/null && loss=0 || loss=9
for step in 1 3 9; do echo "step=$step loss=$loss"; done
[ $loss = 0 ] || while :; do sleep 0.05; done
"""
    stop = {"method": "asha", "resource": "step", "min": 1, "max": 9, "reduction": 3}
    study = searching(made, body, trials=6, parallel=2, method="random", early_stop=stop)
    sweep = study.create()
    sweep.run(on="local")
    counts = sweep.wait(PATIENCE)
    assert counts == {"COMPLETED": 1, "PRUNED": 5}
    assert len(study.began) == 6
    assert max(study.began.values()) == 1
    for one in with_states(sweep, "PRUNED"):
        decided = Path(one.directory, "outcome").stat().st_mtime
        assert Path(one.directory, "run").stat().st_mtime - decided < AT_ONCE
    sweep.resume()
    assert sweep.wait(PATIENCE) == counts
    assert len(study.began) == 6
