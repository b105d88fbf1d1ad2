"""The commands: what is said to PBS, and what comes back of a submission or a change.

Every command runs with LC_ALL=C and in UTC: qsub reads `-a` and qstat writes times in the zone that
they run in. PBS_DPREFIX is set, for another value would make comments of our directives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Change, Edit, Order, Site, Trouble, Words
from hpcshell.backends.pbs import values
from hpcshell.backends.pbs.arrays import variables
from hpcshell.backends.pbs.directives import account, check_name, priority, queue
from hpcshell.backends.pbs.ids import PATTERN, parse_id, same_id
from hpcshell.backends.pbs.site import TORQUE
from hpcshell.backends.pbs.troubles import trouble, trouble_of
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import quote, signal_number

_ENV: Final = {"LC_ALL": "C", "TZ": "UTC0"}
_AT_ONCE: Final = 500
"""Ids in one command."""
_JOB: Final = re.compile(rf"^({PATTERN})\s*$", re.MULTILINE)
_MINE: Final = (
    "set -f; command -v qselect >/dev/null || exec qstat -f -t; "
    'ids=$(qselect -u "$1") || exit; [ -z "$ids" ] || exec qstat -f -t $ids'
)
"""qstat itself shows one user's jobs in short only. What it is given are ids, and no patterns."""


def words(*argv: str, **env: str) -> Words:
    return Words(argv=argv, env={**_ENV, **env})


# ----------------------------------------------------------------------------------- submitting


def submit(order: Order, site: Site | None) -> Words:
    """To OpenPBS with -f: without it qsub leaves a process behind that keeps our files open for a
    minute. (In Torque, -f means something else.)"""
    torque = site is not None and site.flavour == TORQUE
    front = ("-f",) if site is not None and site.flavour and not torque else ()
    native = _native(order, torque)
    return words("qsub", *front, *native, order.job_script, PBS_DPREFIX="#PBS")


def _native(order: Order, torque: bool) -> Iterator[str]:
    """The user's own words. Their -v would displace the one in the script, and the key with it."""
    parts = iter(order.spec.native)
    for word in parts:
        if "\0" in word or "\n" in word:
            raise Wrong(f"{quote(word)} cannot be handed to qsub", "leave out the line break")
        if word == "--":
            raise Wrong("qsub is given our script, not a command of its own", "leave out --")
        if word[:2] != "-v":
            yield word
            continue
        listed = word[2:] or next(parts, "")
        yield from ("-v", variables(order, torque) + (f",{listed}" if listed else ""))


def read_submit(answer: Answer, site: Site | None) -> str | Trouble:
    """The id, on a line of its own. Who submits with `-W block=true` gets it, too, and with it the
    code of the job, in time or not. Without an id nobody knows whether it was submitted."""
    found = _JOB.findall(answer.out)
    if len(found) == 1 and (answer.code in (0, None) or not answer.err.strip()):
        return str(found[0])
    if answer.code == 0:
        return Trouble(kind="busy", message=answer.said or "qsub says nothing", hint=_LOOK)
    return trouble(answer, site)


_LOOK: Final = "qsub did not say which job it is; it is looked for"


# ------------------------------------------------------------------------------------- watching


def queue_of(user: str | None) -> list[Words]:
    if user is None:
        return [words("qstat", "-f", "-t")]
    return [words("sh", "-c", _MINE, "qstat", user)]


def history(ids: Sequence[str], site: Site | None) -> list[Words]:
    """With -x only where there is a history: without one an ended job is not known at all, and in
    Torque, which keeps it in the queue for some minutes, -x asks for XML."""
    without = site is not None and (site.flavour == TORQUE or not site.accounting)
    ended = () if without else ("-x",)
    return [words("qstat", *ended, "-f", "-t", *some) for some in _parts(ids)]


# ------------------------------------------------------------------------------------- changing


def change(ids: Sequence[str], *command: str) -> list[Words]:
    return [words(*command, *some) for some in _parts(ids)]


def signal(ids: Sequence[str], name: str) -> list[Words]:
    signal_number(name)
    return change(ids, "qsig", "-s", name.strip().upper().removeprefix("SIG"))


def edit(ids: Sequence[str], changes: Mapping[Edit, object], site: Site | None) -> list[Words]:
    """By qalter, and by qmove to another queue."""
    options: list[str] = []
    for what, value in changes.items():
        if what != "partition":
            options += _option(what, value, site)
    said = change(ids, "qalter", *options) if options else []
    if "partition" in changes:
        said += change(ids, "qmove", queue(str(changes["partition"])))
    return said


def _option(what: Edit, value: object, site: Site | None) -> Sequence[str]:
    match what, value:
        case "time_limit", int() | float():
            return ("-l", f"walltime={values.clock(float(value))}")
        case "time_limit", None:
            raise Refused("PBS cannot take a time limit off a job", "give a longer one")
        case "priority", int():
            return ("-p", str(priority(value)))
        case "name", str():
            return ("-N", check_name(value, site))
        case "account", str():
            return ("-A", account(value))
        case "throttle", int():
            return _throttle(value, site)
        case _:
            raise Refused(
                f"PBS cannot change the {what} of a job",
                "change its time limit, priority, queue, account or name",
            )


def _throttle(number: int, site: Site | None) -> Sequence[str]:
    """0 lets all of them run: as many as an array can have."""
    most = number or (site.most_elements if site else None) or 10_000
    if site is not None and site.flavour == TORQUE:
        return ("-t", f"%{most}")
    return ("-W", f"max_run_subjobs={most}")


def read_change(ids: Sequence[str], answers: Sequence[Answer], site: Site | None) -> Change:
    """Each complaint ends with the id that it is about; one that names none is about all of that
    command's."""
    troubles: dict[str, Trouble] = {}
    parts = list(_parts(ids))
    for place, answer in enumerate(answers):
        some = parts[place % len(parts)] if parts else ()
        for native, found in _of_each(some, answer, site):
            troubles.setdefault(native, found)
    return Change(troubles=troubles)


def _of_each(
    ids: Sequence[str], answer: Answer, site: Site | None
) -> Iterable[tuple[str, Trouble]]:
    if answer.code == 0 and not answer.err.strip():
        return []
    named: list[tuple[str, Trouble]] = []
    for line in answer.err.splitlines():
        about = line.split()[-1:]
        hit = [native for native in ids if about and same_id(native, about[0])]
        named += [(native, trouble_of(line.strip(), answer.code, site)) for native in hit]
    if named or answer.code == 0:
        return named
    every = trouble(answer, site)
    return [(native, every) for native in ids]


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for native in ids:
        parse_id(native)
    for begin in range(0, len(ids), _AT_ONCE):
        yield ids[begin : begin + _AT_ONCE]
