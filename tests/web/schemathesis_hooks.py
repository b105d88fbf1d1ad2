"""How Schemathesis sends and reads what is no JSON. It loads this; nothing else does."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def sent(context: Any, value: Any) -> bytes:
    """The body as it was made up."""
    body = getattr(value, "data", value)
    return body if isinstance(body, bytes) else str(body).encode()


@schemathesis.deserializer(
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/x-ndjson",
    "text/csv",
)
def read(context: Any, response: Any) -> str:
    """A text with a character for each byte."""
    return str(response.content.decode("latin-1"))
