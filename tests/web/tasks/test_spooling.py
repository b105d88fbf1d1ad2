"""The server takes in spool files by itself, and goes on after errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from hpcshell.core.errors import NotYet
from hpcshell.core.settings import Settings
from hpcshell.machine.paths import places
from hpcshell.track.points.reading import raw
from hpcshell.track.points.spools import Swept, sweep_spools
from hpcshell.track.store.opening import open_store
from hpcshell.web.context import Context
from hpcshell.web.tasks import spooling
from tests.support.stores import new_database
from tests.track.points.spooled import RUN, SOURCE, WHOLE


@pytest.fixture
def context(home: Path, tmp_path: Path) -> Iterator[Context]:
    """What a server has that has also a directory of spool files on shared storage."""
    settings = Settings()
    shared = msgspec.structs.replace(settings.track, spools=(str(tmp_path / "shared"),))
    store = open_store(new_database(tmp_path / "track.db"))
    where = places({"HPCSHELL_HOME": str(home)})
    made = Context(msgspec.structs.replace(settings, track=shared), where, store)
    yield made
    made.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Swept]:
    """Each look at the directories, which follow each other without a pause."""
    monkeypatch.setattr(spooling, "SOON", 0.0)
    monkeypatch.setattr(spooling, "LATER", 0.0)
    monkeypatch.setattr(spooling, "REST", 0)
    found: list[Swept] = []
    real = sweep_spools

    def sweep(*words, **named) -> Swept:
        swept = real(*words, **named)
        found.append(swept)
        return swept

    monkeypatch.setattr(spooling, "sweep_spools", sweep)
    return found


@asynccontextmanager
async def tended(context: Context) -> AsyncIterator[None]:
    task = asyncio.create_task(spooling.spools(context))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(looks: list[Swept], count: int) -> None:
    async with asyncio.timeout(30):
        while len(looks) < count:
            await asyncio.sleep(0)


def test_files_of_both_directories_are_taken_in(context: Context, looks: list[Swept]) -> None:
    shared = Path(context.settings.track.spools[0])
    shared.mkdir()
    (shared / f"{SOURCE}.jsonl").write_bytes(WHOLE)
    own = Path(context.places.track.spool)
    own.mkdir(parents=True)
    (own / f"{RUN}-own.jsonl").write_bytes(WHOLE)

    async def serve() -> None:
        async with tended(context):
            await until(looks, 2)

    asyncio.run(serve())
    assert looks[0].files == 2
    assert looks[1].files == 0
    with context.store.reading() as connection:
        assert raw(connection, RUN, "loss").points.steps.tolist() == [1, 1, 2, 2]


def test_it_goes_on_when_the_database_is_back(
    context: Context, looks: list[Swept], monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    counted: Callable[..., Swept] = vars(spooling)["sweep_spools"]
    refused = iter([NotYet("the database is away", "wait"), OSError("a disk is gone")])

    def away(*words, **named) -> Swept:
        if (error := next(refused, None)) is not None:
            raise error
        return counted(*words, **named)

    monkeypatch.setattr(spooling, "sweep_spools", away)

    async def serve() -> None:
        async with tended(context):
            await until(looks, 1)

    with caplog.at_level(logging.WARNING, "hpcshell.web"):
        asyncio.run(serve())
    assert "the database is away" in caplog.text
    assert "a disk is gone" in caplog.text


def test_a_trouble_is_told_once(context: Context, looks: list[Swept], caplog) -> None:
    own = Path(context.places.track.spool)
    own.mkdir(parents=True)
    (own / "nonsense.jsonl").write_text("x")

    async def serve() -> None:
        async with tended(context):
            await until(looks, 3)

    with caplog.at_level(logging.WARNING, "hpcshell.web"):
        asyncio.run(serve())
    assert caplog.text.count("nonsense.jsonl") == 1
