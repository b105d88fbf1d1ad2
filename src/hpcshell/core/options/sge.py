"""#$: the words of Grid Engine.

What means more or less to Grid Engine than it does in our words is also said to it as it stands.
"""

from __future__ import annotations

import re
from shlex import join
from typing import Final

from hpcshell.core import units
from hpcshell.core.errors import Wrong
from hpcshell.core.options.pbs import centred, mails, when
from hpcshell.core.options.row import Pairs, Syntax
from hpcshell.core.options.table import by_flag
from hpcshell.core.words import quote, safe

_DECIMAL: Final = 1000
"""Grid Engine's lower-case letters are powers of 1000, its capitals of 1024."""
_SCRIPT_LINE: Final = "the script's first line names its interpreter"
_FOR_QSUB: Final = "it is for qsub"
_LEFT_RESOURCES: Final = frozenset(
    {"s_rt", "h_cpu", "s_cpu", "s_vmem", "h_fsize", "s_fsize", "h_stack", "h_data", "h_core"}
    | {"hostname", "h", "arch", "a", "qname", "q", "tmpfs", "tmp_free", "slots", "num_proc"}
)
_VARIABLES: Final = (
    ("JOB_ID", "%A"),
    ("TASK_ID", "%a"),
    ("SGE_TASK_ID", "%a"),
    ("JOB_NAME", "%x"),
    ("USER", "%u"),
    ("HOSTNAME", "%N"),
)


_EVERYWHERE: Final = ("h_rt", "h_vmem", "gpu")
"""Resources that every site has by these names, if it has them."""


def _resources(text: str, origin: str) -> Pairs:
    """`-l h_rt=01:00:00,h_vmem=4G,gpu=1`; memory counts for each slot."""
    found: Pairs = []
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        said = _resource(name, value if equals else "1", part, f"{origin} {name}")
        if name in _EVERYWHERE:
            found.append(said)
        else:
            row, meaning = said
            stands = row if row in ("gpus", "memory_per_cpu") else ""
            found.append((f"{row}@-sge", meaning))
            found.append((f"{stands}!sge" if stands else "native@sge", join(["-l", part.strip()])))
    return found


def _resource(name: str, value: str, part: str, origin: str) -> tuple[str, str]:
    row = by_flag("sge").get(f"-l {name}")
    if row is not None and row.name == "time_limit":
        return ("time_limit", _seconds(value, origin))
    if row is not None and row.kind == "memory":
        return (row.name, f"{units.size(value, origin, bare=1, small=_DECIMAL)}B")
    if row is not None:
        return (row.name, value)
    if value.isascii() and value.isdigit() and name not in _LEFT_RESOURCES and "=" in part:
        return ("resource", f"{name}={value}")
    return ("", f"{safe(part[:60])} is ignored (there is one machine)")


def _seconds(text: str, origin: str) -> str:
    """`HH:MM:SS`, or seconds; parts may be empty (`1::`)."""
    if text.strip().upper() == "INFINITY":
        return "unlimited"
    if ":" in text:
        return ":".join(part or "0" for part in text.split(":"))
    return f"{units.duration(text, origin, bare=1.0)}s"


_ON_ONE_NODE: Final = r"(?i)smp|thread|openmp(?!i)|omp(?!i)|shm|shared"
"""Names that parallel environments have where all slots are on one node."""


def _slots(text: str, origin: str) -> Pairs:
    """`-pe smp 4`: the slots are CPUs; where they may lie on several nodes, tasks. Of a range, the
    least."""
    name, _, slots = text.partition(" ")
    least = slots.strip().partition("-")[0]
    number = str(units.count(least, f"{origin} {safe(name[:30])}"))
    row = "cpus" if re.search(_ON_ONE_NODE, name) else "tasks"
    note = ("@-sge", f"{safe(slots[:60])} is taken as {least}")
    return [
        ("cpus@here", number),
        (f"{row}@cluster", number),
        *([] if slots.strip() == least else [note]),
        ("tasks!sge", join(["-pe", name, slots.strip()])),
    ]


