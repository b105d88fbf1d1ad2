"""What is said to LSF, and how each id is named in it.

Jobs are asked for as JSON (10.1.0.2 and later), because a job's name may hold any delimiter. Ids go
in bundles, and never none: without an id bkill would end the last job of the user, and 0 means all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Edit, Words
from hpcshell.backends.lsf import times
from hpcshell.backends.lsf.documents import Job, Queue, fields
from hpcshell.backends.lsf.script import ENVIRONMENT, lacking, native_parts, priority
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.units import format_signal, signal_number
from hpcshell.core.words import check_name, quote

_BUNDLE: Final = 500
_LONG: Final = 120.0


def words(*argv: str, stdin: bytes = b"", patience: float = 30.0) -> Words:
    return Words(argv=argv, stdin=stdin, env=ENVIRONMENT, patience=patience)


DATE: Final = words("date", "+%s")
"""The clock of the site: LSF's times have no year."""


def queue(user: str | None) -> tuple[Words, Words]:
    """Two questions, only one of them for LSF. With -a those that ended within the hour, too."""
    whose = "all" if user is None else check_name(user, "user")
    if whose.startswith("-"):
        raise Wrong(f"{quote(whose)} is no user", "write a name such as ada")
    return DATE, words("bjobs", "-u", whose, "-a", "-json", "-o", fields(Job))


def site() -> tuple[Words, Words]:
    return words("bqueues", "-json", "-o", fields(Queue)), words("bparams", "-a")


def history(ids: Sequence[str]) -> list[Words]:
    """bhist with all its event files: bjobs has forgotten them, and bacct knows only ended ones."""
    asked = [words("bhist", "-l", "-n", "0", *bundle, patience=_LONG) for bundle in _bundles(ids)]
    return [DATE, *asked] if asked else []


def change(ids: Sequence[str], *command: str) -> list[Words]:
    return [words(*command, *bundle) for bundle in _bundles(ids)]


def signal(ids: Sequence[str], name: str) -> list[Words]:
    return change(ids, "bkill", "-s", format_signal(signal_number(name)))


def edit(ids: Sequence[str], changes: Mapping[Edit, object]) -> list[Words]:
    """bmod takes one id at a time, bswitch many."""
    said = [
        words("bmod", *options, native)
        for name, value in changes.items()
        if name != "partition"
        for options in [_modified(name, value)]
        for native in _checked(ids)
    ]
    queue = changes.get("partition")
    return said + (change(ids, "bswitch", _text(queue)) if queue is not None else [])


def _modified(name: Edit, value: object) -> tuple[str, ...]:
    if name not in _OPTIONS:
        sentence, nearest = lacking(name)
        raise Refused(sentence, nearest)
    return _OPTIONS[name](value)


def _text(value: object) -> str:
    text = check_name(str(value), "value")
    if text.startswith("-"):
        raise Wrong(f"{quote(text)} would be taken for an option", "write a name")
    return text


def _limit(value: object) -> tuple[str, ...]:
    return ("-Wn",) if value is None else ("-W", str(times.minutes(float(str(value)))))


def _throttle(value: object) -> tuple[str, ...]:
    return ("-J", f"%{int(str(value))}")


_OPTIONS: Final[Mapping[str, Callable[[object], tuple[str, ...]]]] = {
    "time_limit": _limit,
    "priority": lambda value: ("-sp", str(priority(int(str(value))))),
    "account": lambda value: ("-P", _text(value)),
    "name": lambda value: ("-J", _text(value)),
    "throttle": _throttle,
}


def _bundles(ids: Sequence[str]) -> Iterator[list[str]]:
    checked = _checked(ids)
    for first in range(0, len(checked), _BUNDLE):
        yield checked[first : first + _BUNDLE]


def _checked(ids: Sequence[str]) -> list[str]:
    for native in ids:
        native_parts(native)
    return list(ids)
