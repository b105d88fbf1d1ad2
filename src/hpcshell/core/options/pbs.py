"""#PBS: the words of OpenPBS and PBS Pro, with those of Torque that scripts still carry."""

from __future__ import annotations

import re
from typing import Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.options.row import Syntax
from hpcshell.core.options.table import by_flag
from hpcshell.core.words import quote, safe

Pairs = list[tuple[str, str]]

_CENTRE: Final = 500
_RANGE: Final = 1024
_JOB: Final = r"(?a)([0-9]+)(\[[0-9]*\])?(?:\.[A-Za-z][\w.-]*)?"
_MAIL: Final = {"a": "fail", "b": "begin", "e": "end"}


# ------------------------------------------------------------------------------------ resources


def _resources(text: str, origin: str) -> Pairs:
    """`-l walltime=1:00:00,mem=4gb`, `-l select=1:ncpus=4:mem=2gb`, `-l nodes=1:ppn=4`."""
    found: Pairs = []
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not value:
            raise Wrong(f"{origin}: {quote(part)} is no resource", "write NAME=VALUE: mem=4gb")
        found += _resource(name.lower(), value, f"{origin} {name.lower()}")
    return found


def _resource(name: str, value: str, origin: str) -> Pairs:
    if name in _SPECIAL:
        return _SPECIAL[name](value, origin)
    row = by_flag("pbs").get(f"-l {name}")
    if row is None:
        return _own(name, value, origin)
    if row.kind == "memory":
        return [(row.name, f"{pbs_size(value, origin)}B")]
    if row.name == "time_limit":
        return [("time_limit", _walltime(value, origin))]
    return [(row.name, value)]


def _own(name: str, value: str, origin: str) -> Pairs:
    """A resource of the site's own where it is a count; else it says something about hardware."""
    if value.isascii() and value.isdigit() and name not in _LEFT_RESOURCES:
        return [("resource", f"{name}={value}")]
    return [("", f"{safe(value[:60])} is ignored (there is one machine)")]


def _select(text: str, origin: str) -> Pairs:
    """Chunks may share a machine, so what they ask for adds up: `2:ncpus=4:mem=2gb+1:ncpus=1`."""
    totals: dict[str, int] = {}
    notes: Pairs = []
    for chunk in text.split("+"):
        words = chunk.split(":")
        times = units.count(words.pop(0), origin) if words[0][:1].isdigit() else 1
        amounts = {"ncpus": 1}
        for word in words:
            name, _, value = word.lower().partition("=")
            if name in ("mem", "vmem"):
                amounts[name] = pbs_size(value, f"{origin} {name}")
            elif value.isascii() and value.isdigit() and name not in _LEFT_RESOURCES:
                amounts[name] = units.count(value, f"{origin} {name}", least=0)
            else:
                notes.append(("", f"{safe(word[:60])} is ignored (there is one machine)"))
        for name, amount in amounts.items():
            totals[name] = totals.get(name, 0) + times * amount
    return _totals(totals) + notes


def _totals(totals: dict[str, int]) -> Pairs:
    found: Pairs = []
    for name, amount in totals.items():
        row = by_flag("pbs").get(f"-l {name}")
        if amount and row is not None:
            found.append((row.name, f"{amount}B" if row.kind == "memory" else str(amount)))
        elif amount:
            found.append(("resource", f"{name}={amount}"))
    return found


def _nodes(text: str, origin: str) -> Pairs:
    """Torque's `nodes=1:ppn=4:gpus=1`."""
    words = text.split("+")[0].split(":")
    found: Pairs = [("nodes", words[0])] if words[0].isdigit() else []
    if "+" in text:
        raise Wrong(f"{origin}: {quote(text)} asks for several nodes", "ask for CPUs: ncpus=N")
    for word in words[1:] if found else words:
        name, _, value = word.lower().partition("=")
        if name == "ppn":
            found.append(("cpus", value))
        elif name == "gpus":
            found.append(("gpus", value))
        else:
            found.append(("", f"{safe(word[:60])} is ignored (there is one machine)"))
    return found


def _place(text: str, origin: str) -> Pairs:
    return [("exclusive", "yes")] if "excl" in text.lower().replace("vexcl", "") else []


_SPECIAL: Final = {"select": _select, "nodes": _nodes, "place": _place}
_LEFT_RESOURCES: Final = frozenset(
    {"mpiprocs", "ompthreads", "cput", "pcput", "file", "nice", "host", "vnode", "arch", "nodect"}
)


def pbs_size(text: str, origin: str) -> int:
    """Bytes of `400mb`, `2gb`, `1024` (bytes) and `100mw` (words of 8 bytes)."""
    word = text.strip().lower()
    if word.endswith("w"):
        return 8 * units.size(word[:-1] + "b", origin)
    return units.size(word, origin, bare=1)


def _walltime(text: str, origin: str) -> str:
    """`[[HH:]MM:]SS`; Torque's days in front are read as well."""
    words = text.strip().split(":")
    if len(words) == 4:
        return f"{words[0]}-{':'.join(words[1:])}"
    if len(words) == 1:
        return f"{units.duration(text, origin, bare=1.0)}s"
    return text


