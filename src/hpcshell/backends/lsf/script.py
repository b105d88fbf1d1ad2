"""A job as `#BSUB` lines and as words for bsub.

Free text that a directive could not carry as it is (quotes, backslashes, `$`, letters beyond
ASCII) goes to bsub on its command line instead, where no shell and no parser touches it.
Indices of arrays begin with 1 in LSF: ours are shifted by one, in every array, so that elements of
two arrays keep matching each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hpcshell.backends.contract import Order, Parent
from hpcshell.backends.jobscript import Names, job_script
from hpcshell.backends.lsf import shape as shapes
from hpcshell.backends.lsf import times
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.units import format_signal
from hpcshell.core.words import one_line, quote

Option = tuple[str, str | None]
"""A flag of bsub, and its value where it takes one."""

ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC0", "LSB_NTRIES": "1"}
"""What every command is said with. bsub hands it on to the job, which puts it off again."""
SHIFT: Final = 1
LONGEST: Final = 4094
KEY: Final = re.compile(r"hpc:([^\s<>]+)")
"""How a job's description begins: with the key of its order."""
LACKS: Final = {
    "qos": "LSF has no QOS: name a queue with --partition, or a service class with --native -sla",
    "nice": "LSF has no nice: give the job a lower --priority",
    "singleton": "LSF has no singleton: name the job before it with --dependency afterany:ID",
    "delay": "LSF has no delay after a parent: leave out the minutes, or begin the job later",
    "estimate": "LSF estimates no start before a job is submitted: bjobs -l shows one afterwards",
    "nodes_most": "LSF takes no range of nodes: name one number with --nodes",
    "gang": "LSF starts no plain jobs together: ask for one job with several tasks",
    "gpu_share": "LSF has no shares of a GPU by hundredths: ask for a whole one",
    "checkpoint": "LSF sends no signal before a preemption: --signal sends one before the limit",
}
"""What it cannot be asked for."""
_BARE: Final = re.compile(r"(?a)[A-Za-z0-9_./:=,+@%-]+\Z")
_QUOTED: Final = re.compile(r"[ -~]+\Z")
_OUT_OF_DIRECTIVES: Final = frozenset("\"'\\$`#!")
_NATIVE_ID: Final = re.compile(r"(?a)(\d{1,15})(?:\[(\d{1,9})\])?\Z")
_CONDITIONS: Final = {
    "after": "started({})",
    "afterok": "done({})",
    "afternotok": "exit({})",
    "afterany": "ended({})",
    "aftercorr": "done({}[*])",
}
_WAITING: Final = re.compile(r"-(?:K|I\w*)\Z")
_FIELD: Final = re.compile(r"%(.?)")


def script(order: Order) -> str:
    lines = [_line(flag, value) for flag, value in options(order) if _is_plain(value)]
    element = f"$((LSB_JOBINDEX - {SHIFT}))" if order.indices else "''"
    names = Names(
        job='"$LSB_JOBID"', element=element, first=(f"unset {' '.join(sorted(ENVIRONMENT))}",)
    )
    return job_script(lines, order, names)


def command(order: Order) -> tuple[str, ...]:
    """bsub with what its script cannot say; the script itself is read from stdin."""
    native = order.spec.native
    if native and not native[0].startswith("-"):
        raise Wrong(f"--native: {quote(native[0])} is no option of bsub", "write -app NAME")
    for word in native:
        if _WAITING.match(word):
            raise Wrong(f"--native: {word} waits for the job", "wait with: hpc wait")
    words = ["bsub"]
    for flag, value in options(order):
        if value is not None and not _is_plain(value):
            words += [flag, value]
    return (*words, *native)


def _is_plain(value: str | None) -> bool:
    return value is None or bool(_QUOTED.match(value) and not _OUT_OF_DIRECTIVES & set(value))


def _line(flag: str, value: str | None) -> str:
    if value is None:
        return f"#BSUB {flag}"
    return f"#BSUB {flag} {value}" if _BARE.match(value) else f'#BSUB {flag} "{value}"'


def options(order: Order) -> list[Option]:
    """All that is asked for. Raises `Wrong` for what LSF does not have or cannot carry."""
    _refuse_lacking(order)
    return [
        (flag, None if value is None else _carried(flag, value))
        for part in (_names, _resources, _conduct, _output)
        for flag, value in part(order)
    ]


def _carried(flag: str, value: str) -> str:
    one_line(value, f"bsub {flag}", LONGEST)
    if value.startswith("-") or not value.strip():
        raise Wrong(f"bsub {flag}: {quote(value)} would be taken for an option", "rename it")
    return value


def _refuse_lacking(order: Order) -> None:
    submission, layout = order.spec.submission, order.spec.layout
    asked = {
        "qos": submission.qos,
        "nice": submission.nice,
        "gang": submission.gang,
        "checkpoint": submission.checkpoint,
        "gpu_share": submission.request.gpu_share,
        "nodes_most": (layout.nodes_most or 0) > (layout.nodes or 0),
        "singleton": any(parent.kind == "singleton" for parent in order.parents),
        "delay": any(parent.delay for parent in order.parents),
    }
    for what, given in asked.items():
        if given:
            sentence, nearest = lacking(what)
            raise Wrong(sentence, nearest)


