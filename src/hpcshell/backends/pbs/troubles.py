"""Why PBS refused: its own sentences and exit codes, classified from what it was heard to say.

The exit code of a command is the PBS error modulo 256 (15001 is 153); what the commands themselves
find wrong ends with a small code and mostly with the usage, which is left out of the message.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hpcshell.backends.contract import (
    Answer,
    Kind,
    Site,
    Trouble,
    first_lines,
    no_command,
    wordless,
)

_NOT_ANSWERING: Final = "the PBS server does not answer; ask again later"
_OTHERS: Final = (
    (re.compile(r"(?i:slurm)|\[--man\] \[job_id"), "Slurm with PBS's names over it", "slurm"),
    (re.compile(r"(?m)^[SU]?GE |(?i:grid ?engine|sge_root|qmaster)"), "Grid Engine", "sge"),
)
"""Who else has commands of these names."""
_NAME_RULES: Final = "letters, digits and . _ + - only; no blank, slash, colon or @"


class _Rule(NamedTuple):
    pattern: str
    kind: Kind
    hint: str


_OF_THE_SERVER: Final = (
    _Rule(r"Unknown Host", "broken", "the name of the PBS server, or of the one after @, is wrong"),
    _Rule(r"pbsconf error", "broken", "PBS is not configured on this machine (pbs.conf)"),
    _Rule(
        r"Connection (?:refused|reset|timed out)|cannot connect to server|No route to host"
        r"|Couldn't connect to cluster|Broken pipe|errno=15010|Premature end of message",
        "busy",
        _NOT_ANSWERING,
    ),
    _Rule(r"Failed to recv data from background qsub", "busy", "it may have been submitted"),
    _Rule(r"not configured to maintain job history", "broken", "ended jobs are not kept here"),
)
_OF_JOBS: Final = (
    _Rule(r"Unknown Job Id", "gone", "PBS knows no such job (any more)"),
    _Rule(r"Job has finished|finished array subjob", "gone", "it has ended"),
    _Rule(
        r"Cannot modify attribute while job running", "wrong", "only waiting jobs can be changed"
    ),
    _Rule(r"Request invalid for state of job", "wrong", "its state does not allow that"),
    _Rule(r"Invalid request", "wrong", "PBS does that to whole arrays only: 12[].host"),
    _Rule(r"illegally formed job identifier", "wrong", "write 12.host, 12[].host or 12[3].host"),
    _Rule(r"Unauthorized Request", "denied", "it is not yours, or only an operator may do that"),
    _Rule(r"Bad UID for job execution", "denied", "submit as a user the server knows; not as root"),
)
_OF_LIMITS: Final = (
    _Rule(
        r"would exceed .*limit|Maximum number of jobs already in queue",
        "limit",
        "wait until some of your jobs there have ended",
    ),
    _Rule(r"Array job exceeds", "wrong", "split the array; qstat -Bf shows max_array_size"),
    _Rule(
        r"Job violates queue and/or server resource limits|Job exceeds queue resource limits",
        "wrong",
        "ask for less time, cpus or memory, or name a queue that allows them",
    ),
)
_OF_REQUESTS: Final = (
    _Rule(r"Unknown queue", "wrong", "name a queue that qstat -Q shows"),
    _Rule(r"Queue is not enabled", "wrong", "the queue is closed; name another one"),
    _Rule(r"Unknown resource.*n?gpus", "wrong", "this site has not defined GPUs for PBS (ngpus)"),
    _Rule(r"Unknown resource", "wrong", "name a resource that the site has defined"),
    _Rule(r"value.*walltime", "wrong", "write HH:MM:SS or seconds"),
    _Rule(r"value.*\bmem", "wrong", "write a whole number with kb, mb or gb"),
    _Rule(r"Illegal attribute or resource value", "wrong", "correct the value that is named"),
    _Rule(r'Resource invalid in "select"', "wrong", "ask for it outside select: -l NAME=VALUE"),
    _Rule(r"(?i)cannot be used with \"?select", "wrong", "ask for it inside select, or for nodes"),
    _Rule(r"node\(s\) specification error", "wrong", "write nodes=N:ppn=C"),
    _Rule(r"illegal -N value|Job name is too long", "wrong", f"a job's name: {_NAME_RULES}"),
    _Rule(
        r"illegal -J value", "wrong", "PBS takes one range of two elements or more: a-b or a-b:s"
    ),
    _Rule(r"dependancy on subjob", "wrong", "depend on the whole array: 12[].host"),
    _Rule(r"illegal -W value", "wrong", "afterok, afternotok, afterany and after take ids of PBS"),
    _Rule(r"illegal -p value", "wrong", "PBS takes priorities from -1024 to 1023"),
    _Rule(r"illegal -a value", "wrong", "write CCYYMMDDhhmm.SS"),
    _Rule(r"illegal -\w value", "wrong", "correct the value of this option"),
    _Rule(r"Error \(15002\)", "wrong", "PBS knows no such attribute (-W)"),
)
_OF_SCRIPTS: Final = (
    _Rule(r"script file|script not a file", "wrong", "the script is not there, or is no file"),
    _Rule(r"script contains cr, lf", "wrong", "end its lines with a newline alone: dos2unix"),
    _Rule(r"directive error", "wrong", "correct the #PBS line that is named"),
    _Rule(r"cannot send environment", "wrong", "a variable named with -v is not set here"),
    _Rule(r"must be a terminal|DISPLAY not set", "wrong", "interactive jobs cannot be submitted"),
    _Rule(r"non-rerunable Array", "wrong", "arrays must allow to be run again: -r y"),
    _Rule(r"Unknown node", "wrong", "name a node that pbsnodes -a shows"),
    _Rule(r"invalid option|conflicting options|usage:", "wrong", "this PBS knows no such option"),
)
_RULES: Final = tuple(
    (re.compile(rule.pattern), rule)
    for rule in (*_OF_THE_SERVER, *_OF_JOBS, *_OF_LIMITS, *_OF_REQUESTS, *_OF_SCRIPTS)
)
_CODES: Final[dict[int, Kind]] = {
    **dict.fromkeys((35, 55, 153), "gone"),
    **dict.fromkeys((162, 163, 255), "busy"),
    **dict.fromkeys((159, 171, 174, 175), "denied"),
    **dict.fromkeys((38, 198), "limit"),
    **dict.fromkeys((154, 155, 156, 157, 165, 166, 167, 168, 170, 173, 187, 188, 241), "wrong"),
}


def _known(text: str) -> bool:
    """Whether it is a sentence of PBS's."""
    return any(pattern.search(text) for pattern, _ in _RULES)


