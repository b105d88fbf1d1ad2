"""What a system hands to a program it starts: arguments and variables up to a length, and no more.

The figures are those of Linux, whose pages have 4 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

LONGEST: Final = 128 * 1024 - 1
"""Bytes of one argument, or of one NAME=VALUE, without the NUL at its end."""
_ARGUMENTS: Final = 6 * 1024 * 1024
_ARGUMENT: Final = 9
"""Bytes of an argument beyond its text: the NUL and a pointer."""
_ENVIRONMENT: Final = 4 * 1024 * 1024


def check_arguments(argv: Sequence[str]) -> None:
    """Raises `Wrong` for words that no program can be started with."""
    sizes = [_size(word) for word in argv]
    if max(sizes, default=0) > LONGEST:
        raise Wrong("an argument is longer than the kernel's 128 KiB", "pass it in a file")
    if sum(sizes) + len(sizes) * _ARGUMENT > _ARGUMENTS:
        raise Wrong("the arguments are longer than the kernel's 6 MiB", "pass them in a file")


def check_variables(env: Mapping[str, str]) -> None:
    """Raises `Wrong` for an environment that no program can be started in."""
    whole = 0
    for name, value in env.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise Wrong(
                f"environment variable {quote(name)} cannot exist", "unset it before submitting"
            )
        size = _size(name) + _size(value) + 1
        if size > LONGEST:
            raise Wrong(
                f"environment variable {quote(name)} has {size:,} bytes, "
                "more than the kernel's 128 KiB",
                "pass it in a file; unset it, or submit with --export=NONE",
            )
        whole += size + 1
    if whole > _ENVIRONMENT:
        raise Wrong(
            f"the environment has {whole:,} bytes", "submit with --export=NONE or name variables"
        )


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
