"""What the points of a sweep ask for, as one text in anybody's words.

    select=2:ncpus=8:mem=32gb          PBS's, with + between chunks; so is mem=4gb,walltime=1:00:00
    --nodes=2 --mem=32G, -N 2          Slurm's
    cpus=4 memory=8G gpus=0.5          those of `hpc submit`; so is --cpus 4

All of it is read by the option table, as the directives of a script are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hpcshell.core.errors import Wrong
from hpcshell.core.options.parse import parse_flags, words
from hpcshell.core.options.row import Dialect, Option, Setting
from hpcshell.core.options.table import BY_NAME, by_flag, by_key
from hpcshell.core.words import nearest, quote
from hpcshell.jobs.opened import door

WHERE: Final = "resources: "
"""What errors begin with, unless it is said."""


def sweep_options(text: str, site: str = "", where: str = WHERE) -> dict[str, Any]:
    """The keywords of `hpcshell.submit`, for a site whose directives are in the dialect `site`
    ("": for this machine). Raises `Wrong` for what no scheduler understands."""
    return keywords(resource_settings(text, where), site)


def keywords(settings: Iterable[Setting], site: str = "") -> dict[str, Any]:
    """Settings as keywords of `hpcshell.submit`: those that such a site is to hear."""
    found: dict[str, Any] = {}
    for setting in settings:
        if not setting.option or not setting.heard_at(site):
            continue
        name = "native" if setting.native else setting.option
        if BY_NAME[name].multiple:
            found[name] = [*found.get(name, ()), setting.text]
        elif name == "gres" and name in found:
            found[name] += f",{setting.text}"
        else:
            found[name] = setting.text
    return found


def over(stronger: Mapping[str, Any], weaker: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of both, by the names of their rows. What the stronger ones say in another way
    (memory of a CPU, not of a node) is not said by the weaker ones any more."""
    said = _named(stronger)
    groups = {BY_NAME[name].group for name in said if name in BY_NAME} - {""}
    kept = {
        name: value
        for name, value in _named(weaker).items()
        if name not in BY_NAME or BY_NAME[name].group not in groups
    }
    return {**kept, **said}


def _named(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        row.name if (row := by_key(name)) is not None else name: value
        for name, value in options.items()
    }


def site_of(on: str | None) -> str:
    """The dialect of the place that jobs go to; "" for this machine, and for several places."""
    if on is not None and "," in on:
        return ""
    cluster = getattr(door(on), "cluster", None)
    return "" if cluster is None else str(cluster.backend.dialect)


def resource_settings(text: str, where: str = WHERE) -> tuple[Setting, ...]:
    """The same as settings, with what is worth a note, and who is to hear it."""
    tokens, dialect = spoken(text, where)
    parsed = parse_flags(tokens, dialect, where)
    if parsed.rest:
        raise Wrong(f"{where}{quote(parsed.rest[0])} is no option", "options begin with -")
    return parsed.settings


def spoken(
    text: str, where: str = WHERE, letters: Dialect | None = None
) -> tuple[list[str], Dialect]:
    """The text as flags, and whose they are. `letters`: whose options of one letter are, where
    there are no others."""
    tokens = words(text, where.rstrip(": "))
    if not tokens:
        return [], letters or "hpc"
    if tokens[0].startswith("-"):
        return tokens, _whose(tokens, letters)
    named = [word.partition("=") for token in tokens for word in token.split(",")]
    rows = [by_key(name) if equals else None for name, equals, _ in named]
    if all(f"-l {name.lower()}" in by_flag("pbs") for name, _, _ in named) or None in rows:
        _check_not_mixed([name for name, _, _ in named], rows, where)
        return [word for token in tokens for word in ("-l", token)], "pbs"
    ours = zip(named, rows, strict=True)
    return [f"{row.flag}={value}" for (_, _, value), row in ours if row is not None], "hpc"


def _check_not_mixed(names: Sequence[str], rows: Sequence[Option | None], where: str) -> None:
    """Words of which only some are ours are no words of PBS's: one of them is misspelt."""
    ours = [name for name, row in zip(names, rows, strict=True) if row is not None]
    if {"cpus", "gpus", "memory", "time", "time_limit"} & {*ours}:
        odd = next(name for name, row in zip(names, rows, strict=True) if row is None)
        near = nearest(odd, BY_NAME)
        hint = f"did you mean {near}?" if near else "see: hpc submit --help"
        raise Wrong(f"{where}{quote(odd)} is no option of a job", hint)


def _whose(tokens: Sequence[str], letters: Dialect | None) -> Dialect:
    """Whose options these are: Slurm's, where all of them are; else ours, where they are all that.
    Letters alone are those of `letters`, if it is said, else PBS's where `-l` is among them."""
    if not any(token.startswith("--") for token in tokens):
        if letters is not None:
            return letters
        if any(token.startswith("-l") for token in tokens):
            return "pbs"
    flags = [_flag(token) for token in tokens if token.startswith("-")]
    dialects: tuple[Dialect, ...] = ("sbatch", "hpc")
    every = (each for each in dialects if all(flag in by_flag(each) for flag in flags))
    return next(every, "sbatch")


def _flag(token: str) -> str:
    return token.partition("=")[0] if token.startswith("--") else token[:2]
