"""Words that change jobs, and what became of each job: Grid Engine says it line by line, most of
it on standard output, and its exit codes mean little (`qmod` exits 1 on some successes)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Change, Edit, Site, Trouble, Words
from hpcshell.backends.sge.script import job_name, priority_of
from hpcshell.backends.sge.site import shell
from hpcshell.backends.sge.troubles import classify, classify_text
from hpcshell.backends.sge.values import ENVIRONMENT
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import quote

_AT_ONCE: Final = 200
_TIME_LIMIT: Final = r"""
limit=$1
shift
for job; do
    kept=$(qstat -j "$job" 2>/dev/null | sed -n 's/^hard resource_list: *//p' |
        tr ',' '\n' | grep -v '^h_rt=' | paste -s -d , -)
    list="${kept:+$kept${limit:+,}}${limit:+h_rt=$limit}"
    qalter -l "$list" "$job"
done
"""
"""`qalter -l` replaces all resources of a job, so those that stay are said again."""
_JOB: Final = (
    r'(?ai)(?:job-array task|job) "?(?P<number>[0-9]+)(?:\.(?P<task>[0-9]+))?"?'
    r'(?: task "(?P<other>[0-9]+)")?'
)
_FAULT: Final = re.compile(
    r"does not exist|invalid queue or job|privileges|no permission|must be at least owner"
    r"|can not be applied|not rerunable|not restartable|former resource request|dependency cycle"
)
_HARMLESS: Final = re.compile(r"is not in error state")


def said(program: str, *options: str, ids: Sequence[str]) -> Sequence[Words]:
    return tuple(
        Words(argv=(program, *options, *ids[at : at + _AT_ONCE]), env=ENVIRONMENT)
        for at in range(0, len(ids), _AT_ONCE)
    )


def edited(ids: Sequence[str], changes: Mapping[Edit, object], site: Site) -> Sequence[Words]:
    words: list[Words] = []
    options: list[str] = []
    for what, value in changes.items():
        if what == "time_limit":
            limit = "" if value is None else str(math.ceil(float(str(value))))
            words.append(shell(_TIME_LIMIT, limit, *ids, patience=120.0))
        else:
            options += _option(what, value, site)
    return [*said("qalter", *options, ids=ids), *words] if options else words


def _option(what: Edit, value: object, site: Site) -> tuple[str, str]:
    text = str(value)
    match what:
        case "priority":
            return "-p", str(priority_of(int(text), 0))
        case "nice":
            return "-p", str(priority_of(None, int(text)))
        case "throttle":
            return "-tc", str(int(text))
        case "name":
            return "-N", job_name(text)
        case "partition":
            return "-q", _plain(text)
        case "account":
            return ("-P" if text in site.accounts else "-A"), _plain(text)
        case _:
            raise Refused("Grid Engine has no QOS", "change the queue (partition) or the account")


def _plain(text: str) -> str:
    if not text or text.startswith("-") or not text.isprintable():
        raise Wrong(f"{quote(text)} is no name that Grid Engine takes", "write a name")
    return text


def read_change(ids: Sequence[str], answers: Sequence[Answer], site: Site) -> Change:
    troubles: dict[str, Trouble] = {}
    done: set[str] = set()
    for answer in answers:
        lines = [line.strip() for line in (answer.out + "\n" + answer.err).splitlines()]
        faults = [line for line in lines if _FAULT.search(line)]
        for line in faults:
            for native in _named(line, ids):
                troubles[native] = classify_text(line, site) or classify(answer, site)
        done.update(native for line in lines if _good(line) for native in _named(line, ids))
        if answer.code is None or (answer.code != 0 and not faults and not _spoken(lines)):
            troubles |= dict.fromkeys(ids, classify(answer, site))
    partly = {native for native in done if native in troubles and _of_elements(troubles[native])}
    return Change(
        troubles={native: troubles[native] for native in troubles if native not in partly}
    )


def _good(line: str) -> bool:
    return not _FAULT.search(line) and re.search(_JOB, line) is not None


def _spoken(lines: Sequence[str]) -> bool:
    """Some lines are about jobs, and none of them is a complaint."""
    about = [line for line in lines if _good(line) or _HARMLESS.search(line)]
    return bool(about) and not any(classify_text(line, Site()) for line in lines)


def _of_elements(trouble: Trouble) -> bool:
    """Said of some elements of an array while others did as they were told."""
    return "can not be applied" in trouble.message


def _named(line: str, ids: Sequence[str]) -> Iterator[str]:
    """Those of the ids that the line is about: `job "105" task "9"`, `task 94.1`, `job "999"`."""
    found = re.search(_JOB, line) or re.search(r'(?a)queue or job "(?P<number>[0-9]+)"', line)
    if found is None:
        return
    parts = found.groupdict()
    number, task = parts["number"], parts.get("task") or parts.get("other")
    element = f"{number}.{task}"
    if task and element in ids:
        yield element
        return
    for native in ids:
        whole, _, own = native.partition(".")
        if whole == number and (not own or not task):
            yield native