def _priority(text: str, origin: str) -> Pairs:
    return [*centred(text, origin), ("priority!sge", join(["-p", text]))]


def _held(text: str, origin: str) -> Pairs:
    return [("dependency", _list("afterany", text, origin))]


def _held_by_element(text: str, origin: str) -> Pairs:
    return [("dependency", _list("aftercorr", text, origin))]


def _list(kind: str, text: str, origin: str) -> str:
    jobs = [part.strip() for part in text.split(",")]
    if not all(jobs):
        raise Wrong(f"{origin}: {quote(text)} names no job to wait for", "write an id or a name")
    return f"{kind}:" + ":".join(jobs)


def _yes(text: str, origin: str) -> bool:
    word = text.strip().lower()
    if word not in ("y", "yes", "n", "no"):
        raise Wrong(f"{origin}: {quote(text)} is neither y nor n", "write y or n")
    return word[0] == "y"


def _join(text: str, origin: str) -> Pairs:
    return [("join", "output" if _yes(text, origin) else "no")]


def _hold(text: str, origin: str) -> Pairs:
    return [("hold", "no" if text.strip().lower() == "n" else "yes")]


def _binary(text: str, origin: str) -> Pairs:
    if _yes(text, origin):
        raise Wrong(f"{origin} y: a script is no command", "use: hpc submit -- COMMAND")
    return []


def _path(option: str, text: str) -> Pairs:
    path = re.sub(r"\A[A-Za-z0-9.-]*:", "", text)
    for theirs, ours in _VARIABLES:
        path = re.sub(rf"\$\{{{theirs}\}}|\${theirs}(?![A-Za-z0-9_])", ours, path)
    return [(option, path)]


def _output(text: str, origin: str) -> Pairs:
    return _path("output", text)


def _error(text: str, origin: str) -> Pairs:
    return _path("error", text)


def _here(text: str, origin: str) -> Pairs:
    return []  # the submission's directory is where jobs run anyway


def _begin(text: str, origin: str) -> Pairs:
    return [("begin", when(text, origin))]


def _deadline(text: str, origin: str) -> Pairs:
    return [("deadline", when(text, origin))]


def _all(text: str, origin: str) -> Pairs:
    return [("export", "ALL")]


def _listed(text: str, origin: str) -> Pairs:
    return [("export", f"ALL,{text}")]


SGE: Final = Syntax(
    convert={
        "-l": _resources,
        "-pe": _slots,
        "-hold_jid": _held,
        "-hold_jid_ad": _held_by_element,
        "-cwd": _here,
        "-V": _all,
        "-b": _binary,
        "export": _listed,
        "begin": _begin,
        "deadline": _deadline,
        "priority": _priority,
        "notify_on": mails,
        "join": _join,
        "hold": _hold,
        "output": _output,
        "error": _error,
    },
    arity={"-cwd": "none", "-V": "none", "-r": "one", "-h": "maybe", "-pe": "two"},
    left={
        "-S": ("one", _SCRIPT_LINE),
        "-shell": ("one", _SCRIPT_LINE),
        "-w": ("one", "every request is checked when it is submitted"),
        "-R": ("one", "waiting jobs get promises anyway"),
        "-now": ("one", _FOR_QSUB),
        "-sync": ("one", "wait with: hpc wait"),
        "-terse": ("none", _FOR_QSUB),
        "-verify": ("none", _FOR_QSUB),
        "-clear": ("none", _FOR_QSUB),
        "-notify": ("none", "say --signal for a warning"),
        "-soft": ("none", "every request is meant"),
        "-hard": ("none", "every request is meant"),
        "-ckpt": ("one", "there are no checkpoints"),
        "-c": ("one", "there are no checkpoints"),
        "-binding": ("one", "the choice of hardware is not made here"),
        "-ac": ("one", "nothing is kept of it"),
        "-js": ("one", "there are no job shares"),
        "-masterq": ("one", "there is one machine"),
        "-C": ("one", "directives begin with #$"),
    },
    steering=frozenset({"-S", "-shell", "-now", "-sync", "-terse", "-verify", "-clear", "-C"}),
    long=False,
)
