"""#PBS: the words of OpenPBS and PBS Pro, with those of Torque that scripts still carry.

What means more or less to PBS than it does in our words is also said to it as it stands.
"""

from __future__ import annotations

import re
from shlex import join
from typing import Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.options.row import Pairs, Syntax
from hpcshell.core.options.table import by_flag
from hpcshell.core.records import Record
from hpcshell.core.words import quote, safe

_CENTRE: Final = 500
_RANGE: Final = 1024
_JOB: Final = r"(?a)([0-9]+)(\[[0-9]*\])?(?:\.[A-Za-z][\w.-]*)?"
_ONE_MACHINE: Final = "(there is one machine)"
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
        said = f"{pbs_size(value, origin)}B"
        row_name = _ALL_NODES.get(row.name, row.name)
        return [(row_name, said)] if name == "mem" else _exactly(row_name, said, name, value)
    if row.name == "time_limit":
        return [("time_limit", _walltime(value, origin))]
    return _exactly(row.name, value, name, value) if name == "feature" else [(row.name, value)]


_ALL_NODES: Final = {"memory": "memory_total"}
"""What counts for the whole job, outside of chunks."""


def _exactly(row: str, said: str, name: str, value: str) -> Pairs:
    """A row for everybody else, to PBS its own word for it."""
    return [(f"{row}@-pbs", said), (f"{row}!pbs", _requested(name, value))]


def _requested(name: str, value: str) -> str:
    return join(["-l", f"{name}={value}"])


def _own(name: str, value: str, origin: str) -> Pairs:
    """A resource of the site's own where it is a count; else it says something about hardware."""
    exact = ("native@pbs", _requested(name, value))
    if value.isascii() and value.isdigit() and name not in _LEFT_RESOURCES:
        return [("resource@-pbs", f"{name}={value}"), exact]
    return [("@-pbs", f"{safe(value[:60])} is ignored {_ONE_MACHINE}"), exact]


