"""The queue run forward elsewhere goes by the policies that the daemon goes by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hpcshell.policy.snapshot import Snapshot, Standing, regime_of, view_of
from tests.support.benches import Bench, Clock, configuration


@pytest.mark.parametrize("order", ["priority", "sjf", "fairshare", "multifactor", "levels"])
def test_a_snapshot_has_the_order_of_the_daemon(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    tables = {
        "scheduler": {"order": order, "rerank": "0s"},
        "qos": {"low": {}, "high": {"preempts": ["low"]}},
        "accounts": {"a": {}, "b": {}},
    }
    bench = Bench(tmp_path, settings=configuration(**tables))
    bench.submit(request={"cpus": 4, "time_limit": 1e5}, account="a", qos="high")
    for number in range(1, 7):
        request = {"cpus": 4, "time_limit": 1000.0 * (7 - number)}
        account, qos = "ab"[number % 2], ("low", "high")[number // 4]
        bench.submit(request=request, account=account, qos=qos, nice=number % 3)
    clock.pass_time(100.0)
    bench.settle()
    answer = bench.ask("snapshot", page=0)
    head = msgspec.convert(answer["head"], Snapshot, str_keys=True)
    jobs = tuple(msgspec.convert(answer["jobs"], list[Standing], str_keys=True))
    snapshot = msgspec.structs.replace(head, jobs=jobs)
    view = view_of(snapshot, regime_of(snapshot))
    view.rerank()
    ours = [line.entry.job.id for line in bench.engine.view.queue.turn]
    assert [line.entry.job.id for line in view.queue.turn] == ours
    assert len(ours) == 6
    bench.close()
