"""Logs come compressed: told by their first bytes, never by their name."""

from __future__ import annotations

import re
import zlib
from io import BytesIO
from typing import Final

from hpcshell.core.errors import Wrong

MAGIC: Final = b"\x1f\x8b"
MOST: Final = 8 << 30
"""Bytes of text that are taken from one compressed log: some hundred million jobs."""

_WINDOW: Final = 31  # zlib's word for: a gzip header, and the largest window
_IN: Final = 1 << 20
_OUT: Final = 1 << 22
_PADDING: Final = re.compile(rb"\0*")  # as of a tape's blocks
_HINT: Final = "get the file again, and try `gzip -t` on it"


def is_gzip(content: bytes) -> bool:
    """Whether these are the first bytes of a gzip file."""
    return content[:2] == MAGIC


def gunzip(name: str, content: bytes, most: int = MOST) -> bytes:
    """The text of a gzip file, of several members too. Raises `Wrong`: damaged, truncated, more
    than `most` bytes."""
    text = BytesIO()  # pieces that are joined in the end would be there twice
    at = 0
    while at < len(content):
        at = _member(name, content, at, text, most)
        padding = _PADDING.match(content, at)
        at = at if padding is None else padding.end()
    return text.getvalue()


def _member(name: str, content: bytes, at: int, text: BytesIO, most: int) -> int:
    """Add the text of the member that begins there, a piece at a time; where it ends."""
    inflater, piece = zlib.decompressobj(_WINDOW), b""
    while not inflater.eof:
        if not piece:
            piece = content[at : at + _IN]
            at += len(piece)
        try:
            part = inflater.decompress(piece, _OUT)
        except zlib.error as error:
            raise Wrong(f"{name}: the gzip file is damaged: {error}", _HINT) from None
        if not (piece or part or inflater.eof):
            raise Wrong(f"{name}: the gzip file is truncated", _HINT)
        if text.tell() + len(part) > most:
            raise Wrong(f"{name}: holds more than {most:,} bytes of text", "cut it in parts")
        text.write(part)
        piece = inflater.unconsumed_tail
    return at - len(inflater.unused_data)
