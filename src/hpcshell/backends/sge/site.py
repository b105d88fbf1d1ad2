"""What a Grid Engine site tells of itself: queues, parallel environments, resources, projects.

`Site.details` keeps what scripts are written by:

    pe NAME         its allocation rule: `$pe_slots`, `$fill_up`, `$round_robin`, or a number
    queue NAME      the parallel environments that it has
    resource NAME   `TYPE RELATION CONSUMABLE`, of those that may be asked for: `INT <= YES`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Answer, Partition, Site, Trouble, Words, no_command
from hpcshell.backends.sge.values import ENVIRONMENT, seconds, size, whole_number

NO_SITE: Final = Trouble(
    kind="broken",
    message="no Grid Engine answers here",
    hint="source the site's settings.sh, so that SGE_ROOT and the commands are known",
)
_WRAPPED: Final = re.compile(r"(?i)slurm|pbs|torque|openlava|lsf")
_VERSION: Final = re.compile(r"(?a)\A(SGE|OGS/GE|GE|UGE|AGE|N1GE|OCS|GCS)\s+([0-9][\w.+-]*)")
_FLAVOURS: Final = {"UGE": "UGE", "AGE": "UGE"}
_ENVIRONMENTS: Final = 'for name in $(qconf -spl); do qconf -sp "$name"; done'
_IDENTITY: Final = "cluster "
_PROBE: Final = f"""qstat -help 2>/dev/null | head -n 1
cell=${{SGE_ROOT-}}/${{SGE_CELL-default}}
test -z "${{SGE_ROOT-}}" ||
    printf '{_IDENTITY}%s\\n' "$(cat "$cell/common/cluster_name" 2>/dev/null) in $cell"
exec qconf -sql"""


def shell(text: str, *words: str, patience: float = 30.0) -> Words:
    """A few of its commands in one."""
    argv = ("sh", "-c", text, "sh", *words)
    return Words(argv=argv, env=ENVIRONMENT, patience=patience)


def probe() -> Words:
    """Its version (from the client), which cell it is, and its queues (only the qmaster knows
    them)."""
    return shell(_PROBE)


def read_probe(answer: Answer) -> Site | Trouble:
    lines = answer.out.splitlines()
    found = _VERSION.match(lines[0]) if lines else None
    if found is None:
        wrapper = _WRAPPED.search(answer.said)
        if wrapper is None:
            return no_command(answer, "Grid Engine", "source the site's settings.sh") or NO_SITE
        return Trouble(
            kind="broken",
            message=f"the qstat here is not Grid Engine's: it speaks of {wrapper[0]}",
            hint="use the back end of the scheduler that is behind it",
        )
    if answer.code != 0:
        from hpcshell.backends.sge.troubles import classify

        return classify(answer, Site())
    told = [line.strip() for line in lines[1:] if line.strip()]
    cells = [line.removeprefix(_IDENTITY) for line in told if line.startswith(_IDENTITY)]
    return Site(
        version=found[2],
        flavour=_FLAVOURS.get(found[1], "SGE"),
        partitions=tuple(Partition(name=line) for line in told if not line.startswith(_IDENTITY)),
        identity=cells[0] if cells else "",
    )


def questions() -> Sequence[Words]:
    plain = [("-sq", "*"), ("-sc",), ("-sconf",), ("-sprjl",)]
    asked = [Words(argv=("qconf", *words), env=ENVIRONMENT) for words in plain]
    hosts = Words(argv=("qhost", "-q"), env=ENVIRONMENT)
    return [*asked, shell(_ENVIRONMENTS), hosts]


def read(answers: Sequence[Answer], known: Site) -> Site:
    """`known`: what the probe told. A question without an answer leaves its part untold."""
    texts = [answer.out if answer.code == 0 else "" for answer in answers]
    queues, resources, settings, projects, environments, hosts = (*texts, *[""] * 6)[:6]
    resource_details = dict(_resources(resources))
    flags = tuple(
        name.partition(" ")[2] for name, kind in resource_details.items() if kind.startswith("BOOL")
    )
    listed = list(_objects(queues, "qname"))
    memory = _memory_by_queue(hosts)
    configured = next(_objects(settings.replace("#global:", "name global", 1), "name"), {})
    accounts = tuple(line.strip() for line in projects.splitlines() if re.fullmatch(_NAME, line))
    return Site(
        version=known.version,
        flavour=known.flavour,
        identity=known.identity,
        partitions=tuple(_partition(queue, memory, flags) for queue in listed) or known.partitions,
        accounts=accounts,
        most_elements=whole_number(configured.get("max_aj_tasks", "")) or None,
        accounting="accounting=false" not in configured.get("reporting_params", ""),
        details={
            **{f"pe {pe['pe_name']}": pe.get("allocation_rule", "") for pe in _pes(environments)},
            **{f"queue {queue['qname']}": _words(queue.get("pe_list", "")) for queue in listed},
            **resource_details,
        },
    )


_NAME: Final = re.compile(r"\s*[A-Za-z_][\w.+-]*\s*")


def _pes(text: str) -> Iterator[dict[str, str]]:
    return _objects(text, "pe_name")


def _objects(text: str, first: str) -> Iterator[dict[str, str]]:
    """What `qconf -sX` prints: a name and a value a line, `\\` at the end where it goes on. An
    object begins at its attribute `first`."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == first:
            if first in found:
                yield found
            found = {}
        if name:
            found[name] = " ".join(value.split())
    if first in found:
        yield found


def _words(value: str) -> str:
    """Names out of a list with exceptions for hosts: `smp mpi,[node1=smp gpu]`."""
    names = re.sub(r"\[[^=\]]*=", " ", value).replace("]", " ").replace(",", " ").split()
    return " ".join(dict.fromkeys(name for name in names if name.upper() != "NONE"))


def _first(value: str) -> str:
    return value.partition(",")[0]


def _partition(
    queue: Mapping[str, str], memory: Mapping[str, int], flags: tuple[str, ...]
) -> Partition:
    numbers = [
        int(word) for word in re.findall(r"(?a)(?:\A|=)([0-9]{1,9})", queue.get("slots", ""))
    ]
    return Partition(
        name=queue["qname"],
        max_time=seconds(_first(queue.get("h_rt", ""))),
        cpus_per_node=max(numbers, default=None),
        memory_per_node=memory.get(queue["qname"]),
        features=flags,
    )


def _memory_by_queue(text: str) -> dict[str, int]:
    """The memory of the largest host of each queue, out of `qhost -q`."""
    found: dict[str, int] = {}
    column, memory = -1, None
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == "HOSTNAME":
            column = words.index("MEMTOT") if "MEMTOT" in words else -1
        elif line[:1] not in ("", " ", "-"):
            memory = size(words[column]) if -1 < column < len(words) else None
        elif words and memory:
            found[words[0]] = max(memory, found.get(words[0], 0))
    return found


def _resources(text: str) -> Iterator[tuple[str, str]]:
    """`qconf -sc`: name, shortcut, type, relation, requestable, consumable, default, urgency."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 8 and not line.startswith("#") and words[4].upper() in ("YES", "FORCED"):
            yield f"resource {words[0]}", " ".join(words[2:4] + words[5:6])
