"""The hub: whatever listeners do, each hears every event after its place, in order, once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.client.wire import PROTOCOL
from hpcshell.machine.paths import Places, places
from hpcshell.web.events import hub
from hpcshell.web.events.hub import Hub, Listener


class Daemon:
    """What answers `hello` and `events` as the daemon does. `most`: events of one answer."""

    def __init__(self, path: str, most: int = 10_000) -> None:
        self.path = path
        self.most = most
        self.last = 0
        self.questions = 0
        self._followers: list[tuple[asyncio.StreamWriter, int]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._followers, self._writers = [], []

    def happen(self, count: int = 1) -> None:
        for _ in range(count):
            self.last += 1
            for writer, ask in self._followers:
                _say(writer, {"id": ask, "event": _event(self.last)})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while line := await reader.readline():
            request = json.loads(line)
            id, args = request["id"], request["args"]
            if request["verb"] == "hello":
                _say(writer, {"id": id, "ok": {"protocol": PROTOCOL, "last_event": self.last}})
                continue
            self.questions += 1
            seq = first = args["since"]
            for seq in range(first + 1, min(self.last, first + self.most) + 1):
                _say(writer, {"id": id, "event": _event(seq)})
            more = seq - first == self.most
            if args.get("follow") and not more:
                self._followers.append((writer, id))
            else:
                _say(writer, {"id": id, "ok": {"cursor": seq, "more": more}})


def _event(seq: int) -> dict[str, object]:
    return {"seq": seq, "job": seq % 3 or None, "kind": "start"}


def _say(writer: asyncio.StreamWriter, answer: object) -> None:
    if not writer.is_closing():
        writer.write(json.dumps(answer).encode() + b"\n")


@contextlib.asynccontextmanager
async def both(path: Path, most: int = 10_000) -> AsyncIterator[tuple[Daemon, Hub]]:
    where = places({"HPCSHELL_HOME": str(path)})
    os.makedirs(os.path.dirname(where.daemon_socket), exist_ok=True)
    daemon, made = Daemon(where.daemon_socket, most), Hub(where)
    await daemon.start()
    try:
        yield daemon, made
    finally:
        await made.stop()
        await daemon.stop()


async def heard(listener: Listener, upto: int) -> list[int]:
    """Numbers of events until the one `upto`."""
    found: list[int] = []
    while not found or found[-1] < upto:
        found += [moment.seq for moment in await asyncio.wait_for(listener.take(5.0), 5.0)]
    return found


async def settled(made: Hub) -> None:
    while not made.connected:
        await asyncio.sleep(0.001)


def test_from_now_on_means_from_now_on(home: Path) -> None:
    async def tell() -> None:
        async with both(home) as (daemon, made):
            daemon.happen(5)
            listener = made.listener()
            await listener.take(0.05)
            daemon.happen(3)
            assert await heard(listener, 8) == [6, 7, 8]

    asyncio.run(tell())


def test_all_listeners_are_one_question(home: Path) -> None:
    async def tell() -> None:
        async with both(home) as (daemon, made):
            listeners = [made.listener() for _ in range(200)]
            await settled(made)
            await asyncio.gather(*(each.take(0.01) for each in listeners))
            daemon.happen(10)
            told = await asyncio.gather(*(heard(each, 10) for each in listeners))
            assert told == [list(range(1, 11))] * 200
            assert daemon.questions == 1

    asyncio.run(tell())


@given(
    before=st.integers(0, 30),
    since=st.integers(0, 40),
    batches=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    most=st.integers(1, 20),
    ring=st.integers(1, 15),
    lost=st.sets(st.integers(0, 5)),
)
def test_nothing_is_left_out_and_nothing_told_twice(
    tmp_path_factory: pytest.TempPathFactory,
    before: int,
    since: int,
    batches: list[int],
    most: int,
    ring: int,
    lost: set[int],
) -> None:
    """However small the ring, slow the listener, short the answers, and often the daemon gone."""

    async def tell() -> None:
        async with both(Path("/tmp") / f"hub-{os.getpid()}", most) as (daemon, made):
            daemon.happen(before)
            place = min(since, before)
            slow, quick = made.listener(place), made.listener(place)
            await settled(made)
            told: list[int] = []
            for number, batch in enumerate(batches):
                if number in lost:
                    await daemon.stop()
                daemon.happen(batch)
                if number in lost:
                    await daemon.start()
                told += await heard(quick, daemon.last)
            assert told == list(range(place + 1, daemon.last + 1))
            assert await heard(slow, daemon.last) == told

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "KEPT", ring)
        patch.setattr(hub, "FIRST_PAUSE", 0.001)
        patch.setattr(hub, "LONGEST_PAUSE", 0.001)
        asyncio.run(tell())


def test_a_daemon_that_comes_later_is_heard(home: Path) -> None:
    async def tell() -> None:
        async with both(home) as (daemon, made):
            await daemon.stop()
            listener = made.listener(0)
            assert await listener.take(0.02) == []
            daemon.happen(3)
            await daemon.start()
            assert await heard(listener, 3) == [1, 2, 3]

    asyncio.run(tell())


def test_a_place_before_what_is_kept_at_all_goes_on_with_what_there_is(home: Path) -> None:
    class Purged(Daemon):
        async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                request = json.loads(line)
                answer: dict[str, object] = {"cursor": request["args"].get("since"), "more": False}
                if request["verb"] == "hello":
                    answer = {"protocol": PROTOCOL, "last_event": 50}
                if request["args"].get("follow"):
                    self._followers.append((writer, request["id"]))
                    continue
                _say(writer, {"id": request["id"], "ok": answer})

    async def tell() -> None:
        where: Places = places({"HPCSHELL_HOME": str(home)})
        os.makedirs(os.path.dirname(where.daemon_socket), exist_ok=True)
        daemon, made = Purged(where.daemon_socket), Hub(where)
        daemon.last = 50
        await daemon.start()
        listener = made.listener(7)
        await settled(made)
        assert await listener.take(0.02) == []
        daemon.happen()
        assert await heard(listener, 51) == [51]
        await made.stop()
        await daemon.stop()

    asyncio.run(tell())