# ---------------------------------------------------------------------------------------- others


def _attributes(text: str, origin: str) -> Pairs:
    """`-W depend=afterok:1,afterany:2,umask=027`: an attribute begins with a word and a `=`."""
    found: Pairs = []
    for part in re.split(r",(?=[a-z_]+=)", text):
        name, _, value = part.strip().partition("=")
        if name == "depend":
            found.append(("dependency", _depend(value, f"{origin} depend")))
        elif name == "umask":
            found.append(("umask", value))
        else:
            found.append(("", f"{safe(part[:60])} is ignored (it has no meaning on one machine)"))
    return found


def _depend(text: str, origin: str) -> str:
    found = []
    for term in text.split(","):
        kind, _, rest = term.partition(":")
        if kind.startswith("before") or kind == "on":
            raise Wrong(f"{origin}: {kind} is not kept here", "let the later job wait: afterok:ID")
        kind = kind.replace("array", "") if kind.startswith("after") else kind
        found.append(f"{kind}:{re.sub(_JOB, _plain_id, rest)}" if rest else kind)
    return ",".join(found)


def _plain_id(found: re.Match[str]) -> str:
    index = (found[2] or "").strip("[]")
    return f"{found[1]}_{index}" if index else found[1]


def when(text: str, origin: str) -> str:
    """`[[[[CC]YY]MM]DD]hhmm[.SS]` in our words."""
    front, _, seconds = text.strip().partition(".")
    if not front.isascii() or not front.isdigit() or len(front) not in (4, 6, 8, 10, 12):
        raise Wrong(f"{origin}: {quote(text)} is no point in time", "write [[CCYY]MMDD]hhmm[.SS]")
    clock = f"{front[-4:-2]}:{front[-2:]}:{seconds or '00'}"
    date = front[:-4]
    if not date:
        return clock
    if len(date) == 2:
        raise Wrong(f"{origin}: {quote(text)} names a day without its month", "write MMDDhhmm")
    if len(date) == 4:
        return f"{date[:2]}/{date[2:]}-{clock}"
    year = date[:-4] if len(date) == 8 else f"20{date[:2]}"
    return f"{year}-{date[-4:-2]}-{date[-2:]}T{clock}"


def _begin(text: str, origin: str) -> Pairs:
    return [("begin", when(text, origin))]


def centred(text: str, origin: str) -> Pairs:
    """A priority between -1024 and 1024 around 0, on our scale around 500."""
    number = units.count(text, origin, least=-_RANGE, most=_RANGE)
    return [("priority", str(_CENTRE + number * _CENTRE // _RANGE))]


def mails(text: str, origin: str) -> Pairs:
    """`abe`, `n`: who is told of what."""
    if not text or not set(text) <= set("abensfj"):
        raise Wrong(f"{origin}: {quote(text)} is no choice of mails", "write letters of abe, or n")
    return [("notify_on", ",".join(_MAIL[letter] for letter in text if letter in _MAIL) or "none")]


def _join(text: str, origin: str) -> Pairs:
    found = {"oe": "output", "eo": "error", "n": "no", "y": "output"}.get(text.strip())
    if found is None:
        raise Wrong(f"{origin}: {quote(text)} is no way to join", "write oe, eo or n")
    return [("join", found)]


def _path(option: str, text: str) -> Pairs:
    """`host:path` without the host, and PBS's words for ids in ours."""
    path = re.sub(r"\A[A-Za-z0-9.-]*:", "", text)
    for theirs, ours in (("^array_index^", "%a"), ("$PBS_JOBID", "%j"), ("${PBS_JOBID}", "%j")):
        path = path.replace(theirs, ours)
    return [(option, path)]


def _output(text: str, origin: str) -> Pairs:
    return _path("output", text)


def _error(text: str, origin: str) -> Pairs:
    return _path("error", text)


def _all(text: str, origin: str) -> Pairs:
    return [("export", "ALL")]


def _listed(text: str, origin: str) -> Pairs:
    return [("export", f"ALL,{text}")]


PBS: Final = Syntax(
    convert={
        "-l": _resources,
        "-W": _attributes,
        "-V": _all,
        "export": _listed,
        "begin": _begin,
        "priority": centred,
        "notify_on": mails,
        "join": _join,
        "output": _output,
        "error": _error,
    },
    arity={"-l": "one", "-W": "one", "-V": "none", "-r": "one"},
    left={
        "-S": ("one", "the script's first line names its interpreter"),
        "-k": ("one", "output files are written in place"),
        "-R": ("one", "output files are written in place"),
        "-c": ("one", "there are no checkpoints"),
        "-u": ("one", "jobs run as you"),
        "-C": ("one", "directives begin with #PBS"),
        "-z": ("none", "it is for qsub"),
        "-f": ("none", "it is for qsub"),
    },
    refused={
        "-I": "interactive jobs are not submitted; use: hpc run -- COMMAND",
        "-X": "interactive jobs are not submitted; use: hpc run -- COMMAND",
    },
)
