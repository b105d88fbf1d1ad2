"""Fixtures of the tracker: an experiment and a run to change, and callers of every role; a conftest
names what it takes."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.support.web_fixtures import NewToken

As = Callable[[str, str], dict[str, str]]


@pytest.fixture
def experiment(api: httpx.Client) -> str:
    """The path of an experiment of the tester's."""
    answer = api.post("/experiments", json={"name": "mnist"})
    return f"/experiments/{answer.json()['id']}"


@pytest.fixture
def run(api: httpx.Client, experiment: str) -> str:
    """The path of a run of it."""
    answer = api.post(f"{experiment}/runs", json={})
    return f"/runs/{answer.json()['run_id']}"


@pytest.fixture
def as_(new_token: NewToken) -> As:
    """`as_(role, user)`: the headers by which such a caller is known."""
    return lambda role, user: {"Authorization": f"Bearer {new_token(role, user=user)}"}
