"""A request in Slurm's words: the directives of its script, and what they cannot say.

Values stand in double quotes, which Slurm reads as a shell would, without expanding anything; a
value with a newline or another control byte in it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil
from typing import Final

from msgspec.structs import replace

from hpcshell.backends.contract import Order
from hpcshell.backends.jobscript import Names, job_script
from hpcshell.backends.slurm.lacks import LACKS
from hpcshell.backends.slurm.output import native_file
from hpcshell.backends.slurm.records import KEY
from hpcshell.core.errors import Wrong
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Request
from hpcshell.core.submission import Submission
from hpcshell.core.units import MIB, format_clock
from hpcshell.core.words import format_signal, one_line

Said = Iterator[tuple[str, str]]
"""Options without their dashes, and their values; "" where an option takes none."""

MIDDLE: Final = 500
"""The priority of whoever asks for none."""
_MAILED: Final = {"begin", "end", "fail", "requeue", "time_limit"}
_NAMES: Final = Names(
    job='"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"',
    element='"${SLURM_ARRAY_TASK_ID-}"',
    index="SLURM_ARRAY_TASK_ID",
    # Slurm tells the first process alone, also when it ends a job, and kills the rest soon after
    forward=("TERM", "INT", "HUP", "USR1", "USR2", "ALRM", "WINCH", "URG", "XCPU"),
)


def script(order: Order) -> str:
    """The whole job script."""
    if order.spec.native:
        from hpcshell.backends.slurm.native import check  # whoever only looks does not need it

        check(order.spec.native)
    said = list(options(order))
    lines = [f"#SBATCH {_written(option, value)}" for option, value in said]
    if order.spec.native:
        lines.append("#SBATCH " + " ".join(map(_quoted, order.spec.native)))
    opens = native_file(order) is None
    # srun hands on what sbatch was told to, unless it is told otherwise
    first = () if order.spec.whole else ("export SLURM_EXPORT_ENV=ALL",)
    return job_script(lines, replace(order, capture=opens), replace(_NAMES, first=first))


def _written(option: str, value: str) -> str:
    return f"--{option}={_quoted(one_line(value, '--' + option))}" if value else f"--{option}"


def _quoted(value: str) -> str:
    """The value as a directive may hold it."""
    one_line(value, "a directive")
    if re.fullmatch(r"(?a)[\w@%+=:,./-]+", value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def options(order: Order) -> Said:
    """All that sbatch is told of a job, but what is said on its command line alone."""
    submission, layout = order.spec.submission, order.spec.layout
    _refuse(submission)
    yield "job-name", submission.name or submission.argv[0].rpartition("/")[2] or "job"
    yield "comment", f"{KEY}{order.key} {submission.comment}".rstrip()
    yield from _place(submission)
    yield from _shape(layout, submission.request)
    yield from _memory(layout, submission.request)
    yield from _things(layout, submission.request)
    yield from _limits(submission)
    if order.indices:
        yield "array", order.indices + (f"%{order.throttle}" if order.throttle else "")
    yield from _files(order)
    yield from _notices(submission)


def _refuse(submission: Submission) -> None:
    asked = {
        "gang": submission.gang is not None,
        "checkpoint": submission.checkpoint is not None,
        "gpu_share": submission.request.gpu_share > 0,
    }
    for option, said in asked.items():
        if said:
            sentence, _, hint = LACKS[option].partition("; ")
            raise Wrong(sentence, hint)


def _place(submission: Submission) -> Said:
    for option in ("partition", "account", "qos", "reservation"):
        if value := getattr(submission, option):
            yield option, value


def _shape(layout: Layout, request: Request) -> Said:
    """Nodes, tasks and CPUs; where nothing was said of them, those of the request."""
    if layout.nodes:
        most = f"-{layout.nodes_most}" if layout.nodes_most else ""
        yield "nodes", f"{layout.nodes}{most}"
    if layout.tasks:
        yield "ntasks", str(layout.tasks)
    if layout.tasks_per_node:
        yield "ntasks-per-node", str(layout.tasks_per_node)
    if layout.cpus_per_task:
        yield "cpus-per-task", str(layout.cpus_per_task)
    elif not (layout.nodes or layout.tasks or layout.tasks_per_node) and request.cpus > 1:
        yield "cpus-per-task", str(request.cpus)
    if layout.constraint or request.constraint:
        yield "constraint", layout.constraint or request.constraint
    if layout.exclusive or request.exclusive:
        yield "exclusive", "" if layout.exclusive in ("", "yes") else layout.exclusive


def _memory(layout: Layout, request: Request) -> Said:
    sizes = {
        "mem": layout.memory,
        "mem-per-cpu": layout.memory_per_cpu,
        "mem-per-gpu": layout.memory_per_gpu,
    }
    if not any(sizes.values()):
        sizes["mem"] = request.memory
    for option, size in sizes.items():
        if size:
            yield option, f"{ceil(size / MIB)}M"


def _things(layout: Layout, request: Request) -> Said:
    """GPUs, other generic resources of a node, licences of the job."""
    model = f"{layout.gpu_type}:" if layout.gpu_type else ""
    each_node = dict(layout.gres)
    gpus = layout.gpus_per_node
    if not (gpus or layout.gpus or layout.gpus_per_task):
        gpus = request.gpus
    generic = [f"gpu:{model}{gpus}"] if gpus else []
    generic += [f"{name}:{count}" for name, count in each_node.items()]
    if generic:
        yield "gres", ",".join(generic)
    if layout.gpus:
        yield "gpus", f"{model}{layout.gpus}"
    if layout.gpus_per_task:
        yield "gpus-per-task", f"{model}{layout.gpus_per_task}"
    if layout.cpus_per_gpu:
        yield "cpus-per-gpu", str(layout.cpus_per_gpu)
    others = {name: count for name, count in request.others.items() if name not in each_node}
    if licenses := others | dict(layout.licenses):
        yield "licenses", ",".join(f"{name}:{count}" for name, count in licenses.items())


def _limits(submission: Submission) -> Said:
    """Time, order and what becomes of it."""
    if submission.request.time_limit is not None:
        # whole minutes are all that Slurm keeps: what lies between is asked for in full
        yield "time", format_clock(60.0 * ceil(submission.request.time_limit / 60.0))
    if submission.begin:
        yield "begin", f"uts{ceil(submission.begin)}"
    if submission.deadline is not None:
        yield "deadline", f"uts{ceil(submission.deadline)}"
    if submission.warn is not None:
        target = "B:" if submission.warn.to == "leader" else ""
        name = format_signal(submission.warn.number)
        yield "signal", f"{target}{name}@{ceil(submission.warn.before)}"
    if nice := nice_of(submission.priority, submission.nice):
        yield "nice", str(nice)
    if submission.hold:
        yield "hold", ""
    yield ("requeue" if submission.requeue else "no-requeue"), ""


def nice_of(priority: int | None, nice: int) -> int:
    """Slurm's priority is the site's own sum: what a user may say is how far to stand back."""
    return nice + MIDDLE - (MIDDLE if priority is None else priority)


def _files(order: Order) -> Said:
    """Slurm opens the output files itself, so that what it says of a job stands in them too."""
    submission = order.spec.submission
    if submission.cwd:
        yield "chdir", submission.cwd
    for option, pattern in (("--output", submission.stdout), ("--error", submission.stderr)):
        one_line(pattern, option)
    if not submission.stdout:
        return
    named = native_file(order)
    if named is None:
        yield "output", "/dev/null"
        return
    yield "output", named[0]
    if named[1]:
        yield "error", named[1]
    yield "open-mode", "append" if submission.append else "truncate"


def _notices(submission: Submission) -> Said:
    notify = submission.notify
    if notify is None or not notify.mail:
        return
    yield "mail-user", notify.mail
    if kinds := [kind.upper() for kind in notify.on if kind in _MAILED]:
        yield "mail-type", ",".join(kinds)
