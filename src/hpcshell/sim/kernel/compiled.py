"""The kernel compiled by numba: the same source, on arrays. Imported only where numba is there."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

import numba
from numba.extending import overload, register_jitable

from hpcshell.sim.kernel import arrays, easy, events, plan, play, primitives, scores, state

OPTIONS: Final[Any] = {"_nrt": False, "error_model": "numpy"}
"""Nothing in the kernel makes arrays, so that numba need not count who uses them: seven times as
fast."""


def _twin(name: str) -> None:
    """Where compiled code calls the function of `primitives`, numba takes that of `arrays`."""
    implementation: Callable[..., Any] = getattr(arrays, name)
    register = overload(getattr(primitives, name), strict=False, jit_options=OPTIONS)
    register(lambda *_: implementation)


for _name in primitives.__all__:
    _twin(_name)
for _module in (scores, state, events, easy, plan, play):
    for _function in vars(_module).values():
        if isinstance(_function, FunctionType) and _function.__module__ == _module.__name__:
            register_jitable(**OPTIONS)(_function)

compiled_play: Final = numba.njit(cache=True, **OPTIONS)(play.play)
"""`play.play`; the first call compiles, and keeps what it compiled for the next process."""
