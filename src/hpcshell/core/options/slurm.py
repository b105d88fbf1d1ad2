"""#SBATCH and sbatch: what Slurm says differently, and what it has that one machine has not.

What means more or less to Slurm than it does in our words is also said to it as it stands.
"""

from __future__ import annotations

from shlex import join
from typing import Final

from hpcshell.core import dependencies, units
from hpcshell.core.options.read import MOST_PRIORITY
from hpcshell.core.options.row import Pairs, Syntax
from hpcshell.core.words import safe

_ONE_MACHINE: Final = "there is one machine"
_HARDWARE: Final = "the choice of hardware is not made here"
_NOT_KEPT: Final = "nothing is kept of it"


_NO_MEMORY: Final = ("@-sbatch", "no memory is set apart (in Slurm, 0 is all of a node's)")


def _memory(text: str, origin: str) -> Pairs:
    if text.strip() == "0":
        return [_NO_MEMORY, ("memory!sbatch", "--mem=0")]
    return [("memory", text)]


def _memory_per_cpu(text: str, origin: str) -> Pairs:
    if text.strip() == "0":
        return [_NO_MEMORY, ("memory_per_cpu!sbatch", "--mem-per-cpu=0")]
    return [("memory_per_cpu", text)]


def _time(text: str, origin: str) -> Pairs:
    if text.strip().lower() in ("0", "-1", "unlimited", "infinite"):
        return [("time_limit", "unlimited"), ("time_limit!sbatch", "--time=UNLIMITED")]
    return [("time_limit", text)]


def _exclusive(text: str, origin: str) -> Pairs:
    if text in ("", "yes"):
        return [("exclusive", "yes")]
    note = f"{safe(text[:60])} is taken as plain --exclusive"
    return [("exclusive@here", "yes"), ("@here", note), ("exclusive@cluster", text)]


def _nice(text: str, origin: str) -> Pairs:
    number = units.count(text or "100", origin, least=-(2**31), most=2**31)
    clamped = max(-MOST_PRIORITY, min(MOST_PRIORITY, number))
    if clamped == number:
        return [("nice", str(number))]
    return [*_clamped("nice", number, clamped), ("nice!sbatch", f"--nice={number}")]


def _priority(text: str, origin: str) -> Pairs:
    if text.strip().upper() == "TOP":
        return [("priority", str(MOST_PRIORITY)), ("priority!sbatch", "--priority=TOP")]
    number = units.count(text, origin, least=0, most=2**32)
    exact = ("priority!sbatch", f"--priority={number}")
    if number <= MOST_PRIORITY:
        return [("priority", str(number)), exact]
    return [*_clamped("priority", number, MOST_PRIORITY), exact]


def _clamped(row: str, number: int, clamped: int) -> Pairs:
    return [(row, str(clamped)), ("@-sbatch", f"{number} is taken as {clamped}")]


def _dependency(text: str, origin: str) -> Pairs:
    """In Slurm a parent without a kind means afterany."""
    expression = dependencies.parse(text, origin, bare="afterany")
    return [("dependency", dependencies.format_expression(expression))]


def _open_mode(text: str, origin: str) -> Pairs:
    return [("open_mode", {"a": "append", "t": "truncate"}.get(text.strip().lower(), text))]


def _gpus_per_socket(text: str, origin: str) -> Pairs:
    return [
        ("gpus@-sbatch", text),
        ("@-sbatch", "taken as --gpus"),
        ("gpus!sbatch", join([f"--gpus-per-socket={text}"])),
    ]


_LEFT: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        (
            "--batch",
            "--bb",
            "--bbf",
            "--cluster-constraint",
            "--clusters",
            "-M",
            "--prefer",
            "--exclude",
            "-x",
            "--nodefile",
            "-F",
            "--nodelist",
            "-w",
            "--network",
            "--switches",
            "--wait-all-nodes",
            "--mcs-label",
            "--segment",
        ),
        ("one", _ONE_MACHINE),
    ),
    **dict.fromkeys(
        ("--contiguous", "--spread-job", "--use-min-nodes", "--reboot", "--resv-ports"),
        ("none", _ONE_MACHINE),
    ),
    "--no-kill": ("maybe", _ONE_MACHINE),
    "-k": ("none", _ONE_MACHINE),
    **dict.fromkeys(
        (
            "--core-spec",
            "-S",
            "--thread-spec",
            "--cores-per-socket",
            "--sockets-per-node",
            "--threads-per-core",
            "--extra-node-info",
            "-B",
            "--hint",
            "--mincpus",
            "--cpu-freq",
            "--cpu-bind",
            "--mem-bind",
            "--gpu-bind",
            "--gpu-freq",
            "--gres-flags",
            "--tres-bind",
            "--ntasks-per-core",
            "--ntasks-per-gpu",
            "--ntasks-per-socket",
            "--distribution",
            "-m",
            "--tmp",
            "--tres-per-task",
            "--tres-per-job",
            "--power",
        ),
        ("one", _HARDWARE),
    ),
    **dict.fromkeys(("--overcommit", "-O"), ("none", _HARDWARE)),
    **dict.fromkeys(("--oversubscribe", "-s", "--share"), ("none", _HARDWARE)),
    **dict.fromkeys(
        ("--acctg-freq", "--wckey", "--extra", "--profile", "--propagate", "--delay-boot"),
        ("one", _NOT_KEPT),
    ),
    "--time-min": ("one", "the time limit stands as it is"),
    "--get-user-env": ("maybe", "the environment is the one you submit from"),
    "--export-file": ("one", "use --export"),
    "--container": ("one", "containers are not started here"),
    "--ignore-pbs": ("none", "use one dialect in a script"),
    "--stepmgr": ("none", _ONE_MACHINE),
    **dict.fromkeys(("--uid", "--gid"), ("one", "jobs run as you")),
    **dict.fromkeys(("--parsable", "--quiet", "-Q", "--test-only"), ("none", "it is for sbatch")),
    **dict.fromkeys(("--verbose", "-v"), ("none", "it is for sbatch")),
    **dict.fromkeys(("--wait", "-W"), ("none", "wait with: hpc wait")),
}

_STEERING: Final = frozenset(
    {
        *("--parsable", "--quiet", "-Q", "--test-only", "--verbose", "-v", "--wait", "-W"),
        *("--uid", "--gid", "--clusters", "-M", "--export-file", "--ignore-pbs"),
    }
)

SLURM: Final = Syntax(
    convert={
        "memory": _memory,
        "memory_per_cpu": _memory_per_cpu,
        "time_limit": _time,
        "exclusive": _exclusive,
        "nice": _nice,
        "priority": _priority,
        "dependency": _dependency,
        "open_mode": _open_mode,
        "--gpus-per-socket": _gpus_per_socket,
    },
    arity={"--exclusive": "maybe", "--nice": "maybe"},
    left=_LEFT,
    steering=_STEERING,
    refused={"--wrap": "a script cannot wrap another command"},
    prefixes=True,
    hash_inside=True,
)
