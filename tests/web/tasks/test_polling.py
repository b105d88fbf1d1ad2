"""A cluster is asked ever more seldom while nothing changes, and at once after its epilog spoke."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from hpcshell.core.settings import ClusterSettings
from hpcshell.jobs import opened
from hpcshell.track.joining import rhythm
from hpcshell.track.joining.signing import HEADER, sign, webhook_key
from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from hpcshell.web.tasks.polling import polling
from tests.support.clusters.somewhere import Somewhere, far_desk
from tests.support.runners import eventually
from tests.web.api.test_webhooks import only_run

WITHIN = 20.0
"""Seconds, which is less than any pause of the poller's here."""


@pytest.fixture
def site(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Somewhere:
    """The scheduler of the cluster `toy`, with one job that runs; it is asked every ten minutes."""
    scheduler = Somewhere(tmp_path / "there")
    scheduler.do_submit("", "", "theirs")
    scheduler.jobs[-1] |= {"state": "run", "start": 3.0}
    monkeypatch.setattr(opened, "_desk", lambda name: far_desk(tmp_path, scheduler))
    monkeypatch.setattr(rhythm, "SOONEST", 600.0)
    clusters = {"toy": ClusterSettings(backend="slurm")}
    context.settings = msgspec.structs.replace(context.settings, clusters=clusters)
    return scheduler


@contextlib.asynccontextmanager
async def at_work(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    """The poller and the routes in one loop, as in the server."""
    task = asyncio.create_task(polling(context))
    transport = httpx.ASGITransport(make_app(context))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tell(client: httpx.AsyncClient, context: Context, event: str, number: str) -> None:
    """As the epilog of the cluster does."""
    body = urlencode({"job_id": number, "event": event, "cluster": "toy"}).encode()
    signature = sign(webhook_key(context.places), int(time.time()), f"{event}-{number}-id", body)
    form = {"content-type": "application/x-www-form-urlencoded", HEADER: str(signature)}
    answer = await client.post("/webhooks/slurm", content=body, headers=form)
    assert answer.status_code in (200, 202), answer.text


async def comes(true: Callable[[], Any]) -> None:
    await asyncio.to_thread(eventually, true, WITHIN)


def questions(site: Somewhere) -> int:
    return site.asked.count("queue")


def test_after_an_epilog_its_cluster_is_asked_at_once(context: Context, site: Somewhere) -> None:
    number = str(site.jobs[-1]["id"])

    async def story() -> None:
        async with at_work(context) as client:
            await tell(client, context, "start", number)
            await comes(lambda: questions(site) == 1)
            await comes(lambda: only_run(context).name == "theirs")
            site.jobs[-1] |= {"state": "bad", "ended": 4.0}
            await tell(client, context, "end", number)
            await comes(lambda: only_run(context).status == "FAILED")

    asyncio.run(story())
    assert questions(site) == 2, "once for each that the epilog has said"


def test_what_it_says_twice_is_no_reason_to_ask_again(context: Context, site: Somewhere) -> None:
    number = str(site.jobs[-1]["id"])

    async def story() -> None:
        async with at_work(context) as client:
            await tell(client, context, "start", number)
            await comes(lambda: questions(site) == 1)
            for _ in range(20):
                await tell(client, context, "start", number)
            await tell(client, context, "end", number)
            await comes(lambda: questions(site) == 2)

    asyncio.run(story())
