"""What `qacct` says of jobs that have ended.

Between the end of a job and its record there are up to 15 seconds in which neither `qstat` nor
`qacct` knows it; a job that was deleted while it waited never gets a record. So a job that is not
mentioned is not ended. `qacct` reads its whole file at each call: a few jobs are asked for one by
one, more in one go, as all of the user's own that began after the first was submitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Seen, Sighting, Site, Trouble, Words
from hpcshell.backends.sge.site import shell
from hpcshell.backends.sge.states import Ending, ending
from hpcshell.backends.sge.troubles import classify
from hpcshell.backends.sge.values import ENVIRONMENT, instant, seconds, size, whole_number, written

_ONE_BY_ONE: Final = 4
_OWN: Final = """exec qacct -o "$(id -un)" -b "$1" -j '*'"""
_PATIENCE: Final = 120.0
_LINE: Final = re.compile(r"=+\s*\Z")
_UNKNOWN: Final = re.compile(r"error: job (?:id|name) (\S+) not found")
_NONE: Final = frozenset({"", "NONE", "undefined", "UNKNOWN", "-/-"})
_KB: Final = 1024
_MARGIN: Final = 60
"""Seconds by which clocks of the cluster may differ."""

Account = dict[str, str]


def questions(ids: Sequence[str], since: float) -> Sequence[Words]:
    numbers = list(dict.fromkeys(native.partition(".")[0] for native in ids))
    if len(numbers) > _ONE_BY_ONE:
        begin = written(max(math.floor(since) - _MARGIN, 86400))
        return (shell(_OWN, begin, patience=_PATIENCE),)
    return tuple(
        Words(argv=("qacct", "-j", number), env=ENVIRONMENT, patience=_PATIENCE)
        for number in numbers
    )


def read_history(answers: Sequence[Answer], site: Site) -> Seen:
    sightings: list[Sighting] = []
    absent: list[str] = []
    trouble: Trouble | None = None
    for answer in answers:
        unknown = _UNKNOWN.findall(answer.err)
        accounts = list(_accounts(answer.out))
        if answer.code is not None and (unknown or _nothing(answer)):
            absent += [name for name in unknown if name.isdecimal()]
        elif answer.code != 0 or not accounts or not _complete(accounts):
            trouble = classify(answer, site)
            continue
        sightings += _sightings(accounts)
    if not answers:
        return Seen(whole=False, trouble=classify(Answer(code=None), site))
    return Seen(
        sightings=tuple(sightings), whole=trouble is None, absent=tuple(absent), trouble=trouble
    )


def _nothing(answer: Answer) -> bool:
    """No job of this user has begun since: it says nothing at all, and fails."""
    return answer.code == 1 and not answer.said


def _accounts(text: str) -> Iterator[Account]:
    """Records, each after a line of `=`; names and values."""
    found: Account | None = None
    for line in text.splitlines():
        if _LINE.match(line):
            if found:
                yield found
            found = {}
        elif found is not None:
            name, _, value = line.strip().partition(" ")
            found[name] = value.strip()
    if found:
        yield found


def _complete(accounts: Sequence[Account]) -> bool:
    """The last may have been cut off; `maxvmem` stands near the end of each."""
    needed = ("jobnumber", "taskid", "failed", "exit_status", "maxvmem")
    return all(all(name in account for name in needed) for account in accounts)


def _sightings(accounts: Sequence[Account]) -> list[Sighting]:
    """One for each job or element: the last attempt counts, those before it were restarts."""
    attempts: dict[tuple[str, str], list[Account]] = {}
    for account in accounts:
        if account.get("jobnumber", "").isdecimal():
            attempts.setdefault((account["jobnumber"], account["taskid"]), []).append(account)
    return [_sighting(tries[-1], len(tries) - 1) for tries in attempts.values()]


def _sighting(account: Account, restarts: int) -> Sighting:
    task, number = whole_number(account["taskid"]), account["jobnumber"]
    failed, _, reason = account["failed"].partition(":")
    slots = whole_number(account.get("slots", "")) or 1
    end = _ending(account, failed, slots)
    return Sighting(
        native=number if task is None else f"{number}.{task}",
        number=number,
        element=None if task is None else task - 1,
        state=end.state,
        word=" : ".join(filter(None, (failed.strip(), reason.strip()))),
        exit_code=end.exit_code,
        signal=end.signal,
        reason=reason.strip(),
        name=account.get("jobname", ""),
        user=account.get("owner", ""),
        partition=account.get("qname", ""),
        account=_account(account),
        submit_time=instant(account.get("qsub_time", "")),
        start_time=instant(account.get("start_time", "")),
        end_time=instant(account.get("end_time", "")),
        cpus=slots,
        time_limit=seconds(_asked(account, "h_rt")),
        nodes=(account["hostname"],) if account.get("hostname", "") not in _NONE else (),
        restarts=restarts,
        cpu_time=seconds(account.get("cpu", "")),
        max_rss=size(account.get("ru_maxrss", ""), bare=_KB),
    )


def _account(account: Account) -> str:
    project = account.get("project", "")
    return project if project not in _NONE else account.get("account", "")


def _ending(account: Account, failed: str, slots: int) -> Ending:
    number, status = whole_number(failed), account["exit_status"].partition(" ")[0]
    code = whole_number(status)
    if number is None or code is None:
        return Ending(state="UNKNOWN")
    deleted = account.get("deleted_by", "") not in _NONE
    return ending(number, code, deleted=deleted, out_of_memory=_used_up(account, slots))


def _asked(account: Account, resource: str) -> str:
    """Of `category`: `-l h_rt=600,h_vmem=1G -pe smp 2`."""
    found = re.search(rf"(?:\s|,){resource}=([^,\s]+)", account.get("category", ""))
    return found[1] if found else ""


def _used_up(account: Account, slots: int) -> bool:
    """Whether it was at its memory limit; one signal and one number stand for all limits."""
    limit, most = size(_asked(account, "h_vmem")), size(account.get("maxvmem", ""))
    return limit is not None and most is not None and most >= limit * slots
