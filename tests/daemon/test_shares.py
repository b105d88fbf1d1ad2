"""Shares of cards, said to the daemon on the bench."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock
from tests.support.refusals import refusal


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    Clock(monkeypatch)
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


def environment(bench: Bench, job: int) -> dict[str, str]:
    """Of the latest run of the job, as the runner was told to start it."""
    run, starts = bench.run_of(job), bench.runner.orders
    [env] = [one.env for one in starts if isinstance(one, wire.Start) and one.run == run]
    return env


def test_a_share_of_a_card_is_told_to_the_run_and_survives_a_crash(bench: Bench) -> None:
    shares = [50, 50, 30]
    jobs = [bench.submit("true", request={"cpus": 1, "gpu_share": share}) for share in shares]
    both = bench.submit("true", request={"cpus": 1, "gpus": 1, "gpu_share": 20})
    told = [environment(bench, job) for job in jobs]
    assert [(env["CUDA_VISIBLE_DEVICES"], env["HPC_GPU_SHARE"]) for env in told] == [
        ("0", "0.5"),
        ("0", "0.5"),
        ("1", "0.3"),
    ]
    assert [bench.show(job)["gpus"] for job in (*jobs, both)] == [0.5, 0.5, 0.3, 1.2]
    assert bench.show(both)["state"] == "PENDING"
    before = bench.ask("resources")
    assert before["used"]["gpus"] == 1.3
    assert [claim["gpu_shares"] for claim in before["claims"]] == [
        {"0": 0.5},
        {"0": 0.5},
        {"1": 0.3},
    ]
    bench.crash()
    assert bench.ask("resources")["claims"] == before["claims"]
    for job in jobs[:2]:
        bench.finish(job)
    env = environment(bench, both)
    assert (env["CUDA_VISIBLE_DEVICES"], env["HPC_GPU_SHARE"]) == ("0,1", "0.2")


def test_more_of_cards_than_there_is_is_refused_with_what_would_fit(bench: Bench) -> None:
    found = refusal(bench.submit, "true", request={"gpus": 2, "gpu_share": 1})
    assert found is not None
    assert found.message == "asks for 2.01 gpus; this machine has 2"
    assert found.hint == "the largest that would fit is 2"
    found = refusal(bench.submit, "true", request={"gpu_share": 100})
    assert found is not None
    assert "0 to 99" in str(found.hint) + found.message


def test_a_share_is_edited_as_one_number(bench: Bench) -> None:
    job = bench.submit("true", request={"gpu_share": 50}, hold=True)
    for asked, shown in (({"gpus": 1, "gpu_share": 50}, [0.5, 1.5]), ({"gpus": 2}, [1.5, 2])):
        [answer] = bench.ask("edit", ids=[job], changes=asked)["jobs"]
        assert answer["changed"] == {"gpus": shown}