class _Chunk(Record, frozen=True):
    """A part of a `select`: how often, what is counted, and the words that say something else."""

    times: int
    amounts: dict[str, int]
    others: tuple[str, ...] = ()

    @property
    def processes(self) -> int:
        return self.amounts.get("mpiprocs", 1)

    @property
    def plain(self) -> bool:
        """Whether our own words say all of it."""
        cpus = self.amounts["ncpus"]
        threads = self.amounts.get("ompthreads", cpus // self.processes)
        return (
            self.amounts.keys() <= {"ncpus", "mem", "ngpus", "mpiprocs", "ompthreads"}
            and not self.others
            and cpus == threads * self.processes > 0
        )


def _chunk(text: str, origin: str) -> _Chunk:
    words = text.split(":")
    times = units.count(words.pop(0), origin) if words[0][:1].isdigit() else 1
    amounts, others = {"ncpus": 1}, []
    for word in words:
        name, _, value = word.lower().partition("=")
        if name in ("mem", "vmem"):
            amounts[name] = pbs_size(value, f"{origin} {name}")
        elif name in _PROCESSES and value.isascii() and value.isdigit():
            amounts[name] = units.count(value, f"{origin} {name}")
        elif value.isascii() and value.isdigit() and name not in _LEFT_RESOURCES:
            amounts[name] = units.count(value, f"{origin} {name}", least=0)
        else:
            others.append(word)
    return _Chunk(times, amounts, tuple(others))


def _select(text: str, origin: str) -> Pairs:
    """Chunks may share a machine, so here what they ask for adds up: `2:ncpus=4:mem=2gb+1:ncpus=1`.

    Where there are nodes, chunks that are alike are that many of them.
    """
    chunks = [_chunk(part, origin) for part in text.split("+")]
    totals = _totals(chunks)
    notes = [
        ("@-pbs", f"{safe(word[:60])} is ignored {_ONE_MACHINE}")
        for chunk in chunks
        for word in chunk.others
    ]
    for chunk in chunks:
        for name in sorted(_PROCESSES & chunk.amounts.keys()):
            notes.append(("@here", f"{name}={chunk.amounts[name]} is ignored {_ONE_MACHINE}"))
    exact = (
        [] if len(chunks) == 1 and chunks[0].plain else [("nodes!pbs", _requested("select", text))]
    )
    if len(chunks) > 1:
        together = "chunks of several kinds are taken together, as one node"
        return [*totals, *notes, ("@cluster-pbs", together), *exact]
    here = [(f"{row}@here", said) for row, said in totals]
    return [*here, *_shape(chunks[0]), *notes, *exact]


def _shape(chunk: _Chunk) -> Pairs:
    """So many nodes, and what each of them gives."""
    amounts = chunk.amounts
    found = [("nodes", str(chunk.times))]
    if "mpiprocs" in amounts:
        found.append(("tasks_per_node", str(chunk.processes)))
    if amounts["ncpus"]:
        found.append(("cpus", str(-(-amounts["ncpus"] // chunk.processes))))
    memory = amounts.get("mem") or amounts.get("vmem")
    found += [("memory", f"{memory}B")] if memory else []
    found += [("gpus_per_node", str(amounts["ngpus"]))] if "ngpus" in amounts else []
    others = amounts.keys() - _PROCESSES - {"ncpus", "mem", "vmem", "ngpus"}
    counts = [f"{name}={amounts[name] * chunk.times}" for name in amounts if name in others]
    return [
        *((f"{row}@cluster", said) for row, said in found),
        *(("resource@cluster-pbs", count) for count in counts),
    ]


def _totals(chunks: list[_Chunk]) -> Pairs:
    totals: dict[str, int] = {}
    for chunk in chunks:
        for name, amount in chunk.amounts.items():
            totals[name] = totals.get(name, 0) + chunk.times * amount
    found: Pairs = []
    for name, amount in totals.items():
        row = by_flag("pbs").get(f"-l {name}")
        if name in _PROCESSES or not amount:
            continue
        if row is not None:
            said = f"{amount}B" if row.kind == "memory" else str(amount)
            found.append((_ALL_NODES.get(row.name, row.name), said))
        else:
            found.append(("resource", f"{name}={amount}"))
    return found


def _nodes(text: str, origin: str) -> Pairs:
    """Torque's `nodes=2:ppn=4:gpus=1`; other words are properties or names of nodes."""
    parts = [part.split(":") for part in text.split("+")]
    numbers = [units.count(part[0], origin) if part[0].isdigit() else 1 for part in parts]
    found: Pairs = [("nodes", str(sum(numbers)))] if parts[0][0].isdigit() or parts[1:] else []
    plain = len(parts) == 1 and bool(found)
    for word in parts[0][1:] if parts[0][0].isdigit() else parts[0]:
        name, _, value = word.lower().partition("=")
        if name == "ppn":
            found += [("cpus@here", value), ("tasks_per_node@cluster", value)]
        elif name == "gpus":
            found.append(("gpus_per_node", value))
        else:
            found.append(("@-pbs", f"{safe(word[:60])} is ignored {_ONE_MACHINE}"))
            plain = False
    if len(parts) > 1:
        found.append(("@cluster-pbs", "every node is taken to be as the first"))
    return found if plain else [*found, ("nodes!pbs", _requested("nodes", text))]


def _place(text: str, origin: str) -> Pairs:
    words = text.lower().split(":")
    if words == ["excl"]:
        return [("exclusive", "yes")]
    note = ("@cluster-pbs", f"{safe(text[:60])} is ignored (a word of PBS)")
    exact = ("exclusive!pbs", _requested("place", text))
    alone = [("exclusive@-pbs", "yes")] if {"excl", "exclhost"} & {*words} else []
    return [*alone, note, exact]


_SPECIAL: Final = {"select": _select, "nodes": _nodes, "place": _place}
_PROCESSES: Final = frozenset({"mpiprocs", "ompthreads"})
_LEFT_RESOURCES: Final = _PROCESSES | frozenset(
    {"cput", "pcput", "file", "nice", "host", "vnode", "arch", "nodect"}
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
            note = f"{safe(part[:60])} is ignored (it has no meaning on one machine)"
            found.append(("" if name in _WAITING else "@-pbs", note))
            found += [] if name in _WAITING else [("native@pbs", join(["-W", part.strip()]))]
    return found


_WAITING: Final = ("block", "interactive")
"""Attributes that make qsub itself wait."""


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


def _priority(text: str, origin: str) -> Pairs:
    return [*centred(text, origin), ("priority!pbs", join(["-p", text]))]


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
        "priority": _priority,
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
    steering=frozenset({"-S", "-k", "-R", "-C", "-z", "-f"}),
    refused={
        "-I": "interactive jobs are not submitted; use: hpc run -- COMMAND",
        "-X": "interactive jobs are not submitted; use: hpc run -- COMMAND",
    },
)
