"""The job script with `#$` directives.

A directive's value has no quotes that could be relied on: after one, `qsub` takes the rest of the
line for the value. So only words without blanks, quotes and `#` stand in directives; what has any
is refused, or is left to the job script, which has no such limits.

Indices. Grid Engine refuses an array with element 0, so element N of ours is its task N + 1, in
`-t`, in ids (`12.1` is element 0) and in what it shows; in the job, HPC_ARRAY_TASK_ID, the patterns
of files, and SGE_TASK_ID have ours. `-t` says one range with a step. A set with holes is submitted
as the narrowest range around it: its tasks that are not in the set end at once, before anything is
recorded of them. Where those would be the most, the set is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

from hpcshell.backends.contract import Order, Site
from hpcshell.backends.jobscript import Names, job_script
from hpcshell.backends.sge import shape
from hpcshell.backends.sge.guard import guard
from hpcshell.backends.sge.values import written
from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.words import quote, signal_number

_PREFIX: Final = "#$"
KEY: Final = "hpc"
"""The variable in the context, and what stands before the key in the list of those waited for."""
_WORD: Final = re.compile(r"(?a)[A-Za-z0-9_./%+=~^][\w.:;@%+=~^/*!|&()-]*\Z")
"""No comma: behind one, another value of the same option would begin."""
_PLAIN_PATH: Final = re.compile(r"(?a)/[\w./+=~-]*\Z")
_NAME: Final = re.compile(r"(?a)[A-Za-z_.+=%~^][\w.,;+=%~^!|&(){}\[\]$-]*\Z")
_KEYWORDS: Final = frozenset({"NONE", "ALL", "TEMPLATE"})
_MAIL: Final = {"begin": "b", "end": "e", "fail": "a", "requeue": "a", "time_limit": "a"}
_LOWEST: Final = -1023
_CENTRE: Final = 500


def script(order: Order, site: Site) -> str:
    """Raises `Wrong` for what Grid Engine cannot be asked for."""
    _check(order)
    element = '"$((SGE_TASK_ID - 1))"' if order.indices else "''"
    names = Names(job='"$JOB_ID"', element=element, first=[*_numbers(order), *guard(order)])
    directives = [f"{_PREFIX} {text}" for text in _directives(order, site)]
    text = job_script([*directives, *_elements(order)], order, names)
    if sum(line.startswith(_PREFIX) for line in text.split("\n")) != len(directives):
        raise Wrong(
            f"a line that is to run before the job begins with {_PREFIX}, and Grid Engine takes "
            "every such line of a job script for options",
            f"put a blank in front of the {_PREFIX}",
        )
    return text


def _directives(order: Order, site: Site) -> Iterator[str]:
    submission = order.spec.submission
    yield f"-N {job_name(submission.name)}"
    yield "-S /bin/bash"
    yield "-w e"
    yield f"-r {'y' if submission.requeue else 'n'}"
    yield f"-ac {KEY}={_word(order.key, 'key')}"
    yield from _output(order)
    yield from _array(order)
    yield from _resources(order, site)
    yield from _place(order, site)
    yield from _times(order)
    yield from _notices(order)
    yield from _held(order)


def _check(order: Order) -> None:
    submission = order.spec.submission
    if submission.qos:
        raise Wrong(
            "Grid Engine has no QOS", "choose a queue (--partition) or a project (--account)"
        )
    if submission.gang or submission.checkpoint:
        what = "gangs" if submission.gang else "checkpoint signals"
        raise Wrong(f"Grid Engine has no {what}", "leave the option out")


def job_name(name: str) -> str:
    """The name itself. What Grid Engine or a directive would not take as it stands is refused."""
    if not name:
        return KEY
    if _NAME.match(name) and name.upper() not in _KEYWORDS and len(name) <= 255:
        return name
    near = re.sub(r"(?a)[^\w.,;+=%~^!|&(){}\[\]$-]", "_", name)
    near = f"j{near}" if not _NAME.match(near) or near.upper() in _KEYWORDS else near
    raise Wrong(
        f"Grid Engine takes no job name {quote(name)}: names have letters, digits and some signs, "
        "no blanks, quotes or any of /:@*?#<>, and do not begin with a digit or a dash",
        f"name it {near[:200]}",
    )


def _word(text: str, what: str) -> str:
    return _words(text, what, most=1)


def _words(text: str, what: str, *, most: int = 100) -> str:
    """A list with commas."""
    parts = text.split(",")
    if len(parts) > most or not all(_WORD.match(part) for part in parts):
        raise Wrong(
            f"{what} {quote(text)} cannot be said to Grid Engine",
            "use letters, digits and plain signs, no blanks or quotes",
        )
    return text


# ----------------------------------------------------------------------------------------- output


def _output(order: Order) -> Iterator[str]:
    """With `capture` only what Grid Engine itself has to say of the job goes to its file."""
    submission = order.spec.submission
    if order.capture:
        path = f"{order.directory}/scheduler.out"
        yield f"-o {path if _PLAIN_PATH.match(path) else '/dev/null'}"
        yield "-j y"
        return
    yield f"-o {_path(submission.stdout or '/dev/null', order)}"
    yield f"-e {_path(submission.stderr, order)}" if submission.stderr else "-j y"


_FIELDS: Final = {"%A": "$JOB_ID", "%x": "$JOB_NAME", "%u": "$USER", "%N": "$HOSTNAME", "%%": "%"}


def _path(pattern: str, order: Order) -> str:
    fields = _FIELDS if order.indices else {**_FIELDS, "%j": "$JOB_ID"}
    known = re.sub("%.", lambda found: fields.get(found[0], found[0]), pattern)
    cwd = "" if known.startswith("/") else f"{order.spec.submission.cwd}/"
    path = cwd + known
    unknown = set(re.findall(r"%[0-9]*[a-zA-Z]", pattern.replace("%%", ""))) - fields.keys()
    if unknown or "$" in cwd + pattern or not re.fullmatch(r"(?a)/[\w./+=~$%-]*", path):
        raise Wrong(
            f"Grid Engine cannot be told of the output file {quote(pattern)}",
            "let the job script write it, which takes every name and pattern",
        )
    return path


# ----------------------------------------------------------------------------------------- arrays


def _array(order: Order) -> Iterator[str]:
    if order.indices:
        cover = covering(IndexSet.parse(order.indices))
        step = f":{cover.step}" if len(cover) > 1 else ""
        yield f"-t {cover[0] + 1}-{cover[-1] + 1}{step}"
        if order.throttle:
            yield f"-tc {order.throttle}"


def covering(indices: IndexSet) -> range:
    """The narrowest range that has all of the set. Raises `Wrong` where most of it is not in it."""
    first, last = indices.first, indices.last
    step = math.gcd(*(index - first for index in indices)) or 1
    cover = range(first, last + 1, step)
    if len(cover) > 2 * len(indices):
        raise Wrong(
            f"Grid Engine's arrays are one range, and of {first}-{last} only {len(indices)} "
            f"of {len(cover)} elements are wanted",
            f"submit an array for each range: {str(indices).replace(',', ' and ')[:200]}",
        )
    return cover


def _elements(order: Order) -> Iterator[str]:
    """How many there are, which those ask for that wait for all of them; and who is not one."""
    if not order.indices:
        yield "hpc_elements=1"
        return
    indices = IndexSet.parse(order.indices)
    yield f"hpc_elements={len(indices)}"
    if len(covering(indices)) != len(indices):
        tests = " || ".join(_within(part) for part in indices.ranges)
        yield f"((i = SGE_TASK_ID - 1, {tests})) || exit 0 # not in {order.indices}"


def _numbers(order: Order) -> list[str]:
    """What programs look at for their index says ours, too."""
    if not order.indices:
        return []
    shift = order.offset - 1
    bounds = (f"{name}=$(({name} {shift:+}))" for name in ("SGE_TASK_FIRST", "SGE_TASK_LAST"))
    return [f'export SGE_TASK_ID="$hpc_element" {" ".join(bounds)}', ""]


def _within(part: range) -> str:
    if len(part) == 1:
        return f"i == {part[0]}"
    inside = f"i >= {part[0]} && i <= {part[-1]}"
    return f"({inside} && (i - {part[0]}) % {part.step} == 0)" if part.step > 1 else f"({inside})"


# -------------------------------------------------------------------------- resources and places


def _resources(order: Order, site: Site) -> Iterator[str]:
    spec = order.spec
    held = shape.slots(spec, site)
    if held.environment and not held.own:
        yield f"-pe {held.environment} {held.count}"
    limit = spec.submission.request.time_limit
    if limit is not None:
        yield f"-l h_rt={math.ceil(limit)}"
        yield from _warning(order, limit)
    for name, value in shape.requests(spec, site, held).items():
        yield f"-l {_word(name, 'resource')}={_word(value, f'the value of {name}')}"


def _warning(order: Order, limit: float) -> Iterator[str]:
    warn = order.spec.submission.warn
    if warn is None:
        return
    if warn.number != signal_number("USR1"):
        raise Wrong("Grid Engine warns with USR1 only", f"write --signal USR1@{warn.before:.0f}")
    yield f"-l s_rt={max(math.floor(limit - warn.before), 1)}"


def _place(order: Order, site: Site) -> Iterator[str]:
    submission = order.spec.submission
    if submission.partition:
        yield f"-q {_words(submission.partition, 'queue')}"
    if submission.account:
        account = _word(submission.account, "account")
        yield f"{'-P' if account in site.accounts else '-A'} {account}"
    if submission.reservation:
        if not re.fullmatch(r"(?a)[0-9]{1,9}", submission.reservation):
            raise Wrong(
                f"Grid Engine's reservations are numbers, not {quote(submission.reservation)}",
                "look them up with: qrstat",
            )
        yield f"-ar {submission.reservation}"
    priority = priority_of(submission.priority, submission.nice)
    if priority:
        yield f"-p {priority}"


def priority_of(priority: int | None, nice: int) -> int:
    """0 to 1000 around 500 as -1000 to 1000 around 0, less `nice`."""
    wanted = 2 * ((_CENTRE if priority is None else priority) - _CENTRE) - nice
    return max(_LOWEST, min(wanted, 1000))


def _times(order: Order) -> Iterator[str]:
    submission = order.spec.submission
    if submission.begin > order.now:
        yield f"-a {written(math.ceil(submission.begin))}"
    if submission.deadline is not None:
        yield f"-dl {written(math.floor(submission.deadline))}"


def _notices(order: Order) -> Iterator[str]:
    notify = order.spec.submission.notify
    if notify is None or not notify.mail:
        return
    letters = "".join(dict.fromkeys(_MAIL[event] for event in notify.on if event in _MAIL))
    if letters:
        yield f"-m {letters}"
        yield f"-M {_words(notify.mail, 'mail address')}"


# ----------------------------------------------------------------------------------- dependencies


def _held(order: Order) -> Iterator[str]:
    """The key is the first that is waited for: no job has this name, so it keeps nothing back, and
    it is shown with the job wherever its resources are, which the context is not."""
    if order.spec.submission.hold:
        yield "-h"
    conditions = sum(max(len(parent.ids), 1) for parent in order.parents)
    if order.any and conditions > 1:
        raise Wrong(
            "Grid Engine waits for all parents of a job, never for any one of them",
            "write the conditions with commas, or submit the job once for each",
        )
    waited = [f"{KEY}={order.key}"]
    matched: list[str] = []
    for parent in order.parents:
        _waitable(parent.kind, parent.delay)
        if parent.kind == "singleton":
            waited.append(_only(order.spec.submission.name))
        into = matched if parent.kind == "aftercorr" else waited
        into += [native.partition(".")[0] for native in parent.ids]
    yield f"-hold_jid {','.join(dict.fromkeys(waited))}"
    if matched:
        yield f"-hold_jid_ad {','.join(dict.fromkeys(matched))}"


def _waitable(kind: str, delay: float) -> None:
    if kind == "after":
        raise Wrong("Grid Engine cannot wait for a job's beginning", "use afterany, for its end")
    if delay:
        raise Wrong(
            "Grid Engine cannot wait some minutes after a parent",
            "leave out the +MINUTES, or begin the job with: sleep",
        )


def _only(name: str) -> str:
    if not re.fullmatch(r"(?a)[A-Za-z_][\w.+=%~-]*", name):
        raise Wrong(
            f"singleton: Grid Engine cannot look for jobs called {quote(name)}",
            "name the job with letters, digits, dots and dashes",
        )
    return name