def lacking(what: str) -> tuple[str, str]:
    """What LSF does not have, and the nearest thing."""
    message, _, hint = LACKS[what].partition(": ")
    return message, hint


def _names(order: Order) -> Iterator[Option]:
    submission = order.spec.submission
    name = submission.name or "hpc"
    if found := re.search(r"[][*/]", name):
        raise Wrong(f"{quote(name)}: LSF takes no {found[0]} in a name", "leave it out")
    yield "-J", name + (_array(order) if order.indices else "")
    yield "-Jd", f"hpc:{order.key} {submission.comment}".strip()
    if submission.partition:
        yield "-q", submission.partition.replace(",", " ")
    if submission.account:
        yield "-P", submission.account
    if submission.reservation:
        yield "-U", submission.reservation


def _array(order: Order) -> str:
    parts = IndexSet.parse(order.indices).ranges
    shifted = IndexSet(tuple(range(p.start + SHIFT, p.stop + SHIFT, p.step) for p in parts))
    return f"[{shifted}]" + (f"%{order.throttle}" if order.throttle else "")


def _resources(order: Order) -> Iterator[Option]:
    spec = order.spec
    shape = shapes.shape(spec)
    yield "-n", str(shape.slots)
    if wanted := shapes.requirements(spec, shape):
        yield "-R", wanted
    if limit := shapes.memory_limit(spec, shape):
        yield "-M", limit
    if gpus := shapes.gpus(spec, shape):
        yield "-gpu", gpus
    if spec.layout.exclusive or spec.submission.request.exclusive:
        yield "-x", None
    if spec.submission.request.time_limit is not None:
        yield "-W", str(times.minutes(spec.submission.request.time_limit))


def _conduct(order: Order) -> Iterator[Option]:
    submission = order.spec.submission
    if submission.hold:
        yield "-H", None
    yield ("-r" if submission.requeue else "-rn"), None
    if submission.priority is not None:
        yield "-sp", str(priority(submission.priority))
    if submission.begin:
        yield "-b", times.written(submission.begin)
    if submission.deadline is not None:
        yield "-t", times.written(submission.deadline)
    if submission.warn is not None:
        yield "-wa", format_signal(submission.warn.number)
        yield "-wt", str(times.minutes(submission.warn.before))
    if order.parents:
        yield "-w", (" || " if order.any else " && ").join(map(_condition, order.parents))
    if order.parents and submission.on_never == "end":
        yield "-ti", None
    yield from _mail(order)


def _mail(order: Order) -> Iterator[Option]:
    notify = order.spec.submission.notify
    if notify is None or not notify.mail:
        return
    yield "-u", notify.mail
    if "begin" in notify.on:
        yield "-B", None
    if set(notify.on) & {"end", "fail"}:
        yield "-N", None


def priority(ours: int) -> int:
    """1 to 100 around 50, from 0 to 1000 around 500."""
    return min(max(ours // 10, 1), 100)


def _condition(parent: Parent) -> str:
    kind = _CONDITIONS.get(parent.kind)
    if kind is None or not parent.ids:
        raise Wrong(f"LSF has no dependency {quote(parent.kind)}", f"use {', '.join(_CONDITIONS)}")
    for native in parent.ids:
        native_parts(native)
    all_of = " && ".join(kind.format(native) for native in parent.ids)
    return f"({all_of})" if len(parent.ids) > 1 else all_of


def _output(order: Order) -> Iterator[Option]:
    """With `capture` the files hold LSF's own report, and what is said before the job's begins."""
    submission = order.spec.submission
    if order.capture or not submission.stdout:
        if "%" in order.directory:
            raise Wrong(f"{quote(order.directory)}: LSF takes no % in a directory", "rename it")
        yield "-oo", f"{order.directory}/lsf{'.%I' if order.indices else ''}.out"
        return
    over = "" if submission.append else "o"
    yield f"-o{over}", _pattern(submission.stdout, order)
    if submission.stderr:
        yield f"-e{over}", _pattern(submission.stderr, order)


def _pattern(pattern: str, order: Order) -> str:
    """In LSF's words; its %I is not our index, so an element's number cannot be said."""

    def field(found: re.Match[str]) -> str:
        if found[1] == "A" or (found[1] == "j" and not order.indices):
            return "%J"
        raise Wrong(
            f"{quote(pattern)}: LSF has nothing like {found[0]}",
            "let the job write its own output, which takes every pattern",
        )

    return _FIELD.sub(field, pattern)


def native_parts(native: str) -> tuple[str, int | None]:
    """Number and our index of `123` or `123[4]`."""
    found = _NATIVE_ID.match(native)
    if found is None or (found[2] is not None and int(found[2]) < SHIFT) or not int(found[1]):
        raise Wrong(f"{quote(native)} is no id of LSF", "write 123, or 123[4] for an element")
    return found[1], None if found[2] is None else int(found[2]) - SHIFT
