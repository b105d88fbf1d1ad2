"""What the server does besides answering."""

from __future__ import annotations

import asyncio

import pytest

from hpcshell.web.context import Context
from hpcshell.web.tasks import running


def test_a_task_that_fails_is_begun_again_and_all_end_with_the_server(
    context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, ended = 0, False

    async def failing(_: Context) -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise OSError("the network is down")
        await asyncio.Event().wait()

    async def steady(given: Context) -> None:
        nonlocal ended
        assert given is context
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    async def serve() -> None:
        async with running.at_work(context):
            while begun < 3:
                await asyncio.sleep(0.001)

    monkeypatch.setattr(running, "TASKS", (failing, steady))
    monkeypatch.setattr(running, "AGAIN", 0.001)
    asyncio.run(serve())
    assert ended
    assert caplog.text.count("OSError: the network is down") == 2
