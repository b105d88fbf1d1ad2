"""What squeue says of jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from hpcshell.backends.contract import UNKNOWN, Answer, Seen, Sighting
from hpcshell.backends.slurm.fields import NOT_TOLD, length, moment, nodes, number, resources, told
from hpcshell.backends.slurm.records import GAP, key_of, silence, split, usual
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
_GAPS: Final = len(FIELDS) - 1
_TEXTS: Final = len(FIELDS) - FIELDS.index("Comment")
"""So many at the end. What stands in front of them is the same for many jobs, but for ids."""
_FRONT: Final = r"(?m)^(?=\d+(?:[_+][^\x1f\n]*)?\x1f\d+\x1f[^\x1f\n]*\x1f[A-Z_]+\x1f)"
_Fate = tuple[str, str, bool, str, str]
_Figures = tuple[Any, ...]
_made: Final[Callable[..., Sighting]] = Sighting
_HEAD: Final = r"(?m)^JOBID\x1f[^\n]*\x1f[A-Z_]+\x1e\n"


class Ahead:
    """The beginning of an answer, of which whole lines are read while squeue still writes. Where
    any of them is not as most are, nothing is known of it."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._jobs: list[Sighting] = []
        self._rest = b""

    def hear(self, piece: bytes) -> None:
        whole, end, self._rest = (self._rest + piece).rpartition(_LINE.encode())
        text = (whole + end).decode(errors="replace")
        lines = usual(text, _LINE, _GAPS)
        if not lines:  # of what is not as most are the next is no beginning
            return
        self._jobs += map(_job, lines if self._texts else lines[1:])
        self._texts.append(text)

    def of(self, answer: str) -> tuple[int, list[Sighting]]:
        """Up to where the answer was read, and what it says until there."""
        text = "".join(self._texts)
        return (len(text), self._jobs) if answer.startswith(text) else (0, [])


def read_queue(answer: Answer, ahead: Ahead | None = None) -> Seen:
    """The jobs that squeue shows. Its last line has to be whole, and nothing gone wrong."""
    head = re.search(_HEAD, answer.out)
    if head is None:
        return Seen(whole=False, trouble=silence(answer, "squeue"))
    lines, end, cut = answer.out.rpartition(_LINE)
    begin, known = ahead.of(answer.out) if ahead and not head.start() else (0, [])
    if not begin or usual(lines[begin:], _LINE, _GAPS) is None:
        begin, known = head.end(), []
    records = split((lines + end)[begin:], _LINE, _FRONT, _GAPS)
    sightings = (*known, *map(_job, records))
    if answer.code != 0 or cut or "rror:" in answer.err:
        return Seen(sightings=sightings, whole=False, trouble=silence(answer, "squeue"))
    return Seen(sightings=sightings)


def _job(record: str) -> Sighting:
    native, array, index, rest = record.split(GAP, 3)
    if record.count(GAP) == _GAPS:
        common, comment, out, err, cwd, name = rest.rsplit(GAP, _TEXTS)
    else:  # they are in the name
        common, comment, out, err, cwd, name = _odd(rest)
    element, waiting = (None, _waiting(index)) if "[" in native else (number(index), "")
    fate, figures = _common(common)
    return _made(
        array if waiting else native,
        array,
        element,
        waiting,
        key_of(comment),
        *fate,
        name,
        *figures,
        "" if cwd in NOT_TOLD else cwd,
        "" if out in NOT_TOLD else out,
        "" if err in NOT_TOLD else err,
    )


def _odd(rest: str) -> list[str]:
    """What stands before the texts, and the texts, of which the last holds gaps."""
    fields = rest.split(GAP, _GAPS - 3)
    return [GAP.join(fields[:-_TEXTS]), *fields[-_TEXTS:]]


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


def _waiting(index: str) -> str:
    """The indices of all those that wait under a line."""
    return index.partition("%")[0].strip("[]")
