"""Several clusters are asked at once, and nobody waits for one that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Final, TypeVar

from hpcshell.core.errors import HpcError, Unreachable
from hpcshell.core.units import format_duration

PATIENCE: Final = 45.0
"""Seconds for which several are waited for. One command is given 30."""

T = TypeVar("T")


def at_once(asks: Sequence[Callable[[], T]], patience: float) -> list[T | HpcError]:
    """What came of each question, or the error that did; whoever has not answered in time is left
    alone. The threads do not keep the process from ending: they only ask."""
    futures = [_begun(ask) for ask in asks]
    wait(futures, timeout=patience)
    return [one.result() if one.done() else _silent(patience) for one in futures]


def _begun(ask: Callable[[], T]) -> Future[T | HpcError]:
    future: Future[T | HpcError] = Future()

    def answer() -> None:
        try:
            future.set_result(tried(ask))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=answer, daemon=True).start()
    return future


def tried(ask: Callable[[], T]) -> T | HpcError:
    """The answer, or the error instead of it."""
    try:
        return ask()
    except HpcError as error:
        return error


def _silent(patience: float) -> Unreachable:
    return Unreachable(
        f"it has not answered within {format_duration(patience)}", "hpc cluster status"
    )
