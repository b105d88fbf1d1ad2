"""The first `sweep.yaml` of a project: one that runs as it stands, and shows what could vary."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from keyword import iskeyword
from shlex import join
from typing import Any, Final

from hpcshell.core.words import safe, shortened
from hpcshell.flow.arguments import OWN
from hpcshell.sweeps.arguments import Argument
from hpcshell.sweeps.candidates import Candidate

_HEAD: Final = """\
# A sweep: what is run, and with which values.
#   hpc sweep run --dry-run      how many points, and what would be run
#   hpc sweep run                run them; hpc sweep status, watch, report
"""
_MORE: Final = """\
  # paired:                      # values that belong together
  #   - {width: [64, 128], heads: [2, 4]}
  # random: {samples: 20, seed: 1, parameters: {lr: {loguniform: [1.0e-5, 1.0e-1]}}}
  # exclude: ["lr > 0.05 and seed == 3"]

# resources: {cpus: 2, memory: 4G, time_limit: 1h, gpus: 0.5}    # or "select=1:ncpus=2:mem=4gb"
# metric: loss                   # for report and best: printed as loss=0.5, or in metrics.json
# direction: minimize
# max_failures: 10
# snapshot: true                 # points run in a copy: later edits do not reach them
"""
_LARGEST: Final = 1 << 53
_ONE_POINT: Final = "seed: [0]"
"""What varies where nobody knows what could."""


def empty_spec() -> str:
    """All of it as comments, for a project without a script."""
    body = [
        "command: python3 train.py",
        "sweep:",
        "  grid:",
        "    lr: [0.1, 0.01]",
        "    seed: [1, 2, 3]",
    ]
    more = [line.strip() for line in _MORE.splitlines()]
    return "\n".join([_HEAD, *(f"# {line}" for line in body), *more, ""])


def first_spec(candidate: Candidate) -> str:
    """The specification for a script, with the arguments that it takes."""
    interface = candidate.interface
    if interface.style == "flags":
        head, grid = _by_flags(candidate)
    elif interface.style == "keys":
        head, grid = _by_keys(candidate)
    else:
        head, grid = _by_environment(candidate)
    return "\n".join([_HEAD, *head, "sweep:", "  grid:", *(f"    {line}" for line in grid), _MORE])


# ---------------------------------------------------------------------- by how it takes its words


def _by_flags(candidate: Candidate) -> tuple[list[str], list[str]]:
    """`--name value`: each argument of a plain value stands in the command, at its default."""
    varied = [each for each in candidate.interface.arguments if _plain(each)]
    words = [part for each in varied for part in (each.flag, _placeholder(each)) if part]
    others = [each for each in candidate.interface.arguments if not _plain(each)]
    command = " ".join([_escaped(candidate.command), *words])
    return (
        [f"command: {_yaml(command)}"],
        [*(_line(each) for each in varied), *([] if varied else [_ONE_POINT]), *_left_out(others)],
    )


def _placeholder(argument: Argument) -> str:
    return "{" + argument.name + "}"


def _escaped(words: Iterable[str]) -> str:
    """The words of a template: a brace in them is no placeholder."""
    return join(words).replace("{", "{{").replace("}", "}}")


def _plain(argument: Argument) -> bool:
    default = argument.default
    if argument.switch or isinstance(default, bool) or not _nameable(argument.name):
        return False
    if isinstance(default, str) and default[:1] == "-":
        return False  # the script would take it for an option
    return argument.required if default is None else _sayable(default)


def _sayable(value: Any) -> bool:
    """Whether a file of a sweep can hold it."""
    if isinstance(value, str):
        return value != "" and value.isprintable()
    return math.isfinite(value) and abs(value) <= _LARGEST


def _nameable(name: str) -> bool:
    """Whether a placeholder of this name is that of the parameter."""
    return name.isidentifier() and name.isascii() and not iskeyword(name) and name not in OWN


def _left_out(arguments: Iterable[Argument]) -> Iterator[str]:
    """What is a switch, or says no default: to be named by whoever wants it."""
    for argument in arguments:
        said = argument.flag or argument.name
        how = "a switch or a list" if argument.switch else "no default"
        how = "{output} is the point's folder" if argument.name == "output" else how
        yield f"# {safe(said)}: {how}{_about(argument)}"


def _by_keys(candidate: Candidate) -> tuple[list[str], list[str]]:
    """`name=value`: whatever is named here is an argument."""
    head = [f"command: {_yaml(join(candidate.command))}"]
    if "{" in candidate.path:
        head.append("passing: arguments    # the brace in the command is no placeholder")
    if candidate.interface.hydra:
        head.append("output_key: hydra.run.dir    # the folder of the point, for Hydra's outputs")
    arguments = [each for each in candidate.interface.arguments if _sayable(each.default)]
    first = next((each for each in arguments if each.name.rpartition(".")[2] == "seed"), None)
    first = first or next(iter(arguments), None)
    if first is None:
        return head, [_ONE_POINT]
    others = [each for each in arguments if each is not first]
    return head, [_line(first), *(f"# {_line(each)}" for each in others)]


def _by_environment(candidate: Candidate) -> tuple[list[str], list[str]]:
    """Nobody knows what it reads: variables disturb no script."""
    return [
        f"command: {_yaml(join(candidate.command))}",
        "passing: environment    # or arguments (seed=0), or placeholders in the command: {seed}",
    ], [_ONE_POINT]


# ------------------------------------------------------------------------------------ how it looks


def _line(argument: Argument) -> str:
    value = argument.default if argument.default is not None else "FILL-IN"
    if argument.default is None and argument.choices:
        value = argument.choices[0]
    return f"{_yaml(argument.name)}: [{_yaml(value)}]{_about(argument, '    #')}"


def _about(argument: Argument, before: str = ";") -> str:
    """The rest of a line: which values there are, and what its help says."""
    parts = []
    if argument.required:
        parts.append("it has no default")
    if argument.choices:
        parts.append("one of " + ", ".join(map(str, argument.choices[:12])))
    if argument.help:
        parts.append(argument.help)
    return f"{before} {safe(shortened('; '.join(parts), 80))}" if parts else ""


def _yaml(value: Any) -> str:
    """A value as it stands in YAML: plain where that is read back as the same, else as JSON."""
    import yaml

    if isinstance(value, str):
        plain = value == value.strip() and not set(value) & set(",[]{}#&*!|>'\"%@`\n")
        try:
            if plain and yaml.safe_load(value) == value and value.isprintable():
                return value
        except yaml.YAMLError:
            pass
        return json.dumps(value)
    if isinstance(value, float) and "e" in (text := repr(value)) and "." not in text:
        return text.replace("e", ".0e")  # without the point YAML takes it for text
    return json.dumps(value)
