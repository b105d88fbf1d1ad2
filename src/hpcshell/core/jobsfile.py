"""A file of jobs: lines of `priority, script, conda_env, arguments, allowed_gpus`.

    lines = Lines()
    for number, line in lines.feed(piece):     whole lines of the pieces of a file, in any cut
        found = read_line(number, line)        JobLine, BadLine, or None: nothing is meant
    lines.rest                                 a last line without its end

No line raises: it is a job, or bad for a reason, or a comment, blank or a heading.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.words import check_name, one_line, quote

LONGEST: Final = 64 * 1024
"""Bytes of a line."""
PRIORITIES: Final = {"0": 750, "1": 500, "2": 250, "": 500}
"""High, normal and low, as priorities of jobs; nothing is normal."""
MOST_CARDS: Final = 1024
FIELDS: Final = 5

_BOM: Final = b"\xef\xbb\xbf"
_CARDS: Final = r"\A[0-9]{1,4}(?:-[0-9]{1,4})?(?:,[0-9]{1,4}(?:-[0-9]{1,4})?)*\Z"
_LIKE_CARDS: Final = r"\A\s*\d+(?:\s*-\s*\d+)?\s*\Z"
_ENDS_IN_NUMBER: Final = r"(?:\A|[\s=])[\d.-]+\s*\Z"
"""Of arguments after which `,0-3` may be the rest of a list of numbers."""
_HEADING: Final = r'(?i)\A\s*"?priority"?\s*,\s*"?script"?\s*(?:,|\Z)'


class JobLine(Record, frozen=True, kw_only=True):
    """A job, and `key`, the same for lines that mean the same. `priority` is ours, 0 to 1000;
    `cards` such as `0-3,6`, "" for any."""

    number: int
    priority: int
    script: str
    conda: str = ""
    arguments: tuple[str, ...] = ()
    cards: str = ""
    key: str


class BadLine(Record, frozen=True, kw_only=True):
    """A line that is no job: why not, and `key`, the same for lines of the same bytes."""

    number: int
    reason: str
    key: str


class Lines:
    """Cuts a file into lines, whatever the pieces; holds no more of a line than may be one."""

    def __init__(self) -> None:
        self.number = 0
        """Of the last line that was whole."""
        self._held = bytearray()

    @property
    def rest(self) -> bytes:
        """What came after the last end of a line; one byte too long where it is too long."""
        return bytes(self._held)

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The lines that end in this piece, without their ends. Of one that is too long there is
        only as much as shows that."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            self._hold(end)
            self.number += 1
            line = self.rest
            self._held.clear()
            yield self.number, line
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        self._held += part[: LONGEST + 1 - len(self._held)]


def read_line(number: int, line: bytes) -> JobLine | BadLine | None:
    """What a line means, None where it means no job."""
    content = (line.removeprefix(_BOM) if number == 1 else line).strip()
    if not content or (content.startswith(b"#") and b"\r" not in content):
        return None
    try:
        text = _text(content)
        return None if re.match(_HEADING, text) else _job(number, _split(text))
    except Wrong as wrong:
        reason = f"{wrong.message}; {wrong.hint}" if wrong.hint else wrong.message
        return BadLine(number=number, reason=reason, key=_key(content))


def _text(content: bytes) -> str:
    if len(content) > LONGEST:
        raise Wrong(f"it is longer than {LONGEST:,} bytes", "pass what is long in a file")
    if b"\0" in content:
        raise Wrong("it holds a NUL byte", "the file is text, one job a line")
    if b"\r" in content:  # a whole file may be one such line
        raise Wrong("it holds a carriage return", "save the file with the line ends of Unix")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Wrong(f"byte {error.start + 1} is not UTF-8", "save the file as UTF-8") from None


# -------------------------------------------------------------------------------------- fields


def _split(text: str) -> list[str]:
    """The text between commas that are not in double quotes, as it stands."""
    fields, start, quoted = [], 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            fields.append(text[start:place])
            start = place + 1
    if quoted:
        raise Wrong("a double quote is not closed", "close it, or write it twice within quotes")
    return [*fields, text[start:]]


def _unquoted(field: str) -> str:
    """A field that stands in quotes as a whole, without them; of others quotes are a part."""
    field = field.strip()
    inner = field[1:-1]
    whole = len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"').strip() if whole else field


def _job(number: int, fields: list[str]) -> JobLine:
    priority, script, conda, arguments, cards = _five(fields)
    if priority not in PRIORITIES:
        raise Wrong(
            f"priority {quote(priority)} is none of 0 (high), 1 (normal) and 2 (low)",
            "the fields are priority, script, conda_env, arguments, allowed_gpus",
        )
    if not script:
        raise Wrong("it names no script", "the second field is its path")
    job = JobLine(
        number=number,
        priority=PRIORITIES[priority],
        script=one_line(script, "script"),
        conda=check_name(conda, "conda_env") if conda else "",
        arguments=shell_words(arguments, "arguments"),
        cards=card_list(cards, "allowed_gpus") if cards else "",
        key="",
    )
    meant = (job.priority, job.script, job.conda, job.arguments, job.cards)
    return replace(job, key=_key(json.dumps(meant).encode()))


def _five(fields: list[str]) -> list[str]:
    """The five fields, missing ones empty; commas that stand in no quotes put back."""
    front, rest = fields[: FIELDS - 2], fields[FIELDS - 2 :]
    if len(rest) > 2:
        rest = _arguments_and_cards(rest)
    given = [_unquoted(field) for field in (*front, *rest)]
    return [*given, *[""] * (FIELDS - len(given))]


def _arguments_and_cards(fields: list[str]) -> list[str]:
    """The last two fields, of which one has commas in no quotes. Raises `Wrong` where it may be
    either."""
    *words, last = fields
    cards = _unquoted(last)
    if cards and not re.match(_CARDS, cards):
        raise Wrong(
            f"it has {FIELDS - 2 + len(fields)} fields, and {quote(cards)} is no list of cards",
            "put arguments with commas in quotes",
        )
    if not cards or not re.match(_LIKE_CARDS, words[-1]):
        return [",".join(words), last]
    arguments, *listed = words
    named = ",".join([*(word.strip() for word in listed), cards])
    plain = all(re.match(_LIKE_CARDS, word) for word in listed)
    if plain and "-" in named and not re.search(_ENDS_IN_NUMBER, arguments):
        return [arguments, named]
    raise Wrong(
        f"arguments or cards: {quote(f'{words[-1].strip()},{cards}')} may be either",
        "put arguments, or a list of cards, with commas in quotes",
    )


def shell_words(text: str, option: str) -> tuple[str, ...]:
    """Arguments as a shell takes them apart. Raises `Wrong`."""
    from shlex import split

    try:
        return tuple(split(one_line(text, option, LONGEST)))
    except ValueError as error:
        raise Wrong(
            f"{option}: they cannot be taken apart: {str(error).lower()}", "close the quotes"
        ) from None


def card_list(text: str, option: str) -> str:
    """Numbers of cards as `0-3,6`, in order, each once. Raises `Wrong` for anything else."""
    stripped = "".join(text.split())
    if not re.match(_CARDS, stripped):
        raise Wrong(f"{option}: {quote(text)} is no list of cards", "write 0, 0-3 or 0,2")
    numbers: set[int] = set()
    for part in stripped.split(","):
        first, _, last = part.partition("-")
        span = range(int(first), int(last or first) + 1)
        if not span or span[-1] >= MOST_CARDS:
            raise Wrong(
                f"{option}: {quote(part)} names no cards",
                f"write the smaller number first, and none above {MOST_CARDS - 1}",
            )
        numbers.update(span)
    return ",".join(_runs(sorted(numbers)))


def _runs(numbers: list[int]) -> Iterator[str]:
    for _, pairs in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in pairs]
        yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"


def _key(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
