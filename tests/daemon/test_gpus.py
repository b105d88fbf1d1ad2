"""The cards in the daemon: what surveys say becomes who gets what, and is on record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hpcshell.core.errors import NotFound
from hpcshell.core.gpus import Card, Reading, Survey, Tenant
from hpcshell.core.records import Resources
from hpcshell.core.settings import Settings
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.daemon.runner import wire
from hpcshell.predict.models.measured import RECENT
from tests.support.benches import Bench, Clock
from tests.support.refusals import refusal

GIB = 1 << 30
SETTINGS = GpuSettings(provider="none", failures=2, retry_after=100.0, overuse_grace=30.0)
CARDS = tuple(
    Card(uuid=f"GPU-{name}", model="NVIDIA A100-SXM4-80GB", memory=80 * GIB) for name in "abcd"
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path, Resources(cpus=64, gpus=4), settings=Settings(gpus=SETTINGS))
    say(bench, clock)
    yield bench
    bench.close()
    assert not bench.complaints()


def say(bench: Bench, clock: Clock, **told: Reading) -> None:
    """All four cards answer; `a=Reading(...)`: one of them this."""
    readings = tuple(
        replace(told.get(card.uuid[-1], Reading(memory=0, load=0.0)), uuid=card.uuid)
        for card in CARDS
    )
    hear(bench, Survey(provider="nvml", time=clock.wall, cards=CARDS, readings=readings))


def hear(bench: Bench, said: Survey) -> None:
    """The sampler of the cards has said this."""
    bench.gpus.surveys.append(said)
    bench.gpus.due = True
    bench.tick()
    bench.settle()


def held(bench: Bench, job: int, memory: int) -> Reading:
    """A reading of a card on which a job holds so much."""
    tenant = Tenant(
        pid=9, memory=memory, user="ann", command="python", since=0.0, run=bench.run_of(job)
    )
    return Reading(memory=memory, load=0.5, tenants=(tenant,))


def environment(bench: Bench, job: int) -> dict[str, str]:
    run, starts = bench.run_of(job), bench.runner.orders
    [env] = [one.env for one in starts if isinstance(one, wire.Start) and one.run == run]
    return env


def states(bench: Bench) -> list[str]:
    return [card["state"] for card in bench.ask("gpus")["cards"]]


def causes(bench: Bench, kind: str) -> list[str]:
    return [entry.cause for entry in bench.store.events(0) if entry.kind == kind]


# ------------------------------------------------------------------------------------------ shares


def test_a_run_is_told_its_cards_by_uuid_its_share_and_the_memory_of_that(bench: Bench) -> None:
    job = bench.submit("true", request={"gpus": 1, "gpu_share": 25})
    env = environment(bench, job)
    assert env["CUDA_VISIBLE_DEVICES"] == env["NVIDIA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"
    assert (env["HPC_GPUS"], env["HPC_GPU_SHARE"]) == ("0,1", "0.25")
    assert env["HPC_GPU_MEM"] == f"{80 * GIB},{20 * GIB}"


def test_who_asks_for_no_card_sees_none_whatever_its_environment_says(bench: Bench) -> None:
    job = bench.submit("true", env={"CUDA_VISIBLE_DEVICES": "3"})
    assert environment(bench, job)["CUDA_VISIBLE_DEVICES"] == ""


def test_memory_alone_asks_for_the_part_of_a_card_that_it_is(bench: Bench) -> None:
    job = bench.submit("true", request={"gpu_mem": 10 * GIB})
    assert bench.show(job)["gpus"] == 0.13
    assert environment(bench, job)["HPC_GPU_SHARE"] == "0.13"
    found = refusal(bench.submit, "true", request={"gpu_mem": 100 * GIB})
    assert found is not None
    assert found.message == "asks for 100G of memory of one gpu; the largest has 80G"


def test_a_cuda_argument_is_rewritten_to_what_the_program_counts(bench: Bench) -> None:
    job = bench.submit("train", "--cuda", "5", "--cuda=6,7", request={"gpus": 2}, rewrite_cuda=True)
    run, orders = bench.run_of(job), bench.runner.orders
    [argv] = [one.argv for one in orders if isinstance(one, wire.Start) and one.run == run]
    assert argv == ["train", "--cuda", "0,1", "--cuda=0,1"]
    plain = bench.submit("train", "--cuda", "5", request={"gpus": 2})
    bare = bench.submit("train", "--cuda", "5", rewrite_cuda=True)
    for run in map(bench.run_of, (plain, bare)):
        [argv] = [one.argv for one in orders if isinstance(one, wire.Start) and one.run == run]
        assert argv == ["train", "--cuda", "5"]


def test_shares_are_limited_by_mps_where_its_daemon_runs(bench: Bench, clock: Clock) -> None:
    readings = tuple(Reading(uuid=card.uuid) for card in CARDS)
    mps = Survey(provider="nvml", time=clock.wall, cards=CARDS, readings=readings, mps="/run/mps")
    hear(bench, mps)
    env = environment(bench, bench.submit("true", request={"gpus": 1, "gpu_share": 25}))
    assert env["CUDA_MPS_PIPE_DIRECTORY"] == "/run/mps"
    assert env["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "25"
    assert env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == f"1={20 << 10}M"
    assert bench.ask("gpus")["enforced_by"] == "mps"


# --------------------------------------------------------------------------------- pause and resume


def test_a_paused_card_gets_no_work_and_stays_so_through_a_crash(
    bench: Bench, clock: Clock
) -> None:
    bench.ask("set_gpus", cards=[0, 1, 2], state="paused", reason="new fans")
    jobs = [bench.submit("true", request={"gpus": 1}) for _ in range(2)]
    assert [bench.state(job) for job in jobs] == ["RUNNING", "PENDING"]
    assert "gpu 0 (paused by" in bench.show(jobs[1])["reason"]
    bench.crash()
    say(bench, clock)
    assert states(bench) == ["paused", "paused", "paused", "up"]
    assert bench.state(jobs[1]) == "PENDING"
    bench.ask("set_gpus", cards=[1], state="up")
    assert bench.state(jobs[1]) == "RUNNING"
    assert environment(bench, jobs[1])["HPC_GPUS"] == "1"


def test_what_runs_on_a_paused_card_runs_on_and_on_a_drained_one_starts_elsewhere(
    bench: Bench,
) -> None:
    job = bench.submit("true", request={"gpus": 1})
    bench.ask("set_gpus", cards=[0], state="paused")
    assert bench.state(job) == "RUNNING"
    answer = bench.ask("set_gpus", cards=[0], state="draining", dry_run=True)
    assert answer["put_back"] == [job]
    run = bench.run_of(job)
    bench.ask("set_gpus", cards=[0], state="draining")
    bench.runner.end(run, signal=15)
    bench.settle()
    assert bench.show(job)["attempt"] == 2
    assert environment(bench, job)["HPC_GPUS"] == "1"


def test_what_may_not_go_back_is_named_before_it_is_ended(bench: Bench) -> None:
    jobs = [
        bench.submit("true", request={"gpu_share": 50}, requeue=again) for again in (True, False)
    ]
    answer = bench.ask("set_gpus", cards=[0], state="draining", dry_run=True)
    assert (answer["put_back"], answer["ended"]) == (jobs[:1], jobs[1:])
    assert bench.ask("set_gpus", cards=[0], state="paused")["put_back"] == []


def test_what_never_started_says_nothing_of_a_card(bench: Bench) -> None:
    for name in ("one", "other", "third"):
        job = bench.submit("true", name=name, request={"gpus": 1})
        run = bench.run_of(job)
        bench.runner.fail(run)
        bench.settle()
        assert bench.state(job) == "FAILED"
    assert states(bench)[0] == "up"


def test_a_card_that_there_is_not_cannot_be_paused(bench: Bench) -> None:
    with pytest.raises(NotFound, match="there is no gpu 4"):
        bench.ask("set_gpus", cards=[4], state="paused")
    assert states(bench) == ["up"] * 4


# ------------------------------------------------------------------------------- strangers and loss


def test_cards_that_strangers_fill_and_cards_that_are_lost_are_left_out(
    bench: Bench, clock: Clock
) -> None:
    bob = Tenant(pid=12, memory=70 * GIB, user="bob", command="python x.py", since=clock.wall - 60)
    full, lost = Reading(memory=70 * GIB, tenants=(bob,)), Reading(trouble="lost: off the bus")
    say(bench, clock, a=full, b=lost, c=full)
    assert states(bench) == ["avoided", "lost", "avoided", "up"]
    first, second = (bench.submit("true", request={"gpus": 1}) for _ in range(2))
    assert environment(bench, first)["HPC_GPUS"] == "3"
    why = bench.show(second)["reason"]
    assert "gpu 0 (70G of its 80G is held by bob's python (pid 12, for 1m))" in why
    say(bench, clock, a=full, b=lost)
    assert environment(bench, second)["HPC_GPUS"] == "2"
    assert causes(bench, "gpu")[-1] == "gpu 2: up"


def test_a_card_that_is_lost_under_a_job_leaves_the_job_alone(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", request={"gpus": 1})
    say(bench, clock, a=Reading(trouble="lost: off the bus"))
    assert bench.state(job) == "RUNNING"
    bench.finish(job)
    assert bench.state(job) == "COMPLETED"
    assert states(bench)[0] == "lost"


# ------------------------------------------------------------------------------------------ overuse


def test_what_holds_more_than_its_share_is_told_then_ended_and_nobody_else_is(
    bench: Bench, clock: Clock
) -> None:
    greedy, modest = (bench.submit("true", request={"gpu_share": 25}) for _ in range(2))
    too_much = held(bench, greedy, 30 * GIB)
    mine = held(bench, modest, 20 * GIB).tenants
    reading = replace(too_much, memory=50 * GIB, tenants=(*too_much.tenants, *mine))
    say(bench, clock, a=reading)
    assert [bench.state(job) for job in (greedy, modest)] == ["RUNNING", "RUNNING"]
    [told] = causes(bench, "gpu_overuse")
    assert told == (
        "it holds 30G of the memory of gpu 0, and 20G of that is its own; it is ended in 30s"
        " unless it gives that back"
    )
    clock.pass_time(31)
    say(bench, clock, a=reading)
    bench.runner.end(bench.run_of(greedy), signal=15)
    bench.settle()
    shown = bench.show(greedy)
    assert shown["state"] == "OUT_OF_MEMORY"
    assert shown["reason"] == "it holds 30G of the memory of gpu 0, and 20G of that is its own"
    assert shown["usage"]["gpu_memory"] == 30 * GIB
    assert bench.state(modest) == "RUNNING"
    assert len(causes(bench, "gpu_overuse")) == 1


def test_what_gives_it_back_in_time_goes_on(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", request={"gpu_share": 25})
    for memory, wait in ((30, 20), (10, 20), (30, 20)):
        say(bench, clock, a=held(bench, job, memory * GIB))
        clock.pass_time(wait)
    assert bench.state(job) == "RUNNING"
    assert len(causes(bench, "gpu_overuse")) == 2
    assert bench.show(job)["gpu_cards"][0]["memory_used"] == 30 * GIB


# ----------------------------------------------------------------------------------------- failures


def test_a_card_on_which_jobs_fail_is_left_alone_then_tried_with_one(
    bench: Bench, clock: Clock
) -> None:
    bench.ask("set_gpus", cards=[1, 2, 3], state="paused")
    for name in ("one", "other"):
        job = bench.submit("true", name=name, request={"gpus": 1})
        bench.finish(job, code=1)
    assert states(bench)[0] == "failing"
    jobs = [bench.submit("true", request={"gpu_share": 10}) for _ in range(2)]
    assert [bench.state(job) for job in jobs] == ["PENDING", "PENDING"]
    assert "failed on it right after the start" in bench.show(jobs[0])["reason"]
    bench.crash()
    say(bench, clock)
    assert bench.state(jobs[0]) == "PENDING"
    clock.pass_time(101)
    bench.settle()
    assert [bench.state(job) for job in jobs] == ["RUNNING", "PENDING"]
    bench.finish(jobs[0])
    assert bench.state(jobs[1]) == "RUNNING"
    assert states(bench)[0] == "up"


# -------------------------------------------------------------------------------------------- order


def test_cards_in_another_order_are_the_same_cards(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", request={"gpus": 1})
    bench.ask("set_gpus", cards=[2], state="paused")
    turned = CARDS[::-1]
    readings = tuple(Reading(uuid=card.uuid, memory=0) for card in turned)
    hear(bench, Survey(provider="nvml", time=clock.wall, cards=turned, readings=readings))
    shown = bench.ask("gpus")["cards"]
    assert [card["uuid"] for card in shown] == [card.uuid for card in CARDS]
    assert [card["state"] for card in shown] == ["up", "up", "paused", "up"]
    assert [tenant["job"] for tenant in shown[0]["jobs"]] == [job]


# ------------------------------------------------------------------------------------------- models


def test_what_a_run_of_a_model_really_used_is_kept_for_those_that_come(
    bench: Bench, clock: Clock
) -> None:
    model = {
        "name": "qwen2.5-7b",
        "family": "qwen2.5",
        "mode": "infer",
        "dtype": "bf16",
        "ctx": 4096,
        "batch": 1,
        "predicted": 16 * GIB,
        "cards": 1,
    }
    for peak in range(1, 25):
        job = bench.submit("true", request={"gpu_mem": 20 * GIB}, model=model)
        say(bench, clock, a=held(bench, job, peak * GIB // 2))
        bench.finish(job)
    plain = bench.submit("true", request={"gpu_mem": 20 * GIB})
    say(bench, clock, a=held(bench, plain, GIB))
    bench.finish(plain)
    before = bench.ask("measured")["runs"]
    assert [run["peak"] for run in before] == [peak * GIB // 2 for peak in range(25 - RECENT, 25)]
    bench.crash()
    assert bench.ask("measured")["runs"] == before
