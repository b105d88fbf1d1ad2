"""Answers that are shared: one question for all who ask at once, and never an old answer after a
change."""

from __future__ import annotations

import asyncio

import pytest

from hpcshell.core.errors import NotFound
from hpcshell.web.answers.sharing import KEPT, LARGEST, REUSED, Shared


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Question:
    """Counts how often it is asked; answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        return number


def test_who_asks_at_the_same_time_is_one_question() -> None:
    async def tell() -> None:
        shared, question = Shared(Clock()), Question()
        waiting = [asyncio.ensure_future(shared.answer("key", question)) for _ in range(50)]
        await asyncio.sleep(0)
        question.gate.set()
        assert await asyncio.gather(*waiting) == [1] * 50

    asyncio.run(tell())


def test_an_answer_is_given_again_for_a_moment() -> None:
    async def tell() -> None:
        clock = Clock()
        shared, question = Shared(clock), Question()
        question.gate.set()
        assert await shared.answer("key", question) == 1
        clock.now = REUSED * 0.9
        assert await shared.answer("key", question) == 1
        assert await shared.answer("another", question) == 2
        clock.now = REUSED * 1.1
        assert await shared.answer("key", question) == 3

    asyncio.run(tell())


def test_after_a_change_nobody_gets_an_answer_from_before() -> None:
    async def tell() -> None:
        shared, question = Shared(Clock()), Question()
        before = asyncio.ensure_future(shared.answer("key", question))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        shared.changed()  # while the question is being answered
        after = asyncio.ensure_future(shared.answer("key", question))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        question.gate.set()
        assert (await before, await after) == (1, 2)
        assert await shared.answer("key", question) == 2
        shared.changed()
        assert await shared.answer("key", question) == 3

    asyncio.run(tell())


def test_an_answer_is_of_its_version_alone() -> None:
    async def tell() -> None:
        shared, question = Shared(Clock()), Question()
        before = asyncio.ensure_future(shared.answer("key", question, 1))
        after = asyncio.ensure_future(shared.answer("key", question, 2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        question.gate.set()
        assert (await before, await after) == (1, 2)
        assert await shared.answer("key", question, 2) == 2
        assert await shared.answer("key", question, 3) == 3
        assert len(shared._kept) == 1

    asyncio.run(tell())


def test_answers_of_many_bytes_do_not_pile_up() -> None:
    async def tell() -> None:
        shared = Shared(Clock())

        async def large() -> bytes:
            return bytes(LARGEST // 3)

        for key in range(7):
            await shared.answer(key, large)
        assert sum(len(kept.answer) for kept in shared._kept.values()) <= LARGEST

    asyncio.run(tell())


def test_an_error_goes_to_all_and_is_not_kept() -> None:
    async def tell() -> None:
        shared, asked = Shared(Clock()), 0

        async def question() -> int:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0)
            if asked == 1:
                raise NotFound("there is none", "look")
            return asked

        both = await asyncio.gather(
            *(shared.answer("key", question) for _ in range(2)), return_exceptions=True
        )
        assert [type(each) for each in both] == [NotFound, NotFound]
        assert await shared.answer("key", question) == 2

    asyncio.run(tell())


def test_whoever_leaves_takes_nobody_along() -> None:
    async def tell() -> None:
        shared, question = Shared(Clock()), Question()
        first = asyncio.ensure_future(shared.answer("key", question))
        second = asyncio.ensure_future(shared.answer("key", question))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        question.gate.set()
        assert await second == 1
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(tell())


def test_answers_that_nobody_asks_for_again_do_not_pile_up() -> None:
    async def tell() -> None:
        shared, question = Shared(Clock()), Question()
        question.gate.set()
        for key in range(3 * KEPT):
            await shared.answer(key, question)
        assert len(shared._kept) <= KEPT

    asyncio.run(tell())
