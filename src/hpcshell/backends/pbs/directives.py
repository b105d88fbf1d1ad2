"""The `#PBS` lines of a request.

A directive's words are split at blanks after quotes are taken away, as a shell would without
expanding anything: what `shlex.quote` writes arrives as it was. qsub reads directives up to the
first line that is neither blank nor a comment, so nothing below can be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from shlex import quote
from typing import Final

from hpcshell.backends.contract import Order, Site
from hpcshell.backends.pbs import resources, values
from hpcshell.backends.pbs.arrays import array_words, variables
from hpcshell.backends.pbs.depend import depend_words
from hpcshell.backends.pbs.outputs import output_words
from hpcshell.backends.pbs.site import TORQUE
from hpcshell.core.errors import Wrong
from hpcshell.core.submission import Submission
from hpcshell.core.words import quote as shown

LONGEST_NAME: Final = 230
_LONGEST_OF_TORQUE: Final = {True: 15, False: 255}
_NAME: Final = re.compile(r"[A-Za-z0-9._+-]+\Z")
_ADDRESSES: Final = re.compile(r"[A-Za-z0-9._%+@-]+(?:,[A-Za-z0-9._%+@-]+)*\Z")
_QUEUE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*\Z")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+\Z")
_MAILS: Final = {"begin": "b", "end": "e", "fail": "a", "requeue": "a", "time_limit": "a"}

Words = tuple[str, ...]


def directives(order: Order, site: Site | None) -> list[str]:
    """The lines, each with one option."""
    return [" ".join(["#PBS", *map(quote, words)]) for words in _options(order, site) if words]


def _options(order: Order, site: Site | None) -> Iterable[Words]:
    submission = order.spec.submission
    torque = site is not None and site.flavour == TORQUE
    yield _name(submission.name, site)
    yield _queue(submission)
    yield ("-A", account(submission.account)) if submission.account else ()
    yield from _resources(order, site)
    yield from array_words(order, torque)
    yield from depend_words(order, torque)
    yield ("-h",) if submission.hold else ()
    yield ("-p", str(priority(submission.priority))) if submission.priority is not None else ()
    yield ("-a", values.stamp(submission.begin)) if submission.begin > order.now else ()
    yield ("-r", "n") if not submission.requeue else ()
    yield from _mail(submission)
    yield from output_words(order, torque)
    yield ("-S", "/bin/bash")
    yield ("-v", variables(order, torque))


def _resources(order: Order, site: Site | None) -> Iterable[Words]:
    layout, limit = order.spec.layout, order.spec.submission.request.time_limit
    torque = site is not None and site.flavour == TORQUE
    for value in resources.nodes(layout) if torque else resources.select(layout, site):
        yield ("-l", value)
    if torque:
        yield tuple(resources.torque_exclusive(layout))
    if limit is not None:
        yield ("-l", f"walltime={values.clock(limit)}")


def _name(name: str, site: Site | None) -> Words:
    return ("-N", check_name(name, site)) if name else ()


def check_name(name: str, site: Site | None) -> str:
    """The name, if PBS takes it as it stands."""
    if _NAME.match(name) is None:
        raise Wrong(
            f"PBS takes no job with the name {shown(name)}",
            "use letters, digits and . _ + - only",
        )
    if name.startswith("-"):
        raise Wrong(f"PBS reads the name {shown(name)} as an option", "begin it with a letter")
    most = LONGEST_NAME
    if site is not None and site.flavour == TORQUE:
        most = _LONGEST_OF_TORQUE[int(site.version.partition(".")[0] or 0) < 4]
        if not name[0].isalpha():
            raise Wrong(
                f"Torque takes no job with the name {shown(name)}", "begin it with a letter"
            )
    if len(name) > most:
        raise Wrong(f"a name of {len(name)} characters is too long", f"PBS takes {most} here")
    return name


def _queue(submission: Submission) -> Words:
    """Reservations of PBS are queues."""
    if submission.partition and submission.reservation:
        raise Wrong(
            "a reservation of PBS is a queue, so there can be no other one",
            f"leave out --partition {submission.partition}",
        )
    name = submission.partition or submission.reservation
    return ("-q", queue(name)) if name else ()


def queue(name: str) -> str:
    if _QUEUE.match(name) is None:
        raise Wrong(f"{shown(name)} can be no queue of PBS", "name one that qstat -Q shows")
    return name


def account(name: str) -> str:
    if _PRINTABLE.match(name) is None or name.startswith("-"):
        raise Wrong(f"{shown(name)} can be no account of PBS", "use printable ASCII characters")
    return name


def priority(number: int) -> int:
    """0 to 1000 around 500, as PBS's -1024 to 1023 around 0."""
    return max(-1024, min(1023, round((number - 500) * 1024 / 500)))


def _mail(submission: Submission) -> Iterable[Words]:
    notify = submission.notify
    if notify is None or not notify.mail:
        return
    if _ADDRESSES.match(notify.mail) is None or notify.mail.startswith("-"):
        raise Wrong(f"PBS takes no mail address {shown(notify.mail)}", "write name@host")
    letters = {_MAILS[event] for event in notify.on if event in _MAILS}
    yield ("-m", "".join(letter for letter in "abe" if letter in letters) or "n")
    yield ("-M", notify.mail)
