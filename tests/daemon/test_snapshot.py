"""The queue as the decider sees it, handed out page by page; and explain, on the bench."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hpcshell.core.errors import NotYet, Wrong
from hpcshell.daemon.verbs import snapshot as snapshot_module
from hpcshell.policy.snapshot import Snapshot, Standing, view_of
from hpcshell.sim.forward import Forward
from hpcshell.sim.lengths import part_of_limit
from tests.policy.picture import picture
from tests.support.benches import Bench, Clock


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


def fetched(bench: Bench) -> Snapshot:
    """All pages, as a client would put them together."""
    head: Any = None
    jobs: list[Standing] = []
    page, more = 0, True
    while more:
        answer = bench.ask("snapshot", page=page)
        head = answer.get("head", head)
        jobs += msgspec.convert(answer["jobs"], list[Standing], str_keys=True)
        page, more = page + 1, answer["more"]
    return replace(msgspec.convert(head, Snapshot, str_keys=True), jobs=tuple(jobs))


def busy(bench: Bench) -> None:
    """One of everything: what runs, waits, is held, tried again, suspended, and depends on it."""
    cpus = bench.engine.view.total.cpus
    asked = {"cpus": 1, "time_limit": 600.0}
    runs = bench.submit("true", request=asked)
    fails = bench.submit("false", request=asked, retry={"limit": 1, "delay": 60.0})
    still = bench.submit("sleep", request=asked)
    many = bench.submit("many", array="0-9%2", request=asked)
    bench.submit("wide", request={"cpus": cpus, "time_limit": 60.0})
    bench.submit("held", hold=True)
    bench.submit("child", dependency=f"afterok:{runs},after:{many}_0")
    bench.settle()
    bench.finish(fails, code=1)
    bench.ask("suspend", ids=[still])
    bench.settle()


def test_a_snapshot_makes_a_view_that_answers_alike(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_module, "PAGE", 2)
    busy(bench)
    snapshot = fetched(bench)
    assert [one.job.id for one in snapshot.jobs] == sorted(bench.engine.live)
    seen, told = picture(bench.engine.view), picture(view_of(snapshot))
    for one in (seen, told):
        one["promised"] = {unit: at for unit, at in one["promised"].items() if at < 1e300}
        one["jobs"] = {
            number: (job.request, list(waiting), running, gate)
            for number, (job, waiting, running, gate, _) in one["jobs"].items()
        }
    assert told == seen


def test_it_is_of_one_instant_whatever_happens_between_its_pages(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_module, "PAGE", 2)
    busy(bench)
    first = bench.ask("snapshot", page=0)
    jobs = list(bench.engine.live)
    bench.ask("cancel", ids=[jobs[-1]])
    bench.submit("late")
    found = first["jobs"]
    for page in range(1, 4):
        found += bench.ask("snapshot", page=page)["jobs"]
    assert [one["job"]["id"] for one in found] == jobs


def test_nothing_is_kept_once_it_is_handed_out(bench: Bench) -> None:
    assert not bench.ask("snapshot")["more"]
    with pytest.raises(NotYet):
        bench.ask("snapshot", page=1)


@pytest.mark.parametrize("page", [-1, "x", 1.5, True, None, []])
def test_pages_are_whole_numbers(bench: Bench, page: Any) -> None:
    with pytest.raises(Wrong):
        bench.ask("snapshot", page=page)


def test_commands_and_environments_stay_where_they_are(bench: Bench) -> None:
    bench.submit("secret", comment="do not tell", hold=True)
    (one,) = fetched(bench).jobs
    assert (one.job.launch.argv, one.job.launch.env, one.job.comment) == ((), "", "")


def test_what_explain_promises_is_when_it_starts_if_all_run_to_their_limits(bench: Bench) -> None:
    cpus = bench.engine.view.total.cpus
    for limit in (600.0, 300.0):
        bench.submit("runs", request={"cpus": cpus // 2, "time_limit": limit})
    wide = bench.submit("wide", request={"cpus": cpus, "time_limit": 60.0})
    bench.submit("small", array="0-3", request={"cpus": 1, "time_limit": 200.0})
    bench.settle()
    starts = Forward(fetched(bench), part_of_limit()).play().starts
    (told,) = bench.ask("explain", ids=[wide])["jobs"]
    assert told["promised"]
    assert starts[wide, -1] == told["promise"]["start"] == told["interval"]["latest"]["start"]


def test_of_many_only_the_first_are_told_what_would_be_sooner(bench: Bench) -> None:
    cpus = bench.engine.view.total.cpus
    bench.submit("runs", request={"cpus": cpus, "time_limit": 7200.0})
    bench.settle()
    for _ in range(12):
        bench.submit("waits", request={"cpus": 2, "time_limit": 7200.0})
    bench.settle()
    told = bench.ask("explain", ids=["waits"])["jobs"]
    assert len(told) == 12
    assert [one["interval"]["latest"] is not None for one in told] == [True] * 10 + [False] * 2


def test_of_many_only_the_first_in_line_are_handed_out(bench: Bench) -> None:
    cpus = bench.engine.view.total.cpus
    runs = bench.submit("runs", request={"cpus": cpus, "time_limit": 600.0})
    bench.settle()
    waits = [bench.submit("waits", request={"cpus": 1, "time_limit": 60.0}) for _ in range(5)]
    answer = bench.ask("snapshot", most=2, ids=[str(waits[4]), "nobody"])
    assert [one["job"]["id"] for one in answer["jobs"]] == [runs, waits[0], waits[1], waits[4]]
    assert answer["head"]["left_out"] == 2
    assert bench.ask("snapshot", most=6)["head"].get("left_out", 0) == 0


@pytest.mark.parametrize("most", [-1, "x", 1.5, True])
def test_so_many_are_a_whole_number(bench: Bench, most: Any) -> None:
    with pytest.raises(Wrong):
        bench.ask("snapshot", most=most)


def test_what_explain_says_of_those_behind_a_throttle_is_when_they_start(bench: Bench) -> None:
    cpus = bench.engine.view.total.cpus
    bench.submit("runs", request={"cpus": cpus, "time_limit": 600.0})
    bench.settle()
    bench.submit("many", array="0-3%1", request={"cpus": 1, "time_limit": 200.0})
    wide = bench.submit("wide", request={"cpus": cpus, "time_limit": 60.0})
    bench.settle()
    starts = Forward(fetched(bench), part_of_limit()).play().starts
    (told,) = bench.ask("explain", ids=[wide])["jobs"]
    assert not told["promised"]
    assert starts[wide, -1] == told["promise"]["start"] == told["interval"]["latest"]["start"]