def of_others(answer: Answer, command: str) -> Trouble | None:
    """What it means that another scheduler answers to a name of PBS's; None: none is known by its
    words."""
    for pattern, title, name in _OTHERS:
        if pattern.search(answer.said):
            return Trouble(
                kind="wrong",
                message=f"{command} here is that of {title}: {first_lines(answer.said, 1)}",
                hint=f"use the back end {name}",
            )
    return None


def trouble(answer: Answer, site: Site | None = None) -> Trouble:
    """What this refusal means; `site` lets the hint name the queues that there are."""
    how = "put its commands in the PATH (often /opt/pbs/bin)"
    if (absent := no_command(answer, "PBS", how)) is not None:
        return absent
    if answer.code is None:
        return Trouble(kind="busy", message="no answer in time", hint=_NOT_ANSWERING)
    if not answer.said and answer.code not in _CODES:
        return wordless(answer, "PBS")
    foreign = answer.code not in _CODES and not _known(answer.said)
    if foreign and (other := of_others(answer, "the command")) is not None:
        return other
    return trouble_of(_without_usage(answer.said), answer.code, site)


def trouble_of(text: str, code: int | None = None, site: Site | None = None) -> Trouble:
    """The same for one sentence."""
    message = first_lines(text) or f"exit code {code}, and no word"
    for pattern, rule in _RULES:
        if pattern.search(text):
            return Trouble(kind=rule.kind, message=message, hint=_with_queues(rule, site))
    kind = _CODES.get(code or 0, "broken")
    return Trouble(kind=kind, message=message, hint=_NOT_ANSWERING if kind == "busy" else "")


def _with_queues(rule: _Rule, site: Site | None) -> str:
    queues = [part.name for part in site.partitions if part.up] if site else []
    if "queue" not in rule.hint or rule.kind != "wrong" or not queues:
        return rule.hint
    return f"{rule.hint}; there are: {', '.join(queues[:12])}"


def _without_usage(text: str) -> str:
    front = re.split(r"(?m)^usage:", text, maxsplit=1)[0]
    return front if front.strip() else text
