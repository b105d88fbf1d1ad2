"""What LSF says when it refuses, in which kind that is, and what to do about it.

Its commands end with 255 for every reason, as ssh does, so only the text tells. An answer without
one of these sentences is `broken`, or `busy` where none came.
"""

from __future__ import annotations

import re
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
from hpcshell.core.words import nearest

PARENT_HINT: Final = "LSF forgets a job an hour after its end: leave out a parent that has ended"
_QUEUE_HINT: Final = "bqueues lists the queues, bqueues -l NAME what one takes"
_SENTENCES: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("pending job threshold reached", "limit", "wait until some of your waiting jobs have started"),
    ("has reached its job limit", "limit", "wait until the queue has room, or name another one"),
    ("not have enough job slots", "limit", "wait until some of your jobs have ended"),
    ("not have enough per-user job slots", "limit", "wait until some of your jobs have ended"),
    ("cannot connect to lsf", "busy", ""),
    ("lsf is down", "busy", ""),
    ("lim is down", "busy", ""),
    ("lsf is processing your request", "busy", ""),
    ("daemon not responding", "busy", ""),
    ("batch service not registered", "busy", ""),
    ("communication timeout", "busy", ""),
    ("timeout on connect", "busy", ""),
    ("connection refused by server", "busy", ""),
    ("job query limit exceeded", "busy", ""),
    ("operation is in progress", "busy", ""),
    ("daemon internal error", "busy", ""),
    ("no job id can be used now", "busy", ""),
    ("no such queue", "wrong", _QUEUE_HINT),
    ("queue has been closed", "wrong", "name a queue that is open: --partition"),
    ("user cannot use the queue", "denied", "name a queue that is open to you: bqueues -u $USER"),
    ("user permission denied", "denied", "only its owner and an administrator may do that"),
    ("root job submission is disabled", "denied", "submit as another user"),
    ("user not in the specified user group", "denied", "bugroup lists the groups"),
    ("not in specified project group", "denied", "name another account: --account"),
    ("request aborted by esub", "denied", "a check of the site's own refused it"),
    ("unknown user", "denied", "LSF does not know this user"),
    ("too many processors requested", "wrong", "ask for fewer cpus, or name a larger queue"),
    ("too many tasks requested", "wrong", "ask for fewer cpus, or name a larger queue"),
    ("too few processors requested", "wrong", "ask for more cpus, or name another queue"),
    ("cannot exceed queue's", "wrong", _QUEUE_HINT),
    ("does not accept exclusive jobs", "wrong", "leave out --exclusive, or name another queue"),
    ("only accepts interactive jobs", "wrong", "name another queue: --partition"),
    ("error in rusage section", "wrong", "look at memory, gres and licenses; bhosts -s lists them"),
    (
        "error in select section",
        "wrong",
        "look at --constraint; lsinfo lists what can be asked for",
    ),
    ("cannot be used in the resource requirement", "wrong", "lsinfo lists what can be asked for"),
    ("expected number, string", "wrong", "look at --constraint and --native"),
    ("duplicate section", "wrong", "leave the section out of --native -R"),
    ("bad resource requirement syntax", "wrong", "look at --constraint and --native"),
    ("bad resource name", "wrong", "lsinfo lists what can be asked for"),
    ("bad job name", "wrong", "name it with letters and digits"),
    ("dependency condition", "wrong", "write ids of jobs that LSF still knows"),
    ("do not have the same size", "wrong", "aftercorr needs two arrays of the same size"),
    ("job array index", "wrong", "bparams -a tells MAX_JOB_ARRAY_SIZE; indices begin with 1"),
    ("array size", "wrong", "bparams -a tells MAX_JOB_ARRAY_SIZE"),
    ("bad user priority", "wrong", "name a lower priority, or none"),
    ("job priority control undefined", "wrong", "this site has no priorities for users"),
    ("no such user/host group", "wrong", "bugroup lists the groups"),
    ("bad user group name", "wrong", "bugroup lists the groups"),
    ("cannot find the reservation", "wrong", "brsvs lists the reservations"),
    ("bad time specification", "wrong", ""),
    ("signal not supported", "wrong", ""),
    ("job has already finished", "gone", "it has ended"),
    ("job has not started yet", "wrong", "it still waits"),
    ("no matching job found", "gone", ""),
    ("is not found", "gone", ""),
)
_QUEUE: Final = re.compile(r"^\s*(\S+): No such queue", re.MULTILINE)


def trouble(answer: Answer, site: Site) -> Trouble:
    """Why an answer is not what was asked for."""
    if (absent := no_command(answer, "LSF", "source its profile.lsf")) is not None:
        return absent
    if answer.code is None:
        return Trouble(kind="busy", message=first_lines(answer.said) or "no answer in time")
    return sentence(answer.said, site) if answer.said else wordless(answer, "LSF")


def sentence(said: str, site: Site) -> Trouble:
    """The trouble that this text tells of."""
    low = " ".join(said.lower().split())
    for part, kind, hint in _SENTENCES:
        if part in low:
            near = _nearest_queue(said, site) if part == "no such queue" else ""
            return Trouble(kind=kind, message=first_lines(said), hint=near or hint)
    return Trouble(kind="broken", message=first_lines(said))


def _nearest_queue(said: str, site: Site) -> str:
    queues = [partition.name for partition in site.partitions]
    found = _QUEUE.search(said)
    near = nearest(found[1], queues) if found else None
    return f"did you mean {near}?" if near else ""
