"""Reads the Standard Workload Format of the Parallel Workloads Archive.

Lines of 18 numbers, and `;` lines with directives (`; MaxProcs: 128`) and remarks. Lines that are
as the format says are read by numpy, a block at a time; only what stands close to a line that has
anything else in it is read line by line, and what is odd in it is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.trace.oddities import SHOWN, Tally
from hpcshell.trace.record import (
    FIELDS,
    OURS,
    REAL,
    UNKNOWN,
    Bools,
    Columns,
    Floats,
    Ints,
    Trace,
    empty_columns,
    trace_of,
)

BLOCK: Final = 1 << 22
"""Bytes that are read at once: what is needed beside the text and the columns stays small."""
SMALL: Final = 1 << 13
"""Below this a block is faster read line by line."""

ESSENTIAL: Final = 5
"""Without a number in each of the first fields (id, submit, wait, run, processors) it is no job."""
LARGEST: Final = 2.0**53
"""Whole numbers are exact in a float up to this."""
SHORTEST: Final = 2 * ESSENTIAL
"""Bytes of the shortest line that may be a job: these fields, each with a blank behind it."""
LONGEST: Final = 2 * BLOCK
"""Bytes of a block that is not one endless line."""
HEADER: Final = 1 << 16
"""Letters of directives and remarks that are kept."""
DIGITS: Final = 15
"""Tokens of at most so many characters are exact, as whole number and as float."""

_HINT: Final = (
    "a line of it has 18 numbers: job, submit, wait, run, processors, ...; remarks begin with ;"
)
_REMARK: Final = re.compile(rb"[^\S\n]*;")
_PLAIN: Final = b"0123456789-. \t\r\n"
_DIRECTIVE: Final = r"([A-Za-z]\w*):(?!//)(.*)"
_WHOLE: Final = tuple(at for at, field in enumerate(FIELDS) if field not in REAL)
_SPACE, _NEWLINE, _MINUS, _DOT, _ZERO = 32, 10, 45, 46, 48


def read_swf(name: str, text: bytes) -> Trace:
    """The jobs of a log in the order of its lines. Raises `Wrong`: no text, no job, not this
    format."""
    if not text or text.isspace():
        raise Wrong(f"{name}: is empty", "a trace has at least one job")
    zero = text.find(b"\0")
    if zero >= 0:
        line = text.count(b"\n", 0, zero) + 1
        raise Wrong(f"{name}:{line}: is binary, not text", _HINT)
    rows = min(text.count(b"\n"), len(text) // SHORTEST) + 1
    reading = _Reading(name, rows)
    for part in _parts(name, text):
        if part.remark:
            reading.remark(part.text)
        else:
            reading.block(part)
    return reading.trace()


# --------------------------------------------------------------------------------------- blocks


class _Part(NamedTuple):
    """A `;` line, or lines without any; `line` is the number of the first."""

    text: bytes
    line: int
    remark: bool = False


def _parts(name: str, text: bytes) -> Iterator[_Part]:
    at, line = (3, 1) if text.startswith(b"\xef\xbb\xbf") else (0, 1)
    while at < len(text):
        end = _after(text, at)
        remark = _REMARK.match(text, at, end) is not None
        if not remark:
            end = _block_end(text, at, end)
        if end - at > LONGEST:
            line += text.count(b"\n", at, end - 1)
            raise Wrong(f"{name}:{line}: is too long for a line of a trace", _HINT)
        yield _Part(text[at:end], line, remark)
        line += text.count(b"\n", at, end)
        at = end


def _after(text: bytes, at: int) -> int:
    """Where the line ends that `at` is in, its newline included."""
    return text.find(b"\n", at) + 1 or len(text)


def _block_end(text: bytes, at: int, least: int) -> int:
    """Where the block ends that begins at `at`: before the next line with a `;`; `least` is the end
    of its first line."""
    end = _after(text, min(at + BLOCK, len(text) - 1))
    remark = text.find(b";", least, end)
    return end if remark < 0 else max(least, text.rfind(b"\n", at, remark) + 1)


class _Reading:
    """What has been read so far."""

    def __init__(self, name: str, rows: int) -> None:
        self.name = name
        self.tally = Tally()
        self._columns = empty_columns(rows)
        self._count = 0
        self._header: dict[str, str] = {}
        self._directive = ""
        self._kept = 0

    def remark(self, line: bytes) -> None:
        """`; Key: value`; what follows without a key belongs to the key before, and a key that is
        said again has one line more."""
        text = _decoded(line).strip().lstrip(";").strip()
        if not text or self._kept > HEADER:
            return
        self._kept += len(text)
        found = re.match(_DIRECTIVE, text)
        if found:
            self._directive, text = found[1], found[2].strip()
        known = self._header.get(self._directive)
        self._header[self._directive] = text if known is None else f"{known}\n{text}"

    def block(self, part: _Part) -> None:
        """Lines without remarks. What is not regular is halved, until what is odd is alone."""
        middle = _after(part.text, len(part.text) // 2)
        if len(part.text) < SMALL or middle == len(part.text):
            self._carefully(part)
            return
        rows = _regular(part.text)
        if rows is None:
            self.block(_Part(part.text[:middle], part.line))
            self.block(_Part(part.text[middle:], part.line + part.text.count(b"\n", 0, middle)))
            return
        count = len(rows.numbers)
        columns = self._next(count, part.line + rows.lines)
        for at, field in enumerate(FIELDS):
            columns[field][:] = rows.numbers[:, at]
        places, field_of = np.divmod(rows.fractions, len(FIELDS))
        for at in np.unique(field_of).tolist():
            here = field_of == at
            columns[FIELDS[at]][places[here]] = rows.values[here]

    def _next(self, count: int, lines: Ints) -> Columns:
        """The columns of the next `count` jobs, to be filled."""
        first, self._count = self._count, self._count + count
        columns = {field: column[first : self._count] for field, column in self._columns.items()}
        columns["line"][:] = lines
        return columns

    def _carefully(self, part: _Part) -> None:
        numbers, lines, lengths = self._numbers(part)
        if not len(numbers):
            return
        bad = _out_of_range(numbers)
        unreadable = _any(bad[:, :ESSENTIAL])
        if not self._count and unreadable[0]:
            line = int(lines[0])
            said = _decoded(part.text.split(b"\n")[line - part.line]).strip()
            raise Wrong(f"{self.name}:{line}: {quote(said)} is no job of a trace", _HINT)
        self._odd("unreadable", unreadable, lines)
        self._odd("short", ~unreadable & (lengths < len(FIELDS)), lines)
        self._odd("long", ~unreadable & (lengths > len(FIELDS)), lines)
        numbers, bad, lines = numbers[~unreadable], bad[~unreadable], lines[~unreadable]
        self._odd("not_a_number", _any(bad), lines)
        numbers[bad] = UNKNOWN
        whole = numbers[:, _WHOLE]
        self._odd("fraction", _any(np.not_equal(whole, np.floor(whole))), lines)
        numbers[:, _WHOLE] = np.floor(whole)
        columns = self._next(len(numbers), lines)
        for at, field in enumerate(FIELDS):
            columns[field][:] = numbers[:, at]

    def _numbers(self, part: _Part) -> tuple[Floats, Ints, Ints]:
        """18 numbers of each line that is not blank, NaN for what is none; the line's number, and
        how many words it has."""
        rows: list[list[float]] = []
        lines: list[int] = []
        lengths: list[int] = []
        for line, text in enumerate(part.text.split(b"\n"), part.line):
            words = text.partition(b";")[0].split()
            if words:
                rows.append(_row(words))
                lines.append(line)
                lengths.append(len(words))
        whole = max(lengths, default=0) >= len(FIELDS)
        if lengths and lengths[-1] < len(FIELDS) and self._breaks_off(part, lines[-1], whole):
            self._count_lines("cut_off", lines[-1:])
            del rows[-1], lines[-1], lengths[-1]
        numbers = np.array(rows, np.float64).reshape(-1, len(FIELDS))
        return numbers, np.array(lines, np.int64), np.array(lengths, np.int64)

    def _breaks_off(self, part: _Part, short: int, others: bool) -> bool:
        """Whether the short line is the end of a file that was cut: others are whole, and it has
        no newline."""
        last = part.line + part.text.count(b"\n")
        return short == last and (others or self._count > 0)

    def _odd(self, word: str, rows: Bools, lines: Ints) -> None:
        self._count_lines(word, lines[rows].tolist())

    def _count_lines(self, word: str, lines: list[int]) -> None:
        self.tally.add(word, (f"{self.name}:{line}" for line in lines[:SHOWN]), len(lines))

    def trace(self) -> Trace:
        """All that was read."""
        if not self._count:
            raise Wrong(f"{self.name}: has no job in it", _HINT)
        columns = {field: column[: self._count] for field, column in self._columns.items()}
        for field in OURS:
            columns[field].fill(UNKNOWN)
        return trace_of(self.name, columns, self.tally, header=self._header)


def _row(words: list[bytes]) -> list[float]:
    """As many numbers as there are fields: NaN for what is no number, unknown for what is missing;
    without the essential ones all are NaN."""
    words = words[: len(FIELDS)]
    missing = len(FIELDS) - len(words)
    if len(words) < ESSENTIAL:
        return [np.nan] * len(FIELDS)
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = [_number(word) for word in words]
    return numbers + [float(UNKNOWN)] * missing if missing else numbers


def _any(marks: Bools) -> Bools:
    """Of each row, whether any is marked."""
    rows: Bools = np.logical_or.reduce(marks, axis=1)
    return rows


def _out_of_range(numbers: Floats) -> Bools:
    """What is no exact number: NaN, too."""
    return np.logical_not(np.less(np.abs(numbers), LARGEST))


def _number(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return np.nan


def _decoded(text: bytes) -> str:
    """Headers are UTF-8 or, in old logs, Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


