"""Logs come compressed: told by their first bytes, never by their name."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Final

from hpcshell.core.errors import Wrong

MAGIC: Final = b"\x1f\x8b"
MOST: Final = 8 << 30
"""Bytes of text that are taken from one compressed log: some hundred million jobs."""

_WINDOW: Final = 31  # zlib's word for: a gzip header, and the largest window
_STEP: Final = 1 << 26


def is_gzip(content: bytes) -> bool:
    """Whether these are the first bytes of a gzip file."""
    return content[:2] == MAGIC


def gunzip(name: str, content: bytes, most: int = MOST) -> bytes:
    """The text of a gzip file, of several members too. Raises `Wrong`: damaged, truncated, more
    than `most` bytes."""
    text = BytesIO()  # what is joined in the end would be there twice
    rest: bytes | memoryview = content
    while rest:
        inflater = zlib.decompressobj(_WINDOW)
        while not inflater.eof:
            try:
                part = inflater.decompress(rest, _STEP)
            except zlib.error as error:
                raise Wrong(f"{name}: the gzip file is damaged: {error}", _HINT) from None
            rest = inflater.unconsumed_tail
            if text.tell() + len(part) > most:
                raise Wrong(f"{name}: holds more than {most:,} bytes of text", "cut it in parts")
            if not part and not rest and not inflater.eof:
                raise Wrong(f"{name}: the gzip file is truncated", _HINT)
            text.write(part)
        rest = inflater.unused_data.lstrip(b"\0")  # padding, as of a tape's blocks
    return text.getvalue()


_HINT: Final = "get the file again, and try `gzip -t` on it"
