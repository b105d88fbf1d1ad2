"""Experiments over REST: made, listed, changed by their owners, deleted and brought back."""

from __future__ import annotations

import httpx


def test_one_is_made_and_shown(api: httpx.Client) -> None:
    made = api.post("/experiments", json={"name": "mnist", "tags": {"team": "a", "n": 3}})
    assert (made.status_code, made.json()["tags"]) == (201, {"team": "a", "n": "3"})
    shown = api.get(f"/experiments/{made.json()['id']}")
    assert (shown.status_code, shown.json()) == (200, made.json())
    run = api.post(
        f"/experiments/{made.json()['id']}/runs",
        json={"slurm_job_id": None, "seed": 1, "config": {"a": {"b": 1}}},
    )
    assert run.status_code == 201, run.text
    logged = api.post(
        f"/runs/{run.json()['run_id']}/metrics", json={"name": "loss", "value": 1, "step": 3}
    )
    assert logged.status_code == 201, logged.text
    assert logged.json() == {"accepted": 1}
    logged = api.post(
        f"/runs/{run.json()['run_id']}/metrics",
        content=b'[{"name": "loss", "value": NaN}]',
        headers={"content-type": "application/json"},
    )
    assert logged.json() == {"accepted": 1}
    print(api.get(f"/runs/{run.json()['run_id']}").text)
    print(api.get(f"/runs/{run.json()['run_id']}/metrics/loss").text)
    print(api.get(f"/runs/{run.json()['run_id']}/curves").text)
    print(api.get(f"/openapi.json").text[:1000])
    print(api.get(f"/experiments/1_0").text)
    print(api.get(f"/experiments/123456789012345678901234567890").text)
    print(api.get(f"/experiments/-1").text)
    print(api.get(f"/experiments/1.0").text)
    print(api.get(f"/experiments?limit=-1&sort=zzz").text)
    print(api.get(f"/experiments?sort=zzz").text)
    assert 0
