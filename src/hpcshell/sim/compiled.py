"""The kernel compiled by numba: the same source, on arrays. Imported only where numba is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba
from numba.extending import overload, register_jitable

from hpcshell.sim import arrays, kernel, primitives


def _twin(name: str) -> None:
    """Where compiled code calls the function of `primitives`, numba takes that of `arrays`."""
    implementation: Callable[..., Any] = getattr(arrays, name)
    overload(getattr(primitives, name), strict=False)(lambda *_: implementation)


for _name in primitives.__all__:
    _twin(_name)
for _function in kernel.FUNCTIONS:
    register_jitable(_function)

simulate: Final = numba.njit(cache=True)(kernel.simulate)
"""`kernel.simulate`; the first call compiles, and keeps what it compiled for the next process."""
