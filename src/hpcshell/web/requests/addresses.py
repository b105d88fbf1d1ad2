"""What stands in an address, read exactly as it was sent."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from litestar import Request
from litestar.params import PathParameter

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

Id = Annotated[
    str, PathParameter(schema_extra={"pattern": "^[1-9][0-9]{0,18}$"}, description="a number")
]
RunId = Annotated[
    str,
    PathParameter(schema_extra={"pattern": "^[0-9a-f]{32}$"}, description="32 hexadecimal digits"),
]
_ID: Final = re.compile("[1-9][0-9]{0,18}")


def number_of(id: str) -> int:
    """The number of an experiment: digits, and nothing that only means the same. Raises `Wrong`."""
    if _ID.fullmatch(id) is None:
        name = id.replace("'", "''")
        raise Wrong(
            f"{quote(id)} is no id of an experiment: ids are numbers",
            f"look it up by its name: GET /experiments?filter=name = '{name}'",
        )
    return int(id)


def tail(request: Request[Any, Any, Any], word: str) -> str:
    """What comes after `/word/`, decoded once: no path is made tidy here. Raises `Wrong`."""
    raw: bytes = request.scope["raw_path"].partition(b"?")[0]
    try:
        return unquote_to_bytes(raw.partition(b"/%s/" % word.encode())[2]).decode()
    except UnicodeDecodeError:
        raise Wrong("the address is not UTF-8", "write it in UTF-8, percent-encoded") from None
