"""The server's log, in which no secret stands."""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import unquote

from hpcshell.core.words import safe

MASK: Final = "***"
LAYERS: Final = 8
"""Times that a line may be encoded: one that is more often is not written."""
_PERCENT: Final = re.compile(r"%(?:25)+")
"""A percent sign, however often it is encoded."""
_SECRETS: Final = (
    re.compile(r"hpc_[A-Za-z0-9_-]{8,}"),
    re.compile(
        r"(?i)((?:proxy-)?authorization|cookie|set-cookie|x-csrf-token|x-hpc-signature"
        r"|x-hpc-proxy-secret)"
        r"(['\"]?\s*[:=,]\s*b?['\"]?)[^\r\n'\"]+"
    ),
    re.compile(
        r"(?i)\b(token|access_token|api_?key|auth|password|secret|signature|csrf)(=)[^&\s'\"]+"
    ),
    re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]+"),
    re.compile(r"(//)([^/\s:@]*):[^/\s@]+(?=@)"),
)


def masked(text: str) -> str:
    """The text without tokens, cookies, signatures and passwords, however an address says them."""
    plain = text
    for _ in range(LAYERS):
        before, plain = plain, unquote(_PERCENT.sub("%", plain)) if "%" in plain else plain
        if plain == before:
            found = _masked(plain)
            return text if found == plain else found
    return MASK


def _masked(text: str) -> str:
    first, *named, last = _SECRETS
    text = first.sub(MASK, text)
    for pattern in named:
        text = pattern.sub(rf"\1\2{MASK}", text)
    return last.sub(rf"\1\2:{MASK}", text)


class Masking(logging.Formatter):
    """Writes lines that hold no secret, and no control characters of others."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        return "\n".join(safe(masked(line)) for line in lines)


def write_logs(*, requests: bool) -> None:
    """Write the server's log to stderr; `requests`: a line for each of those, too."""
    handler = logging.StreamHandler()
    handler.setFormatter(Masking("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what clients do wrong is theirs
    access = logging.getLogger("uvicorn.access")
    access.setLevel(logging.INFO if requests else logging.CRITICAL)
