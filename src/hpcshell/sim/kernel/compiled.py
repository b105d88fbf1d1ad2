"""The kernel compiled by numba: the same source, on arrays. Imported only where numba is there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import numba
from numba.extending import overload, register_jitable

from hpcshell.policy import formulas
from hpcshell.sim.kernel import arrays, easy, events, plan, play, primitives, scores, state

OPTIONS: Final[Any] = {"_nrt": False, "error_model": "numpy"}
"""Nothing in the kernel makes arrays, so that numba need not count who uses them: seven times as
fast."""

MODULES: Final = (formulas, scores, state, events, easy, plan, play)


def _twin(name: str) -> None:
    """Where compiled code calls the function of `primitives`, numba takes that of `arrays`."""
    implementation: Callable[..., Any] = getattr(arrays, name)
    register = overload(getattr(primitives, name), strict=False, jit_options=OPTIONS)
    register(lambda *_: implementation)


for _name in primitives.__all__:
    _twin(_name)
for _module in MODULES:
    for _function in vars(_module).values():
        if isinstance(_function, FunctionType) and _function.__module__ == _module.__name__:
            register_jitable(**OPTIONS)(_function)


def _digest() -> str:
    """What all that is compiled comes from: numba itself only looks at the file of `play`."""
    files = (module.__file__ for module in (*MODULES, arrays, primitives))
    sources = b"".join(Path(str(file)).read_bytes() for file in files)
    return hashlib.sha256(sources + numba.__version__.encode()).hexdigest()[:16]


def _compiled(function: Callable[..., Any]) -> Any:
    """`function` compiled at its first call, and kept for later processes beside the sources, or
    where numba keeps such things if that may not be written."""
    kept = Path(__file__).parent / "__pycache__" / f"kernel-{_digest()}"
    config: Any = numba.config
    before = config.CACHE_DIR
    if not before and os.access(Path(__file__).parent, os.W_OK):
        config.CACHE_DIR = str(kept)
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = before


compiled_play: Final = _compiled(play.play)
