"""What sacct says of jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hpcshell.backends.contract import UNKNOWN, Answer, Seen, Sighting, Trouble
from hpcshell.backends.slurm.fields import (
    Resources,
    amount,
    length,
    moment,
    nodes,
    number,
    resources,
)
from hpcshell.backends.slurm.records import GAP, key_of, silence, split
from hpcshell.backends.slurm.states import (
    GOING,
    NEVER_BEGUN,
    exit_of,
    is_held,
    reason_of,
    state_of,
    why_never_begun,
)

FIELDS: Final = (
    *("JobID", "JobIDRaw", "State", "ExitCode", "Submit", "Start", "End", "TimelimitRaw"),
    *("TotalCPU", "MaxRSS", "AllocTRES", "NodeList", "User", "Partition", "Account", "QOS"),
    *("Priority", "Reason", "Comment", "WorkDir", "JobName", "Cluster"),
)
_FRONT: Final = r"(?m)^(?=\d+(?:[_+.][^\x1f\n]*)?\x1f\d+[^\x1f\n]*\x1f[A-Z_]+[^\x1f\n]*\x1f)"
_HEAD: Final = r"(?m)^JobID\x1fJobIDRaw\x1f[^\n]*\n"


def read_history(answers: Sequence[Answer]) -> Seen:
    """The jobs that sacct knows, each as it was at last; usage is that of its steps.

    A record without a partition is one of which the accounting has only heard the end (it names it
    `allocation`, and an element does not know its array): nothing is believed of it. sacct tells an
    exit code above 127 as 128 less; squeue, and what the job itself recorded, tell it as it was
    (`accounted_codes`).
    """
    jobs: dict[str, list[list[str]]] = {}
    steps: dict[str, int] = {}
    trouble, late = None, False
    for answer in answers:
        head = re.search(_HEAD, answer.out)
        if head is None or answer.code != 0:
            trouble = trouble or silence(answer, "sacct")
        body = answer.out[head.end() :] if head else ""
        for line in split(body, "\n", _FRONT, len(FIELDS) - 1):
            record = line.split(GAP, len(FIELDS) - 1)
            job, _, step = record[1].partition(".")
            if step:
                steps[job] = max(steps.get(job, 0), amount(record[9]) or 0)
            elif not record[13]:
                late = True
            else:
                jobs.setdefault(record[0], []).append(record)
    if late and trouble is None:
        trouble = Trouble(kind="busy", message="the accounting has not heard all of a job yet")
    sightings = tuple(_ended(runs, steps) for runs in jobs.values())
    return Seen(sightings=sightings, whole=trouble is None, trouble=trouble)


def _ended(runs: list[list[str]], steps: dict[str, int]) -> Sighting:
    """A job by its latest record; the earlier ones are of runs that were put back."""
    record = max(enumerate(runs), key=lambda run: (moment(run[1][4]) or 0.0, run[0]))[1]
    native, raw, word, code, submitted, started, ended, limit, *record = record
    cpu, _, tres, where, user, partition, account, qos, *record = record
    priority, why, comment, cwd, name, _ = record
    state = state_of(word) or UNKNOWN
    array, element, waiting = _address(native)
    waits = state == "PENDING"
    over = state not in GOING and state != UNKNOWN
    exit_code, signal = exit_of(state, code) if over else (None, None)
    ran_on = nodes(where)
    held = resources(tres) if tres else Resources()
    return Sighting(
        native=array if waiting else native,
        number=array,
        element=element,
        waiting=waiting,
        key=key_of(comment),
        state=state,
        word=word,
        held=waits and is_held(word, why),
        reason=reason_of(why) if waits else why_never_begun(signal),
        reason_code=why if waits and why != "None" else "",
        name=name,
        user=user,
        partition=partition,
        account=account,
        qos=qos,
        priority=number(priority),
        submit_time=moment(submitted),
        start_time=moment(started) if ran_on else None,
        end_time=moment(ended),
        exit_code=exit_code,
        signal=None if signal == NEVER_BEGUN else signal,
        cpus=held.cpus,
        memory=held.memory,
        gpus=held.gpus,
        time_limit=60.0 * whole if (whole := number(limit)) is not None else None,
        nodes=ran_on,
        restarts=len(runs) - 1,
        cpu_time=length(cpu) if over else None,
        max_rss=steps.get(raw) or None,
        cwd=cwd,
    )


def _address(native: str) -> tuple[str, int | None, str]:
    """`12_3` and `12_[4-9%2]` apart: number, element, and what waits."""
    array, _, rest = native.partition("_")
    if rest.startswith("["):
        return array, None, rest.strip("[]").partition("%")[0]
    return array, number(rest), ""