# ------------------------------------------------------------------------------ what is regular


class _Rows(NamedTuple):
    """A regular block: the whole parts of its numbers, jobs by fields; which of them (counted over
    all) have fractions, with their values; the line of each job, from 0."""

    numbers: Ints
    lines: Ints
    fractions: Ints
    values: Floats


def _regular(text: bytes) -> _Rows | None:
    """The block in numbers; None if it has anything but lines of 18 plain numbers."""
    if text.translate(None, _PLAIN):
        return None
    text = b"\n" + text + b"\n"  # every token has a blank on either side
    codes = np.frombuffer(text, np.uint8)
    ink = codes > _SPACE
    edges = np.flatnonzero(ink[1:] != ink[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    if not len(starts) or len(starts) % len(FIELDS) or (ends - starts).max() > DIGITS:
        return None
    minus = np.flatnonzero(codes == _MINUS)
    if ink[minus - 1].any() or (codes[minus + 1] < _ZERO).any():
        return None
    lines = _lines(codes, starts)
    if lines is None:
        return None
    fractions, values = np.empty(0, np.int64), np.empty(0, np.float64)
    if b"." in text:
        found = _fractions(text, codes, starts, ends)
        if found is None:
            return None
        text, fractions, values = found
    numbers = np.fromstring(text, np.int64, sep=" ")
    return _Rows(numbers.reshape(-1, len(FIELDS)), lines, fractions, values)


def _lines(codes: np.ndarray[tuple[int], np.dtype[np.uint8]], starts: Ints) -> Ints | None:
    """The line of each job, from 0, if each has one to itself."""
    newlines = np.flatnonzero(codes == _NEWLINE)
    first = np.searchsorted(newlines, starts[:: len(FIELDS)])
    last = np.searchsorted(newlines, starts[len(FIELDS) - 1 :: len(FIELDS)])
    if not np.array_equal(first, last) or not (first[1:] > first[:-1]).all():
        return None
    return first - 1  # the newline that was put before the text


def _fractions(
    text: bytes, codes: np.ndarray[tuple[int], np.dtype[np.uint8]], starts: Ints, ends: Ints
) -> tuple[bytes, Ints, Floats] | None:
    """The text with the fractions blanked, which tokens had one, and the numbers they were."""
    dots = np.flatnonzero(codes == _DOT)
    tokens = np.searchsorted(starts, dots, "right") - 1
    if (codes[dots - 1] < _ZERO).any() or not (tokens[1:] > tokens[:-1]).all():
        return None
    bounds = zip(starts[tokens].tolist(), ends[tokens].tolist(), strict=True)
    values = np.array([float(text[start:end]) for start, end in bounds])
    whole = np.isin(tokens % len(FIELDS), _WHOLE)
    if (values[whole] != np.floor(values[whole])).any():
        return None
    blanked = codes.copy()
    for offset in range(DIGITS):
        within = dots + offset
        blanked[within[within < ends[tokens]]] = _SPACE
    return blanked.tobytes(), tokens, values
