"""#SBATCH and sbatch: what Slurm says differently, and what it has that one machine has not."""

from __future__ import annotations

from typing import Final

from hpcshell.core import dependencies, units
from hpcshell.core.options.read import MOST_PRIORITY
from hpcshell.core.options.row import Syntax
from hpcshell.core.words import safe

_ONE_MACHINE: Final = "there is one machine"
_HARDWARE: Final = "the choice of hardware is not made here"
_NOT_KEPT: Final = "nothing is kept of it"


def _memory(text: str, origin: str) -> list[tuple[str, str]]:
    if text.strip() == "0":
        return [("", "no memory is set apart (in Slurm, 0 is all of a node's)")]
    return [("memory", text)]


def _memory_per_cpu(text: str, origin: str) -> list[tuple[str, str]]:
    if text.strip() == "0":
        return [("", "no memory is set apart (in Slurm, 0 is all of a node's)")]
    return [("memory_per_cpu", text)]


def _time(text: str, origin: str) -> list[tuple[str, str]]:
    return [("time_limit", "unlimited" if text.strip() in ("0", "-1") else text)]


def _exclusive(text: str, origin: str) -> list[tuple[str, str]]:
    if text in ("", "yes"):
        return [("exclusive", "yes")]
    return [("exclusive", "yes"), ("", f"{safe(text[:60])} is taken as plain --exclusive")]


def _nice(text: str, origin: str) -> list[tuple[str, str]]:
    number = units.count(text or "100", origin, least=-(2**31), most=2**31)
    clamped = max(-MOST_PRIORITY, min(MOST_PRIORITY, number))
    note = [] if clamped == number else [("", f"{number} is taken as {clamped}")]
    return [("nice", str(clamped)), *note]


def _priority(text: str, origin: str) -> list[tuple[str, str]]:
    if text.strip().upper() == "TOP":
        return [("priority", str(MOST_PRIORITY))]
    number = units.count(text, origin, least=0, most=2**32)
    if number <= MOST_PRIORITY:
        return [("priority", str(number))]
    return [("priority", str(MOST_PRIORITY)), ("", f"{number} is taken as {MOST_PRIORITY}")]


def _dependency(text: str, origin: str) -> list[tuple[str, str]]:
    """In Slurm a parent without a kind means afterany."""
    expression = dependencies.parse(text, origin, bare="afterany")
    return [("dependency", dependencies.format_expression(expression))]


def _open_mode(text: str, origin: str) -> list[tuple[str, str]]:
    return [("open_mode", {"a": "append", "t": "truncate"}.get(text.strip().lower(), text))]


def _gpus_per_socket(text: str, origin: str) -> list[tuple[str, str]]:
    return [("gpus", text), ("", "taken as --gpus")]


_LEFT: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        (
            "--batch",
            "--bb",
            "--bbf",
            "--cluster-constraint",
            "--clusters",
            "-M",
            "--constraint",
            "-C",
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
    refused={"--wrap": "a script cannot wrap another command"},
    prefixes=True,
    hash_inside=True,
)
