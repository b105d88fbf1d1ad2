"""The kernel compiled by numba: the same source, on arrays. Imported only where numba is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import getsource
from types import FunctionType
from typing import Any, Final
from zlib import crc32

import numba
from numba.core import event
from numba.extending import overload, register_jitable

from hpcshell.policy import formulas
from hpcshell.predict import runtimes, shrunk
from hpcshell.sim.kernel import arrays, easy, events, plan, play, primitives, profile, scores, state

OPTIONS: Final[Any] = {"_nrt": False, "error_model": "numpy"}
"""Nothing in the kernel makes arrays, so that numba need not count who uses them: seven times as
fast."""


def _twin(name: str) -> None:
    """Where compiled code calls the function of `primitives`, numba takes that of `arrays`."""
    implementation: Callable[..., Any] = getattr(arrays, name)
    register = overload(getattr(primitives, name), strict=False, jit_options=OPTIONS)
    register(lambda *_: implementation)


MODULES: Final = (formulas, scores, state, events, easy, profile, plan, play)

for _name in primitives.__all__:
    _twin(_name)
for _module in MODULES:
    for _function in vars(_module).values():
        if isinstance(_function, FunctionType) and _function.__module__ == _module.__name__:
            register_jitable(**OPTIONS)(_function)
register_jitable(**OPTIONS)(runtimes.corrected)


def _entry(case: state.Case, submitted: int, until: float) -> int:
    return play.play(case, submitted, until)


def _compiled(entry: Callable[[state.Case, int, float], int]) -> Any:
    try:
        return numba.njit(cache=True, **OPTIONS)(entry)
    except RuntimeError:  # there is no place where it may keep anything
        return numba.njit(**OPTIONS)(entry)


# numba keeps compiled code by the time of this file and the name of the function: with the number
# of all sources in it, what was kept of others, and may be unreadable by now, is left alone.
_sources: Final = crc32("".join(map(getsource, (arrays, runtimes, shrunk, *MODULES))).encode())
_entry.__qualname__ = f"play_{_sources:08x}"
compiled_play: Final[Callable[[state.Case, int, float], int]] = _compiled(_entry)
"""`play.play`; the first call compiles, and keeps what it compiled for the next process."""


class _Once(event.Listener):
    """Calls that when numba begins to compile, the first time."""

    def __init__(self, compiling: Callable[[], None]) -> None:
        self._compiling: Callable[[], None] | None = compiling

    def on_start(self, event: Any) -> None:
        compiling, self._compiling = self._compiling, None
        if compiling is not None:
            compiling()

    def on_end(self, event: Any) -> None:
        """Nothing is to be done then."""


@contextmanager
def watched(compiling: Callable[[], None]) -> Iterator[None]:
    """While numba has to compile anything, that is called once; not for what it has kept."""
    with event.install_listener("numba:compile", _Once(compiling)):
        yield
