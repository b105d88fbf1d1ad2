"""What Slurm's refusals mean: the kind of trouble, and what to do about it.

The rules are tried in order; each is made from texts that Slurm has printed. `Site` helps to name
the nearest right value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from hpcshell.backends.contract import (
    Answer,
    Kind,
    Partition,
    Site,
    Trouble,
    first_lines,
    no_command,
    wordless,
)
from hpcshell.core.units import format_duration, format_size
from hpcshell.core.words import nearest

Hint = Callable[[re.Match[str], Site], str]


def _say(text: str) -> Hint:
    return lambda found, site: text


# ------------------------------------------------------------------------- hints that know the site


def _partition(found: re.Match[str], site: Site) -> str:
    names = [partition.name for partition in site.partitions]
    wanted = found["wanted"] if "wanted" in found.groupdict() else ""
    return _near(wanted or "", names, "partitions") or "see the partitions with: sinfo -s"


def _account(found: re.Match[str], site: Site) -> str:
    known = _near("", site.accounts, "your accounts")
    return (
        known or "see your accounts with: sacctmgr show assoc user=$USER format=account,partition"
    )


def _qos(found: re.Match[str], site: Site) -> str:
    return _near("", site.qos, "your QOS") or "see yours: sacctmgr show assoc user=$USER format=qos"


def _near(wanted: str, known: Iterable[str], what: str) -> str:
    names = list(dict.fromkeys(known))
    if not names:
        return ""
    near = nearest(wanted, names) if wanted else None
    return (f"did you mean {near}? " if near else "") + f"{what}: {', '.join(names[:12])}"


def _largest(found: re.Match[str], site: Site) -> str:
    """What the nodes of each partition have."""
    shown = [f"{part.name}: {_node(part)}" for part in site.partitions[:8]]
    return f"nodes have {'; '.join(shown)}" if shown else "ask for less, or for another partition"


def _node(part: Partition) -> str:
    figures = [
        f"{part.cpus_per_node} cpus" if part.cpus_per_node else "",
        format_size(part.memory_per_node) if part.memory_per_node else "",
        f"{part.gpus_per_node} {'/'.join(part.gpu_types)} gpus".replace("  ", " ")
        if part.gpus_per_node
        else "",
    ]
    return ", ".join(figure for figure in figures if figure)


def _longest(found: re.Match[str], site: Site) -> str:
    shown = [f"{part.name} {format_duration(part.max_time)}" for part in site.partitions[:8]]
    return f"the longest: {', '.join(shown)}" if shown else "ask for less time"


def _array(found: re.Match[str], site: Site) -> str:
    most = site.highest_index
    return f"the highest index is {most:,}" if most is not None else "write 0-99, 1,5,9 or 0-9:2"


# ------------------------------------------------------------------------------------------- rules

_SUBMIT_LIMIT: Final = "your jobs must end before more are taken"
_UNSET: Final = (
    r"cannot stat file|Unable to process conf|ClusterName needs|DNS SRV|resolve_ctls_from_dns_srv"
    r"|(?:Unable to|Could not) establish (?:a )?configuration source|failed to fetch config"
)
_RULES: Final[tuple[tuple[str, Kind, Hint], ...]] = (
    # it does not answer
    (
        r"Unable to contact slurm controller|Socket timed out|Zero Bytes were transmitted"
        r"|Connection (?:refused|reset|timed out)|Transport endpoint|Unexpected message"
        r"|temporarily unable|Resource temporarily unavailable|standby mode|connect failure"
        r"|Header lengths are longer|Communication connection failure|Slurmctld .* not responding"
        r"|Unable to connect to (?:database|slurmdbd)|slurmdbd: .*(?:timed out|not connected)"
        r"|Problem talking to the database|Interrupted system call|is shutting down",
        "busy",
        _say("ask again in a minute"),
    ),
    (_UNSET, "unset",
     _say("Slurm's commands find no slurm.conf: set SLURM_CONF to the path of the site's")),
    (r"[Mm]unge|Protocol authentication|Invalid credential",
     "broken", _say("Slurm is not set up on this machine, or its munge is down")),
    # as many as may be
    (
        r"(?P<limit>(?:Assoc|QOS)\w*(?:Wall|PerJob|PerNode|MinCpu|MinMem|MinGRES|MaxNode|TimeLimit)\w*)",
        "wrong",
        lambda found, site: f"{found['limit']}: ask for less, or for another account or QOS",
    ),
    (r"job submit limit|accounting/QOS policy|(?:Assoc|QOS)\w+Limit|Too many jobs"
     r"|maximum number of jobs|Job limit|MaxJobCount", "limit", _say(_SUBMIT_LIMIT)),
    # unknown names
    (r"invalid partition specified: (?P<wanted>\S+)", "wrong", _partition),
    (r"Invalid partition name|Required partition not available", "wrong", _partition),
    (r"Invalid account", "wrong", _account),
    (r"Invalid qos|Invalid QOS", "wrong", _qos),
    (r"Invalid feature|constraint", "wrong",
     lambda found, site: _near("", (word for part in site.partitions for word in part.features),
                               "features") or "see them with: sinfo -o %f"),
    (r"Invalid license", "wrong", _say("see the licences with: scontrol show licenses")),
    (r"reservation is invalid|Invalid reservation|[Rr]eservation.*(?:denied|not)", "wrong",
     _say("see them with: scontrol show reservation")),
    (r"Invalid generic resource|Invalid gres", "wrong", _largest),
    (r"Invalid node name", "wrong", _say("see the nodes with: sinfo -N")),
    # too much
    (r"configuration is not available|can not be satisfied|More processors requested|Node count"
     r"|is less than minimum node count|partition configuration not available|Memory required",
     "wrong", _largest),
    (r"time limit is invalid|TimeLimit|time limit|--time specification", "wrong", _longest),
    (r"Invalid job array|array spec", "wrong", _array),
    (r"dependency problem|Dependency|Circular", "wrong",
     _say("the ids have to be those of jobs, as in afterok:12:13; a circle is never met")),
    (r"Pathname of a file, directory or other parameter too long", "wrong",
     _say("the script, a path or the environment is too large for this site")),
    (r"DOS line breaks", "wrong", _say("convert it: sed -i 's/\\r$//' FILE")),
    (r"does not look like a batch script|Batch script is empty", "wrong",
     _say("its first line has to be #!/bin/sh or the like")),
    (r"Invalid --nice value", "denied", _say("only operators may raise a priority: leave it out")),
    # not allowed
    (r"[Pp]ermission denied|Invalid user id|only permitted by root|not permitted to"
     r"|Invalid group id|does not have permission|access denied|not authorized|not allowed",
     "denied", _say("it is not yours, or this takes an operator")),
    # no such job
    (r"Invalid job id|already completing or completed|already finished|Job/step already|No jobs in",
     "gone", _say("it has ended, or never was")),
    (r"pending execution|not running|held state|presently disabled|is not supported|not suspended"
     r"|no longer pending|already (?:running|suspended)|Duplicate|must be in|Requested operation",
     "wrong", _say("as it stands now this cannot be done to the job")),
    (r"is ambiguous|requires an argument"
     r"|is not a valid|Unknown job signal|nrecognized|[Ii]nvalid|too few arguments"
     r"|No valid entity|is required|not permitted with|No job identification",
     "wrong", _say("")),
)  # fmt: skip
_NOISE: Final = (
    r"^(?:\w+: )?(?:error|fatal): (?:Batch job submission failed: )?|^allocation failure: "
)


def classify(answer: Answer, site: Site | None = None) -> Trouble:
    """The trouble in an answer that was none, or was a refusal."""
    if (absent := no_command(answer, "Slurm", "put its commands in the PATH")) is not None:
        return absent
    said = first_lines(answer.said)
    if answer.code is None and not re.search(_UNSET, said):  # it looks for the file for a minute
        return Trouble(
            kind="busy", message=said or "there was no answer in time", hint="ask again in a minute"
        )
    return sentence(answer.said, site) if said else wordless(answer, "Slurm")


def sentence(text: str, site: Site | None = None) -> Trouble:
    """The trouble that a text of Slurm's tells of; `broken` where no rule knows it."""
    message = "; ".join(re.sub(_NOISE, "", line) for line in first_lines(text).split("; "))
    for pattern, kind, hint in _RULES:
        if found := re.search(pattern, text):
            return Trouble(kind=kind, message=message, hint=hint(found, site or Site()))
    return Trouble(kind="broken", message=message)


_ABOUT: Final = r"for job (\S+)$|on job id ([^\s:]+): |Invalid job id (?!specified)(\S+)$"


def by_job(text: str, site: Site | None = None) -> dict[str, Trouble]:
    """The troubles of the lines that name a job, by the id that they name."""
    found: dict[str, Trouble] = {}
    for line in text.splitlines():
        if about := re.search(_ABOUT, line.strip()):
            found[next(filter(None, about.groups()))] = sentence(line, site)
    return found
