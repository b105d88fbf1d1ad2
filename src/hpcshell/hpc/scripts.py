"""The scripts of sweeps: directives, then the command with its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

FIRST: Final[Mapping[str, tuple[str, ...]]] = {"pbs": ("cd $PBS_O_WORKDIR",), "slurm": ()}
"""Lines before the command."""
INDEX: Final[Mapping[str, str]] = {
    "pbs": "${PBS_ARRAY_INDEX:-$PBS_ARRAYID}",  # Torque has the second
    "slurm": "$SLURM_ARRAY_TASK_ID",
}


def single_script(
    kind: str, directives: Sequence[str], command: str, params: Mapping[str, Any]
) -> str:
    """A script that runs the command once."""
    words = " ".join([command, *_arguments(params)])
    return _script(kind, directives, [words])


def array_script(
    kind: str, directives: Sequence[str], command: str, several: Sequence[Mapping[str, Any]]
) -> str:
    """A script that picks its parameters by the index of the element, from 1 on."""
    lines = [f'case "{INDEX[kind]}" in']
    for number, params in enumerate(several, start=1):
        lines.append(f"{number}) {' '.join(['set --', *_arguments(params)])} ;;")
    lines += ["*) echo no parameters for this index >&2; exit 2 ;;", "esac", f'{command} "$@"']
    return _script(kind, directives, lines)


def _script(kind: str, directives: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join(["#!/bin/bash", *directives, "", *FIRST[kind], *lines]) + "\n"


def _arguments(params: Mapping[str, Any]) -> Iterator[str]:
    """`"name=value"` of each, which arrives as it is given."""
    if not isinstance(params, Mapping):
        raise Wrong(f"{quote(repr(params))} is no table of parameters", 'write {"lr": 0.1}')
    for name, value in params.items():
        text = f"{name}={value}"
        if "\0" in text:
            raise Wrong(f"{quote(str(name))}: no program can be given a NUL", "take it out")
        yield '"' + re.sub(r'(["$`\\])', r"\\\1", text) + '"'
