"""Sweeps on this machine's scheduler: whoever is killed, no point runs again once it has ended."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

import hpcshell
from hpcshell.sweeps.batches import Batch, lay_out
from hpcshell.sweeps.disk import Unwritable
from hpcshell.sweeps.ledger import Intent, Target, Wanted
from tests.conftest import Hpc
from tests.support.daemons import Daemon
from tests.support.disks import fill, small_disk
from tests.support.runners import eventually
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, Study, cut_ledger, let_go, until, with_states

MANY = 40
FOREVER = "while :; do sleep 0.05; done"


@pytest.fixture(autouse=True)
def wide(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points wait more than they work: more of them at once than there are CPUs."""
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "8")


@pytest.fixture
def study(made: Made) -> Study:
    return made(MANY)


def test_each_point_runs_once_however_often_it_is_run_and_resumed(study: Study) -> None:
    sweep = study.create()
    sweep.run(on="local")
    for _ in range(3):
        sweep.run(on="local")
        sweep.resume()
    sweep.wait(PATIENCE)
    sweep.resume()
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_a_client_that_is_killed_at_any_moment_loses_and_repeats_nothing(
    study: Study, seed: int
) -> None:
    chance = random.Random(seed)
    sweep = study.create()
    for _ in range(4):
        client = study.client("sweep.resume(on='local', mode='array')")
        let_go(client)
        try:
            client.wait(chance.uniform(0.0, 0.3))
        except subprocess.TimeoutExpired:
            client.kill()
        client.wait()
    sweep.resume(on="local")
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


@pytest.mark.parametrize("mode", ["array", "individual"])
def test_what_was_taken_when_the_client_died_is_found_again(study: Study, mode: str) -> None:
    study.close()
    sweep = study.create()
    sweep.run(on="local", mode=mode)
    cut_ledger(sweep, {"taken"})
    assert set(sweep.counts()) <= {"UNKNOWN", "RUNNING"}
    sweep.resume()
    assert len(sweep.folder.ledger().intents) == 1
    study.open()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


@pytest.mark.parametrize("far", ["wanted", "laid out", "written down"])
def test_what_was_about_to_be_submitted_when_the_client_died_is_submitted(
    study: Study, far: str
) -> None:
    sweep = study.create()
    rows, ledger = sweep.folder.rows(), sweep.folder.ledger()
    points = tuple(row.id for row in rows)
    ledger.add(Wanted(points=points, targets=(Target(on="local"),), time=0.0))
    if far != "wanted":
        lay_out(sweep.folder, sweep.manifest, Batch(key="b", rows=tuple(rows)))
    if far == "written down":
        ledger.add(Intent(key="b", on="local", points=points, time=0.0))
    sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


def test_a_daemon_that_is_killed_comes_back_and_no_point_is_repeated(
    study: Study, home: Path
) -> None:
    study.close()
    daemon = Daemon(home)
    daemon.start()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun()
    daemon.kill()
    study.open()
    daemon.start()
    sweep.resume()
    daemon.kill()
    daemon.start()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1
    daemon.kill()


def test_two_who_resume_at_once_submit_each_point_once(study: Study) -> None:
    sweep = study.create()
    clients = [study.client("sweep.resume(on='local')") for _ in range(3)]
    threads = [threading.Thread(target=sweep.resume, kwargs={"on": "local"}) for _ in range(4)]
    for client in clients:
        let_go(client)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        assert client.communicate(timeout=PATIENCE)[0] == "done\n"
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert sum(len(one.points) for one in sweep.folder.ledger().intents.values()) == MANY


def test_a_point_whose_folder_was_deleted_runs_again_and_no_other(study: Study) -> None:
    sweep = study.create()
    sweep.run(on="local")
    sweep.wait(PATIENCE)
    lost = sweep.standings()[7]
    shutil.rmtree(lost.directory)
    assert sweep.counts() == {"COMPLETED": MANY - 1, "MISSING": 1}
    sweep.resume()
    sweep.wait(PATIENCE)
    assert sweep.counts() == {"COMPLETED": MANY}
    assert study.ended == {row.id: 1 + (row.id == lost.id) for row in sweep.folder.rows()}


