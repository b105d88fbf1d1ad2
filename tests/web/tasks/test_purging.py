"""What was deleted long enough ago goes for good, uploads and all; nothing else does."""

from __future__ import annotations

import asyncio

import httpx
import msgspec

from hpcshell.web.context import Context
from hpcshell.web.tasks.purging import purged
from tests.support.uploads import uploads


def test_a_deleted_run_goes_with_its_uploads_when_it_is_due(
    api: httpx.Client, context: Context
) -> None:
    number = api.post("/experiments", json={"name": "e"}).json()["id"]
    kept, gone = (
        api.post(f"/experiments/{number}/runs", json={}).json()["run_id"] for _ in range(2)
    )
    logged = {"experiment_id": str(number)}
    model = api.post("/api/2.0/mlflow/logged-models", json=logged).json()["model"]["info"]
    its = f"/api/2.0/mlflow-artifacts/artifacts/{number}/models/{model['model_id']}/artifacts"
    assert api.put(f"{its}/weights", content=b"2").status_code == 200
    for run in (kept, gone):
        assert api.put(f"/runs/{run}/artifacts/a/b", content=b"1").status_code == 201
    api.delete(f"/runs/{gone}")
    assert asyncio.run(purged(context)) == 0
    api.delete(f"/api/2.0/mlflow/logged-models/{model['model_id']}")
    assert len(uploads(context)) == 3, "it can still be restored"
    track = msgspec.structs.replace(context.settings.track, keep_deleted=0.0)
    context.settings = msgspec.structs.replace(context.settings, track=track)
    assert asyncio.run(purged(context)) == 1
    assert api.get(f"/runs/{gone}").status_code == 404
    assert uploads(context) == [f"{kept}/a/b"]
    assert api.get(f"/runs/{kept}/artifacts/a/b").content == b"1"
