"""Writes a trace in the Standard Workload Format.

What is read back is the same trace, but for the words behind numbers (`names`, `labels`): the
format has no place for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hpcshell.trace.record import FIELDS, Floats, Ints, Trace

BATCH: Final = 1 << 16
"""Jobs that are written at once."""


def write_swf(trace: Trace) -> Iterator[bytes]:
    """The text of the log in pieces: the header, then the jobs."""
    yield "".join(_header(trace.header)).encode()
    for first in range(0, len(trace), BATCH):
        columns = [_words(getattr(trace, field)[first : first + BATCH]) for field in FIELDS]
        lines = map(" ".join, zip(*columns, strict=True))
        yield ("\n".join(lines) + "\n").encode()


def _header(header: dict[str, str]) -> Iterator[str]:
    """A value of several lines has its key before each of them."""
    for key, value in header.items():
        for line in value.split("\n"):
            yield f"; {key}: {line}\n" if key else f"; {line}\n"


def _words(column: Ints | Floats) -> list[str]:
    """Whole numbers without a fraction, others so that they are read back as they are."""
    return [str(int(value)) if value == int(value) else repr(value) for value in column.tolist()]