def test_failed_points_run_again_and_finished_ones_do_not(study: Study) -> None:
    study.write("[ $((N % 4)) != 0 ] || [ -e mended ] || exit 3")
    sweep = study.create()
    sweep.run(on="local")
    sweep.wait(PATIENCE)
    assert sweep.counts() == {"COMPLETED": MANY * 3 // 4, "FAILED": MANY // 4}
    assert {one.exit_code for one in with_states(sweep, "FAILED")} == {3}
    (study.project / "mended").touch()
    sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    again = {row.id for row in sweep.folder.rows() if row.params["n"] % 4 == 0}
    assert study.began == {row.id: 1 + (row.id in again) for row in sweep.folder.rows()}


# ------------------------------------------------------------------------------------------- care


def test_after_so_many_failures_nothing_new_is_started(made: Made) -> None:
    study = made(MANY, "exit 3", max_failures=3)
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun(8)
    running = with_states(sweep, "RUNNING")
    for one in running[:3]:
        study.let_end(one)
    until(
        sweep,
        lambda counts: counts["FAILED"] >= 3 and counts["CANCELLED"] and not counts["PENDING"],
    )
    assert "max_failures: 3" in sweep.status()["stopped"]
    study.open()
    sweep.wait(PATIENCE)
    assert len(study.began) < MANY
    study.write("")
    sweep.resume()
    sweep.wait(PATIENCE)
    assert sweep.counts() == {"COMPLETED": MANY}
    assert set(study.ended.values()) == {1}


def test_points_that_fail_alike_stop_the_rest(made: Made) -> None:
    body = 'echo "ValueError: no such file" >&2; exit 1'
    study = made(MANY, body, same_error=2)
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun(8)
    for one in with_states(sweep, "RUNNING")[:2]:
        study.let_end(one)
    until(sweep, lambda counts: counts["CANCELLED"])
    assert "ValueError" in sweep.status()["stopped"]
    study.open()
    sweep.wait(PATIENCE)


def test_a_time_limit_is_told_and_resume_runs_the_point_again(made: Made) -> None:
    body = '[ "$N" != 1 ] || [ -e mended ] || ' + FOREVER
    study = made(3, body, resources={"time_limit": "1s"})
    sweep = study.create()
    sweep.run(on="local")
    sweep.wait(PATIENCE)
    assert sweep.counts() == {"COMPLETED": 2, "TIMEOUT": 1}
    (study.project / "mended").touch()
    sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)


@pytest.mark.parametrize("end", ["TIMEOUT", "timeout"])
def test_a_point_that_took_too_long_is_tried_again_with_more_time(made: Made, end: str) -> None:
    body = f'[ "$N" != 1 ] || ! mkdir "$HPC_SWEEP_DIR/once" 2>/dev/null || {FOREVER}'
    grow = {"retries": 1, "retry_on": [end], "retry_grow": {"time_limit": 60}}
    study = made(3, body, resources={"time_limit": "1s"}, **grow)
    sweep = study.create()
    sweep.run(on="local")
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    late = sweep.standings()[1]
    assert study.began[late.id] == 2
    assert hpcshell.job(late.job).show()["time_limit"] == 60


def test_what_was_cancelled_runs_when_it_is_resumed(study: Study) -> None:
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun()
    first = with_states(sweep, "RUNNING")[0]
    study.let_end(first)
    study.until_ended(1)
    assert sweep.cancel() == []
    counts = until(sweep, lambda counts: not counts["RUNNING"] and not counts["PENDING"])
    assert counts == {"COMPLETED": 1, "CANCELLED": MANY - 1}
    study.open()
    sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)


@pytest.mark.parametrize("verb", ["requeue", "preempt"])
def test_a_point_that_made_room_for_others_goes_back_and_counts_once(
    study: Study, hpc: Hpc, verb: str
) -> None:
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun()
    first = next(one for one in sweep.standings() if study.began[one.id])
    hpc(verb, first.job, check=True)
    job = hpcshell.job(first.job)
    eventually(lambda: job.state == "PENDING" or study.began[first.id] == 2, PATIENCE)
    study.open()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert study.began[first.id] == 2


def test_edits_do_not_reach_what_waits_in_a_snapshot(made: Made) -> None:
    study = made(MANY, "echo first >$HPC_SWEEP_DIR/out", snapshot=True)
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.write("echo second >$HPC_SWEEP_DIR/out")
    study.open()
    sweep.wait(PATIENCE)
    said = {Path(one.directory, "out").read_text() for one in sweep.standings()}
    assert said == {"first\n"}


# ------------------------------------------------------------------------------------ whoever dies


def test_a_keeper_that_is_killed_is_replaced_by_whoever_looks_after_it_next(
    made: Made,
) -> None:
    study = made(MANY, "exit 3", max_failures=2)
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun(8)
    for _ in range(2):
        os.kill(study.keeper(), signal.SIGKILL)
        sweep.resume()
    for one in with_states(sweep, "RUNNING")[:2]:
        study.let_end(one)
    until(sweep, lambda counts: counts["CANCELLED"])
    assert "max_failures" in sweep.status()["stopped"]


def test_on_a_full_disk_nothing_is_lost_and_it_goes_on_when_there_is_room(
    tmp_path: Path, home: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "x").mkdir()
        study = Study(
            disk / "x" / "project", 12, f"[ $N != 0 ] || [ -e {tmp_path}/mended ] || exit 3"
        )
        sweep = study.create()
        sweep.run(on="local")
        sweep.wait(PATIENCE)
        fill(disk)
        with pytest.raises(Unwritable, match="No space left") as raised:
            sweep.resume()
        assert "hpc sweep resume" in str(raised.value.hint)
        assert sweep.counts() == {"COMPLETED": 11, "FAILED": 1}
        (disk / "ballast").unlink()
        (tmp_path / "mended").touch()
        sweep.resume()
        sweep.wait(PATIENCE)
        study.check_each_ended_once(sweep)


def test_points_whose_ends_had_no_room_run_again_when_there_is_room(
    tmp_path: Path, home: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "x").mkdir()
        study = Study(disk / "x" / "project", 12)
        study.close()
        sweep = study.create()
        sweep.run(on="local")
        study.until_begun(8)
        fill(disk)
        study.open()
        assert sweep.wait(PATIENCE)["COMPLETED"] < 12
        (disk / "ballast").unlink()
        sweep.resume()
        sweep.wait(PATIENCE)
        assert sweep.counts() == {"COMPLETED": 12}
