"""What squeue says of jobs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from hpcshell.backends.contract import UNKNOWN, Answer, Seen, Sighting
from hpcshell.backends.slurm.fields import length, moment, nodes, number, resources, told
from hpcshell.backends.slurm.records import GAP, key_of, silence, split
from hpcshell.backends.slurm.states import (
    GOING,
    NEVER_BEGUN,
    STATES,
    ending,
    exit_of,
    is_held,
    reason_of,
    why_never_begun,
)

END: Final = "\x1e"
"""What ends a line of squeue's, before the newline."""
_LINE: Final = END + "\n"
FIELDS: Final = (
    *("JobArrayID", "ArrayJobID", "ArrayTaskID", "State", "exit_code", "RestartCnt"),
    *("PriorityLong", "SubmitTime", "StartTime", "EndTime", "TimeLimit", "tres-alloc"),
    *("NodeList", "UserName", "Partition", "Account", "QOS", "Reason"),
    *("Comment", "StdOut", "StdErr", "WorkDir", "Name"),
)
_BEFORE: Final = FIELDS.index("Comment") - 1
"""Gaps before the texts. What stands in front of these is the same for many jobs, but for ids."""
_FRONT: Final = r"(?m)^(?=\d+(?:[_+][^\x1f\n]*)?\x1f\d+\x1f[^\x1f\n]*\x1f[A-Z_]+\x1f)"
_Fate = tuple[str, str, bool, str, str]
_Figures = tuple[Any, ...]
_HEAD: Final = r"(?m)^JOBID\x1f[^\n]*\x1f[A-Z_]+\x1e\n"


def read_queue(answer: Answer) -> Seen:
    """The jobs that squeue shows. Its last line has to be whole, and nothing gone wrong."""
    head = re.search(_HEAD, answer.out)
    if head is None:
        return Seen(whole=False, trouble=silence(answer, "squeue"))
    body = answer.out[head.end() :]
    lines, end, cut = body.rpartition(_LINE)
    sightings = tuple(map(_job, split(lines + end, _LINE, _FRONT, len(FIELDS) - 1)))
    if answer.code != 0 or cut or "rror:" in answer.err:
        return Seen(sightings=sightings, whole=False, trouble=silence(answer, "squeue"))
    return Seen(sightings=sightings)


def _job(record: str) -> Sighting:
    native, array, index, rest = record.split(GAP, 3)
    common, comment, out, err, cwd, *name = rest.rsplit(GAP, record.count(GAP) - _BEFORE)
    element, waiting = _place(native, index)
    fate, figures = _common(common)
    return Sighting(
        array if waiting else native,
        array,
        element,
        waiting,
        key_of(comment),
        *fate,
        GAP.join(name),
        *(*figures, told(cwd), told(out), told(err)),
    )


@lru_cache(4096)
def _common(text: str) -> tuple[_Fate, _Figures]:
    """What neither ids nor texts say, which many jobs have in common: the fields of a sighting from
    `state` to `reason_code`, and from `user` to `max_rss`."""
    word, code, restarts, priority, submitted, started, ended, limit, *rest = text.split(GAP)
    tres, where, user, partition, account, qos, why = rest
    state = STATES.get(word, UNKNOWN)
    over = state not in GOING and state != UNKNOWN
    waits = state == "PENDING"
    exit_code, signal = _ending(state, code) if over else (None, None)
    held = resources(tres)
    start, ran_on = moment(started), nodes(where)
    fate = (
        state,
        word,
        waits and is_held(word, why),
        reason_of(why) if waits else why_never_begun(signal),
        why if waits and why != "None" else "",
    )
    return fate, (
        user,
        partition,
        told(account),
        told(qos),
        number(priority),
        moment(submitted),
        # what was cancelled while it waited "started" at that moment, and nowhere
        None if waits or (over and not ran_on) else start,
        moment(ended) if over else None,
        start if waits else None,
        exit_code,
        None if signal == NEVER_BEGUN else signal,
        held.cpus,
        held.memory,
        held.gpus,
        length(limit),
        ran_on,
        number(restarts) or 0,
        None,  # cpu_time
        None,  # max_rss
    )


def _ending(state: str, word: str) -> tuple[int | None, int | None]:
    """squeue tells what `wait` told Slurm: 768 for an exit with 3. `3:0` is what sacct says."""
    if ":" in word:
        return exit_of(state, word)
    status = number(word) or 0
    return ending(state, status >> 8, status & 127)


def _place(native: str, index: str) -> tuple[int | None, str]:
    """The element that a line stands for, or the indices of all those that wait under it."""
    if "[" in native:
        return None, index.partition("%")[0].strip("[]")
    return number(index), ""
