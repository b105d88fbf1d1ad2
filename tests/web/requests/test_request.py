"""Bodies are taken as what they say."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.web.requests.request import made


class Body(msgspec.Struct):
    """Some of each type."""

    step: int = 0
    rate: float = 0
    dry_run: bool = False
    note: str | None = None
    rest: dict[str, Any] = {}
    steps: list[int] = []


@pytest.mark.parametrize(
    "document",
    [{"step": "5"}, {"dry_run": 0}, {"dry_run": "true"}, {"rate": "0.5"}, {"steps": [1, "2"]}],
)
def test_nothing_is_taken_for_what_it_does_not_say(document: dict[str, Any]) -> None:
    with pytest.raises(Wrong, match=r"the body: Expected `(int|bool|float)`"):
        made(document, Body)


@given(st.integers(-(2**53), 2**53), st.dictionaries(st.text(), st.floats(allow_nan=False)))
def test_a_whole_number_may_have_a_point_and_no_other_is_touched(
    step: int, rest: dict[str, float]
) -> None:
    found = made({"step": float(step), "steps": [float(step)], "rest": rest}, Body)
    assert found == Body(step=step, steps=[step], rest=rest)
    assert all(type(value) is float for value in found.rest.values())


def test_what_does_not_fit_at_all_is_told_later() -> None:
    assert made({"step": 1.5}, Body) == {"step": 1.5}


def test_the_server_takes_no_number_for_a_truth(api: httpx.Client) -> None:
    answer = api.post("/api/v1/whatif", json={"all": 0})
    assert answer.status_code == 400
    assert "Expected `bool`, got `int`" in answer.json()["detail"]


def test_a_reason_without_a_status_is_refused(api: httpx.Client) -> None:
    id = api.post("/api/v1/experiments", json={"name": "e"}).json()["id"]
    run = api.post(f"/api/v1/experiments/{id}/runs", json={}).json()["run_id"]
    for alone in ({"reason": "x"}, {"exit_code": 1}):
        answer = api.patch(f"/api/v1/runs/{run}", json=alone)
        assert answer.status_code == 400
        assert answer.json()["hint"] == "say the status, too"
    late = [{"name": "loss", "value": 1, "time": 253_402_300_800}]
    assert api.post(f"/api/v1/runs/{run}/metrics", json=late).status_code == 400
