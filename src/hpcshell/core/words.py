"""Names, signals and text for terminals.

check_name("my job")       the name, or `Wrong`: it must be printable and fit on one line
safe("a<ESC>[2J")          the text made printable: control bytes written out as \\x1b
safe_json(text)            JSON that says the same and is printable
quote("x y")               the same in quotes, cut to a readable length: for error messages
signal_number("SIGUSR1")   10
warn_signal("B:USR1@90")   WarnSignal(number=10, before=90.0, to="leader")
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import WarnSignal

LONGEST_NAME: Final = 255
"""Bytes of a name in UTF-8: what a file's name may have."""

_HIDDEN: Final = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What a terminal obeys or hides instead of showing; the joiners of emoji are not among them."""


def safe(text: str) -> str:
    """The text with control bytes, escapes, direction overrides and lone surrogates written out."""
    return text if text.isprintable() else re.sub(_HIDDEN, _written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as the system's calls hand it over
        code -= 0xDC00
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def safe_json(text: str) -> str:
    """The same JSON, with the characters in it escaped that a terminal obeys or hides."""
    return text if text.isascii() and "\x7f" not in text else re.sub(_HIDDEN, _in_json, text)


def _in_json(found: re.Match[str]) -> str:
    if found[0] in "\n\t":  # between the values: in them the encoder has escaped it
        return found[0]
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def quote(text: str, longest: int = 60) -> str:
    """The text for an error message: printable, in single quotes, cut to `longest` characters."""
    shown = safe(text[: longest + 1])
    return f"'{shown[:longest]}…'" if len(shown) > longest else f"'{shown}'"


def shortened(text: str, longest: int = 200) -> str:
    """The text, cut where it is long: for talk, where the whole can be looked up."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def check_name(text: str, option: str = "name") -> str:
    """The name itself, if it can be printed on one line and stored; else `Wrong`.

    Refused: nothing or blanks, control bytes, newlines, direction overrides, bytes that are not
    UTF-8, more than 255 bytes. Kept as written: everything else, `../x`, `-rf`, `$(id)`, `%n` and
    `<b>` too: a name is never run, never expanded again, and `patterns.expand` takes its slashes
    out.
    """
    if not text or text.isspace():
        raise Wrong(
            f"{option}: a name needs at least one character that can be seen", "write a name"
        )
    if hidden := re.search(_HIDDEN, text):
        raise Wrong(
            f"{option}: {quote(text)} holds {_written_out(hidden)}, which cannot be printed",
            "use letters, digits and signs that can be seen",
        )
    length = len(text.encode())
    if length > LONGEST_NAME:
        raise Wrong(
            f"{option}: {length:,} bytes are too long", f"the longest has {LONGEST_NAME} bytes"
        )
    return text


def name_from(word: str) -> str:
    """A job's name from a file's, which may be what no job's may: control bytes are written out."""
    return safe(word).encode()[:LONGEST_NAME].decode(errors="ignore").strip()


def one_line(text: str, option: str, longest: int = 4096) -> str:
    """Free text (a comment, a path) on one line: no control bytes, at most `longest` bytes."""
    if hidden := re.search(_HIDDEN, text):
        raise Wrong(
            f"{option}: {quote(text)} holds {_written_out(hidden)}, which cannot be printed",
            "leave it out",
        )
    if len(text.encode()) > longest:
        raise Wrong(
            f"{option}: {len(text.encode()):,} bytes are too long", f"the limit is {longest:,}"
        )
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, if any does."""
    from difflib import get_close_matches  # for errors only: start-up does not pay for it

    found = get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


# -------------------------------------------------------------------------------------- signals

_SIGNAL_NAMES: Final = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT"
    " STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
SIGNALS: Final[dict[str, int]] = {
    name: number for number, name in enumerate(_SIGNAL_NAMES.split(), start=1)
}
"""Linux's numbers on every machine but MIPS, SPARC, Alpha and PA-RISC."""
_RTMIN: Final = 34
_RTMAX: Final = 64
_REAL_TIME: Final = r"\ARTMIN(?:\+([0-9]{1,2}))?\Z"
_WARN: Final = r"\A(?:(?P<to>[RBrb]{1,2}):)?(?P<signal>[^@:]+)(?:@(?P<before>.+))?\Z"


def signal_number(text: str, option: str = "--signal") -> int:
    """The number of `USR1`, `SIGUSR1`, `usr1`, `RTMIN+2` or `10`."""
    word = text.strip().upper().removeprefix("SIG")
    if word.isascii() and word.isdigit() and len(word) <= 2 and 1 <= int(word) <= _RTMAX:
        return int(word)
    if (found := re.match(_REAL_TIME, word)) and _RTMIN + int(found[1] or 0) <= _RTMAX:
        return _RTMIN + int(found[1] or 0)
    if word not in SIGNALS:
        near = nearest(word, SIGNALS)
        raise Wrong(
            f"{option}: {quote(text)} is no signal",
            f"did you mean {near}?"
            if near
            else "write a name such as USR1, TERM or INT, or 1 to 64",
        )
    return SIGNALS[word]


def format_signal(number: int) -> str:
    """`USR1`, `RTMIN+2`; the number itself where it has no name."""
    if _RTMIN <= number <= _RTMAX:
        return "RTMIN" if number == _RTMIN else f"RTMIN+{number - _RTMIN}"
    return next((name for name, known in SIGNALS.items() if known == number), str(number))


def warn_signal(text: str, option: str = "--signal") -> WarnSignal:
    """`[B:]SIGNAL[@SECONDS]`: with `B:` only the job's first process is told, else all of them."""
    found = re.match(_WARN, text.strip())
    if found is None:
        raise Wrong(f"{option}: {quote(text)} is no signal", "write USR1@60 or B:USR1@60 (seconds)")
    before = found["before"] or "60"
    if not (
        before.isascii() and before.isdigit() and 1 <= len(before) <= 5 and int(before) <= 65535
    ):
        raise Wrong(
            f"{option}: {quote(before)} is no number of seconds before the limit",
            "write 0 to 65535 after the @, as in USR1@60",
        )
    leader = "B" in (found["to"] or "").upper()
    return WarnSignal(
        number=signal_number(found["signal"], option),
        before=float(before),
        to="leader" if leader else "all",
    )


def format_warn_signal(warn: WarnSignal) -> str:
    """The text that `warn_signal` reads back as the same."""
    target = "B:" if warn.to == "leader" else ""
    return f"{target}{format_signal(warn.number)}@{warn.before:.0f}"
