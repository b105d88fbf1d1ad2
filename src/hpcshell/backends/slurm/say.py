"""The commands of Slurm that are said. Times come back as Unix seconds, lists whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Edit, Order, Parent, Words
from hpcshell.backends.slurm import history as past
from hpcshell.backends.slurm import queue as live
from hpcshell.backends.slurm.lacks import LACKS
from hpcshell.backends.slurm.output import directories
from hpcshell.backends.slurm.records import GAP
from hpcshell.backends.slurm.script import nice_of, options
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.units import format_clock
from hpcshell.core.words import one_line, signal_number

ENVIRONMENT: Final = {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}
"""Exact answers; without the last, squeue cuts the indices that wait at 64 characters."""
_ASKED: Final = {**ENVIRONMENT, "TZ": "UTC0"}
"""squeue turns each instant into local time and back, most of its work where that is not UTC."""
LOGIN: Final = "HOME,USER,LOGNAME,SHELL,LANG,TZ,PATH"
"""What a job gets of the caller's environment that is to get none of it."""
MANY: Final = 1000
"""Ids in one command: far below what a command line may hold."""
_EARLIEST: Final = 1_000_000
"""Slurm takes smaller numbers of seconds for a slip."""
_SKEW: Final = 3600.0
"""The accounting's clock may not be ours: so much earlier is asked for, too."""

SINFO_FIELDS: Final = ("%P", "%a", "%l", "%L", "%D", "%c", "%m", "%G", "%f", "%s")
_ALLOWED: Final = 'sacctmgr -nP show assoc user="$(id -un)" format=Account,QOS'
_MAKE_FIRST: Final = (
    'for each in "$1" "$2"; do [ -d "$each" ] || mkdir -p -- "$each" || exit; done; '
    'shift 2; exec "$@"'
)
_OVERRULED: Final = frozenset(
    {
        *("account", "array", "constraint", "cpus-per-gpu", "exclusive", "gpus", "gpus-per-task"),
        *("gres", "job-name", "mem", "mem-per-cpu", "mem-per-gpu", "open-mode", "partition"),
        *("qos", "requeue", "no-requeue", "reservation", "signal", "time", "comment"),
    }
)
"""Options for which a variable (SBATCH_PARTITION) would be heard rather than the script; and the
comment, since no word of the user's own may take the key away."""


def say(*argv: str, stdin: bytes = b"", patience: float = 30.0) -> Words:
    return Words(argv=argv, stdin=stdin, env=ENVIRONMENT, patience=patience)


# ------------------------------------------------------------------------------------------ asking


def config() -> Words:
    return say("scontrol", "show", "config")


def site() -> Sequence[Words]:
    """Limits, partitions, and what the user may say for account and QOS."""
    sinfo = say("sinfo", "--all", "--exact", f"--format={GAP.join(SINFO_FIELDS)}")
    return (config(), sinfo, say("sh", "-c", _ALLOWED))


def queue(user: str | None) -> Sequence[Words]:
    """All jobs with all that is told of them; those that ended lately, too, since only there an
    exit code is found where nothing is accounted."""
    fields = [f"{name}:{GAP}" for name in live.FIELDS]
    fields[-1] = f"{live.FIELDS[-1]}:{live.END}"
    whose = () if user is None else (f"--user={user}",)
    what = ("--all", "--states=all", "--noconvert", f"--Format={','.join(fields)}")
    return (Words(argv=("squeue", *what, *whose), env=_ASKED, patience=60.0),)


def history(ids: Sequence[str], since: float) -> Sequence[Words]:
    what = (
        *("--parsable2", "--duplicates", "--noconvert", "--allusers", f"--delimiter={GAP}"),
        f"--format={','.join(past.FIELDS)}",
        f"--starttime=uts{max(int(since - _SKEW), _EARLIEST)}",
    )
    return [say("sacct", *what, f"--jobs={','.join(few)}", patience=60.0) for few in chunks(ids)]


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + MANY] for at in range(0, len(ids), MANY))


# -------------------------------------------------------------------------------------- submitting


def submit(order: Order, script: str) -> Words:
    """sbatch; directories of the output files are made first, since Slurm makes none."""
    argv = ("sbatch", "--parsable", *_said_aloud(order))
    if wanted := directories(order):
        argv = ("sh", "-c", _MAKE_FIRST, "sh", wanted[0], wanted[-1], *argv)
    return say(*argv, stdin=script.encode(), patience=60.0)


def estimate(order: Order, script: str) -> Words:
    return say("sbatch", "--test-only", *_said_aloud(order), stdin=script.encode(), patience=60.0)


def _said_aloud(order: Order) -> Iterator[str]:
    """What does not stand in the script, or would not be heard there."""
    yield f"--export={'ALL' if order.spec.whole else LOGIN}"
    for option, value in options(order):
        if option in _OVERRULED:
            yield f"--{option}={value}" if value else f"--{option}"
    if order.parents:
        never = order.spec.submission.on_never
        yield f"--dependency={('?' if order.any else ',').join(map(_condition, order.parents))}"
        yield f"--kill-on-invalid-dep={'yes' if never == 'end' else 'no'}"


def _condition(parent: Parent) -> str:
    if parent.delay and parent.kind != "after":
        sentence, _, hint = LACKS["delay"].partition("; ")
        raise Wrong(sentence, hint)
    minutes = f"+{max(1, round(parent.delay / 60))}" if parent.delay else ""
    return ":".join((parent.kind, *(one_line(i, "--dependency") + minutes for i in parent.ids)))


# ---------------------------------------------------------------------------------------- changing


def cancel(ids: Sequence[str]) -> Sequence[Words]:
    return [say("scancel", *few, patience=120.0) for few in chunks(ids)]


def signal(ids: Sequence[str], name: str) -> Sequence[Words]:
    """The job's first process hands a signal on; those that it cannot hear go to all."""
    word = name.strip().upper().removeprefix("SIG")
    unheard = signal_number(word) in (signal_number(other) for other in ("KILL", "STOP", "CONT"))
    whom = "--full" if unheard else "--batch"
    return [say("scancel", whom, f"--signal={word}", *few, patience=120.0) for few in chunks(ids)]


def change(verb: str, ids: Sequence[str], *more: str) -> Sequence[Words]:
    """`scontrol VERB` for ids; `update` names them with a word of its own."""
    front = "JobId=" if verb == "update" else ""
    return [
        say("scontrol", verb, front + ",".join(few), *more, patience=120.0) for few in chunks(ids)
    ]


_UPDATED: Final[Mapping[Edit, str]] = {
    "partition": "Partition",
    "qos": "QOS",
    "account": "Account",
    "name": "JobName",
    "throttle": "ArrayTaskThrottle",
}


def edit(ids: Sequence[str], changes: Mapping[Edit, object]) -> Sequence[Words]:
    more = []
    if "time_limit" in changes:
        limit = changes["time_limit"]
        more.append(f"TimeLimit={format_clock(None if limit is None else float(str(limit)))}")
    if "priority" in changes or "nice" in changes:
        priority, nice = changes.get("priority"), changes.get("nice", 0)
        known = None if priority is None else int(str(priority))
        more.append(f"Nice={nice_of(known, int(str(nice)))}")
    more += [
        f"{word}={one_line(str(changes[field]), field)}"
        for field, word in _UPDATED.items()
        if field in changes
    ]
    if not more:
        raise Refused("nothing is to be changed", "name a time limit, a priority, a partition ...")
    return change("update", ids, *more)
