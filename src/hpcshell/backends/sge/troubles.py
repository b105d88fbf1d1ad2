"""Grid Engine's refusals by their own texts, as 8.1 says them.

One table: the kind of trouble, what to do, and the patterns it is known by. A hint may name the
nearest right value that the site has told of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from hpcshell.backends.contract import (
    Answer,
    Kind,
    Site,
    Trouble,
    first_lines,
    no_command,
    wordless,
)
from hpcshell.backends.sge.shape import environments, resources
from hpcshell.core.words import nearest

Hint = str | Callable[[str, Site], str]

_DOWN: Final = "the qmaster does not answer; it is asked again later"
_NO_QUEUES: Final = (
    "no queue could ever run it: ask for fewer CPUs, less memory or time, fewer GPUs, or another "
    "queue (hpc cluster show)"
)
_GONE: Final = "it has ended or was deleted, or the number is another cluster's"
_FOREIGN: Final = "only its owner or an operator may do this"
_WORDS: Final = "look at the words given with --native, and at: man qsub"


def _queue(name: str, site: Site) -> str:
    return _near(name, [partition.name for partition in site.partitions], "qconf -sql")


def _environment(name: str, site: Site) -> str:
    return _near(name, environments(site), "qconf -spl")


def _resource(name: str, site: Site) -> str:
    return _near(name, resources(site), "qconf -sc")


def _project(name: str, site: Site) -> str:
    return _near(name, site.accounts, "qconf -sprjl")


def _elements(most: str, _: Site) -> str:
    return f"split the array: at most {most} elements in one"


def _near(name: str, known: Sequence[str], command: str) -> str:
    near = nearest(name, known)
    if near:
        return f"did you mean {near}?"
    return f"this site has {', '.join(known[:10])}" if known else f"look at: {command}"


_TABLE: Final[Sequence[tuple[Kind, Hint, tuple[str, ...]]]] = (
    (
        "busy",
        _DOWN,
        (
            "commlib error",
            "unable to (?:send message to|contact) qmaster",
            "got (?:send|select) error",
            "failed receiving gdi request",
            "timeout.*qmaster|qmaster.*timeout",
        ),
    ),
    ("limit", "submit it without -now y", ("could not be scheduled; try again later",)),
    (
        "broken",
        "source the site's settings.sh before anything else",
        ("SGE_ROOT", "cell directory", "unable to read qmaster name"),
    ),
    ("wrong", _queue, ('unknown queue "([^"]*)"',)),
    ("wrong", _environment, ('parallel environment "([^"]*)" does not exist',)),
    ("wrong", _resource, ('unknown resource "([^"]*)"',)),
    ("wrong", _project, ('requested project "([^"]*)" does not exist',)),
    ("wrong", _NO_QUEUES, ("no suitable queues", "cannot run in PE", "it offers only")),
    ("wrong", "write seconds, or HH:MM:SS", ("is not a time value",)),
    ("wrong", "write a number with K, M or G", ("is not a memory value",)),
    ("wrong", "write a whole number", ("is not an? integer value",)),
    ("wrong", "ask for one slot at least", ("pe range must be greater than zero",)),
    (
        "wrong",
        "ask for CPUs: --cpus 4",
        ("use parallel environments instead of requesting slots",),
    ),
    (
        "wrong",
        "choose a name of letters, digits, dots and dashes that begins with a letter",
        (
            "valid object name",
            "(?:not allowed in|allowed as) objectname",
            "-N option must not contain",
            "no job_name in the request",
            "Error reading answer list",
        ),
    ),
    ("wrong", "tasks of Grid Engine begin at 1", ("is an invalid task id",)),
    ("limit", _elements, ("more than ([0-9]+) tasks",)),
    (
        "limit",
        "wait until some of the jobs have ended",
        ("not allowed to submit more", "exceed.* jobs", "limit.* jobs"),
    ),
    (
        "denied",
        "ask for a priority of 500 or less",
        ("positive submission priority requires operator",),
    ),
    (
        "denied",
        "leave the deadline out, or ask the site to be named in its list deadlineusers",
        ("not a deadline initiation user",),
    ),
    (
        "denied",
        _FOREIGN,
        (
            "must be at least owner of job",
            "necessary privileges to (?:delete|modify)",
            "no permission to modify",
        ),
    ),
    (
        "denied",
        "ask the site's administrators",
        ("ha(?:s|ve) no (?:access|permission)", "not allowed to (?:submit|run)", "access denied"),
    ),
    ("wrong", "look up reservations with: qrstat", ("advance reservation",)),
    (
        "wrong",
        "aftercorr is for arrays: use afterok",
        ("Can only specify .-hold_jid_ad. option with an array",),
    ),
    (
        "wrong",
        "give this array the same indices as the one it waits for",
        ("must have the same range of sub-tasks",),
    ),
    (
        "wrong",
        "Grid Engine waits for whole jobs, not for elements",
        ('denied: job "[^"]*" not found',),
    ),
    ("wrong", "a job cannot wait for one that waits for it", ("dependency cycle",)),
    ("wrong", "write a priority from 0 to 1000", ("invalid priority",)),
    (
        "gone",
        _GONE,
        (
            'job "[^"]*"(?: task "[^"]*")? does not exist',
            r"The job \S+ of user\(s\) .* does not exist",
            "Following jobs do not exist",
            "invalid queue or job",
            r"job (?:id|name) \S+ not found",
        ),
    ),
    (
        "wrong",
        "only jobs that were submitted with --requeue can be put back",
        ("not (?:rerunable|restartable)",),
    ),
    (
        "wrong",
        "only what runs can be suspended: hold it instead",
        ("can not be applied on .* in pending/hold state",),
    ),
    (
        "wrong",
        "what a running job holds cannot be changed",
        ("former resource request on consumable .* missing",),
    ),
    (
        "wrong",
        "the job script is not there, or is empty",
        (
            "Unable to read script file",
            "error reading from file",
            "no script in your request",
        ),
    ),
    (
        "wrong",
        _WORDS,
        (
            "(?:[Ii]nvalid|[Uu]nknown) [Oo]ption",
            "Numerical value invalid",
            r"Wrong [\w ]+ (?:list|options?) format",
            "Wrong (?:mail options|variable) list",
            "Wrong date/time format",
            "Wrong jid_hold",
            "invalid task concurrency",
            "command required for a binary job",
            "ERROR! no option argument",
        ),
    ),
    (
        "wrong",
        "change the request as it says",
        ("job rejected", "Job was rejected", "Unable to run job", "denied:"),
    ),
)
_PATTERNS: Final = tuple(
    (re.compile("|".join(patterns)), kind, hint) for kind, hint, patterns in _TABLE
)
_NOISE: Final = frozenset({"Exiting.", "Waiting for immediate job to be scheduled."})


def classify(answer: Answer, site: Site) -> Trouble:
    """Why a command came to nothing."""
    if (absent := no_command(answer, "Grid Engine", "source the site's settings.sh")) is not None:
        return absent
    if answer.code is None:
        return Trouble(kind="busy", message="no answer from Grid Engine in time", hint=_DOWN)
    if not (said := shown(answer.said)):
        return wordless(answer, "Grid Engine")
    unknown = Trouble(kind="broken", message=said, hint="ask the site's administrators")
    return classify_text(answer.said, site) or unknown


def classify_text(text: str, site: Site) -> Trouble | None:
    """None where it is no text of the table."""
    for pattern, kind, hint in _PATTERNS:
        found = pattern.search(text)
        if found:
            value = found[1] if found.lastindex else ""
            advice = hint if isinstance(hint, str) else hint(value, site)
            return Trouble(kind=kind, message=_sentence(text, found), hint=advice)
    return None


def _sentence(text: str, found: re.Match[str]) -> str:
    """All that was said, or of a page of usage the line that matters."""
    if "\nusage:" not in text:
        return shown(text)
    begin, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
    return text[begin : end if end >= 0 else len(text)].strip()


def shown(text: str) -> str:
    """The site's own sentence, less what it says every time."""
    lines = [line for line in text.splitlines() if line.strip() not in _NOISE]
    return first_lines("\n".join(lines)).removeprefix("Unable to run job: ")
