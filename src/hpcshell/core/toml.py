"""Where TOML goes wrong, in words that have the line even at the end of a file."""

from __future__ import annotations

import re
from typing import Final

_AT: Final = r" \(at line (\d+), column \d+\)| \(at end of document\)"


def fault_of(error: ValueError, text: str) -> tuple[int, str]:
    """The line in which the parser gave up on the text, which may be the last; and why."""
    found = re.search(_AT, str(error))
    line = found[1] if found is not None else None
    last = text.rstrip("\n").count("\n") + 1
    return int(line or last), re.sub(_AT, "", str(error))
