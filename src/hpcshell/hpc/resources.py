"""What a sweep asks for, in the words of PBS or of Slurm, as directives of either.

    directive_lines("select=2:ncpus=8:mem=32gb", "pbs")      as it stands
    directive_lines("select=2:ncpus=8:mem=32gb", "slurm")    --nodes=2, --cpus-per-task=8, --mem=...

Whatever is said in the words of the other scheduler is read by the option table, and written by the
back end, as for every job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import Order
from hpcshell.backends.registry import backend
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.options.parse import parse_flags
from hpcshell.core.options.row import Dialect, Setting
from hpcshell.core.submission import Submission
from hpcshell.core.words import one_line
from hpcshell.jobs.prepare import prepare_spec
from hpcshell.sweeps.resources import spoken

DIALECT: Final[dict[str, Dialect]] = {"pbs": "pbs", "slurm": "sbatch"}
PREFIX: Final = {"pbs": "#PBS ", "slurm": "#SBATCH "}


def said(value: str, what: str) -> str:
    """A value as a directive can hold it."""
    one_line(value, what)
    if re.fullmatch(r"(?a)[\w@%+=:,./^{}-]+", value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def directive_lines(text: str, kind: str) -> list[str]:
    """One directive, without its prefix, for each thing that is asked for."""
    tokens, theirs = spoken(text, letters=DIALECT[kind])
    if not tokens:
        return []
    settings = parse_flags(tokens, theirs, "resources: ").settings
    if theirs == DIALECT[kind]:
        return list(_as_given(tokens))
    return _translated(settings, kind)


def _as_given(tokens: Sequence[str]) -> Iterator[str]:
    """Each option with its value."""
    line: list[str] = []
    for token in tokens:
        if token.startswith("-") and line:
            yield " ".join(line)
            line = []
        line.append(said(token, "resources"))
    yield " ".join(line)


def _translated(settings: Sequence[Setting], kind: str) -> list[str]:
    """What the back end writes for these settings, and would not without them."""
    argv = ["true"]
    asked = prepare_spec(argv, None, settings, dialect=DIALECT[kind]).spec
    plain = prepare_spec(argv, None, (), dialect=DIALECT[kind]).spec
    usual = set(_written(plain, kind))
    return [line for line in _written(asked, kind) if line not in usual]


def _written(spec: JobSpec, kind: str) -> list[str]:
    asked = spec.submission
    bare = Submission(
        argv=asked.argv,
        cwd="",
        env={},
        request=asked.request,
        partition=asked.partition,
        account=asked.account,
        qos=asked.qos,
        reservation=asked.reservation,
    )
    only = JobSpec(submission=bare, layout=spec.layout, native=spec.native)
    text = backend(kind).script(Order(spec=only, key="sweep", directory="/"))
    return [
        line.removeprefix(PREFIX[kind])
        for line in text.splitlines()
        if line.startswith(PREFIX[kind])
    ]
