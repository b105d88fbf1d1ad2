"""The words between clients and the daemon: JSON lines over a unix socket.

A request is `{"id":1,"verb":"submit","args":{...}}`. It is answered by one `{"id":1,"ok":...}` or
`{"id":1,"error":{...}}`; a stream says `{"id":1,"event":...}` any number of times before that.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hpcshell.core.errors import KINDS, Broken, HpcError

PROTOCOL: Final = 1

REPEATABLE: Final = frozenset(
    {
        *("hello", "queue", "show", "history", "explain", "resources", "snapshot"),
        *("reservations", "node", "wait", "outputs", "events", "jobs"),
    }
)
"""Verbs that change nothing: asked again when the daemon went away before it answered."""

PATIENT: Final = frozenset({"wait", "events"})
"""Verbs whose answer may take for ever."""


class Failure(msgspec.Struct):
    """An `HpcError` on its way through the socket."""

    kind: str = "broken"
    message: str = ""
    hint: str | None = None
    exit_code: int | None = None


class Answer(msgspec.Struct):
    """One line from the daemon: an event, or the last word on a request."""

    id: int = 0
    ok: Any = msgspec.UNSET
    event: Any = msgspec.UNSET
    error: Failure | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


def request_line(number: int, verb: str, args: dict[str, Any]) -> bytes:
    """The request as it is sent. `args` may hold records.

    Text that is no valid UTF-8 (a file name read from disk) is refused as a `Wrong` of its kind.
    """
    try:
        return _encode({"id": number, "verb": verb, "args": args}) + b"\n"
    except UnicodeEncodeError as error:
        raise KINDS["wrong"](
            f"{error.object[:80]!r} is not valid UTF-8", "rename it, or leave it out"
        ) from None


def read_answer(line: bytes) -> Answer:
    """Raises `Broken` for a line that is no answer."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Broken(
            f"the daemon's answer makes no sense: {error}", "restart it: hpc daemon restart"
        ) from None


def error_of(failure: Failure) -> HpcError:
    """The error as the class it had on the other side, with the exit code it had there."""
    error = KINDS.get(failure.kind, Broken)(failure.message, failure.hint)
    if failure.exit_code is not None:
        error.exit_code = failure.exit_code
    return error
